use std::net::{IpAddr, Ipv4Addr};

use clap::builder::BoolishValueParser;
use mercurious_core::duration::Span;

/// How the example server behaves. Each flag can be a variable of the environment as well.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ExampleServerArgs {
    /// What `GET /` answers
    #[arg(
        id = "example-version",
        long = "version",
        env = "EXAMPLE_VERSION",
        default_value = "0",
        value_name = "TEXT"
    )]
    pub(crate) version: String,
    /// The revision, answered beside the version
    #[arg(long, env = "EXAMPLE_COMMIT", value_name = "SHA")]
    pub(crate) commit: Option<String>,
    /// The address to listen on
    #[arg(long, env = "EXAMPLE_ADDRESS", default_value_t = Ipv4Addr::LOCALHOST.into(), value_name = "IP")]
    pub(crate) address: IpAddr,
    /// The port to listen on; 0 chooses a free one
    #[arg(long, env = "PORT", default_value_t = 8080)]
    pub(crate) port: u16,
    /// Listen only after this time
    #[arg(long, env = "EXAMPLE_START_DELAY", default_value = "0s", value_name = "DURATION")]
    pub(crate) start_delay: Span,
    /// Answer `/ready` with 503 for ever
    #[arg(long, env = "EXAMPLE_NEVER_READY", value_parser = BoolishValueParser::new())]
    pub(crate) never_ready: bool,
    /// Exit with 1 so long after the start
    #[arg(long, env = "EXAMPLE_CRASH_AFTER", value_name = "DURATION")]
    pub(crate) crash_after: Option<Span>,
    /// Exit with 1 at once
    #[arg(long, env = "EXAMPLE_CRASH_ON_START", value_parser = BoolishValueParser::new())]
    pub(crate) crash_on_start: bool,
    /// Let `/crash` exit with 1
    #[arg(long, env = "EXAMPLE_ALLOW_CRASH", value_parser = BoolishValueParser::new())]
    pub(crate) allow_crash: bool,
    /// Answer `/check` with 500
    #[arg(long, env = "EXAMPLE_FAILING_CHECK", value_parser = BoolishValueParser::new())]
    pub(crate) failing_check: bool,
    /// The most that ending may take after SIGTERM
    #[arg(long, env = "EXAMPLE_DRAIN", default_value = "10s", value_name = "DURATION")]
    pub(crate) drain: Span,
    /// Print this each second
    #[arg(long, env = "EXAMPLE_LOG_LINE", value_name = "TEXT")]
    pub(crate) log_line: Option<String>,
}
