//! The platform of one machine: `mercurious up` over `deploy/local`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use mercurious_api::ApiClient;
use mercurious_core::{image::Digest, rollout::Phase};
use mercurious_engine::AutoDeployView;
use mercurious_trials::{marked, ran};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::{Access, Kept, Programs, in_sqlite};
use crate::{Process, kafka::write_secret, ports};

/// The images, in the order in which they are pushed.
pub const IMAGES: [&str; 4] = ["broker", "api-enrichment", "api-generation", "api-gateway"];

/// The registry's address as the manifests have it.
const REGISTRY: &str = "127.0.0.1:5000";
/// Nothing that is waited for takes longer, on a slow machine.
const PATIENCE: Duration = Duration::from_mins(4);
const PAUSE: Duration = Duration::from_millis(50);
/// When the first build of all was made, in seconds since 1970.
const FIRST_BUILD: u32 = 1_760_000_000;
const USER: &str = "travel";

/// A `mercurious up` with the travel platform. Dropping it ends it.
#[derive(Debug)]
pub struct Local {
    programs: Programs,
    place: TempDir,
    registry: u16,
    broker: u16,
    ingress: u16,
    password: String,
    mark: String,
    builds: AtomicU32,
    process: Option<Process>,
}

/// Replaces what must be there.
fn replaced(text: &str, from: &str, to: &str) -> anyhow::Result<String> {
    ensure!(text.contains(from), "the manifests have no `{from}`");
    Ok(text.replace(from, to))
}

impl Local {
    /// The programs that are needed.
    pub fn programs() -> anyhow::Result<Programs> {
        Programs::built()?.with(&IMAGES)?.with(&["mercurious"])
    }

    /// Starts it, pushes the images, and waits until everything is ready. `variables` are for all services.
    pub async fn start(programs: &Programs, variables: &[(&str, String)]) -> anyhow::Result<Self> {
        let [registry, broker, ingress] = ports::free()?;
        let mut local = Self {
            programs: programs.clone(),
            place: TempDir::with_prefix("mercurious-local-")?,
            registry,
            broker,
            ingress,
            password: ports::password(),
            mark: ports::password(),
            builds: AtomicU32::new(0),
            process: None,
        };
        local.write_manifests(variables)?;
        local.launch().await?;
        for image in IMAGES {
            local.publish(image, &[]).await?;
        }
        local.ready().await?;
        Ok(local)
    }

