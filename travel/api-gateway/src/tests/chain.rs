//! The whole gateway over a broker in memory that misbehaves, with workers that answer as the contracts say.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use async_trait::async_trait;
use mercurious_contracts::{
    MessageId,
    envelope::{About, decode, encode},
    job::JobStatus,
    message::{
        EnrichmentCompleted, EnrichmentProgress, EnrichmentRequest, GenerationCompleted,
        GenerationProgress, GenerationRequest, Message, Stage,
    },
    topic,
};
use mercurious_messaging::{
    Consumer, Handler, Incoming, NoDedup, Outcome, Parts, Producer, Route, Settings,
    memory::{Broker, Chaos},
};
use mercurious_runtime::{CancellationToken, Clock, SystemClock, Tasks};
use tokio::net::TcpListener;

use crate::{
    Foundation, consumer_settings,
    http::Serving,
    limits::{LocalLimits, Rate},
    metrics::Metrics,
    run,
    store::{SqliteStore, Store},
    tests::{
        bench::{http_settings, times},
        fixtures::{day, facts, itinerary, request_json},
    },
};

/// Answers requests of both steps.
struct Worker {
    producer: Arc<dyn Producer>,
    clock: Arc<dyn Clock>,
}

impl Worker {
    /// Sends an answer; the same request is answered with the same ids.
    async fn answer<M: Message>(&self, to: &About, number: u64, data: &M) -> Result<(), String> {
        let about = About {
            job: to.job,
            id: MessageId::derived(to.id, M::EVENT_TYPE, number),
            caused_by: Some(to.id),
            source: "worker".to_owned(),
            at: self.clock.now(),
            deadline: to.deadline,
            traceparent: to.traceparent.clone(),
        };
        let message = encode(&about, data).unwrap();
        self.producer.publish(message).await.map_err(|error| error.to_string())
    }

    async fn enrich(&self, message: &Incoming) -> Result<(), String> {
        let about = decode::<EnrichmentRequest>(message).unwrap().about;
        let progress = EnrichmentProgress {
            percent: 50,
            stage: Stage::Places,
            message: "half way".to_owned(),
        };
        self.answer(&about, 1, &progress).await?;
        self.answer(&about, 1, &EnrichmentCompleted::Ok { facts: facts() }).await
    }

    async fn generate(&self, message: &Incoming) -> Result<(), String> {
        let about = decode::<GenerationRequest>(message).unwrap().about;
        for number in 1..=2 {
            let progress = GenerationProgress {
                percent: 40 * number as u8,
                stage: Stage::Planning,
                message: format!("day {number}"),
                day: Some(Box::new(day(number))),
            };
            self.answer(&about, u64::from(number), &progress).await?;
        }
        self.answer(&about, 1, &GenerationCompleted::Ok { itinerary: itinerary(2) }).await
    }
}

#[async_trait]
impl Handler for Worker {
    async fn handle(&self, message: &Incoming) -> Outcome {
        let handled = if message.position.topic.starts_with(topic::ENRICHMENT_REQUEST) {
            self.enrich(message).await
        } else {
            self.generate(message).await
        };
        match handled {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Later(error),
        }
    }
}

fn route(topic: &str) -> Route {
    let (retry, dead_letters) = (topic::retry(topic), topic::dead_letters(topic));
    Route { topic: topic.to_owned(), retry, dead_letters }
}

struct Platform {
    broker: Broker,
    tasks: Tasks,
    stopping: CancellationToken,
    ports: Vec<u16>,
    store: Arc<dyn Store>,
    _directory: tempfile::TempDir,
}

