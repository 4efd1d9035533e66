//! Whatever is killed, whenever: the rollout converges, nothing is applied twice, and no two engines are at work at once.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, bail, ensure};
use mercurious_core::image::Digest;
use mercurious_load::{Load, LoadSettings};
use mercurious_trials::Image;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout},
    time::{Instant, sleep, timeout},
};

use crate::{
    controlled::Controller,
    one_at_a_time::one_engine_at_a_time,
    stage::{Scene, tests},
    steered::Steered,
};

tests![
    the_leader_is_killed_at_each_phase,
    the_pass_is_killed_at_each_phase,
    the_api_server_is_killed_at_each_phase,
    etcd_is_killed_at_each_phase,
];

/// What breaks the cluster for all others.
pub(crate) const ALONE: [&str; 2] =
    ["the_api_server_is_killed_at_each_phase", "etcd_is_killed_at_each_phase"];

/// Nothing that is waited for takes longer, with something killed on the way.
const PATIENCE: Duration = Duration::from_mins(4);
const PAUSE: Duration = Duration::from_millis(200);

/// The phases of three good releases and a bad one, in each of which something is killed once.
const PHASES: [&str; 4] = ["Pending", "Progressing", "Baking", "RollingBack"];

async fn the_leader_is_killed_at_each_phase(scene: Scene) -> anyhow::Result<()> {
    let trial = Trial::start(&scene, "leader").await?;
    let mut leader = trial.controller(0).await?;
    let mut other = 1;
    for (number, phase) in PHASES.into_iter().enumerate() {
        let stand_by = trial.controller(other).await?;
        let (release, mut phases) = trial.push(number).await?;
        phases.until(phase).await?;
        leader.kill().await?;
        trial.converges(number, &release, async || Ok(())).await?;
        (leader, other) = (stand_by, 1 - other);
    }
    trial.end().await?;
    leader.end().await
}

async fn the_pass_is_killed_at_each_phase(scene: Scene) -> anyhow::Result<()> {
    let trial = Trial::start(&scene, "one-shot").await?;
    for (number, phase) in PHASES.into_iter().enumerate() {
        let (release, mut phases) = trial.push(number).await?;
        let mut pass = trial.pass(number % 2)?;
        phases.until(phase).await?;
        pass.kill().await?;
        let other = (number + 1) % 2;
        // Until the Lease of the dead one has run out, a pass leaves quietly.
        trial
            .converges(number, &release, async || {
                trial.pass(other)?.wait().await?;
                Ok(())
            })
            .await?;
    }
    trial.end().await
}

async fn the_api_server_is_killed_at_each_phase(scene: Scene) -> anyhow::Result<()> {
    killed_beneath(scene, "api-server", "kube-apiserver").await
}

async fn etcd_is_killed_at_each_phase(scene: Scene) -> anyhow::Result<()> {
    killed_beneath(scene, "etcd", "etcd").await
}

/// Two controllers, as the Deployment keeps them, over a cluster that loses this part again and again.
async fn killed_beneath(scene: Scene, stem: &str, part: &str) -> anyhow::Result<()> {
    if scene.cluster().facts().place.is_none() {
        return Ok(());
    }
    let trial = Trial::start(&scene, stem).await?;
    let mut controllers = [trial.controller(0).await?, trial.controller(1).await?];
    for (number, phase) in PHASES.into_iter().enumerate() {
        let (release, mut phases) = trial.push(number).await?;
        tokio::select! {
            heard = phases.until(phase) => heard?,
            failed = revived(&trial, &mut controllers) => failed?,
        }
        scene.cluster().kill(part)?;
        tokio::select! {
            ended = trial.converges(number, &release, async || Ok(())) => ended?,
            failed = revived(&trial, &mut controllers) => failed?,
        }
    }
    trial.end().await
}

/// One whose Lease ran out while nobody answered has ended; its Deployment starts it anew.
async fn revived(trial: &Trial, controllers: &mut [Controller; 2]) -> anyhow::Result<()> {
    loop {
        for (user, controller) in controllers.iter_mut().enumerate() {
            if controller.has_ended()? {
                *controller = trial.controller(user).await?;
            }
        }
        sleep(PAUSE).await;
    }
}

/// Four releases after the first, the last of which is bad, steered by two engines that the audit log can tell apart.
struct Trial {
    scene: Scene,
    steered: Steered,
    users: [PathBuf; 2],
    _directory: tempfile::TempDir,
    load: mercurious_load::LoadHandle,
    before: u64,
}

