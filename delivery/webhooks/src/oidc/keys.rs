use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use jsonwebtoken::jwk::Jwk;
use mercurious_core::printable::printable;
use mercurious_runtime::Tasks;
use serde_json::Value;
use tokio::{sync::watch, time::Instant};
use url::Url;

use super::{TokenError, key_ring};

/// Keys are fetched again after this.
const FRESH: Duration = Duration::from_hours(1);
/// Keys that cannot be fetched again count for so long.
const STALE: Duration = Duration::from_hours(24);
/// An id that is not known makes them be fetched again, at most so often: strangers choose ids.
const AGAIN: Duration = Duration::from_secs(30);
/// An issuer that did not answer is asked again after this.
const AGAIN_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// A sender waits so long for keys. The fetch goes on without it.
const PATIENCE: Duration = Duration::from_millis(900);
/// No issuer has more bytes of keys.
const LARGEST: usize = 256 * 1024;

type Client = Arc<OnceLock<Result<reqwest::Client, String>>>;

/// The published keys of one issuer.
pub(crate) struct Keys {
    url: Url,
    client: Client,
    tasks: Tasks,
    state: Arc<Mutex<State>>,
    fetched: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    keys: Arc<Vec<Jwk>>,
    at: Option<Instant>,
    asked_at: Option<Instant>,
    asking: bool,
    failure: Option<String>,
}

impl State {
    fn find(&self, id: &str) -> Option<Jwk> {
        self.keys.iter().find(|key| key.common.key_id.as_deref() == Some(id)).cloned()
    }

    fn is_younger(&self, age: Duration) -> bool {
        self.at.is_some_and(|at| at.elapsed() < age)
    }
}

impl Keys {
    pub(super) fn new(url: Url, client: Client, tasks: Tasks) -> Self {
        Self { url, client, tasks, state: Arc::default(), fetched: watch::Sender::new(0) }
    }

    /// The key with this id. It is fetched where it is not known, or known for long.
    pub(crate) async fn key(&self, id: &str) -> Result<Jwk, TokenError> {
        let mut fetched = self.fetched.subscribe();
        let wait = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let known = if state.is_younger(STALE) { state.find(id) } else { None };
            if known.is_none() || !state.is_younger(FRESH) {
                let pause = if state.failure.is_some() { AGAIN_AFTER_FAILURE } else { AGAIN };
                let asked_lately = state.asked_at.is_some_and(|at| at.elapsed() < pause);
                if !state.asking && !asked_lately {
                    state.asking = true;
                    state.asked_at = Some(Instant::now());
                    self.fetch();
                }
            }
            if let Some(key) = known {
                return Ok(key);
            }
            state.asking
        };
        if wait {
            // Where this takes longer, what is known by then must do.
            let _ = tokio::time::timeout(PATIENCE, fetched.changed()).await;
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.is_younger(STALE) {
            let why = state.failure.clone().unwrap_or_else(|| "no answer yet".to_owned());
            return Err(TokenError::NoKeys(why));
        }
        state.find(id).ok_or(TokenError::NoSuchKey)
    }

    fn fetch(&self) {
        let (url, client, fetched) =
            (self.url.clone(), Arc::clone(&self.client), self.fetched.clone());
        let state = Arc::clone(&self.state);
        let stopping = self.tasks.stopping();
        self.tasks.spawn("webhook keys", async move {
            let answer = tokio::select! {
                () = stopping.cancelled() => return,
                answer = published(&url, &client) => answer,
            };
            {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                state.asking = false;
                match answer {
                    Ok(keys) => {
                        state.keys = Arc::new(keys);
                        state.at = Some(Instant::now());
                        state.failure = None;
                    }
                    Err(failure) => {
                        tracing::warn!(url = %url, error = failure, "keys of an issuer cannot be fetched");
                        state.failure = Some(failure);
                    }
                }
            }
            fetched.send_modify(|count| *count += 1);
        });
    }
}

async fn published(url: &Url, client: &Client) -> Result<Vec<Jwk>, String> {
    let client = client.get_or_init(key_ring::client).as_ref().map_err(Clone::clone)?;
    let failed = |error: reqwest::Error| {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    };
    let mut answer = client.get(url.clone()).send().await.map_err(failed)?;
    if answer.status() != reqwest::StatusCode::OK {
        return Err(format!("it answered {}", answer.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err(format!("it answered more than {LARGEST} bytes"));
        }
    }
    read(&body)
}

/// The keys that can be used; one of an unknown kind spoils no other.
fn read(body: &[u8]) -> Result<Vec<Jwk>, String> {
    let set: Value = serde_json::from_slice(body)
        .map_err(|error| format!("it did not answer JSON: {}", printable(&error.to_string())))?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or("it answered without `keys`")?;
    let keys: Vec<Jwk> =
        keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect();
    if keys.is_empty() { Err("it answered no key that can be used".to_owned()) } else { Ok(keys) }
}
