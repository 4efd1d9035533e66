use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use http::HeaderValue;
use mercurious_runtime::LogFormat;

use super::{Environment, SecretUrl, SettingsError, environment::Reader, secret::origin};
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
    /// What whoever set it up should know.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Reads all settings, or names everything that is wrong.
    pub fn read(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let read = settings(&mut reader);
        match read {
            Some(mut settings) if reader.faults.is_empty() => {
                settings.warnings = reader.warnings;
                Ok(settings)
            }
            _ => Err(SettingsError(reader.faults)),
        }
    }
}

fn settings(reader: &mut Reader<'_>) -> Option<Settings> {
    let port = reader.parse("PORT", |text| text.parse::<u16>().ok(), "a port");
    let address = reader.parse("LISTEN_ADDRESS", |text| text.parse::<IpAddr>().ok(), "an address");
    let store = store(reader);
    let redis = redis(reader);
    let origins = origins(reader);
    let per_second = reader.parse(
        "RATE_LIMIT_PER_SECOND",
        |text| text.parse::<f64>().ok().filter(|rate| (0.0..=1e6).contains(rate)),
        "a number from 0 to 1000000",
    );
    let burst = reader.parse("RATE_LIMIT_BURST", positive, "a number above 0");
    let proxies = reader.parse("TRUSTED_PROXIES", |text| text.parse::<usize>().ok(), "a number");
    let deadline = reader.duration("JOB_DEADLINE");
    let jobs = reader.duration("JOB_RETENTION");
    let keys = reader.duration("IDEMPOTENCY_RETENTION");
    let streams = reader.parse("MAX_STREAMS", positive, "a number above 0");
    let connections = reader.parse("MAX_CONNECTIONS", positive, "a number above 0");
    let drain = reader.duration("DRAIN_TIME");
    let log = reader.text("LOG_LEVEL").1.to_owned();
    let format = |text: &str| match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    };
    let log_format = reader.parse("LOG_FORMAT", format, "text or json");
    let commit = reader.text("COMMIT").1;
    Some(Settings {
        listen: SocketAddr::new(address?, port?),
        store: store?,
        redis,
        rate: Rate { per_second: per_second?, burst: burst? },
        times: Times { deadline: deadline?, retention: Retention { jobs: jobs?, keys: keys? } },
        http: HttpSettings {
            version: version(commit),
            origins,
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
        warnings: Vec::new(),
    })
}

fn positive(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number > 0)
}

/// What `GET /` says.
fn version(commit: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match commit {
        "" => format!("api-gateway v{version}\n"),
        commit => format!("api-gateway v{version} ({commit})\n"),
    }
}

fn store(reader: &mut Reader<'_>) -> Option<StoreSetting> {
    let Some((name, text)) = reader.set("STORE_URL") else {
        reader.fault("STORE_URL", "is missing: sqlite:PATH, mongodb://… or memory");
        return None;
    };
    if text == "memory" {
        return Some(StoreSetting::Memory);
    }
    if text.starts_with("mongodb://") || text.starts_with("mongodb+srv://") {
        if cfg!(feature = "mongodb") {
            return Some(StoreSetting::Mongo(SecretUrl::new(text)));
        }
        reader.fault(name, "is MongoDB, which this program was built without");
        return None;
    }
    match text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
        Some(path) if !path.is_empty() => Some(StoreSetting::Sqlite(PathBuf::from(path))),
        _ => {
            // The value may hold a password and is not shown.
            reader.fault(name, "is none of sqlite:PATH, mongodb://…, mongodb+srv://… and memory");
            None
        }
    }
}

fn redis(reader: &mut Reader<'_>) -> Option<SecretUrl> {
    let (name, text) = reader.set("REDIS_URL")?;
    if !text.starts_with("redis://") && !text.starts_with("rediss://") {
        reader.fault(name, "is neither redis://… nor rediss://…");
    } else if !cfg!(feature = "redis") {
        reader.fault(name, "is Redis, which this program was built without");
    }
    Some(SecretUrl::new(text))
}

fn origins(reader: &mut Reader<'_>) -> Vec<HeaderValue> {
    let mut origins = Vec::new();
    for name in ["CLIENT_FRONT_URL", "CLIENT_PLANNER_URL", "CLIENT_DEV_URL"] {
        let Some((name, text)) = reader.set(name) else { continue };
        match origin(text).and_then(|origin| HeaderValue::try_from(origin).ok()) {
            Some(origin) => origins.push(origin),
            None => reader.fault(name, "is no address of a site, such as https://example.org"),
        }
    }
    origins
}
