//! A whole worker: it joins its group, hears of cancellations, answers probes, and drains when it is told to stop.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context as _;
use mercurious_contracts::topic;
use mercurious_messaging::{
    Consumer, Follower, Parts as ConsumerParts, Producer, Route, Settings, Source, Standings,
    Status,
};
use mercurious_runtime::{CancellationToken, Clock, Tasks};
use tokio::net::TcpListener;

use crate::{
    Cancelled, Metrics, Recent, Step, Worker, WorkerSettings, admin::admin, consuming::Consuming,
};

/// What comes from a broker that is there.
pub struct Connected {
    /// The worker's place in its group.
    pub source: Box<dyn Source>,
    /// Tells of cancelled jobs.
    pub cancellations: Box<dyn Follower>,
    /// Tells how far the group is with its requests.
    pub standings: Box<dyn Standings>,
}

/// How the world is reached.
pub struct Parts {
    /// Who sends.
    pub producer: Arc<dyn Producer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The group's name.
    pub group: String,
    /// What is read.
    pub topic: &'static str,
}

/// What the admin port tells of.
#[derive(Clone)]
pub struct Probes {
    /// What `GET /` says.
    pub version: String,
    /// The consumer.
    pub consumer: Status,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the program is told to stop.
    pub stopping: CancellationToken,
    /// The group's name.
    pub group: String,
    /// Tells how far the group is, once the broker is there.
    pub standings: Arc<OnceLock<Box<dyn Standings>>>,
    /// What was seen of that.
    pub(crate) consuming: Arc<Consuming>,
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probes").field("version", &self.version).finish_non_exhaustive()
    }
}

/// The settings of a consumer that reads `topic`.
fn consumer_settings(parts: &Parts, settings: &WorkerSettings) -> Settings {
    let route = Route {
        topic: parts.topic.to_owned(),
        retry: topic::retry(parts.topic),
        dead_letters: topic::dead_letters(parts.topic),
    };
    Settings {
        concurrency: settings.concurrency,
        handler_timeout: settings.step_timeout,
        grace: settings.drain,
        ..Settings::new(&parts.group, vec![route])
    }
}

/// Runs `step` until `stop`, or until something that it needs ends. `listener` is the admin port's, which answers
/// while `connect` still waits for the broker; without a connection, because it was told to stop, that is all.
pub async fn run<S: Step>(
    step: S,
    parts: Parts,
    connect: impl Future<Output = anyhow::Result<Option<Connected>>>,
    settings: &WorkerSettings,
    (listener, version): (TcpListener, String),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (cancelled, metrics) = (Cancelled::default(), Arc::new(Metrics::default()));
    let consumer_settings = consumer_settings(&parts, settings);
    let worker = Worker::new(
        step,
        Arc::clone(&parts.producer),
        Arc::clone(&parts.clock),
        cancelled.clone(),
        Arc::clone(&metrics),
    );
    let consumer = Consumer::new(
        consumer_settings,
        ConsumerParts {
            handler: Arc::new(worker),
            dedup: Arc::new(Recent::default()),
            producer: Arc::clone(&parts.producer),
            clock: Arc::clone(&parts.clock),
        },
    );
    let probes = Probes {
        version,
        consumer: consumer.status(),
        metrics,
        clock: Arc::clone(&parts.clock),
        stopping: stop.clone(),
        group: parts.group.clone(),
        standings: Arc::default(),
        consuming: Arc::default(),
    };
    let standings = Arc::clone(&probes.standings);
    // The admin port and the cancellations live until the consumer has drained.
    let tasks = Tasks::new();
    let closing = tasks.stopping();
    tasks.spawn_critical("admin", async move {
        let served =
            axum::serve(listener, admin(probes)).with_graceful_shutdown(closing.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(error = %error, "the admin port failed");
        }
    });
    let ended = match connect.await {
        Ok(Some(Connected { source, cancellations, standings: asked })) => {
            standings.get_or_init(|| asked);
            consume(consumer, (source, cancellations), cancelled, &tasks, &stop).await
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    let left = tasks.shut_down(Duration::from_secs(2)).await;
    if left > 0 {
        tracing::warn!(tasks.left = left, "tasks did not end in time");
    }
    ended
}

async fn consume(
    consumer: Consumer,
    (source, cancellations): (Box<dyn Source>, Box<dyn Follower>),
    cancelled: Cancelled,
    tasks: &Tasks,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let closing = tasks.stopping();
    tasks.spawn_critical("cancellations", async move {
        if let Err(error) = cancelled.follow(cancellations, closing).await {
            tracing::error!(error = %error, "cancelled jobs are not heard of any more");
        }
    });
    let quit = stop.child_token();
    let (critical, until) = (tasks.stopping(), quit.clone());
    tasks.spawn("watch", async move {
        critical.cancelled().await;
        until.cancel();
    });
    consumer.run(source, quit).await.context("the consumer ended")?;
    anyhow::ensure!(stop.is_cancelled(), "something that the worker needs ended");
    Ok(())
}
