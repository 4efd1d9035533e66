//! Measures the travel platform: `cargo xtask bench trips accepting streams sizes planner`.
//!
//! Nothing here is a test: no figure makes it fail; a request that fails does.

mod accepting;
mod bare;
mod planner;
mod posting;
mod sizes;
mod streams;
mod trips;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use mercurious_backends::{
    Kafka, Mongo, Redis,
    travel::{Local, Services, Setting, client},
};
use mercurious_trials::report::Page;

/// Measures the travel platform and prints parts of a page in Markdown
#[derive(Parser)]
struct Arguments {
    /// How many trips are asked for, one after the other
    #[arg(long, default_value_t = 100)]
    trips: usize,
    /// How long each load lasts, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Requests a second where the rate is given
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// How many streams are open at the same time
    #[arg(long, default_value_t = 1000)]
    streams: usize,
    /// How long the services are idle before their memory is read, in seconds
    #[arg(long, default_value_t = 120)]
    idle: u64,
    /// The instances of the orienteering problem (`planner`; left out without)
    #[arg(long)]
    toptw: Option<PathBuf>,
    #[command(subcommand)]
    own: Option<Own>,
    /// Only these parts: trips, accepting, streams, sizes, planner
    parts: Vec<String>,
}

#[derive(Subcommand)]
enum Own {
    /// Serves a handler that only reads JSON and answers 202
    #[command(hide = true)]
    Bare,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tokio::runtime::Runtime::new()?.block_on(async {
        match arguments.own {
            Some(Own::Bare) => bare::serve().await,
            None => measure(&arguments).await,
        }
    })
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    client()?;
    let wanted =
        |part: &str| arguments.parts.is_empty() || arguments.parts.iter().any(|it| it == part);
    let duration = Duration::from_secs(arguments.seconds);
    let mut page = Page::default();
    if wanted("trips") {
        page.section(trips::measure(arguments.trips).await.context("trips")?);
    }
    if wanted("accepting") {
        let section = accepting::measure(arguments.rate, duration).await;
        page.section(section.context("accepting")?);
    }
    if wanted("streams") {
        page.section(streams::measure(arguments.streams).await.context("streams")?);
    }
    if wanted("sizes") {
        let idle = Duration::from_secs(arguments.idle);
        page.section(sizes::measure(idle, arguments.trips).await.context("sizes")?);
    }
    if wanted("planner")
        && let Some(directory) = &arguments.toptw
    {
        page.section(planner::measure(directory).context("planner")?);
    }
    page.print()
}

/// What the services are told: everything as it is for everybody, but without a limit for one client.
fn setting(services: &'static [&'static str], replicas: usize) -> Setting {
    Setting { services, replicas, variables: Vec::new() }
}

/// The services on real servers, with MongoDB and Redis or with SQLite.
async fn on_real_servers(
    setting: &Setting,
    with_mongo: bool,
) -> anyhow::Result<std::sync::Arc<Services>> {
    let unavailable = |why: mercurious_backends::Unavailable| anyhow::anyhow!("{why}");
    let programs = Services::programs()?;
    let kafka = Kafka::start().map_err(unavailable)?;
    let stores = if with_mongo {
        let (mongo, redis) = (Mongo::start().map_err(unavailable)?, Redis::start());
        (Some(mongo), Some(redis.map_err(unavailable)?))
    } else {
        (None, None)
    };
    let services = Services::start(&programs, kafka, stores, setting).await?;
    services.ready(&client()?).await?;
    Ok(services)
}

/// The platform of one machine.
async fn on_one_machine() -> anyhow::Result<Local> {
    let unlimited = [("RATE_LIMIT_PER_SECOND", "0".to_owned())];
    Local::start(&Local::programs()?, &unlimited).await
}

/// Resident memory of a process in MB.
fn resident(pid: impl std::fmt::Display) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")).context("no VmRSS")?;
    Ok(kibibytes.trim().parse::<f64>()? * 1024.0 / 1e6)
}

/// The median and the 95th percentile.
fn quantiles(figures: &mercurious_trials::report::Figures) -> String {
    let at = |share| figures.quantile(share).unwrap_or(f64::NAN);
    format!("{:.1}, {:.1}", at(0.5), at(0.95))
}
