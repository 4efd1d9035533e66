//! The whole platform on this machine.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use crate::{cargo, root};

/// The programs that become images.
const SERVICES: [&str; 4] = ["broker", "api-enrichment", "api-generation", "api-gateway"];

/// The packages that they are built from.
const PACKAGES: [&str; 5] = [
    "mercurious",
    "mercurious-broker",
    "mercurious-enrichment",
    "mercurious-generation",
    "mercurious-api-gateway",
];

/// The registry's address as the manifests have it.
const REGISTRY: &str = "127.0.0.1:5000";

/// Everything is ready within this time, or it is said that it is not.
const PATIENCE: Duration = Duration::from_mins(5);

#[derive(clap::Args)]
pub(crate) struct Up {
    /// Build and run without optimizations: quicker to build
    #[arg(long)]
    dev: bool,
    /// Where everything is kept [default: target/travel]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the embedded registry listens
    #[arg(long, default_value = REGISTRY, value_name = "ADDRESS")]
    registry_listen: String,
    /// Where the gateway is reached
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: String,
    /// End once everything was seen to work
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(up: &Up) -> anyhow::Result<()> {
    let built = build(up.dev)?;
    let place = up.data_dir.clone().unwrap_or_else(|| root().join("target/travel"));
    fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    let secrets = place.join("secrets.yaml");
    if !secrets.exists() {
        write_secrets(&secrets)?;
    }
    let program = Program { path: built.join("mercurious"), data: place.join("data") };
    let mut child = program.start(up, &manifests(up, &place)?, &secrets)?;
    let outcome = program.bring_up(up, &built, &mut child.0);
    if outcome.is_err() || up.once {
        child.stop()?;
        return outcome;
    }
    let status = child.0.wait().context("cannot wait for `mercurious up`")?;
    ensure!(status.success(), "`mercurious up` ended with {status}");
    Ok(())
}

fn build(dev: bool) -> anyhow::Result<PathBuf> {
    let mut arguments = vec!["build", "--locked", "--bins"];
    arguments.extend(PACKAGES.iter().flat_map(|package| ["--package", package]));
    if !dev {
        arguments.push("--release");
    }
    cargo(&arguments)?;
    Ok(root().join(if dev { "target/debug" } else { "target/release" }))
}

/// The committed manifests, with the registry where it is to listen.
fn manifests(up: &Up, place: &Path) -> anyhow::Result<PathBuf> {
    let committed = root().join("deploy/local");
    if up.registry_listen == REGISTRY {
        return Ok(committed);
    }
    let own = place.join("manifests");
    fs::create_dir_all(&own)?;
    for entry in fs::read_dir(&committed)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        let text = fs::read_to_string(&path)?.replace(REGISTRY, &up.registry_listen);
        fs::write(own.join(name), text)?;
    }
    Ok(own)
}

/// Passwords of this machine's own, readable by its person alone.
fn write_secrets(path: &Path) -> anyhow::Result<()> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = |name: &str, user: &str, key: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, namespace: app }}\nstringData:\n  \
             {user}: travel\n  {key}: {password}\n"
        )
    };
    let text = format!(
        "{}---\n{}",
        secret("kafka-sasl", "username", "password"),
        secret("kafka-sasl-env", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"),
    );
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// `mercurious` with its data directory.
struct Program {
    path: PathBuf,
    data: PathBuf,
}

/// A running `mercurious up`, which is stopped with what started it.
struct Running(Child);

impl Running {
    /// Asks it to stop, and waits until it has.
    fn stop(&mut self) -> anyhow::Result<()> {
        if self.0.try_wait()?.is_none() {
            let pid = self.0.id().to_string();
            Command::new("kill").args(["-TERM", &pid]).status().context("cannot run kill")?;
        }
        self.0.wait()?;
        Ok(())
    }
}

impl Program {
    fn start(&self, up: &Up, manifests: &Path, secrets: &Path) -> anyhow::Result<Running> {
        let child = Command::new(&self.path)
            .arg("up")
            .arg("-f")
            .arg(manifests)
            .arg("-f")
            .arg(secrets)
            .arg("--data-dir")
            .arg(&self.data)
            .args(["--registry-listen", &up.registry_listen, "--listen", &up.listen])
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start `mercurious up`")?;
        Ok(Running(child))
    }

    /// Pushes the images, waits until everything has been proven, and says how to ask for a trip.
    fn bring_up(&self, up: &Up, built: &Path, child: &mut Child) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        self.wait_for(child, until, "the engine", |program| {
            Ok(program.command(&["status", "--output", "json"]).output()?.status.success())
        })?;
        let commit = commit();
        for service in SERVICES {
            let mut publish = self.command(&["publish", "--quiet", "--commit", &commit]);
            publish.arg("--binary").arg(built.join(service));
            publish.arg("--repository").arg(format!("{}/travel/{service}", up.registry_listen));
            publish.stdout(Stdio::null()).stderr(Stdio::inherit());
            ensure!(publish.status()?.success(), "the image of {service} could not be pushed");
        }
        let url = format!("http://{}", up.listen);
        self.wait_for(child, until, "the platform", |program| {
            let output = program.command(&["status", "--output", "json"]).output()?;
            let views: serde_json::Value = serde_json::from_slice(&output.stdout)?;
            let views = views.as_array().context("the status is no list")?;
            Ok(!views.is_empty() && views.iter().all(is_ready))
        })?;
        eprintln!(
            "\nthe gateway   {url}   (docs: {url}/openapi.json)\n\nask for a trip, and read the itinerary:\n\n  \
             curl -sL -H 'prefer: wait=60' --json '{{\"destination\":{{\"name\":\"Lisbon\"}},\
             \"start_date\":\"2027-05-04\",\"end_date\":\"2027-05-06\"}}' {url}/v1/trips\n\nwhat runs:  {} status --data-dir {}\n",
            self.path.display(),
            self.data.display(),
        );
        Ok(())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(words).arg("--data-dir").arg(&self.data);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn wait_for(
        &self,
        child: &mut Child,
        until: Instant,
        what: &str,
        is_there: impl Fn(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        loop {
            if let Some(status) = child.try_wait()? {
                bail!("`mercurious up` ended with {status}");
            }
            // What cannot be asked yet is not there yet.
            if is_there(self).unwrap_or(false) {
                return Ok(());
            }
            if Instant::now() >= until {
                bail!(
                    "{what} is not ready after {PATIENCE:?}: `mercurious doctor --data-dir {}` tells more",
                    self.data.display()
                );
            }
            sleep(Duration::from_millis(200));
        }
    }
}

/// Whether an auto-deploy's workload serves and nothing is at work.
fn is_ready(view: &serde_json::Value) -> bool {
    let conditions = view["status"]["conditions"].as_array();
    let ready = |condition: &serde_json::Value| {
        condition["type"] == "Ready" && condition["status"] == "True"
    };
    conditions.is_some_and(|conditions| conditions.iter().any(ready))
}

/// The commit that is checked out; without one, a name that no commit has.
fn commit() -> String {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root()).output();
    output
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "0".repeat(40), |text| text.trim().to_owned())
}
