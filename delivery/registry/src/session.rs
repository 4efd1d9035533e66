//! What a registry accepted last, kept until it expires or is refused.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use http::HeaderValue;
use lru::LruCache;
use tokio::time::Instant;

use crate::{Challenge, credentials::Fingerprint};

/// What may be done with a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Actions {
    Pull,
    PullAndPush,
    /// Push here, and read another repository of the same registry, to take a blob from it.
    PushMounting(String),
}

impl Actions {
    /// The scopes to ask for, the wider one first.
    pub(crate) fn scopes(&self, path: &str) -> Vec<String> {
        match self {
            Self::Pull => vec![format!("repository:{path}:pull")],
            Self::PullAndPush => vec![format!("repository:{path}:pull,push")],
            Self::PushMounting(from) => {
                vec![format!("repository:{path}:pull,push"), format!("repository:{from}:pull")]
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) actions: Actions,
    pub(crate) keychain: Fingerprint,
}

/// How a repository was reached with success.
#[derive(Debug)]
pub(crate) struct Session {
    /// Nothing where the registry asks for nothing.
    pub(crate) header: Option<HeaderValue>,
    pub(crate) expires: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Sessions {
    kept: Mutex<LruCache<SessionKey, Arc<Session>>>,
    /// The last bearer challenge of each host: it spares the first 401 of the next repository.
    challenges: Mutex<LruCache<String, Arc<Vec<Challenge>>>>,
    /// Those who want the same session wait for the first to get it.
    gates: Vec<tokio::sync::Mutex<()>>,
}

const MOST_SESSIONS: NonZeroUsize = NonZeroUsize::new(8192).unwrap();
const MOST_HOSTS: NonZeroUsize = NonZeroUsize::new(256).unwrap();
const GATES: usize = 64;

impl Default for Sessions {
    fn default() -> Self {
        Self {
            kept: Mutex::new(growing(MOST_SESSIONS)),
            challenges: Mutex::new(growing(MOST_HOSTS)),
            gates: (0..GATES).map(|_| tokio::sync::Mutex::default()).collect(),
        }
    }
}

/// A cache of at most so many, that takes room only as it fills.
fn growing<K: std::hash::Hash + Eq, V>(most: NonZeroUsize) -> LruCache<K, V> {
    let mut cache = LruCache::new(NonZeroUsize::MIN);
    cache.resize(most);
    cache
}

impl Sessions {
    pub(crate) fn get(&self, key: &SessionKey) -> Option<Arc<Session>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let session = kept.get(key)?.clone();
        if session.expires.is_some_and(|at| at <= Instant::now()) {
            kept.pop(key);
            return None;
        }
        Some(session)
    }

    pub(crate) fn keep(&self, key: SessionKey, session: Session) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).put(key, Arc::new(session));
    }

    pub(crate) fn forget(&self, key: &SessionKey) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop(key);
    }

    pub(crate) fn challenge(&self, host: &str) -> Option<Arc<Vec<Challenge>>> {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }

    pub(crate) fn keep_challenge(&self, host: &str, challenges: Arc<Vec<Challenge>>) {
        self.challenges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(host.to_owned(), challenges);
    }

    pub(crate) fn forget_challenge(&self, host: &str) {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner).pop(host);
    }

    pub(crate) async fn gate(&self, key: &SessionKey) -> tokio::sync::MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let at = (hasher.finish() % GATES as u64) as usize;
        self.gates[at].lock().await
    }
}
