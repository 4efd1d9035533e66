//! The program `api-enrichment`.

use std::{process::ExitCode, sync::Arc};

use anyhow::anyhow;
use mercurious_contracts::topic;
use mercurious_enrichment::{settings::SourceSettings, step::EnrichmentStep};
use mercurious_runtime::{Clock, Environment, SystemClock};
use mercurious_worker::WorkerSettings;

fn main() -> ExitCode {
    mercurious_worker::start(
        |environment: &mut Environment| {
            let settings = WorkerSettings::from_environment(environment, &["ENRICHMENT_WORKERS"]);
            (settings, SourceSettings::from_environment(environment))
        },
        |sources: SourceSettings| {
            rustls::crypto::ring::default_provider()
                .install_default()
                .map_err(|_| anyhow!("another TLS provider is installed"))?;
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            Ok(EnrichmentStep { sources: sources.sources(&clock)? })
        },
        mercurious_worker::Place {
            service: "api-enrichment",
            version: env!("CARGO_PKG_VERSION"),
            topic: topic::ENRICHMENT_REQUEST,
            group: topic::ENRICHMENT_GROUP,
        },
    )
}
