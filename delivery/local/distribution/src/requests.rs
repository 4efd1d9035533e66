use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use http::Method;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestKind {
    /// `/v2/`
    Base,
    /// `…/manifests/<reference>`
    Manifest,
    /// `…/blobs/<digest>`
    Blob,
    /// `…/blobs/uploads/…`
    Upload,
    /// `…/tags/list`
    Tags,
    /// `_catalog`
    Catalog,
    /// `…/referrers/<digest>`
    Referrers,
    /// A path that means nothing here.
    Unknown,
}

/// How many requests were taken, by method and kind, since the registry was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    counts: BTreeMap<(&'static str, RequestKind), u64>,
}

impl Requests {
    /// The requests of this method (`"HEAD"`) and kind.
    pub fn count(&self, method: &str, kind: RequestKind) -> u64 {
        self.counts
            .iter()
            .filter(|((own, what), _)| *own == method && *what == kind)
            .map(|(_, count)| count)
            .sum()
    }

    /// All requests.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Every count, by method and kind. Methods that the specification does not use are `OTHER`.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, RequestKind, u64)> {
        self.counts.iter().map(|(&(method, kind), &count)| (method, kind, count))
    }
}

/// The running counts.
#[derive(Debug, Default)]
pub(crate) struct RequestCounter(Mutex<Requests>);

impl RequestCounter {
    pub(crate) fn record(&self, method: &Method, kind: RequestKind) {
        // Clients choose the method: only known ones become keys.
        let method = match method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "PUT" => "PUT",
            "POST" => "POST",
            "PATCH" => "PATCH",
            "DELETE" => "DELETE",
            _ => "OTHER",
        };
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.counts.entry((method, kind)).or_default() += 1;
    }

    pub(crate) fn snapshot(&self) -> Requests {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
