//! `mercurious-cluster up`: a real Kubernetes until its input ends, for the tests and for whoever develops.

use std::{io::Write as _, path::PathBuf};

use clap::Parser;
use mercurious_cluster::{inside, keep, prepare};

/// A real single-node Kubernetes, for tests
#[derive(Parser)]
enum Command {
    /// Start one, print its facts as a line of JSON, and keep it until the input ends
    Up,
    /// Install and build what it needs
    Prepare,
    /// Process 1 of its namespaces
    #[command(hide = true)]
    Inside { directory: PathBuf, subnet: u8, node: PathBuf },
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Up => tokio::runtime::Runtime::new()?.block_on(keep(|facts| {
            let mut output = std::io::stdout();
            writeln!(output, "{}", serde_json::to_string(facts)?)?;
            Ok(output.flush()?)
        })),
        Command::Prepare => prepare(),
        Command::Inside { directory, subnet, node } => inside(&directory, subnet, &node),
    }
}
