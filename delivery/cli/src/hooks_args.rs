use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

/// Where notifications of registries and forges are received, and from whom.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Webhooks")]
pub(crate) struct HooksArgs {
    /// Where notifications are received, as 127.0.0.1:8081
    #[arg(long, value_name = "ADDRESS", env = "MERCURIOUS_HOOKS_LISTEN", requires = "hooks")]
    pub(crate) hooks_listen: Option<SocketAddr>,
    /// Who may send them: a YAML file of receivers (docs/webhooks.md), read again when it changes
    #[arg(long, value_name = "FILE", env = "MERCURIOUS_HOOKS", requires = "hooks_listen")]
    pub(crate) hooks: Option<PathBuf>,
}