impl Trial {
    async fn start(scene: &Scene, stem: &str) -> anyhow::Result<Self> {
        let steered = Steered::start(scene, stem, Image::good(1)).await?;
        let directory = tempfile::tempdir()?;
        let users = ["engine-0", "engine-1"].map(|name| directory.path().join(name));
        for (number, file) in users.iter().enumerate() {
            let namespace = &steered.example.namespace;
            namespace.administrator(scene.cluster(), &format!("engine-{number}"), file).await?;
        }
        let load = Load::start(&steered.example.url().await?, LoadSettings::default())?;
        let before = steered.generation().await?;
        Ok(Self { scene: scene.clone(), steered, users, _directory: directory, load, before })
    }

    async fn controller(&self, user: usize) -> anyhow::Result<Controller> {
        let namespace = &self.steered.example.namespace;
        let flags = ["--lease", namespace.name()];
        Controller::start_as(&self.scene, &[namespace], &flags, &self.users[user]).await
    }

    fn pass(&self, user: usize) -> anyhow::Result<Child> {
        let mut command = self.steered.command_as(&self.users[user]);
        command.args(["--lease-seconds", "5"]).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.spawn()?)
    }

    /// Pushes the next release; the phases of its rollout are heard from here on.
    async fn push(&self, number: usize) -> anyhow::Result<(Digest, Phases)> {
        let image = Image::good(u32::try_from(number)? + 2);
        let is_bad = PHASES[number] == "RollingBack";
        let image = if is_bad { image.with("EXAMPLE_CRASH_ON_START", "true") } else { image };
        let phases = Phases::hear(&self.steered)?;
        let digest = self.steered.example.push(image).await?;
        let look = "annotate imagerepository example --overwrite";
        let token = format!("{look} reconcile.fluxcd.io/requestedAt={number}");
        self.steered.example.namespace.kubectl().line(&token).await?;
        Ok((digest, phases))
    }

    /// Waits until the rollout of this release has ended as it must; meanwhile the other goes on.
    async fn converges(
        &self,
        number: usize,
        release: &Digest,
        mut meanwhile: impl AsyncFnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let wanted = if PHASES[number] == "RollingBack" { "RolledBack" } else { "Succeeded" };
        let end = Instant::now() + PATIENCE;
        loop {
            meanwhile().await?;
            let status = self.steered.status().await.unwrap_or_default();
            let last = &status["history"][0];
            let is_over = last["release"]["digest"] == release.to_string();
            if is_over && status["rollout"].is_null() {
                ensure!(last["phase"] == wanted, "it ended otherwise: {last}");
                break;
            }
            ensure!(Instant::now() < end, "{release} did not converge: {status}");
            sleep(PAUSE).await;
        }
        if wanted == "Succeeded" {
            self.steered.runs(release).await?;
        } else {
            self.steered.holds(release).await?;
        }
        self.steered.example.settled().await
    }

    async fn end(self) -> anyhow::Result<()> {
        let report = self.load.stop().await;
        ensure!(
            report.failed == 0,
            "{} of {} failed: {:?}",
            report.failed,
            report.sent,
            report.failures
        );
        // Three good ones, the bad one, and back.
        let changes = self.steered.generation().await? - self.before;
        ensure!(changes == 5, "the Deployment was changed {changes} times");
        if self.scene.cluster().facts().place.is_some() {
            let audit = self.scene.cluster().audit()?;
            let writes = one_engine_at_a_time(&audit, self.steered.example.namespace.name())?;
            eprintln!("{writes} writes, each by the engine that held the Lease");
        }
        Ok(())
    }
}

/// The phases of the rollout at work, as `kubectl get --watch` shows them.
struct Phases {
    _watch: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Phases {
    fn hear(steered: &Steered) -> anyhow::Result<Self> {
        let mut watch = steered
            .example
            .namespace
            .kubectl()
            .command()
            .args(["get", "autodeploy", "example", "--watch", "--output-watch-events=false"])
            .arg("--output=jsonpath={.status.rollout.phase}{\"\\n\"}")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = watch.stdout.take().context("no output")?;
        Ok(Self { _watch: watch, lines: BufReader::new(output).lines() })
    }

    async fn until(&mut self, phase: &str) -> anyhow::Result<()> {
        let heard = async {
            while let Some(line) = self.lines.next_line().await? {
                if line.trim() == phase {
                    return Ok(());
                }
            }
            bail!("the watch ended before {phase}")
        };
        timeout(PATIENCE, heard).await.with_context(|| format!("{phase} did not come"))?
    }
}
