use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use mercurious_runtime::Tasks;
use url::Url;

use super::keys::Keys;

/// The keys of all issuers, each fetched when it is first asked for.
pub(crate) struct KeyRing {
    tasks: Tasks,
    client: Arc<OnceLock<Result<reqwest::Client, String>>>,
    keys: Mutex<BTreeMap<Url, Arc<Keys>>>,
}

impl KeyRing {
    pub(crate) fn new(tasks: Tasks) -> Self {
        Self { tasks, client: Arc::default(), keys: Mutex::default() }
    }

    /// The keys that are published there.
    pub(crate) fn of(&self, url: &Url) -> Arc<Keys> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Keys::new(url.clone(), Arc::clone(&self.client), self.tasks.clone());
        Arc::clone(keys.entry(url.clone()).or_insert_with(|| Arc::new(new())))
    }

    /// Forgets issuers that are no more.
    pub(crate) fn keep_only(&self, wanted: impl Fn(&Url) -> bool) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).retain(|url, _| wanted(url));
    }
}

/// A client for keys: it follows no redirect, and gives up.
pub(super) fn client() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .user_agent(concat!("mercurious/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(3))
        .timeout(Duration::from_secs(10))
        .build()
        .map_err(|error| format!("no client can be made: {error}"))
}
