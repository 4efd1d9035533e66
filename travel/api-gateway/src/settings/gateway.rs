use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use http::HeaderValue;
use jiff::SignedDuration;
use mercurious_runtime::{Environment, LogFormat};

use super::{SecretUrl, secret::origin, variables::Reader};
use crate::{
    http::{HttpSettings, Serving},
    limits::Rate,
    service::{Retention, Times},
};

/// Where jobs are kept.
#[derive(Debug, Clone)]
pub enum StoreSetting {
    /// Nowhere: they are gone with the process.
    Memory,
    /// In a file.
    Sqlite(PathBuf),
    /// In MongoDB.
    Mongo(SecretUrl),
}

/// How the gateway is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where jobs are kept.
    pub store: StoreSetting,
    /// What replicas share beside the store.
    pub redis: Option<SecretUrl>,
    /// How fast one client may ask.
    pub rate: Rate,
    /// How long things take and are kept.
    pub times: Times,
    /// The interface.
    pub http: HttpSettings,
    /// The server.
    pub serving: Serving,
    /// What is logged.
    pub log: String,
    /// How it is logged.
    pub log_format: LogFormat,
}

impl Settings {
    /// Reads all settings; none where one is wrong. Faults and warnings stay in `environment`.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let mut reader = Reader::new(environment);
        let port = reader.parse("PORT", |text| text.parse::<u16>().ok(), "a port");
        let address =
            reader.parse("LISTEN_ADDRESS", |text| text.parse::<IpAddr>().ok(), "an address");
        let store = store(&mut reader);
        let redis = redis(&mut reader);
        let origins = origins(&mut reader);
        let rate = |text: &str| text.parse::<f64>().ok().filter(|rate| (0.0..=1e6).contains(rate));
        let per_second = reader.parse("RATE_LIMIT_PER_SECOND", rate, "a number from 0 to 1000000");
        let burst = reader.parse("RATE_LIMIT_BURST", positive, "a number above 0");
        let proxies =
            reader.parse("TRUSTED_PROXIES", |text| text.parse::<usize>().ok(), "a number");
        let deadline = duration(&mut reader, "JOB_DEADLINE");
        let jobs = duration(&mut reader, "JOB_RETENTION");
        let keys = duration(&mut reader, "IDEMPOTENCY_RETENTION");
        let streams = reader.parse("MAX_STREAMS", positive, "a number above 0");
        let connections = reader.parse("MAX_CONNECTIONS", positive, "a number above 0");
        let drain = duration(&mut reader, "DRAIN_TIME");
        let log = reader.text("LOG_LEVEL");
        let format = |text: &str| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        };
        let log_format = reader.parse("LOG_FORMAT", format, "text or json");
        let commit = reader.text("COMMIT");
        Some(Self {
            listen: SocketAddr::new(address?, port?),
            store: store?,
            redis: redis?,
            rate: Rate { per_second: per_second?, burst: burst? },
            times: Times { deadline: deadline?, retention: Retention { jobs: jobs?, keys: keys? } },
            http: HttpSettings {
                version: version(&commit),
                origins: origins?,
                proxies: proxies?,
                streams: streams? as usize,
                keep_alive: Duration::from_secs(15),
            },
            serving: Serving {
                connections: connections? as usize,
                head: Duration::from_secs(30),
                drain: drain?,
            },
            log,
            log_format: log_format?,
        })
    }
}

fn positive(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number > 0)
}

fn duration(reader: &mut Reader<'_>, name: &'static str) -> Option<Duration> {
    let parse = |text: &str| {
        let time = Duration::try_from(text.parse::<SignedDuration>().ok()?).ok()?;
        (!time.is_zero()).then_some(time)
    };
    reader.parse(name, parse, "a length of time, such as 30s, 5m or 24h")
}

/// What `GET /` says.
fn version(commit: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match commit {
        "" => format!("api-gateway v{version}\n"),
        commit => format!("api-gateway v{version} ({commit})\n"),
    }
}

/// Values may hold passwords and are not shown.
fn store(reader: &mut Reader<'_>) -> Option<StoreSetting> {
    let Some(text) = reader.set("STORE_URL") else {
        return reader.fault("STORE_URL", "is missing: sqlite:PATH, mongodb://… or memory");
    };
    if text == "memory" {
        return Some(StoreSetting::Memory);
    }
    if text.starts_with("mongodb://") || text.starts_with("mongodb+srv://") {
        if cfg!(feature = "mongodb") {
            return Some(StoreSetting::Mongo(SecretUrl::new(&text)));
        }
        return reader.fault("STORE_URL", "is MongoDB, which this program was built without");
    }
    match text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
        Some(path) if !path.is_empty() => Some(StoreSetting::Sqlite(PathBuf::from(path))),
        _ => {
            let what = "is none of sqlite:PATH, mongodb://…, mongodb+srv://… and memory";
            reader.fault("STORE_URL", what)
        }
    }
}

#[expect(clippy::option_option, reason = "none is a fault, and none in it is no Redis")]
fn redis(reader: &mut Reader<'_>) -> Option<Option<SecretUrl>> {
    let Some(text) = reader.set("REDIS_URL") else { return Some(None) };
    if !text.starts_with("redis://") && !text.starts_with("rediss://") {
        return reader.fault("REDIS_URL", "is neither redis://… nor rediss://…");
    }
    if !cfg!(feature = "redis") {
        return reader.fault("REDIS_URL", "is Redis, which this program was built without");
    }
    Some(Some(SecretUrl::new(&text)))
}

fn origins(reader: &mut Reader<'_>) -> Option<Vec<HeaderValue>> {
    let mut origins = Some(Vec::new());
    for name in ["CLIENT_FRONT_URL", "CLIENT_PLANNER_URL", "CLIENT_DEV_URL"] {
        let Some(text) = reader.set(name) else { continue };
        let read = origin(&text).and_then(|origin| HeaderValue::try_from(origin).ok());
        match (read, &mut origins) {
            (Some(origin), Some(origins)) => origins.push(origin),
            (Some(_), None) => {}
            (None, _) => {
                origins =
                    reader.fault(name, "is no address of a site, such as https://example.org");
            }
        }
    }
    origins
}
