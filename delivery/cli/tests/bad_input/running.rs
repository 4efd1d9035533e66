//! `mercurious up` as a process, with one good version running.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use crate::registry::{REPOSITORY, Registry};

pub(crate) struct Running {
    pub(crate) registry: Registry,
    directory: tempfile::TempDir,
    service: String,
    child: Child,
}

fn mercurious(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mercurious"));
    // Nobody's logins and directories but the test's own.
    command.env("HOME", home).env("MERCURIOUS_DATA_DIR", home.join("data"));
    for name in ["XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn tiny_manifest(repository: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{ name: app, namespace: shop }}
spec:
  replicas: 1
  selector: {{ matchLabels: {{ app: app }} }}
  template:
    metadata: {{ labels: {{ app: app }} }}
    spec:
      containers:
        - name: app
          image: {repository}:v1.0.0
          ports: [{{ containerPort: 8080 }}]
          readinessProbe: {{ httpGet: {{ path: /ready, port: 8080 }} }}
---
apiVersion: v1
kind: Service
metadata: {{ name: app, namespace: shop }}
spec: {{ selector: {{ app: app }}, ports: [{{ port: 80, targetPort: 8080 }}] }}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{ name: app, namespace: shop }}
spec: {{ image: {repository}, interval: 1h }}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{ name: app, namespace: shop }}
spec:
  imageRepositoryRef: {{ name: app }}
  policy: {{ semver: {{ range: '>=0.0.0' }} }}
---
apiVersion: mercurious.dev/v1alpha1
kind: AutoDeploy
metadata: {{ name: app, namespace: shop }}
spec:
  target: {{ kind: Deployment, name: app }}
  policyRef: {{ name: app }}
  rollout: {{ timeout: 1m, bake: 0s }}
"
    )
}

/// One good image, made once: the program itself as the small server that it has inside.
fn layout() -> &'static Path {
    static LAYOUT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LAYOUT.get_or_init(|| {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("image");
        let output = mercurious(place.path())
            .args(["publish", "--binary", env!("CARGO_BIN_EXE_mercurious"), "--layout"])
            .arg(&path)
            .args(["--arg", "example-server", "--env", "EXAMPLE_VERSION=v1", "--tag", "v1.0.0"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (place, path)
    });
    path
}

impl Running {
    /// Starts the engine and waits until the good version runs.
    pub(crate) fn start() -> Self {
        let (registry, address) = Registry::start(layout(), "v1.0.0");
        let directory = tempfile::tempdir().unwrap();
        let manifest = directory.path().join("app.yaml");
        std::fs::write(&manifest, tiny_manifest(&format!("{address}/{REPOSITORY}"))).unwrap();
        let mut child = mercurious(directory.path())
            .args(["up", "--registry-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "-f"])
            .arg(&manifest)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut talk = BufReader::new(child.stderr.take().unwrap());
        let mut service = None;
        let mut said = String::new();
        // The line about the data directory is the last one before all is up.
        while !said.contains("\ndata ") {
            let mut line = String::new();
            assert_ne!(talk.read_line(&mut line).unwrap(), 0, "ended early:\n{said}");
            if line.starts_with("Service ") {
                service = line.trim().split_once("http://").map(|(_, rest)| rest.to_owned());
            }
            said.push_str(&line);
        }
        std::thread::spawn(move || std::io::copy(&mut talk, &mut std::io::sink()));
        let run = Self { registry, directory, service: service.unwrap(), child };
        run.ok(&["sync", "--timeout", "60s"]);
        assert_eq!(run.served(), "v1");
        run
    }

    /// Runs a command: its exit code, and all that it says.
    pub(crate) fn says(&self, arguments: &[&str]) -> (i32, String) {
        let output = mercurious(self.directory.path()).args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let (code, text) = self.says(arguments);
        assert_eq!(code, 0, "{arguments:?}: {text}");
        text
    }

    fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.ok(&["status", "app", "-o", "json"])).unwrap()
    }

    /// The digest that runs.
    pub(crate) fn digest(&self) -> String {
        self.status()["status"]["running"]["digest"].as_str().unwrap().to_owned()
    }

    /// How many rollouts have ended.
    pub(crate) fn attempts(&self) -> usize {
        self.status()["status"]["history"].as_array().map_or(0, Vec::len)
    }

    /// What the service answers.
    pub(crate) fn served(&self) -> String {
        let mut stream = std::net::TcpStream::connect(&self.service).unwrap();
        let request =
            format!("GET / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.service);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.rsplit("\r\n\r\n").next().unwrap_or_default();
        body.trim().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        // SIGTERM lets it stop its replicas; what is left dies with it.
        let _ = Command::new("kill").arg(id).status();
        let _ = self.child.wait();
    }
}

/// Starts the engine with a manifest that it must refuse: its exit code, and what it says.
pub(crate) fn up_fails(manifest: &str) -> (i32, String) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("bad.yaml");
    std::fs::write(&path, manifest).unwrap();
    let output = mercurious(place.path())
        .args(["up", "--registry-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "-f"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(!place.path().join("data/state").exists(), "nothing is begun with a bad manifest");
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}
