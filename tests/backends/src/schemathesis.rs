//! schemathesis: asks an interface everything that its OpenAPI document allows, and much that it does not.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use anyhow::Context as _;

use crate::{Unavailable, fetched};

/// What a precondition answers when it is missing (428) or not met (412) is a refusal as good as 400.
const CHECKS: &str = "\
[checks.missing_required_header]
expected-statuses = [400, 401, 403, 404, 406, 409, 415, 422, 428]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 415, 422, 428, 429, 503]

[parameters]
";

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

    /// Asks the service at `url` `examples` questions for each operation, and what follows from answers. `known` are
    /// values of parameters that lead to something, such as `path.id`.
    pub fn run(
        &self,
        url: &str,
        (seed, examples): (u64, u32),
        known: &[(&str, String)],
    ) -> anyhow::Result<Output> {
        let directory = tempfile::TempDir::with_prefix("mercurious-schemathesis-")?;
        let mut config = CHECKS.to_owned();
        for (name, value) in known {
            config += &format!("\"{name}\" = \"{value}\"\n");
        }
        fs::write(directory.path().join("schemathesis.toml"), config)?;
        // What fields mean together, such as an end after the start, no schema says: such a request is valid by the
        // document and refused all the same. There is no authentication to ignore.
        let excluded = "ignored_auth,positive_data_acceptance";
        // Its scripts name the directory that it was made in; they are not used.
        Command::new(self.environment.join("bin/python"))
            .args(["-m", "schemathesis.cli", "--config-file", "schemathesis.toml"])
            .args(["run", &format!("{url}/openapi.json")])
            .args(["--seed", &seed.to_string(), "--max-examples", &examples.to_string()])
            .args(["--checks", "all", "--exclude-checks", excluded])
            .args([
                "--mode",
                "all",
                "--continue-on-failure",
                "--no-color",
                "--suppress-health-check",
                "all",
            ])
            .args(["--generation-database", "none", "--request-timeout", "30"])
            .current_dir(directory.path())
            .output()
            .context("schemathesis did not start")
    }
}
