//! A broker's process and its clients.

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use mercurious_backends::Process;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
    producer::FutureProducer,
};
use tempfile::TempDir;

pub(crate) const TOPIC: &str = "work";
pub(crate) const PARTITIONS: i32 = 3;
pub(crate) const SESSION: Duration = Duration::from_secs(6);
const START: Duration = Duration::from_mins(1);

/// The broker that was built into the same target directory as this test.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let mut beside = own.ancestors().skip(1).take(2).map(|directory| directory.join("broker"));
    beside.find(|path| path.is_file()).with_context(|| {
        format!(
            "no `broker` beside {}: build it with `cargo build -p mercurious-broker`",
            own.display()
        )
    })
}

/// A broker that can be killed and started again.
pub(crate) struct Place {
    program: PathBuf,
    directory: TempDir,
    port: u16,
    admin: u16,
    password: String,
    process: Option<Process>,
}

impl Place {
    pub(crate) fn new(program: &Path) -> Self {
        let mut place = Self {
            program: program.to_owned(),
            directory: TempDir::with_prefix("mercurious-broker-").unwrap(),
            port: free_port(),
            admin: free_port(),
            password: format!("{:016x} and ,=", fastrand::u64(..)),
            process: None,
        };
        place.start();
        place
    }

    pub(crate) fn start(&mut self) {
        let path = self.directory.path();
        let variables = [
            ("PORT", self.port.to_string()),
            ("BROKER_ADMIN_PORT", self.admin.to_string()),
            ("BROKER_DATA", path.join("data").display().to_string()),
            ("BROKER_TOPICS", format!("{TOPIC}:{PARTITIONS},other:1")),
            ("BROKER_USERNAME", "travel".to_owned()),
            ("BROKER_PASSWORD", self.password.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        let log = path.join("log");
        let mut process = Process::start_with(&self.program, &[], &variables, path, &log).unwrap();
        let port = self.port;
        process.wait_until(START, || TcpStream::connect(("127.0.0.1", port)).is_ok()).unwrap();
        self.process = Some(process);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// SIGTERM; whether it ends by itself in time.
    pub(crate) fn terminate(&mut self, limit: Duration) -> bool {
        self.process.take().expect("it runs").terminate(limit)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn client(&self) -> ClientConfig {
        self.client_with(&self.password)
    }

    pub(crate) fn client_with(&self, password: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", format!("127.0.0.1:{}", self.port))
            .set("security.protocol", "SASL_PLAINTEXT")
            .set("sasl.mechanism", "SCRAM-SHA-512")
            .set("sasl.username", "travel")
            .set("sasl.password", password)
            .set("reconnect.backoff.max.ms", "500");
        config
    }

    pub(crate) fn producer(&self) -> FutureProducer {
        let mut config = self.client();
        config.set("enable.idempotence", "true").set("acks", "all").set("linger.ms", "1");
        config.create().unwrap()
    }

    pub(crate) fn consumer(&self, group: &str) -> BaseConsumer {
        consumer_settings(self.client(), group).create().unwrap()
    }

    /// How far a group has committed, by partition; 0 where it has not.
    pub(crate) fn committed(&self, group: &str) -> Vec<i64> {
        let client: BaseConsumer = self.client().set("group.id", group).create().unwrap();
        let mut wanted = rdkafka::TopicPartitionList::new();
        for number in 0..PARTITIONS {
            wanted.add_partition(TOPIC, number);
        }
        let committed = client.committed_offsets(wanted, Duration::from_secs(30)).unwrap();
        let offset = |number| {
            let found = committed.find_partition(TOPIC, number).unwrap().offset();
            found.to_raw().filter(|offset| *offset >= 0).unwrap_or(0)
        };
        (0..PARTITIONS).map(offset).collect()
    }

    /// Where each partition ends.
    pub(crate) fn ends(&self) -> Vec<i64> {
        let client: BaseConsumer = self.client().create().unwrap();
        let end = |number| client.fetch_watermarks(TOPIC, number, Duration::from_secs(30));
        (0..PARTITIONS).map(|number| end(number).unwrap().1).collect()
    }
}

pub(crate) fn consumer_settings(mut config: ClientConfig, group: &str) -> ClientConfig {
    config
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("session.timeout.ms", SESSION.as_millis().to_string())
        .set("heartbeat.interval.ms", "500")
        .set("partition.assignment.strategy", "cooperative-sticky");
    config
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until `done`, at most a minute and a half.
pub(crate) fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
