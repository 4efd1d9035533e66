use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use mercurious_core::image::{Digest, Platform, Repository, Tag};
use mercurious_registry::{HostLimits, RegistryClient, RegistryClientBuilder, Retries, Timeouts};
use mercurious_runtime::Clock;

use crate::{
    images::{Document, Image},
    liar::{Asked, Liar, Told},
};

#[derive(Clone, Copy, Debug)]
pub(crate) struct At(pub(crate) jiff::Timestamp);

impl Clock for At {
    fn now(&self) -> jiff::Timestamp {
        self.0
    }
}

/// Retries at once, so that no test waits; deadlines long enough for a busy machine.
pub(crate) fn builder() -> RegistryClientBuilder {
    RegistryClient::builder()
        .retries(Retries {
            most: 2,
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(2),
        })
        .limits(HostLimits { longest_wait: Duration::from_secs(2), ..HostLimits::default() })
        .clock(Arc::new(At("2026-01-02T00:00:00Z".parse().unwrap())))
}

pub(crate) fn client() -> RegistryClient {
    builder().build().unwrap()
}

/// Gives up soon: for servers that stall.
pub(crate) fn impatient() -> RegistryClient {
    let soon = Duration::from_millis(150);
    builder()
        .retries(Retries { most: 0, ..Retries::default() })
        .timeouts(Timeouts { headers: soon, whole: soon, idle: soon, ..Timeouts::default() })
        .build()
        .unwrap()
}

pub(crate) fn repository(liar: &Liar) -> Repository {
    format!("{}/team/app", liar.host).parse().unwrap()
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub(crate) fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

/// A registry's content, served honestly.
#[derive(Clone, Default)]
pub(crate) struct Shelf {
    content: Arc<Mutex<Content>>,
}

#[derive(Default)]
struct Content {
    manifests: BTreeMap<String, Document>,
    blobs: BTreeMap<Digest, Document>,
    tags: BTreeMap<String, Digest>,
}

impl Shelf {
    pub(crate) fn put(&self, document: &Document) {
        let mut content = self.content.lock().unwrap();
        content.manifests.insert(document.digest.to_string(), document.clone());
    }

    pub(crate) fn put_image(&self, image: &Image) {
        self.put(&image.manifest);
        let mut content = self.content.lock().unwrap();
        content.blobs.insert(image.config.digest.clone(), image.config.clone());
    }

    pub(crate) fn tag(&self, tag: &str, digest: &Digest) {
        self.content.lock().unwrap().tags.insert(tag.to_owned(), digest.clone());
    }

    pub(crate) fn serve(&self) -> Liar {
        let shelf = self.clone();
        Liar::new(move |asked| shelf.answer(asked))
    }

    /// `/v2/team/app/…`
    pub(crate) fn answer(&self, asked: &Asked) -> Told {
        let content = self.content.lock().unwrap();
        let path = asked.path().trim_start_matches("/v2/team/app/");
        if let Some(reference) = path.strip_prefix("manifests/") {
            let digest = content
                .tags
                .get(reference)
                .map_or_else(|| reference.to_owned(), ToString::to_string);
            return match content.manifests.get(&digest) {
                Some(document) => Told::ok(document.bytes.clone())
                    .header("content-type", document.media_type)
                    .header("docker-content-digest", &document.digest),
                None => unknown("MANIFEST_UNKNOWN"),
            };
        }
        if let Some(digest) = path.strip_prefix("blobs/") {
            let digest = digest.parse().ok();
            return match digest.and_then(|digest: Digest| content.blobs.get(&digest)) {
                Some(blob) => Told::ok(blob.bytes.clone()),
                None => unknown("BLOB_UNKNOWN"),
            };
        }
        if path == "tags/list" {
            let tags: Vec<&String> = content.tags.keys().collect();
            return Told::json(serde_json::json!({"name": "team/app", "tags": tags}));
        }
        unknown("UNSUPPORTED")
    }
}

pub(crate) fn unknown(code: &str) -> Told {
    Told::new(404)
        .header("content-type", "application/json")
        .body(format!(r#"{{"errors":[{{"code":"{code}","message":"unknown here"}}]}}"#))
}
