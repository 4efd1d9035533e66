//! What the client has cost so far, and what registries say is left.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Method};
use serde::Serialize;

/// Requests sent since the client was made, retries included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// `HEAD` requests.
    pub head: u64,
    /// `GET` requests to registries; tokens are counted apart.
    pub get: u64,
    /// `POST` requests to registries.
    pub post: u64,
    /// `PATCH` requests.
    pub patch: u64,
    /// `PUT` requests.
    pub put: u64,
    /// Requests to token services.
    pub token: u64,
    /// How many of all these were tries after a failure.
    pub retried: u64,
}

impl Spent {
    /// All requests together.
    pub fn total(&self) -> u64 {
        self.head + self.get + self.post + self.patch + self.put + self.token
    }

    /// What was spent between an earlier reading and this one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            head: self.head.saturating_sub(earlier.head),
            get: self.get.saturating_sub(earlier.get),
            post: self.post.saturating_sub(earlier.post),
            patch: self.patch.saturating_sub(earlier.patch),
            put: self.put.saturating_sub(earlier.put),
            token: self.token.saturating_sub(earlier.token),
            retried: self.retried.saturating_sub(earlier.retried),
        }
    }
}

/// The `RateLimit-*` headers of a registry, as Docker Hub sends them: `ratelimit-remaining: 76;w=21600`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RateLimit {
    /// Requests allowed in the window.
    pub limit: Option<u64>,
    /// Requests left.
    pub remaining: u64,
    /// The window.
    pub window: Option<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    head: AtomicU64,
    get: AtomicU64,
    post: AtomicU64,
    patch: AtomicU64,
    put: AtomicU64,
    token: AtomicU64,
    retried: AtomicU64,
    limits: Mutex<BTreeMap<String, RateLimit>>,
}

/// Hosts remembered at most; they come from configuration, so this is never met.
const MOST_HOSTS: usize = 1024;

impl Ledger {
    pub(crate) fn request(&self, method: &Method, for_token: bool) {
        let counter = match *method {
            _ if for_token => &self.token,
            Method::HEAD => &self.head,
            Method::POST => &self.post,
            Method::PATCH => &self.patch,
            Method::PUT => &self.put,
            _ => &self.get,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retry(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn answer(&self, host: &str, headers: &HeaderMap) {
        if let Some(limit) = read_limit(headers) {
            let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
            if limits.len() < MOST_HOSTS || limits.contains_key(host) {
                limits.insert(host.to_owned(), limit);
            }
        }
    }

    pub(crate) fn spent(&self) -> Spent {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Spent {
            head: read(&self.head),
            get: read(&self.get),
            post: read(&self.post),
            patch: read(&self.patch),
            put: read(&self.put),
            token: read(&self.token),
            retried: read(&self.retried),
        }
    }

    pub(crate) fn limits(&self) -> BTreeMap<String, RateLimit> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read_limit(headers: &HeaderMap) -> Option<RateLimit> {
    let read = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?;
        let (amount, parameters) = text.split_once(';').unwrap_or((text, ""));
        let window = parameters
            .split(';')
            .find_map(|one| one.trim().strip_prefix("w="))
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        Some((amount.trim().parse::<u64>().ok()?, window))
    };
    let (remaining, window) = read("ratelimit-remaining")?;
    let limit = read("ratelimit-limit");
    Some(RateLimit {
        limit: limit.map(|(amount, _)| amount),
        remaining,
        window: window.or_else(|| limit.and_then(|(_, window)| window)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hubs_headers_are_read() {
        let mut headers = HeaderMap::new();
        assert_eq!(read_limit(&headers), None);
        headers.insert("ratelimit-limit", "100;w=21600".parse().unwrap());
        headers.insert("ratelimit-remaining", "76;w=21600".parse().unwrap());
        assert_eq!(
            read_limit(&headers),
            Some(RateLimit {
                limit: Some(100),
                remaining: 76,
                window: Some(Duration::from_hours(6))
            })
        );
    }
}
