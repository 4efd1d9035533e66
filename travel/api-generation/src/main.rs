//! The program `api-generation`.

use std::process::ExitCode;

use anyhow::anyhow;
use mercurious_contracts::topic;
use mercurious_generation::{settings::GenerationSettings, step::GenerationStep};
use mercurious_runtime::Environment;
use mercurious_worker::WorkerSettings;

fn main() -> ExitCode {
    mercurious_worker::start(
        |environment: &mut Environment| {
            let names = ["MAX_CONCURRENT_REQUESTS"];
            let settings = WorkerSettings::from_environment(environment, &names);
            (settings, GenerationSettings::from_environment(environment))
        },
        |settings: GenerationSettings| {
            rustls::crypto::ring::default_provider()
                .install_default()
                .map_err(|_| anyhow!("another TLS provider is installed"))?;
            Ok(GenerationStep { generator: settings.generator()? })
        },
        mercurious_worker::Place {
            service: "api-generation",
            version: env!("CARGO_PKG_VERSION"),
            topic: topic::GENERATION_REQUEST,
            group: topic::GENERATION_GROUP,
        },
    )
}
