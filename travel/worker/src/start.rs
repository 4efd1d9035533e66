//! From the environment to a worker over Kafka.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use jiff::{Timestamp, ToSpan as _};
use mercurious_contracts::topic;
use mercurious_messaging::{
    Source, Together,
    kafka::{self, Expected, KafkaFollower, KafkaProducer, KafkaSource, check},
};
use mercurious_runtime::{
    CancellationToken, Clock, Environment, SystemClock, Tasks, start_telemetry, terminated,
};
use tokio::net::TcpListener;

use crate::{Connected, Parts, Step, WorkerSettings, run};

/// Which worker it is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The service's name.
    pub service: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// The topic of its requests.
    pub topic: &'static str,
    /// Its group, unless `KAFKA_GROUP_ID` says otherwise.
    pub group: &'static str,
}

/// Reads the settings, makes the step and runs until SIGTERM: the whole of `main`. Ends with 2 when settings are
/// wrong and with 1 when something else is.
pub fn start<S: Step, T>(
    read: impl FnOnce(&mut Environment) -> (WorkerSettings, T),
    make: impl FnOnce(T) -> anyhow::Result<S>,
    place: Place,
) -> ExitCode {
    let mut environment = Environment::of_process();
    let (settings, more) = read(&mut environment);
    let kafka = kafka::Settings::from_environment(&mut environment, place.service);
    start_telemetry(&settings.log, settings.log_format);
    if kafka.is_none() {
        environment.fault("KAFKA_BROKERS is missing or empty");
    }
    let warnings = match environment.finish() {
        Ok(warnings) => warnings,
        Err(faults) => {
            for fault in &faults.0 {
                tracing::error!(fault, "wrong setting");
            }
            return ExitCode::from(2);
        }
    };
    for warning in warnings {
        tracing::warn!(warning, "setting");
    }
    let Some(kafka) = kafka else { return ExitCode::from(2) };
    let ended = make(more).and_then(|step| whole(step, &kafka, &settings, place));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "ended");
            ExitCode::FAILURE
        }
    }
}

fn whole<S: Step>(
    step: S,
    kafka: &kafka::Settings,
    settings: &WorkerSettings,
    place: Place,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // Searches run here, one for each request that is worked on.
        .max_blocking_threads(settings.concurrency + 4)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(async {
        let (stop, tasks) = (CancellationToken::new(), Tasks::new());
        let told = stop.clone();
        tasks.spawn("signals", async move {
            match terminated().await {
                Ok(signal) => tracing::info!(signal, "stopping"),
                Err(error) => tracing::error!(error = %error, "signals cannot be heard; stopping"),
            }
            told.cancel();
        });
        serve(step, kafka, settings, place, stop).await
    });
    // A search that nobody waits for any more must not hold the end up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn serve<S: Step>(
    step: S,
    kafka: &kafka::Settings,
    settings: &WorkerSettings,
    place: Place,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (address, port) = (settings.address, settings.port);
    let listener = TcpListener::bind((address, port))
        .await
        .with_context(|| format!("cannot listen on {address}:{port}; set PORT"))?;
    tracing::info!(kafka = kafka.describe(), admin.port = port, "starting");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let group = kafka.group.clone().unwrap_or_else(|| place.group.to_owned());
    let connect = connect(kafka, place, &group, (clock.now(), &stop));
    let producer = Arc::new(KafkaProducer::new(kafka)?);
    let parts = Parts { producer, clock, group: group.clone(), topic: place.topic };
    let version = settings.version(place.service, place.version);
    run(step, parts, connect, settings, (listener, version), stop.clone()).await
}

/// Joins the group once Kafka is there; none when it was told to stop first.
async fn connect(
    kafka: &kafka::Settings,
    place: Place,
    group: &str,
    (now, stop): (Timestamp, &CancellationToken),
) -> anyhow::Result<Option<Connected>> {
    if !kafka_is_there(kafka, place, stop).await? {
        return Ok(None);
    }
    // Jobs do not live longer than this.
    let since = now.checked_sub(1.hour()).context("the clock")?;
    let cancelled = [topic::JOB_CANCELLED.to_owned()];
    let follower = format!("{group}-cancellations");
    let partitions = topic::PARTITIONS;
    let cancellations = KafkaFollower::follow(kafka, &follower, &cancelled, partitions, since)?;
    // Two members of the group, as [`KafkaSource::apart`] makes them; retries wait on purpose, so that how far the group
    // is with them says nothing.
    let route = topic::route(place.topic);
    let join = |topic: &String| KafkaSource::join(kafka, group, std::slice::from_ref(topic));
    let (requests, retries) = (join(&route.topic)?, join(&route.retry)?);
    let standings = Box::new(requests.standings(place.topic, partitions));
    let source = Together::new(vec![
        (vec![route.topic], Box::new(requests) as Box<dyn Source>),
        (vec![route.retry], Box::new(retries)),
    ]);
    let source = Box::new(source);
    Ok(Some(Connected { source, cancellations: Box::new(cancellations), standings }))
}

/// Waits until brokers answer; false when it was told to stop first. Everything else that is wrong is an error.
async fn kafka_is_there(
    kafka: &kafka::Settings,
    place: Place,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    let topics = vec![
        place.topic.to_owned(),
        topic::retry(place.topic),
        topic::dead_letters(place.topic),
        topic::JOB_CANCELLED.to_owned(),
    ];
    loop {
        let expected = Expected { topics: topics.clone(), partitions: topic::PARTITIONS };
        let looked = tokio::select! {
            () = stop.cancelled() => return Ok(false),
            looked = check(kafka, expected, Duration::from_secs(10)) => looked,
        };
        match looked {
            Ok(()) => return Ok(true),
            Err(error) if error.is_retryable() => {
                tracing::warn!(error.name = error.name(), error = %error, "kafka is not there yet");
                tokio::select! {
                    () = stop.cancelled() => return Ok(false),
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
            Err(error) => return Err(error).context("kafka cannot be used"),
        }
    }
}
