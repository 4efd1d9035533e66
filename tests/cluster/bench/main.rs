//! Measures the program over a real Kubernetes: `cargo xtask bench pass patches taken-back controller`.

mod controller;
mod paper_registry;
mod pass;
mod patches;
mod spent;
mod taken_back;
mod told;
mod wishes;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use mercurious_cluster::{Cluster, Kubectl};
use mercurious_trials::{
    Program,
    report::{Page, say},
};

/// Measures the program over a real Kubernetes and prints parts of a page in Markdown
#[derive(Parser)]
struct Arguments {
    /// The program to measure [default: the one that was built beside this]
    #[arg(long)]
    program: Option<PathBuf>,
    /// The program that steers, as it is in its container image [default: the same]
    #[arg(long)]
    engine: Option<PathBuf>,
    /// How many auto-deploys `controller` is given; may be repeated
    #[arg(long = "count", value_name = "N", default_values_t = [10, 100, 200, 1000])]
    counts: Vec<u32>,
    #[command(subcommand)]
    spent: Option<Spent>,
    /// Only these parts: pass, patches, taken-back, controller
    parts: Vec<String>,
}

#[derive(Subcommand)]
enum Spent {
    /// Runs a command to its end and prints what it spent, as JSON
    #[command(hide = true)]
    Spent {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(Spent::Spent { command }) = arguments.spent {
        return spent::spend(&command);
    }
    // A second provider cannot be installed; the first is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Runtime::new()?.block_on(measure(&arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let program = match &arguments.program {
        Some(path) => Program::at(path)?,
        None => Program::built()?,
    };
    let engine = match &arguments.engine {
        Some(path) => Program::at(path)?,
        None => program.clone(),
    };
    let own = std::env::current_exe().context("cannot find the own file")?;
    let cluster = Cluster::get(&own.with_file_name("mercurious-cluster")).await?;
    let measured = parts(arguments, (&program, &engine), &cluster).await;
    cluster.end().await?;
    measured
}

async fn parts(
    arguments: &Arguments,
    programs: (&Program, &Program),
    cluster: &Cluster,
) -> anyhow::Result<()> {
    let (_, engine) = programs;
    kinds(&cluster.kubectl()).await?;
    say("the cluster is ready");
    let wanted =
        |part: &str| arguments.parts.is_empty() || arguments.parts.iter().any(|it| it == part);
    let mut page = Page::default();
    if wanted("pass") {
        page.section(pass::measure(programs, cluster).await.context("pass")?);
    }
    if wanted("patches") {
        page.section(patches::measure(programs, cluster).await.context("patches")?);
    }
    if wanted("taken-back") {
        page.section(taken_back::measure(programs, cluster).await.context("taken back")?);
    }
    if wanted("controller") {
        let measured = controller::measure(engine, cluster, &arguments.counts).await;
        page.section(measured.context("controller")?);
    }
    page.print()
}

/// The kinds that everything else needs.
async fn kinds(kubectl: &Kubectl) -> anyhow::Result<()> {
    for kinds in ["crds", "crds/images"] {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/mercurious");
        let kinds = place.join(kinds).display().to_string();
        kubectl.line(&format!("apply --server-side -k {kinds}")).await?;
    }
    kubectl.line("wait --for=condition=Established crd --all --timeout=60s").await?;
    Ok(())
}
