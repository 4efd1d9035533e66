use clap::CommandFactory as _;

use crate::{cli::Cli, output::print};

pub(crate) fn run(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mercurious", &mut text);
    Ok(print(&String::from_utf8_lossy(&text))?)
}
