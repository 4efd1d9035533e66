use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use mercurious_core::image::Digest;
use mercurious_distribution::{Collected, Distribution, OpenError, Settings};
use mercurious_runtime::Clock;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A clock that stands until it is moved.
#[derive(Debug)]
pub(crate) struct StandingClock(AtomicI64);

impl StandingClock {
    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(by.as_secs().try_into().unwrap(), Ordering::SeqCst);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A registry in a directory of its own, asked without a socket.
pub(crate) struct Registry {
    pub(crate) distribution: Distribution,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) clock: Arc<StandingClock>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of the first error of the body.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{body}");
        self
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let answer = self.is(status);
        assert_eq!(answer.code(), code);
        assert!(!answer.json()["errors"][0]["message"].as_str().unwrap().is_empty());
        answer
    }
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(StandingClock(AtomicI64::new(1_800_000_000)));
        let distribution =
            Distribution::open_with_clock(directory.path(), settings, clock.clone()).unwrap();
        Self { distribution, directory, clock }
    }

    /// Closes and opens it, as a restart does.
    pub(crate) fn reopen(self) -> Self {
        let Self { distribution, directory, clock } = self;
        let settings = distribution.settings().clone();
        drop(distribution);
        // A thread that still writes for somebody who went away has the directory until it has ended.
        let distribution = loop {
            match Distribution::open_with_clock(directory.path(), settings.clone(), clock.clone()) {
                Err(OpenError::InUse { .. }) => std::thread::yield_now(),
                opened => break opened.unwrap(),
            }
        };
        Self { distribution, directory, clock }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.distribution.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str) -> Answer {
        self.ask_with(method, path, &[], "").await
    }

    pub(crate) async fn ask_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        self.send(request(method, path, headers, body.into())).await
    }

    pub(crate) async fn push_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        self.ask_with("POST", &path, &[], bytes.to_vec()).await.is(201);
        digest
    }

    pub(crate) async fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        manifest: &Value,
    ) -> Answer {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let kind = manifest["mediaType"].as_str().unwrap_or(MANIFEST);
        self.ask_with("PUT", &path, &[("content-type", kind)], manifest.to_string()).await
    }

    /// Pushes an image of one layer, made from the seed. Returns its manifest.
    pub(crate) async fn push_image(&self, repository: &str, tag: &str, seed: &str) -> Value {
        for blob in image_blobs(seed) {
            self.push_blob(repository, &blob).await;
        }
        let manifest = image_manifest(seed);
        self.put_manifest(repository, tag, &manifest).await.is(201);
        manifest
    }

    pub(crate) async fn collect(&self, keep: &[Digest], grace: Duration) -> Collected {
        let keep: BTreeSet<Digest> = keep.iter().cloned().collect();
        self.distribution.collect_garbage(&keep, grace).await.unwrap()
    }

    /// The digests of all content on disk, each of them verified.
    pub(crate) fn content(&self) -> BTreeSet<Digest> {
        content(self.directory.path())
    }
}

pub(crate) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost:5000");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// Config and layer of the image made from this seed.
pub(crate) fn image_blobs(seed: &str) -> [Vec<u8>; 2] {
    [format!("{{\"config\":\"{seed}\"}}").into_bytes(), format!("layer {seed}").into_bytes()]
}

pub(crate) fn image_manifest(seed: &str) -> Value {
    let [config, layer] = image_blobs(seed);
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    })
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len()})
}

pub(crate) fn index(manifests: &[&Value]) -> Value {
    let manifests: Vec<Value> =
        manifests.iter().map(|one| descriptor(MANIFEST, one.to_string().as_bytes())).collect();
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
}

pub(crate) fn digest_of(manifest: &Value) -> Digest {
    Digest::of(manifest.to_string().as_bytes())
}

/// Reads every content file below a registry's directory and verifies its name.
pub(crate) fn content(directory: &Path) -> BTreeSet<Digest> {
    let mut found = BTreeSet::new();
    for part in std::fs::read_dir(directory.join("blobs/sha256")).unwrap() {
        for file in std::fs::read_dir(part.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let digest = Digest::of(&std::fs::read(&path).unwrap());
            assert_eq!(digest.hex(), path.file_name().unwrap().to_str().unwrap());
            found.insert(digest);
        }
    }
    found
}

/// A registry in a process of its own.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Process {
    pub(crate) fn start(directory: &Path) -> Self {
        let mut child = Command::new(example())
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(!address.is_empty(), "the registry did not start");
        Self { child, address: address.trim().to_owned() }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream.set_write_timeout(Some(Duration::from_mins(1))).unwrap();
        stream
    }

    /// Sends one small request on a connection of its own. Returns status and head.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> (u16, String) {
        let mut stream = self.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        answer(&mut stream)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status and head of an answer whose connection is closed behind it.
pub(crate) fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    let text = String::from_utf8_lossy(&text).into_owned();
    let status = text.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {text}"));
    (status.parse().unwrap(), text)
}

/// The value of a header in a head.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines()
        .find_map(|line| {
            let (own, value) = line.split_once(": ")?;
            own.eq_ignore_ascii_case(name).then_some(value)
        })
        .unwrap_or_else(|| panic!("no {name} in {head}"))
}

/// The example program, which cargo builds beside the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/serve");
    assert!(
        path.is_file(),
        "build the examples first: cargo build -p mercurious-distribution --examples"
    );
    path
}

/// The path of a program, or a word on what is skipped for its absence.
pub(crate) fn program(name: &str) -> bool {
    let found = Command::new(name)
        .arg(if name == "crane" { "version" } else { "--version" })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        println!("skipped: {name} is not installed");
    }
    found
}
