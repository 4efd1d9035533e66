use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use jiff::Timestamp;
use mercurious_core::image::Digest;
use mercurious_runtime::Tasks;
use serde_json::json;
use tokio::net::TcpListener;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A registry that has every repository, each with as many commit tags of as many images: nothing is stored, each
/// answer is computed. It counts what it is asked.
#[derive(Clone)]
pub(crate) struct PaperRegistry {
    paper: Arc<Paper>,
    pub(crate) address: String,
}

struct Paper {
    tags: Vec<String>,
    numbers: HashMap<String, u32>,
    /// Of the repositories that were asked for, by what their digests name.
    known: std::sync::RwLock<HashMap<String, Arc<OnceLock<Documents>>>>,
    heads: AtomicU64,
    all: AtomicU64,
}

/// What a repository's digests name.
struct Documents {
    numbers: HashMap<Digest, u32>,
}

/// How often it was asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) heads: u64,
    pub(crate) all: u64,
}

impl PaperRegistry {
    /// One with so many tags in each repository; their names say nothing about time.
    pub(crate) async fn open(tags: u32, tasks: &Tasks) -> anyhow::Result<Self> {
        let tags: Vec<String> = (0..tags).map(tag).collect();
        let numbers = (0..).zip(&tags).map(|(number, tag)| (tag.clone(), number)).collect();
        let paper = Arc::new(Paper {
            tags,
            numbers,
            known: std::sync::RwLock::default(),
            heads: AtomicU64::new(0),
            all: AtomicU64::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let app = Router::new()
            .route("/v2/", get(async || StatusCode::OK))
            .route("/v2/{space}/{name}/tags/list", get(tags_list))
            .route("/v2/{space}/{name}/manifests/{reference}", get(manifest))
            .route("/v2/{space}/{name}/blobs/{digest}", get(blob))
            .with_state(Arc::clone(&paper));
        let stopping = tasks.stopping();
        tasks.spawn("paper registry", async move {
            let served =
                axum::serve(listener, app).with_graceful_shutdown(stopping.cancelled_owned());
            // Its end is the end of the measurement.
            let _ = served.await;
        });
        Ok(Self { paper, address })
    }

    pub(crate) fn asked(&self) -> Asked {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Asked { heads: count(&self.paper.heads), all: count(&self.paper.all) }
    }

    /// The digest of the image that was built so many-th in this repository.
    pub(crate) fn digest(repository: &str, number: u32) -> Digest {
        Digest::of(manifest_of(repository, number).as_bytes())
    }

    /// That of the newest.
    pub(crate) fn newest(&self, repository: &str) -> Digest {
        Self::digest(repository, self.paper.tags.len().saturating_sub(1) as u32)
    }
}

fn tag(number: u32) -> String {
    format!("sha-{}", &Digest::of(format!("tag {number}").as_bytes()).hex()[..40])
}

fn config_of(repository: &str, number: u32) -> String {
    let created = Timestamp::constant(1_750_000_000 + i64::from(number) * 60, 0);
    json!({
        "architecture": "amd64", "os": "linux", "created": created.to_string(),
        "rootfs": { "type": "layers", "diff_ids": [] },
        "config": { "Labels": { "org.opencontainers.image.title": repository } },
    })
    .to_string()
}

fn manifest_of(repository: &str, number: u32) -> String {
    let config = config_of(repository, number);
    json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": { "mediaType": CONFIG, "digest": Digest::of(config.as_bytes()), "size": config.len() },
        "layers": [],
    })
    .to_string()
}

impl Paper {
    fn count(&self, method: &Method) {
        self.all.fetch_add(1, Ordering::Relaxed);
        if method == Method::HEAD {
            self.heads.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of the image or configuration that this digest names.
    fn number(&self, repository: &str, digest: &str) -> Option<u32> {
        let known = self.known.read().ok()?.get(repository).cloned();
        let documents = match known {
            Some(documents) => documents,
            None => Arc::clone(self.known.write().ok()?.entry(repository.to_owned()).or_default()),
        };
        let documents = documents.get_or_init(|| Documents {
            numbers: (0..self.tags.len() as u32)
                .flat_map(|number| {
                    [manifest_of(repository, number), config_of(repository, number)]
                        .map(|document| (Digest::of(document.as_bytes()), number))
                })
                .collect(),
        });
        documents.numbers.get(&digest.parse().ok()?).copied()
    }
}

async fn tags_list(
    State(paper): State<Arc<Paper>>,
    Path((space, name)): Path<(String, String)>,
    RawQuery(_): RawQuery,
    method: Method,
) -> Response {
    paper.count(&method);
    let body = json!({ "name": format!("{space}/{name}"), "tags": paper.tags });
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn manifest(
    State(paper): State<Arc<Paper>>,
    Path((space, name, reference)): Path<(String, String, String)>,
    method: Method,
) -> Response {
    paper.count(&method);
    let repository = format!("{space}/{name}");
    let number = match reference.as_str() {
        "latest" => u32::try_from(paper.tags.len()).ok().and_then(|count| count.checked_sub(1)),
        digest if digest.contains(':') => paper.number(&repository, digest),
        tag => paper.numbers.get(tag).copied(),
    };
    let Some(number) = number else { return StatusCode::NOT_FOUND.into_response() };
    document(MANIFEST, manifest_of(&repository, number), &method)
}

async fn blob(
    State(paper): State<Arc<Paper>>,
    Path((space, name, digest)): Path<(String, String, String)>,
    method: Method,
) -> Response {
    paper.count(&method);
    let repository = format!("{space}/{name}");
    let Some(number) = paper.number(&repository, &digest) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    document("application/octet-stream", config_of(&repository, number), &method)
}

fn document(media_type: &str, body: String, method: &Method) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_LENGTH, body.len().to_string()),
        (
            header::HeaderName::from_static("docker-content-digest"),
            Digest::of(body.as_bytes()).to_string(),
        ),
    ];
    let body = if method == Method::HEAD { Body::empty() } else { Body::from(body) };
    (headers, body).into_response()
}