impl Platform {
    /// Two gateways over one file, and a worker.
    async fn start(seed: u64, chaos: Chaos) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateway.db");
        let broker = Broker::new(seed, chaos, &topic::all(), topic::PARTITIONS);
        let (tasks, stopping) = (Tasks::new(), CancellationToken::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut ports = Vec::new();
        for _ in 0..2 {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            ports.push(listener.local_addr().unwrap().port());
            let rate = Rate { per_second: 0.0, burst: 1 };
            let foundation = Foundation {
                store: Arc::new(SqliteStore::open(&path).unwrap()),
                news: None,
                limits: Arc::new(LocalLimits::new(rate, Arc::clone(&clock))),
                metrics: Arc::new(Metrics::new()),
                clock: Arc::clone(&clock),
                producer: Arc::new(broker.clone()),
                http: http_settings(),
                serving: Serving {
                    connections: 1000,
                    head: Duration::from_secs(30),
                    drain: Duration::from_secs(5),
                },
                times: times(),
            };
            let settings = consumer_settings(topic::GATEWAY_GROUP);
            let source = broker.join(&settings.group, &settings.topics());
            let stopping = stopping.clone();
            tasks.spawn("gateway", async move {
                let ended = run(foundation, settings, Box::new(source), listener, stopping).await;
                assert!(ended.is_ok(), "{ended:?}");
            });
        }
        let routes = vec![route(topic::ENRICHMENT_REQUEST), route(topic::GENERATION_REQUEST)];
        let settings = Settings::new("workers", routes);
        let source = broker.join(&settings.group, &settings.topics());
        let producer: Arc<dyn Producer> = Arc::new(broker.clone());
        let parts = Parts {
            handler: Arc::new(Worker {
                producer: Arc::clone(&producer),
                clock: Arc::clone(&clock),
            }),
            dedup: Arc::new(NoDedup),
            producer,
            clock,
        };
        let stop = tasks.stopping();
        tasks.spawn("worker", async move {
            let ended = Consumer::new(settings, parts).run(Box::new(source), stop).await;
            assert!(ended.is_ok(), "{ended:?}");
        });
        let store = Arc::new(SqliteStore::open(&path).unwrap());
        Self { broker, tasks, stopping, ports, store, _directory: directory }
    }

    async fn stop(self) {
        self.stopping.cancel();
        assert_eq!(self.tasks.shut_down(Duration::from_secs(30)).await, 0);
    }
}

/// One request over a connection of its own; the body of the answer.
async fn ask(port: u16, head: &str, body: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn job_of(answer: &str) -> mercurious_contracts::JobId {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    json["job_id"].as_str().unwrap().parse().unwrap()
}

async fn all_end_once(seed: u64, chaos: Chaos, count: usize) {
    let platform = Platform::start(seed, chaos).await;
    let body = request_json().to_string();
    let mut jobs = BTreeMap::new();
    for number in 0..count {
        let answer = ask(platform.ports[number % 2], "POST /v1/trips", &body).await;
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
        jobs.insert(job_of(&answer), number);
    }
    let ended = async {
        for (job, number) in &jobs {
            // Followed at the replica that did not accept it, over a real connection.
            let port = platform.ports[(number + 1) % 2];
            let stream = ask(port, &format!("GET /v1/jobs/{job}/events"), "").await;
            assert_eq!(stream.matches("event: completed").count(), 1, "{stream}");
            assert_eq!(stream.matches("event: day").count(), 2, "{stream}");
        }
    };
    tokio::time::timeout(Duration::from_mins(2), ended).await.expect("a job did not end");
    for job in jobs.keys() {
        let record = platform.store.job(*job).await.unwrap().unwrap();
        assert_eq!(record.status, JobStatus::Completed);
        let events = platform.store.events(*job, 0, 1000).await.unwrap();
        let ends = events.iter().filter(|event| event.event.is_terminal()).count();
        assert_eq!(ends, 1, "{events:?}");
    }
    for topic in topic::CONSUMED {
        let dead = platform.broker.messages(&topic::dead_letters(topic));
        assert!(dead.is_empty(), "{topic}: {dead:?}");
    }
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_becomes_a_trip() {
    all_end_once(1, Chaos::NONE, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_ends_once_on_a_bad_day_of_the_broker() {
    all_end_once(7, Chaos::BAD, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_while_the_broker_is_away_is_sent_when_it_is_back() {
    let platform = Platform::start(3, Chaos::NONE).await;
    platform.broker.set_down(true);
    let answer = ask(platform.ports[0], "POST /v1/trips", &request_json().to_string()).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    let job = job_of(&answer);
    platform.broker.set_down(false);
    let head = format!("GET /v1/jobs/{job}/events");
    let stream = ask(platform.ports[1], &head, "");
    let stream = tokio::time::timeout(Duration::from_mins(1), stream).await.unwrap();
    assert!(stream.contains("event: completed"), "{stream}");
    platform.stop().await;
}
