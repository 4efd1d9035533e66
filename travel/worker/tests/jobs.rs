//! Requests on a broker that misbehaves: each job ends, and each time the same way.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use mercurious_contracts::{
    JobId, MessageId,
    envelope::{self, About},
    message::{
        EnrichmentCompleted, EnrichmentProgress, EnrichmentRequest, JobCancelled, JobError,
        JobErrorCode, Message, Stage,
    },
    request::TripRequest,
    topic,
};
use mercurious_messaging::{
    Outgoing, Producer as _, header,
    memory::{Broker, Chaos},
};
use mercurious_runtime::{CancellationToken, Clock, Tasks};
use mercurious_worker::{Connected, Parts, Progress, Step, WorkerSettings, run};
use tokio::net::TcpListener;

/// The time of tokio, which tests move.
#[derive(Debug)]
struct TestClock(tokio::time::Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.0.elapsed()).unwrap();
        "2026-05-01T08:00:00Z".parse::<Timestamp>().unwrap().checked_add(passed).unwrap()
    }
}

/// What the step does, by the city that is asked for.
#[derive(Default)]
struct FakeStep {
    tries: Mutex<BTreeMap<JobId, u32>>,
    running: AtomicU32,
    stopped: AtomicU32,
}

#[derive(Clone, Default)]
struct Shared(Arc<FakeStep>);

#[async_trait]
impl Step for Shared {
    type Request = EnrichmentRequest;
    type Progress = EnrichmentProgress;
    type Completed = EnrichmentCompleted;

    fn service(&self) -> &'static str {
        "api-test"
    }

    async fn run(
        &self,
        job: JobId,
        request: EnrichmentRequest,
        progress: &dyn Progress<EnrichmentProgress>,
    ) -> Result<EnrichmentCompleted, JobError> {
        let tries = {
            let mut tries = self.0.tries.lock().unwrap();
            let tries = tries.entry(job).or_default();
            *tries += 1;
            *tries
        };
        let step =
            EnrichmentProgress { percent: 10, stage: Stage::Places, message: "on".to_owned() };
        if progress.report(step).await == ControlFlow::Break(()) {
            return Err(JobError::new(JobErrorCode::Cancelled, "as asked"));
        }
        let wish = request.request.destination.unwrap().name.unwrap();
        match wish.as_str() {
            "unknown" => Err(JobError::new(JobErrorCode::UnknownDestination, "nowhere")),
            "flaky" if tries < 3 => Err(JobError::new(JobErrorCode::DependencyUnavailable, "busy")),
            "broken" => Err(JobError::new(JobErrorCode::DependencyUnavailable, "down")),
            "slow" => {
                self.0.running.fetch_add(1, Ordering::SeqCst);
                progress.stopping().cancelled().await;
                self.0.stopped.fetch_add(1, Ordering::SeqCst);
                Err(JobError::new(JobErrorCode::Cancelled, "as asked"))
            }
            _ => Err(JobError::new(JobErrorCode::NoPlan, "the end of this test")),
        }
    }

    fn failed(error: JobError) -> EnrichmentCompleted {
        EnrichmentCompleted::Error { error }
    }
}

struct Bench {
    broker: Broker,
    clock: Arc<TestClock>,
    step: Shared,
    stop: CancellationToken,
    tasks: Tasks,
    address: std::net::SocketAddr,
}