    fn write_manifests(&self, variables: &[(&str, String)]) -> anyhow::Result<()> {
        let manifests = self.place.path().join("manifests");
        fs::create_dir_all(&manifests)?;
        let own_registry = format!("127.0.0.1:{}", self.registry);
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/local");
        for entry in fs::read_dir(&committed)? {
            let path = entry?.path();
            let name = path.file_name().context("a file without a name")?.to_owned();
            let mut text = fs::read_to_string(&path)?.replace(REGISTRY, &own_registry);
            let mark = &self.mark;
            if name == "config.yaml" {
                text.push_str(&format!("  TRIAL_MARK: {mark}\n"));
                for (variable, value) in variables {
                    text.push_str(&format!("  {variable}: \"{value}\"\n"));
                }
            } else if name == "broker.yaml" {
                let port = format!("appProtocol: kafka, nodePort: {} }}", self.broker);
                text = replaced(&text, "appProtocol: kafka }", &port)?;
                let service = "selector: { app: broker }\n  ports:";
                text = replaced(&text, service, &format!("type: NodePort\n  {service}"))?;
                let variable = format!("env:\n            - {{ name: TRIAL_MARK, value: {mark} }}");
                text = replaced(&text, "env:", &variable)?;
            }
            fs::write(manifests.join(name), text)?;
        }
        let secret = |name: &str, user: &str, key: &str| {
            format!(
                "---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, namespace: app }}\nstringData:\n  \
                 {user}: {USER}\n  {key}: {}\n",
                self.password
            )
        };
        let secrets = secret("kafka-sasl", "username", "password")
            + &secret("kafka-sasl-env", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD");
        write_secret(&manifests.join("secrets.yaml"), &secrets)
    }

    fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    /// Talks to it.
    pub fn client(&self) -> ApiClient {
        ApiClient::new(&self.data())
    }

    /// Where the gateways are reached.
    pub fn gateway(&self) -> String {
        format!("http://127.0.0.1:{}", self.ingress)
    }

    /// How the broker is reached.
    pub fn access(&self) -> Access {
        Access {
            broker: format!("127.0.0.1:{}", self.broker),
            username: USER.to_owned(),
            password: self.password.clone(),
        }
    }

    /// What the gateways' store has.
    pub fn kept(&self) -> anyhow::Result<Kept> {
        in_sqlite(&find(&self.data(), "jobs.db").context("there is no store")?)
    }

    /// The end of what it said.
    pub fn last_words(&self) -> String {
        self.process.as_ref().map(Process::last_words).unwrap_or_default()
    }

    /// Starts it on its data directory, and waits until it answers.
    pub async fn launch(&mut self) -> anyhow::Result<()> {
        ensure!(self.process.is_none(), "it runs already");
        let arguments: Vec<String> = [
            "up",
            "-f",
            &self.place.path().join("manifests").display().to_string(),
            "--data-dir",
            &self.data().display().to_string(),
            "--registry-listen",
            &format!("127.0.0.1:{}", self.registry),
            "--listen",
            &format!("127.0.0.1:{}", self.ingress),
        ]
        .map(str::to_owned)
        .to_vec();
        let log = self.place.path().join("log");
        let program = self.programs.path("mercurious");
        let mut process = Process::start(&program, &arguments, self.place.path(), &log)?;
        let until = Instant::now() + PATIENCE;
        while self.client().list().await.is_err() {
            ensure!(process.is_running(), "it ended:\n{}", process.last_words());
            ensure!(Instant::now() < until, "it does not start:\n{}", process.last_words());
            sleep(PAUSE).await;
        }
        self.process = Some(process);
        Ok(())
    }

    /// `kill -9`; waits until nothing of it is left.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("it does not run")?.kill();
        let until = Instant::now() + PATIENCE;
        loop {
            let left = self.marked();
            if left.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < until, "still alive: {left:?}");
            sleep(PAUSE).await;
        }
    }

    fn marked(&self) -> Vec<mercurious_trials::Process> {
        marked(&format!("TRIAL_MARK={}", self.mark))
    }

    /// The processes of a service's replicas, without what they run in.
    pub fn replicas(&self, service: &str) -> Vec<i32> {
        let named = |pid: &i32| {
            // It may have ended.
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim() == service
        };
        self.marked().into_iter().map(|process| process.pid).filter(named).collect()
    }

    /// `kill -9` for one of a service's replicas, if there is one now.
    pub fn kill_replica(&self, service: &str, random: &mut fastrand::Rng) -> bool {
        let pid = random.choice(self.replicas(service));
        pid.is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
    }

    /// Makes an image of a service's program, later than every one before, and pushes it; its digest.
    pub async fn publish(&self, image: &str, variables: &[&str]) -> anyhow::Result<Digest> {
        let number = self.builds.fetch_add(1, Ordering::Relaxed);
        let repository = format!("127.0.0.1:{}/travel/{image}", self.registry);
        let mut command = tokio::process::Command::new(self.programs.path("mercurious"));
        command
            .args(["publish", "--output", "json", "--binary"])
            .arg(self.slim(image)?)
            .args(["--repository", &repository, "--tag", "latest"])
            .args(["--commit", &format!("{number:040x}")])
            .args(["--created", &(FIRST_BUILD + 60 * number).to_string()]);
        for variable in variables {
            command.args(["--env", variable]);
        }
        let output = command.kill_on_drop(true).output().await.context("cannot publish")?;
        ensure!(
            output.status.success(),
            "{image} cannot be published: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        Ok(answer["digest"].as_str().context("no digest")?.parse()?)
    }

    /// How large a service's newest image is in the registry, compressed as it was pushed, in bytes.
    pub async fn image_size(&self, image: &str) -> anyhow::Result<u64> {
        let url = format!("http://127.0.0.1:{}/v2/travel/{image}/manifests/latest", self.registry);
        let kinds = "application/vnd.oci.image.manifest.v1+json";
        let request = super::client()?.get(url).header("accept", kinds);
        let answer = request.send().await?.error_for_status()?;
        let manifest: serde_json::Value = answer.json().await?;
        let layers = manifest["layers"].as_array().context("no layers in the manifest")?;
        let parts = layers.iter().chain([&manifest["config"]]);
        Ok(parts.filter_map(|part| part["size"].as_u64()).sum())
    }

    /// A service's program as it is in the image.
    pub fn program(&self, service: &str) -> anyhow::Result<PathBuf> {
        self.slim(service)
    }

    /// A copy without what only debuggers read; the program itself where no `strip` is installed.
    fn slim(&self, name: &str) -> anyhow::Result<PathBuf> {
        let slim = self.place.path().join("slim").join(name);
        let program = self.programs.path(name);
        if !slim.is_file() {
            fs::create_dir_all(self.place.path().join("slim"))?;
            let stripped = Command::new("strip").arg("-o").arg(&slim).arg(&program).status();
            if !stripped.is_ok_and(|status| status.success()) {
                return Ok(program);
            }
        }
        Ok(slim)
    }

    /// Waits until all is proven and the gateways answer.
    pub async fn ready(&self) -> anyhow::Result<()> {
        for service in IMAGES.into_iter().filter(|image| *image != "broker") {
            let serves = |view: &AutoDeployView| {
                let workload = &view.workload;
                let status = view.object.status.as_ref();
                status.is_some_and(|status| status.rollout.is_none() && status.running.is_some())
                    && workload.available == workload.desired
                    && workload.updated == workload.desired
            };
            self.until(service, "to be ready", serves).await?;
        }
        Ok(())
    }

    /// Waits until a rollout of this release has ended so.
    pub async fn ended(
        &self,
        service: &str,
        digest: &Digest,
        phase: Phase,
    ) -> anyhow::Result<AutoDeployView> {
        let what = format!("a rollout of {} to end {phase}", digest.short());
        self.until(service, &what, |view| ran(view, digest, phase)).await
    }

    async fn until(
        &self,
        service: &str,
        what: &str,
        wanted: impl Fn(&AutoDeployView) -> bool,
    ) -> anyhow::Result<AutoDeployView> {
        let until = Instant::now() + PATIENCE;
        loop {
            let view = self.client().show(&format!("app/{service}")).await;
            let last = match view {
                Ok(view) if wanted(&view) => return Ok(view),
                Ok(view) => view.decision.message,
                Err(error) => error.to_string(),
            };
            if Instant::now() >= until {
                bail!("{service}: waited in vain for {what}; {last}\n{}", self.last_words());
            }
            sleep(PAUSE).await;
        }
    }
}

/// The file of this name, somewhere below a directory.
fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    for entry in fs::read_dir(directory).ok()?.flatten() {
        let path = entry.path();
        let kind = entry.file_type().ok()?;
        if kind.is_file() && entry.file_name() == name {
            return Some(path);
        }
        // Files of images are not looked through.
        if kind.is_dir()
            && !["images", "registry"].iter().any(|it| entry.file_name() == *it)
            && let Some(found) = find(&path, name)
        {
            return Some(found);
        }
    }
    None
}
