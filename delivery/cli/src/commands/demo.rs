use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use mercurious_builder::{ImageBuilder, publish};
use mercurious_core::{
    image::{Commit, Digest, Platform, Repository, Tag},
    resources::ObjectName,
    rollout::{Actor, Phase},
};
use mercurious_engine::AutoDeployView;
use mercurious_load::{Load, LoadHandle, LoadReport, LoadSettings, watch_until_version};
use mercurious_local::Home;
use mercurious_registry::{Keychain, RegistryClient};
use mercurious_runtime::Tasks;
use tokio::time::Instant;

use crate::{
    cli::{DemoArgs, UpArgs},
    commands::up,
    failure::Failure,
    hooks_args::HooksArgs,
    output::{describe, print, say, table},
};

/// So long a step may take before the demo gives up on it.
const PATIENCE: Duration = Duration::from_mins(1);

/// One image that is pushed, and what must become of it.
struct Step {
    version: &'static str,
    what: &'static str,
    knobs: &'static [(&'static str, &'static str)],
    good: bool,
}

const STEPS: [Step; 5] = [
    Step { version: "v1", what: "first release", knobs: &[], good: true },
    Step { version: "v2", what: "good", knobs: &[], good: true },
    Step { version: "v3", what: "crashes", knobs: &[("EXAMPLE_CRASH_AFTER", "50ms")], good: false },
    Step {
        version: "v4",
        what: "fails its check",
        knobs: &[("EXAMPLE_FAILING_CHECK", "true")],
        good: false,
    },
    Step { version: "v5", what: "good", knobs: &[], good: true },
];

pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let place = tempfile::Builder::new()
        .prefix("mercurious-demo-")
        .tempdir()
        .context("cannot make a directory")?;
    let tasks = Tasks::new();
    let outcome = play(&args, place.path(), &tasks).await;
    let left = tasks.shut_down(Duration::from_secs(30)).await;
    let failed = outcome?;
    ensure!(left == 0, "{left} tasks did not end");
    if failed.is_empty() {
        say("every expectation was met");
        Ok(())
    } else {
        Err(Failure::no(format!("not as expected: {}", failed.join("; "))))
    }
}

/// Plays all steps; the expectations that were not met.
async fn play(args: &DemoArgs, place: &Path, tasks: &Tasks) -> anyhow::Result<Vec<String>> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let registry: SocketAddr = format!("127.0.0.1:{port}").parse()?;
    let manifests = place.join("demo.yaml");
    std::fs::write(&manifests, manifest(registry))?;
    let up_args = UpArgs {
        filenames: vec![manifests],
        registry_listen: registry,
        listen: "127.0.0.1:0".parse()?,
        api_listen: None,
        no_sandbox: args.no_sandbox,
        hooks: HooksArgs::default(),
    };
    say(format!("a home in {}, with an embedded registry on {registry}", place.display()));
    let home = up::start(&up_args, &place.join("data"), tasks).await?.home;
    if let Some(warning) = &home.isolation_warning {
        say(format!("warning: {warning}"));
    }
    follow(&home, tasks);
    let service = home.addresses.first().context("the demo's Service has no address")?.address;
    let mut stage = Stage {
        home,
        registry,
        place: place.to_owned(),
        service,
        load: None,
        rows: Vec::new(),
        failed: Vec::new(),
    };
    for (index, step) in STEPS.iter().enumerate() {
        stage.play(index, step).await?;
    }
    stage.roll_back().await?;
    let rows = stage.finish().await;
    print(&table(&["STEP", "WHAT", "END", "SECONDS", "REQUESTS", "FAILED"], &rows.0))?;
    Ok(rows.1)
}

struct Stage {
    home: Home,
    registry: SocketAddr,
    place: std::path::PathBuf,
    service: SocketAddr,
    load: Option<LoadHandle>,
    rows: Vec<Vec<String>>,
    failed: Vec<String>,
}

