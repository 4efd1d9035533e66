//! Measures the whole program as a process and writes down what was seen: `cargo xtask bench`.
//!
//! Every figure is a median of several runs with its smallest and largest; where there is something to compare
//! with, it runs in turn beside it. Nothing here is a test: no figure makes it fail, a lost request does.

mod endings;
mod hooks;
mod looks;
mod proxy;
mod pushes;
mod switches;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use mercurious_trials::Program;
use mercurious_trials::report::Page;

/// Measures the whole program and prints a page in Markdown
#[derive(Parser)]
struct Arguments {
    /// The program to measure [default: the one that was built beside this]
    #[arg(long)]
    program: Option<PathBuf>,
    /// The proxy's example `forward`, to be measured beside nginx
    #[arg(long)]
    forward: Option<PathBuf>,
    /// Only these parts: switches, endings, looks, hooks, pushes, proxy
    parts: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // A second provider cannot be installed; the first is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let program = match &arguments.program {
        Some(path) => Program::at(path)?,
        None => Program::built()?,
    };
    let wanted =
        |part: &str| arguments.parts.is_empty() || arguments.parts.iter().any(|it| it == part);
    let mut page = Page::new(&program)?;
    if wanted("switches") {
        page.section(switches::measure(&program).await.context("switches")?);
        page.section(switches::measure_other_registry(&program).await.context("other registry")?);
    }
    if wanted("endings") {
        page.section(endings::measure(&program).await.context("endings")?);
    }
    if wanted("looks") {
        page.section(looks::measure(&program).await.context("looks")?);
    }
    if wanted("hooks") {
        page.section(hooks::measure(&program).await.context("hooks")?);
    }
    if wanted("pushes") {
        page.section(pushes::measure(&program).await.context("pushes")?);
    }
    if wanted("proxy") {
        page.section(proxy::measure(arguments.forward.as_deref()).await.context("proxy")?);
    }
    page.print()
}
