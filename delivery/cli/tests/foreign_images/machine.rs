//! A running `mercurious up`.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

/// Nothing here takes as long, but on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(90);

pub(crate) struct Machine {
    directory: TempDir,
    program: PathBuf,
    pub(crate) registry: u16,
    process: Child,
}

/// How one Deployment, `web`, is to be run.
#[derive(Default)]
pub(crate) struct Wish<'a> {
    /// Lines of the pod template's annotations.
    pub(crate) annotations: &'a str,
    /// More fields of the container, each a line.
    pub(crate) container: &'a str,
    pub(crate) container_port: u16,
    /// Arguments of `up`.
    pub(crate) arguments: &'a [&'a str],
    /// Whoever runs it, where it is not whoever runs the test.
    pub(crate) user: Option<u32>,
}

pub(crate) fn installed(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs
        .iter()
        .filter(|program| {
            let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
            !found.unwrap().status.success()
        })
        .collect();
    if !missing.is_empty() {
        println!("skipped: {missing:?} not installed");
    }
    missing.is_empty()
}

pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Machine {
    pub(crate) fn start(wish: &Wish<'_>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let registry = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let manifest = directory.path().join("web.yaml");
        fs::write(&manifest, manifests(registry, wish)).unwrap();
        let program = directory.path().join("mercurious");
        let built = Path::new(env!("CARGO_BIN_EXE_mercurious"));
        if fs::hard_link(built, &program).is_err() {
            fs::copy(built, &program).unwrap();
        }
        let log = File::create(directory.path().join("up.log")).unwrap();
        let mut command = Command::new(&program);
        command
            .arg("--data-dir")
            .arg(directory.path().join("data"))
            .args(["up", "--registry-listen", &format!("127.0.0.1:{registry}"), "-f"])
            .arg(&manifest)
            .args(wish.arguments)
            .env("HOME", directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(user) = wish.user {
            std::os::unix::fs::chown(directory.path(), Some(user), Some(user)).unwrap();
            command.uid(user).gid(user);
        }
        let process = command.spawn().unwrap();
        let machine = Self { directory, program, registry, process };
        until("it is up", || machine.log().contains("data   ").then_some(()));
        machine
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("up.log")).unwrap()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn repository(&self) -> String {
        format!("127.0.0.1:{}/team/web", self.registry)
    }

    /// What a command of the program prints.
    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        let output =
            Command::new(&self.program).arg("--data-dir").arg(self.data()).args(arguments).output();
        let output = output.unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// The port of the Service.
    pub(crate) fn service(&self) -> u16 {
        let log = self.log();
        let line = log.lines().find(|line| line.starts_with("Service app/web")).unwrap();
        line.rsplit_once(':').unwrap().1.trim().parse().unwrap()
    }

    pub(crate) fn get(&self) -> Option<String> {
        get(self.service())
    }

    /// Waits until a request is answered so; says what happened where that never comes.
    pub(crate) fn serves(&self, words: &str) {
        let begun = Instant::now();
        while !self.get().is_some_and(|answer| answer.contains(words)) {
            assert!(
                begun.elapsed() < LONG,
                "never served {words}: {:?}\n{}\n{}",
                self.get(),
                self.says(&["explain", "web"]),
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until `up` itself says so.
    pub(crate) fn logs(&self, words: &str) {
        until(words, || self.log().contains(words).then_some(()));
    }

    /// Waits until `explain` says so.
    pub(crate) fn explains(&self, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let text = self.says(&["explain", "web"]);
            if text.contains(words) {
                return text;
            }
            assert!(begun.elapsed() < LONG, "never explained {words}: {text}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Asks the Service over and over until it is told to stop.
    pub(crate) fn load(&self) -> Load {
        let (port, counts) = (self.service(), Arc::new(Counts::default()));
        let shared = Arc::clone(&counts);
        let thread = std::thread::spawn(move || {
            while !shared.stop.load(Ordering::Relaxed) {
                shared.sent.fetch_add(1, Ordering::Relaxed);
                if !get(port).is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                    shared.failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Load { counts, thread }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Stops it as a person does, and waits.
    pub(crate) fn stop(mut self) -> String {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        assert!(self.process.wait().unwrap().success(), "{}", self.log());
        // Whoever sees to what an engine leaves removes them when the engine has ended.
        until("replicas' directories are gone", || {
            let left = fs::read_dir(self.data().join("replicas")).unwrap().count();
            (left == 0).then_some(())
        });
        self.log()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Default)]
struct Counts {
    stop: AtomicBool,
    sent: AtomicU64,
    failed: AtomicU64,
}

pub(crate) struct Load {
    counts: Arc<Counts>,
    thread: std::thread::JoinHandle<()>,
}

impl Load {
    /// Requests that were sent, and that failed.
    pub(crate) fn end(self) -> (u64, u64) {
        self.counts.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        (self.counts.sent.load(Ordering::Relaxed), self.counts.failed.load(Ordering::Relaxed))
    }
}

fn get(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(LONG)).ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn manifests(registry: u16, wish: &Wish<'_>) -> String {
    let Wish { annotations, container, container_port, .. } = wish;
    let repository = format!("127.0.0.1:{registry}/team/web");
    let container: String = container.lines().map(|line| format!("          {line}\n")).collect();
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{ name: web, namespace: app }}
spec:
  replicas: 2
  selector: {{ matchLabels: {{ app: web }} }}
  template:
    metadata: {{ labels: {{ app: web }}, annotations: {{ {annotations} }} }}
    spec:
      containers:
        - name: web
          image: {repository}:1
          ports: [{{ containerPort: {container_port} }}]
          readinessProbe: {{ httpGet: {{ path: /, port: {container_port} }}, periodSeconds: 1 }}
{container}---
apiVersion: v1
kind: Service
metadata: {{ name: web, namespace: app }}
spec: {{ selector: {{ app: web }}, ports: [{{ port: 80, targetPort: {container_port} }}] }}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata: {{ name: web, namespace: app }}
spec: {{ image: {repository}, interval: 1m0s }}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {{ name: web, namespace: app }}
spec:
  imageRepositoryRef: {{ name: web }}
  filterTags: {{ pattern: '^[0-9]+$', extract: '$0' }}
  policy: {{ numerical: {{ order: asc }} }}
---
apiVersion: mercurious.dev/v1alpha1
kind: AutoDeploy
metadata: {{ name: web, namespace: app }}
spec:
  target: {{ kind: Deployment, name: web }}
  policyRef: {{ name: web }}
  rollout: {{ timeout: 60s, bake: 1s }}
"
    )
}