async fn stage(seed: u64, chaos: Chaos) -> Bench {
    let broker = Broker::new(seed, chaos, &topic::all(), topic::PARTITIONS);
    let clock = Arc::new(TestClock(tokio::time::Instant::now()));
    let (step, stop, tasks) = (Shared::default(), CancellationToken::new(), Tasks::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (parts, connected) = parts(&broker, &clock);
    let settings = settings();
    let (mine, quit) = (step.clone(), stop.clone());
    tasks.spawn("worker", async move {
        let version = "api-test v0.1.0\n".to_owned();
        let connect = async move { Ok(Some(connected)) };
        run(mine, parts, connect, &settings, (listener, version), quit).await.unwrap();
    });
    Bench { broker, clock, step, stop, tasks, address }
}

fn parts(broker: &Broker, clock: &Arc<TestClock>) -> (Parts, Connected) {
    let topics = [topic::ENRICHMENT_REQUEST.to_owned(), topic::retry(topic::ENRICHMENT_REQUEST)];
    let connected = Connected {
        source: Box::new(broker.join(topic::ENRICHMENT_GROUP, &topics)),
        cancellations: broker.follow(&[topic::JOB_CANCELLED.to_owned()]),
        standings: broker.standings(topic::ENRICHMENT_GROUP, topic::ENRICHMENT_REQUEST),
    };
    let parts = Parts {
        producer: Arc::new(broker.clone()),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        group: topic::ENRICHMENT_GROUP.to_owned(),
        topic: topic::ENRICHMENT_REQUEST,
    };
    (parts, connected)
}

fn settings() -> WorkerSettings {
    let mut environment = mercurious_runtime::Environment::of([]);
    WorkerSettings::from_environment(&mut environment, &[])
}

impl Bench {
    fn about(&self, number: u64) -> About {
        let job = JobId::new(
            Timestamp::UNIX_EPOCH,
            number.to_be_bytes().repeat(2)[..10].try_into().unwrap(),
        );
        About {
            job,
            id: MessageId::first(job, EnrichmentRequest::EVENT_TYPE),
            caused_by: None,
            source: "api-gateway".to_owned(),
            at: self.clock.now(),
            deadline: Some(self.clock.now().checked_add(10.minutes()).unwrap()),
            traceparent: Some(format!("00-{:032x}-{:016x}-01", number + 1, number + 1)),
        }
    }

    /// Sends until it is acknowledged, as an outbox does.
    async fn send(&self, message: Outgoing) {
        for _ in 0..1_000 {
            if self.broker.publish(message.clone()).await.is_ok() {
                return;
            }
        }
        panic!("the broker never acknowledges");
    }

    async fn ask(&self, number: u64, destination: &str) -> JobId {
        let about = self.about(number);
        self.send(envelope::encode(&about, &wish(destination)).unwrap()).await;
        about.job
    }

    /// The ends of each job: message ids and errors.
    fn ends(&self) -> BTreeMap<JobId, BTreeSet<(String, JobErrorCode)>> {
        let mut ends: BTreeMap<JobId, BTreeSet<_>> = BTreeMap::new();
        for message in self.broker.messages(topic::ENRICHMENT_COMPLETED) {
            let envelope = envelope::decode::<EnrichmentCompleted>(&message).unwrap();
            let EnrichmentCompleted::Error { error } = envelope.data else { panic!("no error") };
            let end = (envelope.about.id.to_string(), error.code);
            ends.entry(envelope.about.job).or_default().insert(end);
        }
        ends
    }

    /// Waits until it holds, an hour of the test's time at most.
    async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        for _ in 0..360_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: never");
    }

    /// What the admin port answers.
    async fn get(&self, path: &str) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let ask = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Waits until the admin port answers so.
    async fn answers(&self, path: &str, wanted: &str) {
        let mut answer = String::new();
        for _ in 0..500 {
            answer = self.get(path).await;
            if answer.contains(wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} never says {wanted}, but {answer}");
    }

    async fn end(self) {
        self.stop.cancel();
        assert_eq!(self.tasks.shut_down(Duration::from_mins(2)).await, 0);
    }
}

fn wish(destination: &str) -> EnrichmentRequest {
    let body = format!(
        r#"{{"destination":{{"name":"{destination}"}},"start_date":"2026-05-04","end_date":"2026-05-05"}}"#
    );
    EnrichmentRequest { request: TripRequest::from_json(body.as_bytes()).unwrap() }
}

#[tokio::test(start_paused = true)]
async fn on_a_bad_day_each_job_ends_once_and_always_the_same_way() {
    for seed in 0..5 {
        let stage = stage(seed, Chaos::BAD).await;
        let mut jobs = BTreeMap::new();
        for number in 0..30 {
            let (destination, code) = match number % 3 {
                0 => ("anywhere", JobErrorCode::NoPlan),
                1 => ("unknown", JobErrorCode::UnknownDestination),
                _ => ("flaky", JobErrorCode::NoPlan),
            };
            jobs.insert(stage.ask(number, destination).await, code);
        }
        stage.until("all jobs end", |stage| stage.ends().len() == jobs.len()).await;
        for (job, ends) in stage.ends() {
            // One id and one end, however often it was worked on and sent.
            let [(_, code)] = ends.iter().collect::<Vec<_>>()[..] else {
                panic!("{job}: {ends:?}")
            };
            assert_eq!(*code, jobs[&job], "seed {seed}");
        }
        stage.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_stays_broken_is_given_up_and_the_job_is_told() {
    let stage = stage(1, Chaos::NONE).await;
    let job = stage.ask(1, "broken").await;
    stage.until("the job ends", |stage| stage.ends().contains_key(&job)).await;
    let (_, code) = stage.ends()[&job].first().unwrap().clone();
    assert_eq!(code, JobErrorCode::DependencyUnavailable);
    assert_eq!(stage.step.0.tries.lock().unwrap()[&job], 5);
    let dead = stage.broker.messages(&topic::dead_letters(topic::ENRICHMENT_REQUEST));
    assert_eq!(dead[0].headers.text(header::ERROR_CLASS), Some("exhausted"));
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn poison_and_messages_of_the_future_are_dead_letters_and_stop_nothing() {
    let stage = stage(2, Chaos::NONE).await;
    let good = || envelope::encode(&stage.about(1), &wish("anywhere")).unwrap();
    let mut poison = good();
    poison.payload = "{\"timestamp\":".into();
    let mut future = envelope::encode(&stage.about(2), &wish("anywhere")).unwrap();
    future.headers.set_text(header::SCHEMA_VERSION, 99);
    let mut nameless = envelope::encode(&stage.about(3), &wish("anywhere")).unwrap();
    nameless.key = "not a job".to_owned();
    for message in [poison, future, nameless] {
        stage.send(message).await;
    }
    let last = stage.ask(4, "anywhere").await;
    stage.until("the good one ends", |stage| stage.ends().contains_key(&last)).await;
    let dead = || stage.broker.messages(&topic::dead_letters(topic::ENRICHMENT_REQUEST));
    stage.until("three dead letters", |_| dead().len() == 3).await;
    let classes: BTreeSet<String> = (dead().iter())
        .map(|message| message.headers.text(header::ERROR_CLASS).unwrap().to_owned())
        .collect();
    let expected = ["future-version", "malformed", "other-job"].map(str::to_owned);
    assert_eq!(classes, BTreeSet::from(expected));
    // Whose job can be told is told.
    stage.until("their jobs end", |stage| stage.ends().len() == 3).await;
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_stopped_where_it_is_and_has_no_end_here() {
    let stage = stage(3, Chaos::NONE).await;
    let about = stage.about(1);
    stage.ask(1, "slow").await;
    stage.until("it runs", |stage| stage.step.0.running.load(Ordering::SeqCst) == 1).await;
    let cancel = JobCancelled { reason: "not any more".to_owned() };
    let note = About { id: MessageId::first(about.job, JobCancelled::EVENT_TYPE), ..about };
    stage.send(envelope::encode(&note, &cancel).unwrap()).await;
    stage.until("it stops", |stage| stage.step.0.stopped.load(Ordering::SeqCst) == 1).await;
    let next = stage.ask(2, "anywhere").await;
    stage.until("the next one ends", |stage| stage.ends().contains_key(&next)).await;
    assert_eq!(stage.ends().len(), 1);
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_past_its_deadline_is_not_begun_and_one_that_passes_it_is_stopped() {
    let stage = stage(4, Chaos::NONE).await;
    let mut late = stage.about(1);
    late.deadline = Some(stage.clock.now().checked_sub(1.second()).unwrap());
    stage.send(envelope::encode(&late, &wish("anywhere")).unwrap()).await;
    let mut soon = stage.about(2);
    soon.deadline = Some(stage.clock.now().checked_add(30.seconds()).unwrap());
    stage.send(envelope::encode(&soon, &wish("slow")).unwrap()).await;
    stage.until("both end", |stage| stage.ends().len() == 2).await;
    for ends in stage.ends().values() {
        assert_eq!(ends.first().unwrap().1, JobErrorCode::DeadlineExceeded);
    }
    assert!(!stage.step.0.tries.lock().unwrap().contains_key(&late.job));
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_carries_what_led_to_it() {
    let stage = stage(5, Chaos::NONE).await;
    let about = stage.about(1);
    let job = stage.ask(1, "anywhere").await;
    stage.until("it ends", |stage| stage.ends().contains_key(&job)).await;
    for topic in [topic::ENRICHMENT_PROGRESS, topic::ENRICHMENT_COMPLETED] {
        let message = stage.broker.messages(topic).remove(0);
        let headers = &message.headers;
        assert_eq!(headers.text(header::CAUSATION_ID), Some(about.id.to_string().as_str()));
        assert_eq!(headers.text(header::SOURCE_SERVICE), Some("api-test"));
        assert_eq!(headers.moment(header::DEADLINE), about.deadline);
        let trace = headers.text(header::TRACEPARENT).unwrap();
        assert_eq!(trace[3..35], about.traceparent.as_ref().unwrap()[3..35]);
        assert_ne!(trace[36..52], about.traceparent.as_ref().unwrap()[36..52]);
    }
    stage.end().await;
}

#[tokio::test]
async fn the_admin_port_tells_the_version_and_whether_the_worker_is_ready() {
    let stage = stage(6, Chaos::NONE).await;
    let get = async |path: &str| stage.get(path).await;
    assert!(get("/").await.ends_with("api-test v0.1.0\n"));
    stage.answers("/ready", " 200 ").await;
    assert!(get("/health").await.contains(" 200 "));
    let job = stage.ask(1, "anywhere").await;
    stage.until("it ends", |stage| stage.ends().contains_key(&job)).await;
    let metrics = get("/metrics").await;
    assert!(metrics.contains("mercurious_worker_steps_total{end=\"failed\"} 1"), "{metrics}");
    assert!(!metrics.contains(&job.to_string()));
    stage.end().await;
}

#[tokio::test]
async fn the_admin_port_tells_whether_the_group_gets_on() {
    let stage = stage(7, Chaos::NONE).await;
    stage.answers("/consuming?group=enrichment-consumers", "its lag is 0").await;
    // In another group it may do what it likes: nobody gets the requests of this one.
    let other = stage.get("/consuming?group=others").await;
    assert!(other.contains(" 503 ") && other.contains("not in others"), "{other}");
    let job = stage.ask(1, "slow").await;
    stage.answers("/consuming?within=0", "1 requests wait, and none was finished").await;
    let patient = stage.get("/consuming?within=600").await;
    assert!(patient.contains(" 200 "), "{patient}");
    let cancel = JobCancelled { reason: "not any more".to_owned() };
    let id = MessageId::first(job, JobCancelled::EVENT_TYPE);
    let note = About { id, ..stage.about(1) };
    stage.send(envelope::encode(&note, &cancel).unwrap()).await;
    stage.answers("/consuming?within=0", "its lag is 0").await;
    stage.broker.set_down(true);
    let down = stage.get("/consuming").await;
    assert!(down.contains(" 503 ") && down.contains("the broker is down"), "{down}");
    stage.broker.set_down(false);
    stage.end().await;
}
