//! The program `api-gateway`.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::Parser;
use mercurious_api_gateway::{
    http::openapi_json,
    settings::{Environment, Settings, reference},
};
use mercurious_runtime::{SystemClock, start_telemetry};

mod start;

/// Accepts trips over HTTP, has them made over Kafka, and tells how they come to be. Set up by variables of the
/// environment; `--settings` lists them.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// Print the interface's description (OpenAPI) and end.
    #[arg(long, conflicts_with_all = ["settings", "check"])]
    openapi: bool,
    /// Print every setting as a table and end.
    #[arg(long, conflicts_with = "check")]
    settings: bool,
    /// Read the settings, name everything that is wrong with them, and end.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            start::report(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.openapi {
        return start::print(&openapi_json()?);
    }
    if arguments.settings {
        return start::print(&reference());
    }
    let environment: Environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let settings = Settings::read(&environment)?;
    if arguments.check {
        return start::print("the settings are right\n");
    }
    start_telemetry(&settings.log, settings.log_format);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(start::serve(settings, &environment, Arc::new(SystemClock)))
}
