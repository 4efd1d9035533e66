//! A registry that serves one good image, and lies on request.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    extract::Request,
    http::{Method, Response, StatusCode, header},
};
use mercurious_core::image::Digest;
use serde_json::{Value, json};

pub(crate) const REPOSITORY: &str = "team/app";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What the registry answers to everything from now on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lie {
    None,
    Html,
    ErrorWithStatus200,
    EndlessPages,
    RedirectElsewhere,
    PrivateRealm,
}

#[derive(Default)]
struct Content {
    tags: BTreeMap<String, Digest>,
    /// Media type and bytes; found under a digest that need not be theirs.
    manifests: BTreeMap<Digest, (&'static str, Vec<u8>)>,
    blobs: BTreeMap<Digest, Vec<u8>>,
}

#[derive(Clone)]
pub(crate) struct Registry {
    content: Arc<Mutex<Content>>,
    lie: Arc<Mutex<Lie>>,
}

impl Registry {
    /// Serves the image of an OCI layout as this tag, on a runtime of its own.
    pub(crate) fn start(layout: &Path, tag: &str) -> (Self, std::net::SocketAddr) {
        let mut content = Content::default();
        for entry in std::fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            content.blobs.insert(Digest::of(&bytes), bytes);
        }
        let index: Value =
            serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
        let digest: Digest = index["manifests"][0]["digest"].as_str().unwrap().parse().unwrap();
        let bytes = content.blobs[&digest].clone();
        content.manifests.insert(digest.clone(), (MANIFEST, bytes));
        content.tags.insert(tag.to_owned(), digest);
        let registry =
            Self { content: Arc::new(Mutex::new(content)), lie: Arc::new(Mutex::new(Lie::None)) };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let served = registry.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let router = axum::Router::new()
                    .fallback(move |request| std::future::ready(served.answer(&request)));
                axum::serve(listener, router).await.unwrap();
            });
        });
        (registry, address)
    }

    pub(crate) fn tell(&self, lie: Lie) {
        *self.lie.lock().unwrap() = lie;
    }

    /// Takes a tag and what it names away.
    pub(crate) fn forget(&self, tag: &str) {
        let mut content = self.content.lock().unwrap();
        if let Some(digest) = content.tags.remove(tag) {
            content.manifests.remove(&digest);
        }
    }

    /// A tag whose digest is not there.
    pub(crate) fn dangling(&self, tag: &str) {
        let digest = Digest::of(tag.as_bytes());
        self.content.lock().unwrap().tags.insert(tag.to_owned(), digest);
    }

    /// A tag whose digest is another content's.
    pub(crate) fn forged(&self, tag: &str) {
        let digest = Digest::of(tag.as_bytes());
        let mut content = self.content.lock().unwrap();
        let bytes = manifest(&Digest::of(b"{}"), 2, &[]);
        content.manifests.insert(digest.clone(), (MANIFEST, bytes));
        content.tags.insert(tag.to_owned(), digest);
    }

    /// An image for a platform that this machine is not.
    pub(crate) fn foreign_platform(&self, tag: &str) {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [{
            "mediaType": MANIFEST, "digest": Digest::of(b"x"), "size": 1,
            "platform": {"os": "linux", "architecture": "s390x"},
        }]});
        self.push(tag, INDEX, index.to_string().into_bytes());
    }

    /// An image for this machine with these entries in its one layer.
    pub(crate) fn layer(&self, tag: &str, build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) {
        let mut builder = tar::Builder::new(Vec::new());
        build(&mut builder);
        let tar = builder.into_inner().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&tar).unwrap();
        let layer = gzip.finish().unwrap();
        let platform = mercurious_core::image::Platform::of_this_program();
        let config = json!({
            "architecture": platform.architecture, "os": platform.os, "config": {"Entrypoint": ["/app"]},
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(&tar)]},
        })
        .to_string()
        .into_bytes();
        let (layer_digest, config_digest) = (Digest::of(&layer), Digest::of(&config));
        let bytes = manifest(&config_digest, config.len(), &[(&layer_digest, layer.len())]);
        let mut content = self.content.lock().unwrap();
        content.blobs.insert(layer_digest, layer);
        content.blobs.insert(config_digest, config);
        drop(content);
        self.push(tag, MANIFEST, bytes);
    }

    fn push(&self, tag: &str, media_type: &'static str, bytes: Vec<u8>) {
        let digest = Digest::of(&bytes);
        let mut content = self.content.lock().unwrap();
        content.manifests.insert(digest.clone(), (media_type, bytes));
        content.tags.insert(tag.to_owned(), digest);
    }

    fn answer(&self, request: &Request) -> Response<Body> {
        let path = request.uri().path();
        match &*self.lie.lock().unwrap() {
            Lie::Html => {
                return plain(StatusCode::OK, "text/html", "<html>Welcome to the router</html>");
            }
            Lie::ErrorWithStatus200 if path.ends_with("/tags/list") => {
                let body = r#"{"errors":[{"code":"DENIED","message":"quota is used up"}]}"#;
                return plain(StatusCode::OK, "application/json", body);
            }
            Lie::EndlessPages if path.ends_with("/tags/list") => {
                let query = request.uri().query().unwrap_or_default();
                let page: u64 = query
                    .split('&')
                    .find_map(|pair| pair.strip_prefix("last=v0.0."))
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(0);
                let next = page + 1;
                let body = format!(r#"{{"name":"{REPOSITORY}","tags":["v0.0.{next}"]}}"#);
                let mut response = plain(StatusCode::OK, "application/json", &body);
                let link = format!("</v2/{REPOSITORY}/tags/list?last=v0.0.{next}>; rel=\"next\"");
                response.headers_mut().insert(header::LINK, link.parse().unwrap());
                return response;
            }
            Lie::RedirectElsewhere if path.ends_with("/tags/list") => {
                let mut response = plain(StatusCode::TEMPORARY_REDIRECT, "text/plain", "");
                let to = "http://elsewhere.invalid/v2/team/app/tags/list";
                response.headers_mut().insert(header::LOCATION, to.parse().unwrap());
                return response;
            }
            Lie::PrivateRealm => {
                let mut response = plain(StatusCode::UNAUTHORIZED, "application/json", "{}");
                let challenge = r#"Bearer realm="http://169.254.169.254/token",service="x""#;
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
                return response;
            }
            _ => {}
        }
        self.truth(request.method(), path)
    }

    fn truth(&self, method: &Method, path: &str) -> Response<Body> {
        let content = self.content.lock().unwrap();
        let Some(rest) = path.strip_prefix(&format!("/v2/{REPOSITORY}/")) else {
            return plain(StatusCode::OK, "application/json", "{}");
        };
        if rest == "tags/list" {
            let tags: Vec<&String> = content.tags.keys().collect();
            let body = json!({"name": REPOSITORY, "tags": tags}).to_string();
            return plain(StatusCode::OK, "application/json", &body);
        }
        if let Some(reference) = rest.strip_prefix("manifests/") {
            let digest = reference.parse().ok().or_else(|| content.tags.get(reference).cloned());
            let Some(digest) = digest else { return missing("MANIFEST_UNKNOWN") };
            let found = content.manifests.get(&digest);
            // Whoever asks for a tag's digest is told one, even where there is nothing behind it.
            if method == Method::HEAD && content.tags.contains_key(reference) {
                let (kind, length) =
                    found.map_or((MANIFEST, 2), |(kind, bytes)| (*kind, bytes.len()));
                let mut response = plain(StatusCode::OK, kind, "");
                let headers = response.headers_mut();
                headers.insert("docker-content-digest", digest.to_string().parse().unwrap());
                headers.insert(header::CONTENT_LENGTH, length.into());
                return response;
            }
            let Some((kind, bytes)) = found else { return missing("MANIFEST_UNKNOWN") };
            let mut response = whole(kind, bytes);
            response
                .headers_mut()
                .insert("docker-content-digest", digest.to_string().parse().unwrap());
            return response;
        }
        let digest = rest.strip_prefix("blobs/").and_then(|text| text.parse::<Digest>().ok());
        match digest.and_then(|digest| content.blobs.get(&digest)) {
            Some(bytes) => whole("application/octet-stream", bytes),
            None => missing("BLOB_UNKNOWN"),
        }
    }
}

fn manifest(config: &Digest, size: usize, layers: &[(&Digest, usize)]) -> Vec<u8> {
    let layers: Vec<Value> = layers
        .iter()
        .map(|(digest, size)| {
            json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": size})
        })
        .collect();
    json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": size},
    })
    .to_string()
    .into_bytes()
}

fn plain(status: StatusCode, kind: &str, body: &str) -> Response<Body> {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, kind);
    response.body(Body::from(body.to_owned())).unwrap()
}

fn whole(kind: &str, bytes: &[u8]) -> Response<Body> {
    let response = Response::builder().header(header::CONTENT_TYPE, kind);
    response.body(Body::from(bytes.to_vec())).unwrap()
}

fn missing(code: &str) -> Response<Body> {
    let body = json!({"errors": [{"code": code, "message": "unknown"}]}).to_string();
    plain(StatusCode::NOT_FOUND, "application/json", &body)
}
