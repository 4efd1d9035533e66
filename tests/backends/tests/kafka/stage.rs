//! What the tests have in common.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use mercurious_backends::{Kafka, User};
use mercurious_messaging::{
    Consumer, Dedup, Handler, Headers, Incoming, Outcome, Outgoing, Parts, RetryPolicy, Route,
    Settings, Status, StoreError, header,
    kafka::{self, Credentials, Expected, KafkaProducer, KafkaSource, Mechanism, create_topics},
};
use mercurious_runtime::{CancellationToken, SystemClock, Tasks};

pub(crate) struct Stage {
    pub(crate) kafka: Kafka,
    topics: u32,
}

impl Stage {
    pub(crate) fn new(kafka: Kafka) -> Self {
        Self { kafka, topics: 0 }
    }

    pub(crate) fn settings(&self) -> kafka::Settings {
        self.settings_of(self.kafka.app(), Mechanism::ScramSha512)
    }

    pub(crate) fn settings_of(&self, user: &User, mechanism: Mechanism) -> kafka::Settings {
        let mut settings = kafka::Settings::new(vec![self.kafka.address()], "tests");
        settings.credentials = Some(Credentials {
            mechanism,
            username: user.name.clone(),
            password: user.password.clone().into(),
        });
        settings
    }

    /// Three topics of their own for a test.
    pub(crate) async fn route(&mut self) -> Route {
        self.topics += 1;
        let topic = format!("work-{}", self.topics);
        let (retry, dead_letters) = (format!("{topic}-retry"), format!("{topic}-dlq"));
        let topics = vec![topic.clone(), retry.clone(), dead_letters.clone()];
        let wanted = Expected { topics, partitions: 3 };
        // A broker that has just started may need a moment.
        let mut tries = 0;
        while let Err(error) = create_topics(&self.settings(), &wanted, 1, 24).await {
            tries += 1;
            assert!(tries < 20, "{error}");
        }
        Route { topic, retry, dead_letters }
    }

    pub(crate) fn producer(&self) -> Arc<KafkaProducer> {
        Arc::new(KafkaProducer::new(&self.settings()).unwrap())
    }
}

/// What was handled.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) effects: Mutex<BTreeMap<String, Incoming>>,
    pub(crate) tries: Mutex<BTreeMap<String, u32>>,
    pub(crate) work: Duration,
}

#[async_trait]
impl Dedup for Seen {
    async fn seen(&self, _: &str, id: &str) -> Result<bool, StoreError> {
        Ok(self.effects.lock().unwrap().contains_key(id))
    }

    async fn record(&self, _: &str, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

pub(crate) struct Worker(pub(crate) Arc<Seen>);

#[async_trait]
impl Handler for Worker {
    async fn handle(&self, message: &Incoming) -> Outcome {
        let id = message.headers.text(header::MESSAGE_ID).unwrap().to_owned();
        *self.0.tries.lock().unwrap().entry(id.clone()).or_default() += 1;
        tokio::time::sleep(self.0.work).await;
        match message.payload.as_ref() {
            b"malformed" => Outcome::Dead { class: "malformed", reason: "unreadable".to_owned() },
            b"failing" => Outcome::Retry("never works".to_owned()),
            _ => {
                self.0.effects.lock().unwrap().insert(id, message.clone());
                Outcome::Done
            }
        }
    }
}

/// A running consumer.
pub(crate) struct Running {
    pub(crate) status: Status,
    stop: CancellationToken,
    tasks: Tasks,
}

impl Running {
    pub(crate) fn start(stage: &Stage, route: &Route, group: &str, seen: &Arc<Seen>) -> Self {
        let retry = RetryPolicy {
            attempts: 3,
            first: Duration::from_millis(100),
            ..RetryPolicy::default()
        };
        let settings = Settings { retry, ..Settings::new(group, vec![route.clone()]) };
        let topics = settings.topics();
        let parts = Parts {
            handler: Arc::new(Worker(Arc::clone(seen))),
            dedup: seen.clone(),
            producer: stage.producer(),
            clock: Arc::new(SystemClock),
        };
        let consumer = Consumer::new(settings, parts);
        let status = consumer.status();
        let source = Box::new(KafkaSource::join(&stage.settings(), group, &topics).unwrap());
        let tasks = Tasks::new();
        let stop = tasks.stopping();
        let stopping = stop.clone();
        tasks.spawn("consumer", async move { consumer.run(source, stopping).await.unwrap() });
        Self { status, stop, tasks }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        assert_eq!(self.tasks.shut_down(Duration::from_secs(30)).await, 0, "it does not stop");
    }
}

pub(crate) fn message(route: &Route, number: usize, payload: &str) -> Outgoing {
    Outgoing {
        topic: route.topic.clone(),
        key: format!("key-{}", number % 11),
        headers: Headers::new()
            .with(header::MESSAGE_ID, format!("message-{number}"))
            .with("number", number),
        payload: Bytes::from(payload.to_owned()),
    }
}

/// Waits until `done`, at most a minute and a half.
pub(crate) async fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(90);
    while !done() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
