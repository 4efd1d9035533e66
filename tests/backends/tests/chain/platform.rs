//! The three services as processes, on real servers; whoever is killed is started again.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use mercurious_backends::{Kafka, Mongo, Process, Redis};
use mercurious_contracts::topic;
use mercurious_messaging::kafka::{self, Credentials, Expected, Mechanism, check, create_topics};
use tempfile::TempDir;

/// A replica of a service.
pub(crate) struct Service {
    pub(crate) name: String,
    program: PathBuf,
    variables: Vec<(String, String)>,
    pub(crate) port: u16,
    pub(crate) process: Option<Process>,
}

impl Service {
    fn start(&mut self, directory: &Path) {
        let log = directory.join(format!("{}.log", self.name));
        let started =
            Process::start_with(&self.program, &[], &self.variables, directory, &log).unwrap();
        self.process = Some(started);
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// Resident memory in MiB.
    pub(crate) fn memory(&self) -> Option<f64> {
        let id = self.process.as_ref()?.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
    }
}

/// Everything.
pub(crate) struct Platform {
    pub(crate) directory: TempDir,
    pub(crate) kafka: Mutex<Kafka>,
    pub(crate) services: Mutex<Vec<Service>>,
    pub(crate) gateways: Vec<u16>,
    pub(crate) store: &'static str,
    _mongo: Option<Mongo>,
    _redis: Option<Redis>,
}

/// The programs, beside this one.
fn program(name: &str) -> Option<PathBuf> {
    let here = std::env::current_exe().ok()?;
    let built = here.parent()?.parent()?.join(name);
    built.is_file().then_some(built)
}

/// The programs that are not built.
pub(crate) fn missing() -> Vec<&'static str> {
    let names = ["api-gateway", "api-enrichment", "api-generation"];
    names.into_iter().filter(|name| program(name).is_none()).collect()
}

/// Whether the gateway was built with what `variables` ask for.
fn takes(variables: &[(String, String)]) -> bool {
    let mut command = Command::new(program("api-gateway").unwrap());
    command.arg("--check").envs(variables.iter().cloned());
    command.output().is_ok_and(|output| output.status.success())
}

impl Platform {
    pub(crate) async fn start(
        kafka: Kafka,
        mongo: Option<Mongo>,
        redis: Option<Redis>,
    ) -> Arc<Self> {
        let directory = TempDir::with_prefix("mercurious-chain-").unwrap();
        let user = kafka.app().clone();
        let mut settings = kafka::Settings::new(vec![kafka.address()], "tests");
        settings.credentials = Some(Credentials {
            mechanism: Mechanism::ScramSha512,
            username: user.name.clone(),
            password: user.password.clone().into(),
        });
        let wanted = Expected { topics: topic::all(), partitions: topic::PARTITIONS };
        create_topics(&settings, &wanted, 1, topic::RETENTION_HOURS).await.unwrap();
        check(&settings, wanted, Duration::from_secs(30)).await.unwrap();
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let common = pairs(&[
            ("KAFKA_BROKERS", &kafka.address()),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
            ("KAFKA_SASL_USERNAME", &user.name),
            ("KAFKA_SASL_PASSWORD", &user.password),
            ("LISTEN_ADDRESS", "127.0.0.1"),
            ("LOG_FORMAT", "text"),
        ]);
        let mut gateway =
            [common.clone(), pairs(&[("RATE_LIMIT_PER_SECOND", "0"), ("JOB_DEADLINE", "15m")])]
                .concat();
        let url = mongo.as_ref().map(|mongo| mongo.url().replace("/?", "/mercurious?"));
        let with_mongo = url.map(|url| {
            let redis = redis.as_ref().map(Redis::url).unwrap_or_default();
            [gateway.clone(), pairs(&[("STORE_URL", &url), ("REDIS_URL", &redis)])].concat()
        });
        let store = match with_mongo.filter(|variables| takes(variables)) {
            Some(variables) => {
                gateway = variables;
                "a MongoDB-wire server and Redis, with passwords"
            }
            None => {
                let path = format!("sqlite:{}", directory.path().join("jobs.db").display());
                gateway.extend(pairs(&[("STORE_URL", &path)]));
                "SQLite"
            }
        };
        let mut services = Vec::new();
        for (name, variables) in
            [("api-gateway", &gateway), ("api-enrichment", &common), ("api-generation", &common)]
        {
            for replica in 1..=2 {
                let port = free_port();
                let mut variables = variables.clone();
                variables.push(("PORT".to_owned(), port.to_string()));
                services.push(Service {
                    name: format!("{name}-{replica}"),
                    program: program(name).unwrap(),
                    variables,
                    port,
                    process: None,
                });
            }
        }
        for service in &mut services {
            service.start(directory.path());
        }
        let gateways = services[..2].iter().map(|service| service.port).collect();
        Arc::new(Self {
            directory,
            kafka: Mutex::new(kafka),
            services: Mutex::new(services),
            gateways,
            store,
            _mongo: mongo,
            _redis: redis,
        })
    }

    /// Waits until every replica is ready; how long it took.
    pub(crate) async fn ready(&self, client: &reqwest::Client) -> Duration {
        let began = std::time::Instant::now();
        let ports: Vec<(String, u16)> = (self.services.lock().unwrap().iter())
            .map(|service| (service.name.clone(), service.port))
            .collect();
        for (name, port) in ports {
            let url = format!("http://127.0.0.1:{port}/ready");
            loop {
                let answer = client.get(&url).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                assert!(
                    began.elapsed() < Duration::from_mins(2),
                    "{name} is never ready: {}",
                    self.last_words(&name)
                );
                self.supervise();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        began.elapsed()
    }

    pub(crate) fn last_words(&self, name: &str) -> String {
        let services = self.services.lock().unwrap();
        let service = services.iter().find(|service| service.name == name);
        service.and_then(|service| Some(service.process.as_ref()?.last_words())).unwrap_or_default()
    }

    /// Starts again whatever has ended.
    pub(crate) fn supervise(&self) {
        for service in self.services.lock().unwrap().iter_mut() {
            if !service.is_running() {
                service.start(self.directory.path());
            }
        }
    }

    /// Ends a replica, hard or soft.
    pub(crate) fn end(&self, number: usize, hard: bool) -> String {
        // Taken out, so that the others are looked after while this one drains.
        let (name, process) = {
            let mut services = self.services.lock().unwrap();
            (services[number].name.clone(), services[number].process.take())
        };
        if let Some(mut process) = process {
            if hard {
                process.kill();
            } else {
                process.terminate(Duration::from_secs(30));
            }
        }
        name
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
