//! A small real HTTP server that a demonstration or a test rolls out: it can be slow, unready, or fail on wish.
//!
//! **Flow.** Wait `--start-delay`, listen, answer. At SIGTERM: readiness fails, event streams end,
//! answers say `Connection: close`, and it goes on accepting until no request is running; then it stops
//! listening, lets open connections finish, and ends with 0, after at most `--drain`.

mod args;
mod endpoints;
mod serve;
mod state;

use std::{io::Write as _, time::Duration};

use anyhow::Context as _;
pub(crate) use args::ExampleServerArgs;
use mercurious_runtime::{Tasks, terminated};
use state::State;
use tokio::net::TcpListener;

/// Runs until SIGTERM. The faults that end a process do: `--crash-on-start`, `--crash-after` and `/crash` exit
/// with 1 at once, finishing nothing.
pub(crate) async fn run(args: ExampleServerArgs) -> anyhow::Result<()> {
    if args.crash_on_start {
        crash("--crash-on-start");
    }
    let tasks = Tasks::new();
    if let Some(after) = args.crash_after {
        tasks.spawn("crash", async move {
            tokio::time::sleep(after.0).await;
            crash("--crash-after");
        });
    }
    if let Some(line) = args.log_line.clone() {
        tasks.spawn_critical("log line", repeat(line, tasks.stopping()));
    }
    let stopping = tasks.stopping();
    tasks.spawn_critical("signals", async move {
        if let Err(error) = terminated().await {
            tracing::error!(%error, "signals cannot be received");
        }
        stopping.cancel();
    });
    let stopping = tasks.stopping();
    tokio::select! {
        () = tokio::time::sleep(args.start_delay.0) => {}
        () = stopping.cancelled() => return Ok(()),
    }
    let listener = TcpListener::bind((args.address, args.port))
        .await
        .with_context(|| format!("could not listen on {}:{}", args.address, args.port))?;
    tracing::info!(server.address = %listener.local_addr()?, app.version = args.version, "listening");
    let environment = std::env::vars().filter(|(name, _)| name.starts_with("EXAMPLE_")).collect();
    let drain = args.drain.0;
    let state = State::new(args, environment, stopping.clone());
    serve::serve(listener, state, drain, stopping).await;
    tasks.shut_down(Duration::from_secs(1)).await;
    Ok(())
}

/// As a program that fails: no drain, no answer, status 1.
fn crash(why: &'static str) -> ! {
    tracing::error!(crash.cause = why, "crashing as asked");
    std::process::exit(1)
}

async fn repeat(line: String, stopping: mercurious_runtime::CancellationToken) {
    let mut each_second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = each_second.tick() => {}
            () = stopping.cancelled() => return,
        }
        // Standard output may be gone; the server goes on.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

#[cfg(test)]
mod tests;