impl Stage {
    async fn play(&mut self, index: usize, step: &Step) -> anyhow::Result<()> {
        say(format!("\n== {}: {}", step.version, step.what));
        let before = self.counts();
        let (digest, pushed) = self.push(index, step).await?;
        let first = self.load.is_none();
        let (end, seconds) = if step.good {
            let seen = watch_until_version(&self.url(), step.version, PATIENCE).await.ok();
            let phase = self.ended(&digest).await?;
            (phase, seen.map(|seen| seen.saturating_duration_since(pushed)))
        } else {
            let phase = self.ended(&digest).await?;
            (phase, Some(pushed.elapsed()))
        };
        if first {
            self.load = Some(Load::start(&self.url(), LoadSettings::default())?);
        }
        let wanted = if step.good { Phase::Succeeded } else { Phase::RolledBack };
        self.expect(end == wanted, format!("{} ended {end}, wanted {wanted}", step.version));
        let held = self
            .view()
            .await?
            .object
            .status
            .is_some_and(|status| status.holds.iter().any(|hold| hold.digest == digest));
        self.expect(
            held != step.good,
            format!("{} is {}held", step.version, if held { "" } else { "not " }),
        );
        let what = if held { format!("{end}, held") } else { end.to_string() };
        self.row(step.version, step.what, &what, seconds, &before);
        Ok(())
    }

    async fn roll_back(&mut self) -> anyhow::Result<()> {
        say("\n== a person rolls back");
        let before = self.counts();
        let running = self
            .view()
            .await?
            .object
            .status
            .and_then(|status| status.running.clone())
            .context("nothing runs")?;
        let asked = Instant::now();
        let ask = mercurious_core::decide::Ask::Rollback(None);
        self.home.handle.ask(&app(), ask, Actor("the demo's person".to_owned())).await?;
        let seen = watch_until_version(&self.url(), "v2", PATIENCE).await.ok();
        let settled = self.until(|view| {
            let status = view.object.status.as_ref();
            status.is_some_and(|status| {
                status.rollout.is_none()
                    && status.running.as_ref().is_some_and(|now| now.digest != running.digest)
            })
        });
        settled.await?;
        let view = self.home.handle.scan(&app()).await?;
        let status = view.object.status.clone().unwrap_or_default();
        let held = status.holds.iter().any(|hold| hold.digest == running.digest);
        self.expect(held, "what was rolled back is not held".to_owned());
        let stays = status.running.as_ref().is_some_and(|now| now.digest != running.digest);
        self.expect(stays, "the rollback was undone".to_owned());
        let seconds = seen.map(|seen| seen.saturating_duration_since(asked));
        self.row("v5 → v2", "a person rolls back", "Succeeded, v5 held", seconds, &before);
        Ok(())
    }

    async fn finish(self) -> (Vec<Vec<String>>, Vec<String>) {
        let mut failed = self.failed;
        if let Some(load) = self.load {
            let counts = load.stop().await;
            say(counts.to_string());
            if counts.failed > 0 {
                let reasons: Vec<&str> =
                    counts.failures.iter().map(|failure| failure.reason.as_str()).collect();
                failed.push(format!("{} requests failed: {}", counts.failed, reasons.join(", ")));
            }
        }
        (self.rows, failed)
    }

