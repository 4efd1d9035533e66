//! The three services as processes, on real servers; whoever is killed is started again.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use mercurious_contracts::topic;
use mercurious_messaging::kafka::{self, Credentials, Expected, Mechanism, check, create_topics};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::{Kept, Programs, in_mongo, in_sqlite, topics::Access};
use crate::{Kafka, Mongo, Process, Redis, ports};

/// A replica of a service.
#[derive(Debug)]
pub struct Service {
    /// What it is called: the service and a number.
    pub name: String,
    program: PathBuf,
    variables: Vec<(String, String)>,
    /// Where it answers.
    pub port: u16,
    process: Option<Process>,
}

impl Service {
    fn start(&mut self, directory: &Path) -> anyhow::Result<()> {
        let log = directory.join(format!("{}.log", self.name));
        let started = Process::start_with(&self.program, &[], &self.variables, directory, &log)?;
        self.process = Some(started);
        Ok(())
    }

    fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }
}

/// How the services are set up beside what they need.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Which services; the gateway is the first.
    pub services: &'static [&'static str],
    /// How many replicas of each.
    pub replicas: usize,
    /// More variables for all of them.
    pub variables: Vec<(&'static str, String)>,
}

impl Default for Setting {
    fn default() -> Self {
        // Unoptimised, the planner takes seconds; how good its plans are does not matter to most who start this.
        let effort = if cfg!(debug_assertions) { "100000" } else { "5000000" };
        let variables = vec![("PLANNER_EFFORT", effort.to_owned())];
        Self { services: &NAMES, replicas: 2, variables }
    }
}

/// The services, and the servers that they stand on.
#[derive(Debug)]
pub struct Services {
    directory: TempDir,
    kafka: Mutex<Kafka>,
    all: Mutex<Vec<Service>>,
    /// Where the gateways answer.
    pub gateways: Vec<String>,
    /// What keeps the jobs, in words.
    pub store: &'static str,
    mongo: Option<Mongo>,
    _redis: Option<Redis>,
    access: Access,
}

const NAMES: [&str; 3] = ["api-gateway", "api-enrichment", "api-generation"];

/// The database that the gateways are told to use.
fn database(mongo: &Mongo) -> String {
    mongo.url().replace("/?", "/mercurious?")
}

impl Services {
    /// The programs that are started.
    pub fn programs() -> anyhow::Result<Programs> {
        Programs::built()?.with(&NAMES)
    }

    /// Makes the topics and starts every replica. Without MongoDB the jobs are in SQLite.
    pub async fn start(
        programs: &Programs,
        kafka: Kafka,
        (mongo, redis): (Option<Mongo>, Option<Redis>),
        setting: &Setting,
    ) -> anyhow::Result<Arc<Self>> {
        let directory = TempDir::with_prefix("mercurious-chain-")?;
        let user = kafka.app().clone();
        let mut settings = kafka::Settings::new(vec![kafka.address()], "tests");
        settings.credentials = Some(Credentials {
            mechanism: Mechanism::ScramSha512,
            username: user.name.clone(),
            password: user.password.clone().into(),
        });
        let wanted = Expected { topics: topic::all(), partitions: topic::PARTITIONS };
        create_topics(&settings, &wanted, 1, topic::RETENTION_HOURS).await?;
        check(&settings, wanted, Duration::from_secs(30)).await?;
        let access =
            Access { broker: kafka.address(), username: user.name, password: user.password };
        let mut common = vec![
            ("KAFKA_BROKERS", access.broker.clone()),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT".to_owned()),
            ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512".to_owned()),
            ("KAFKA_SASL_USERNAME", access.username.clone()),
            ("KAFKA_SASL_PASSWORD", access.password.clone()),
            ("LISTEN_ADDRESS", "127.0.0.1".to_owned()),
            ("LOG_FORMAT", "text".to_owned()),
            ("RATE_LIMIT_PER_SECOND", "0".to_owned()),
            ("JOB_DEADLINE", "15m".to_owned()),
        ];
        common.extend(setting.variables.iter().cloned());
        let store = if let Some(mongo) = &mongo {
            common.push(("STORE_URL", database(mongo)));
            common.extend(redis.as_ref().map(|redis| ("REDIS_URL", redis.url())));
            "a MongoDB-wire server and Redis, with passwords"
        } else {
            let path = format!("sqlite:{}", directory.path().join("jobs.db").display());
            common.push(("STORE_URL", path));
            "SQLite"
        };
        let mut all = Vec::new();
        for name in setting.services {
            for replica in 1..=setting.replicas {
                let [port] = ports::free()?;
                let mut variables: Vec<(String, String)> = common
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect();
                variables.push(("PORT".to_owned(), port.to_string()));
                let mut service = Service {
                    name: format!("{name}-{replica}"),
                    program: programs.path(name),
                    variables,
                    port,
                    process: None,
                };
                service.start(directory.path())?;
                all.push(service);
            }
        }
        let gateways = all[..setting.replicas]
            .iter()
            .map(|service| format!("http://127.0.0.1:{}", service.port))
            .collect();
        Ok(Arc::new(Self {
            directory,
            kafka: Mutex::new(kafka),
            all: Mutex::new(all),
            gateways,
            store,
            mongo,
            _redis: redis,
            access,
        }))
    }

    /// Every replica.
    pub fn all(&self) -> MutexGuard<'_, Vec<Service>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The broker.
    pub fn kafka(&self) -> MutexGuard<'_, Kafka> {
        self.kafka.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the broker is reached.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// What the gateways' store has.
    pub async fn kept(&self) -> anyhow::Result<Kept> {
        match &self.mongo {
            Some(mongo) => in_mongo(&database(mongo)).await,
            None => in_sqlite(&self.directory.path().join("jobs.db")),
        }
    }

    /// Waits until every replica is ready; how long it took.
    pub async fn ready(&self, client: &reqwest::Client) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let ports: Vec<(String, u16)> =
            self.all().iter().map(|service| (service.name.clone(), service.port)).collect();
        for (name, port) in ports {
            let url = format!("http://127.0.0.1:{port}/ready");
            loop {
                let answer = client.get(&url).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                ensure!(
                    began.elapsed() < Duration::from_mins(2),
                    "{name} is never ready: {}",
                    self.last_words(&name)
                );
                self.supervise()?;
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(began.elapsed())
    }

    /// The end of what a replica said.
    pub fn last_words(&self, name: &str) -> String {
        let services = self.all();
        let service = services.iter().find(|service| service.name == name);
        service.and_then(|service| Some(service.process.as_ref()?.last_words())).unwrap_or_default()
    }

    /// Starts again whatever has ended.
    pub fn supervise(&self) -> anyhow::Result<()> {
        for service in self.all().iter_mut() {
            if !service.is_running() {
                service.start(self.directory.path()).context("cannot start it again")?;
            }
        }
        Ok(())
    }

    /// Ends a replica, hard or soft.
    pub fn end(&self, number: usize, hard: bool) -> String {
        // Taken out, so that the others are looked after while this one drains.
        let (name, process) = {
            let mut services = self.all();
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
