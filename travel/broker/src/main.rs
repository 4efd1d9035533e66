//! The program `broker`.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser as _;
use mercurious_broker::{Settings, serve};
use mercurious_runtime::{LogFormat, start_telemetry, terminated};

/// How long connections may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

// Two threads are plenty beside the log's own, and each costs memory.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    let format = if settings.log_json { LogFormat::Json } else { LogFormat::Text };
    start_telemetry(&settings.log, format);
    match run(&settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            tracing::error!(error = causes.join(": "), "the broker stopped");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: &Settings) -> anyhow::Result<()> {
    let serving = serve(settings).await?;
    let tasks = serving.tasks.clone();
    let stopping = tasks.stopping();
    let signal = tokio::select! {
        signal = terminated() => Some(signal.context("signals cannot be waited for")?),
        () = stopping.cancelled() => None,
    };
    if let Some(signal) = signal {
        tracing::info!(signal, "stopping");
    }
    let left = tasks.shut_down(PATIENCE).await;
    if left > 0 {
        tracing::warn!(tasks = left, "some connections did not end in time");
    }
    anyhow::ensure!(signal.is_some(), "a part of the broker ended");
    Ok(())
}
