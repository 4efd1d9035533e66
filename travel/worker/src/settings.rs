//! The settings that every worker has.

use std::{net::IpAddr, time::Duration};

use mercurious_runtime::{Environment, LogFormat};

/// The settings that every worker has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Where the admin port listens.
    pub address: IpAddr,
    /// The admin port.
    pub port: u16,
    /// How many requests are worked on at the same time.
    pub concurrency: usize,
    /// How long one try of a step may take.
    pub step_timeout: Duration,
    /// How long what was begun may go on when the program stops.
    pub drain: Duration,
    /// What is logged, as `info` or `mercurious=debug,warn`.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What `GET /` says of the build, beside the version.
    pub commit: Option<String>,
}

impl WorkerSettings {
    /// Reads `PORT`, `LISTEN_ADDRESS`, `WORKERS`, `STEP_TIMEOUT_SECONDS`, `DRAIN_SECONDS`, `LOG_LEVEL`, `LOG_FORMAT`
    /// and `COMMIT`; `concurrency` has the originals' names. Faults stay in `environment`.
    pub fn from_environment(environment: &mut Environment, concurrency: &[&str]) -> Self {
        let any = IpAddr::from([0, 0, 0, 0]);
        let seconds = |environment: &mut Environment, name: &str, usual: u64| {
            Duration::from_secs(environment.parsed::<u32>(name, &[]).map_or(usual, u64::from))
        };
        let workers = environment.parsed::<usize>("WORKERS", concurrency).unwrap_or(8);
        if !(1..=256).contains(&workers) {
            environment.fault("WORKERS: not between 1 and 256");
        }
        let format = environment.text("LOG_FORMAT", &[]);
        let log_format = match format.as_deref() {
            None | Some("json") => LogFormat::Json,
            Some("text") => LogFormat::Text,
            Some(_) => {
                environment.fault("LOG_FORMAT: neither text nor json");
                LogFormat::Json
            }
        };
        Self {
            address: environment.parsed("LISTEN_ADDRESS", &[]).unwrap_or(any),
            port: environment.parsed("PORT", &[]).unwrap_or(3000),
            concurrency: workers.clamp(1, 256),
            step_timeout: seconds(environment, "STEP_TIMEOUT_SECONDS", 120),
            drain: seconds(environment, "DRAIN_SECONDS", 20),
            log: environment.text("LOG_LEVEL", &[]).unwrap_or_else(|| "info".to_owned()),
            log_format,
            commit: environment.text("COMMIT", &[]),
        }
    }

    /// What `GET /` says.
    pub fn version(&self, service: &str, version: &str) -> String {
        match &self.commit {
            Some(commit) => format!("{service} v{version} ({commit})\n"),
            None => format!("{service} v{version}\n"),
        }
    }
}
