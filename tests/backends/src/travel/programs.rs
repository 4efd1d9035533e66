//! The services' programs.

use std::{path::PathBuf, process::Command};

use anyhow::Context as _;

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs(PathBuf);

impl Programs {
    /// Those that were built into the same target directory as this program, or those in the directory that
    /// `MERCURIOUS_CHAIN_PROGRAMS` names.
    #[expect(clippy::disallowed_methods, reason = "a switch of these tests")]
    pub fn built() -> anyhow::Result<Self> {
        if let Some(directory) = std::env::var_os("MERCURIOUS_CHAIN_PROGRAMS") {
            return Ok(Self(PathBuf::from(directory)));
        }
        let own = std::env::current_exe().context("cannot find the own file")?;
        let mut beside = own.ancestors().skip(1).take(2);
        let found = beside.find(|directory| directory.join("api-gateway").is_file());
        let found = found.with_context(|| {
            format!("no `api-gateway` beside {}: build the services first", own.display())
        })?;
        Ok(Self(found.to_owned()))
    }

    /// Fails unless all of these are there.
    pub fn with(self, names: &[&str]) -> anyhow::Result<Self> {
        let missing: Vec<&str> =
            names.iter().filter(|name| !self.path(name).is_file()).copied().collect();
        anyhow::ensure!(missing.is_empty(), "not built: {}", missing.join(", "));
        Ok(self)
    }

    /// The program of this name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Whether the gateway was built with MongoDB and Redis.
    pub fn take_mongo(&self) -> bool {
        let mut command = Command::new(self.path("api-gateway"));
        command.arg("--check").envs([
            ("KAFKA_BROKERS", "127.0.0.1:1"),
            ("STORE_URL", "mongodb://127.0.0.1:1/"),
            ("REDIS_URL", "redis://127.0.0.1:1/"),
        ]);
        command.output().is_ok_and(|output| output.status.success())
    }
}
