//! What is fetched once and kept outside the repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail, ensure};

/// Kafka's version.
const KAFKA: &str = "4.4.0";
/// The MongoDB-wire server's version.
const SECANTUS: &str = "0.7.0b3";
/// The version of schemathesis.
const SCHEMATHESIS: &str = "4.32.5";

/// Where it is kept.
#[expect(clippy::disallowed_methods, reason = "the cache of these tests is in the user's home")]
fn cache() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("HOME").context("no HOME")?;
    let cache = PathBuf::from(home).join(".cache/mercurious/backends");
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    Ok(cache)
}

/// The directory `name` of the cache, made by `make` unless it is there; one maker at a time.
fn kept(name: &str, make: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    let cache = cache()?;
    let done = cache.join(name);
    if done.is_dir() {
        return Ok(done);
    }
    let lock = fs::File::create(cache.join(format!("{name}.lock")))?;
    lock.lock().context("cannot lock the cache")?;
    if done.is_dir() {
        return Ok(done);
    }
    // What an earlier maker left unfinished.
    let unfinished = cache.join(format!("{name}.unfinished"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    make(&unfinished)?;
    fs::rename(&unfinished, &done)?;
    Ok(done)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{program} is not installed"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    bail!("{program} failed: {}", lines[lines.len().saturating_sub(8)..].join(" / "));
}

/// The program of this name on the path.
pub(crate) fn installed(name: &str) -> anyhow::Result<PathBuf> {
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is not installed"))
}

/// Kafka's jars.
pub(crate) fn kafka_jars() -> anyhow::Result<PathBuf> {
    jars("kafka", "kafka_2.13")
}

/// The jars of Kafka's own tools.
pub(crate) fn kafka_tools() -> anyhow::Result<PathBuf> {
    jars("kafka-tools", "kafka-tools")
}

/// An artifact of Kafka's, with all that it needs.
fn jars(name: &str, artifact: &str) -> anyhow::Result<PathBuf> {
    installed("java")?;
    let jars = kept(&format!("{name}-{KAFKA}"), |directory| {
        let pom = format!(
            "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
             <groupId>mercurious</groupId><artifactId>kafka</artifactId><version>1</version>\
             <packaging>pom</packaging><dependencies>\
             <dependency><groupId>org.apache.kafka</groupId><artifactId>{artifact}</artifactId>\
             <version>{KAFKA}</version></dependency>\
             <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>\
             <version>1.7.36</version></dependency></dependencies></project>"
        );
        fs::write(directory.join("pom.xml"), pom)?;
        let plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";
        run(Command::new("mvn")
            .args(["-q", "-B", plugin, "-DincludeScope=runtime", "-DoutputDirectory=lib"])
            .current_dir(directory))
    })?;
    Ok(jars.join("lib"))
}

/// The virtual environment with schemathesis.
pub(crate) fn schemathesis() -> anyhow::Result<PathBuf> {
    kept(&format!("schemathesis-{SCHEMATHESIS}"), |directory| {
        run(Command::new("python3").args(["-m", "venv"]).arg(directory))?;
        let package = format!("schemathesis=={SCHEMATHESIS}");
        let python = directory.join("bin/python");
        run(Command::new(python).args(["-m", "pip", "install", "--quiet", &package]))
    })
}

/// The virtual environment with the MongoDB-wire server.
pub(crate) fn secantus() -> anyhow::Result<PathBuf> {
    kept(&format!("secantusdb-{SECANTUS}"), |directory| {
        run(Command::new("python3").args(["-m", "venv"]).arg(directory))?;
        let pip = directory.join("bin/python");
        let package = format!("secantusdb=={SECANTUS}");
        run(Command::new(pip).args(["-m", "pip", "install", "--quiet", &package]))?;
        // Its scripts name the directory that it was made in; they are not used.
        ensure!(directory.join("bin/python").exists(), "no python in the virtual environment");
        Ok(())
    })
}
