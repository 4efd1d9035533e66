//! schemathesis: asks an interface everything that its OpenAPI document allows, and much that it does not.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use anyhow::Context as _;

use crate::{Unavailable, fetched};

/// The program, in a virtual environment of its own.
#[derive(Debug)]
pub struct Schemathesis {
    environment: PathBuf,
}

impl Schemathesis {
    /// Fetches it, where it is not there.
    pub fn fetched() -> Result<Self, Unavailable> {
        Ok(Self { environment: fetched::schemathesis()? })
    }

    /// Asks the service at `url` `examples` questions for each operation, and what follows from answers.
    pub fn run(&self, url: &str, seed: u64, examples: u32) -> anyhow::Result<Output> {
        // Its scripts name the directory that it was made in; they are not used.
        Command::new(self.environment.join("bin/python"))
            .args(["-m", "schemathesis.cli", "run", &format!("{url}/openapi.json")])
            .args(["--seed", &seed.to_string(), "--max-examples", &examples.to_string()])
            .args(["--checks", "all", "--exclude-checks", "ignored_auth"])
            .args([
                "--mode",
                "all",
                "--continue-on-failure",
                "--no-color",
                "--suppress-health-check",
                "all",
            ])
            .args(["--generation-database", "none", "--request-timeout", "30"])
            .output()
            .context("schemathesis did not start")
    }
}