    fn expect(&mut self, met: bool, what: String) {
        if !met {
            say(format!("NOT AS EXPECTED: {what}"));
            self.failed.push(what);
        }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.service)
    }

    /// Requests sent and failed so far.
    fn counts(&self) -> (u64, u64) {
        let report: Option<LoadReport> = self.load.as_ref().map(LoadHandle::snapshot);
        report.map_or((0, 0), |report| (report.sent, report.failed))
    }

    fn row(
        &mut self,
        step: &str,
        what: &str,
        end: &str,
        seconds: Option<Duration>,
        before: &(u64, u64),
    ) {
        let now = self.counts();
        if seconds.is_none() {
            self.expect(false, format!("{step} never answered"));
        }
        self.rows.push(vec![
            step.to_owned(),
            what.to_owned(),
            end.to_owned(),
            seconds.map_or_else(
                || "never".to_owned(),
                |seconds| format!("{:.2}", seconds.as_secs_f64()),
            ),
            (now.0 - before.0).to_string(),
            (now.1 - before.1).to_string(),
        ]);
    }

    async fn view(&self) -> anyhow::Result<AutoDeployView> {
        Ok((*self.home.handle.show(&app()).await?).clone())
    }

    /// The phase in which the rollout of this release ended.
    async fn ended(&self, digest: &Digest) -> anyhow::Result<Phase> {
        let attempt = |view: &AutoDeployView| {
            let status = view.object.status.as_ref()?;
            status
                .history
                .iter()
                .find(|attempt| attempt.release.digest == *digest)
                .map(|attempt| attempt.phase)
        };
        let view = self.until(|view| attempt(view).is_some()).await?;
        attempt(&view).context("the rollout is not in the history")
    }

    async fn until(
        &self,
        wanted: impl Fn(&AutoDeployView) -> bool,
    ) -> anyhow::Result<AutoDeployView> {
        let mut views = self.home.handle.follow(&app())?;
        let found = views.wait_for(|view| view.as_ref().is_some_and(|view| wanted(view)));
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(Ok(view)) => Ok((**view.as_ref().context("no view")?).clone()),
            Ok(Err(_)) => anyhow::bail!("the engine ended"),
            Err(_) => {
                let view = self.view().await?;
                anyhow::bail!(
                    "nothing more within {PATIENCE:?}; the last decision: {}",
                    view.decision.message
                )
            }
        }
    }

    /// Makes the image of one version and pushes it; when the push was complete.
    async fn push(&self, index: usize, step: &Step) -> anyhow::Result<(Digest, Instant)> {
        let commit: Commit = Digest::of(step.version.as_bytes()).hex()[..40].parse()?;
        let created = Timestamp::from_second(1_750_000_000 + 60 * i64::try_from(index)?)?;
        let mut builder = ImageBuilder::new(Platform::of_this_program())
            .binary(std::env::current_exe()?)
            .name("mercurious")
            .arguments(["example-server"])
            .created(created)
            .revision(commit.clone())
            .env("EXAMPLE_VERSION", step.version)
            .env("EXAMPLE_COMMIT", commit.as_str());
        for (name, value) in step.knobs {
            builder = builder.env(*name, *value);
        }
        let directory = self.place.join(step.version);
        std::fs::create_dir_all(&directory)?;
        let image = tokio::task::spawn_blocking(move || builder.build(&directory)).await??;
        let repository: Repository = repository(self.registry).parse()?;
        let tags: [Tag; 2] = [format!("sha-{commit}").parse()?, "latest".parse()?];
        let client = RegistryClient::builder().build()?;
        let pushed =
            publish(&client, &Keychain::anonymous(), &image, None, &repository, &tags).await?;
        let at = Instant::now();
        say(format!("pushed {repository}:sha-{}", commit.short()));
        Ok((pushed.digest, at))
    }
}

/// Prints each decision as it happens.
fn follow(home: &Home, tasks: &Tasks) {
    let mut events = home.events.subscribe();
    let stopping = tasks.stopping();
    tasks.spawn("talk", async move {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                event = events.recv() => match event {
                    Ok(event) => say(format!("   {}", describe(&event))),
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                },
            }
        }
    });
}

fn app() -> ObjectName {
    ObjectName::new("app", "example")
}

fn repository(registry: SocketAddr) -> String {
    format!("{registry}/team/example")
}

fn manifest(registry: SocketAddr) -> String {
    let repository = repository(registry);
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{ name: example, namespace: app }}
spec:
  replicas: 2
  selector: {{ matchLabels: {{ app: example }} }}
  strategy: {{ type: RollingUpdate, rollingUpdate: {{ maxSurge: 1, maxUnavailable: 0 }} }}
  template:
    metadata: {{ labels: {{ app: example }} }}
    spec:
      containers:
        - name: app
          image: {repository}:latest
          ports: [{{ containerPort: 8080 }}]
          readinessProbe: {{ httpGet: {{ path: /ready, port: 8080 }}, periodSeconds: 1 }}
---
apiVersion: v1
kind: Service
metadata: {{ name: example, namespace: app }}
spec: {{ selector: {{ app: example }}, ports: [{{ port: 80, targetPort: 8080 }}] }}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata: {{ name: example, namespace: app }}
spec: {{ image: {repository}, interval: 1m0s }}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {{ name: example, namespace: app }}
spec:
  imageRepositoryRef: {{ name: example }}
  policy: {{ alphabetical: {{ order: desc }} }}
  filterTags: {{ pattern: '^sha-[a-f0-9]+$', extract: '$0' }}
---
apiVersion: mercurious.dev/v1alpha1
kind: AutoDeploy
metadata: {{ name: example, namespace: app }}
spec:
  target: {{ kind: Deployment, name: example }}
  policyRef: {{ name: example }}
  rollout: {{ timeout: 30s, bake: 2s }}
  checks:
    - name: version
      http: {{ url: http://example.app.svc/, status: 200, contains: '{{{{ release.commit }}}}' }}
      period: 200ms
    - name: own-check
      http: {{ url: http://example.app.svc/check, status: 200 }}
      period: 200ms
"
    )
}
