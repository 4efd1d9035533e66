//! The `mercurious` program: keeps what runs in step with what was built.

mod cli;
mod cluster_args;
mod commands;
#[cfg(feature = "home")]
mod example_server;
mod failure;
mod hooks;
mod hooks_args;
mod output;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use failure::report;

#[cfg(feature = "lean")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    #[cfg(feature = "home")]
    if let Some(ended) = commands::up::be_a_part() {
        return ended;
    }
    let cli = Cli::parse();
    if cli.globals.quiet {
        output::be_quiet();
    }
    let filter = cli
        .globals
        .log
        .clone()
        .unwrap_or_else(|| if cli.globals.quiet { "error" } else { "warn" }.to_owned());
    mercurious_runtime::start_telemetry(&filter, mercurious_runtime::LogFormat::Text);
    // A second provider cannot be installed; the first is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = if commands::cluster::is_meant(&cli) {
        // One thread: a pass every two minutes must cost next to nothing.
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&anyhow::Error::new(error).context("cannot start")),
    };
    let ended = runtime.block_on(run(cli));
    // A name that is being looked up must not keep a pass from ending.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let in_cluster = commands::cluster::is_meant(&cli);
    let globals = cli.globals;
    match cli.command {
        Command::Controller(args) => commands::cluster::controller(args, &globals).await,
        Command::Sync(args) if in_cluster => commands::cluster::sync(args, &globals).await,
        #[cfg(feature = "home")]
        Command::Up(args) => commands::up::run(args, &globals).await,
        #[cfg(feature = "home")]
        Command::Demo(args) => commands::demo::run(args).await,
        Command::Publish(args) => commands::publish::run(args, &globals).await,
        Command::Policy(args) => commands::policy::run(&args, &globals),
        Command::Images(args) => commands::images::run(args, &globals).await,
        Command::Manifests(args) => commands::manifests::run(&args),
        Command::Completions { shell } => commands::completions::run(shell),
        #[cfg(feature = "home")]
        Command::ExampleServer(args) => example_server::run(args).await,
        command if in_cluster => commands::cluster_apps::run(command, &globals).await,
        Command::Doctor(args) => commands::doctor::run(&args, &globals).await,
        command => commands::session::run(command, &globals).await,
    }
}
