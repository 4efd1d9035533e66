//! A whole worker: it joins its group, hears of cancellations, answers probes, and drains when it is told to stop.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use mercurious_contracts::topic;
use mercurious_messaging::{
    Consumer, Follower, Parts as ConsumerParts, Producer, Route, Settings, Source, Status,
};
use mercurious_runtime::{CancellationToken, Clock, Tasks};
use tokio::net::TcpListener;

use crate::{Cancelled, Metrics, Recent, Step, Worker, WorkerSettings, admin::admin};

/// How the world is reached.
pub struct Parts {
    /// The worker's place in its group.
    pub source: Box<dyn Source>,
    /// Who sends.
    pub producer: Arc<dyn Producer>,
    /// Tells of cancelled jobs.
    pub cancellations: Box<dyn Follower>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The group's name.
    pub group: String,
    /// What is read.
    pub topic: &'static str,
}

/// What the admin port tells of.
#[derive(Debug, Clone)]
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

/// Runs `step` until `stop`, or until something that it needs ends. `listener` is the admin port's.
pub async fn run<S: Step>(
    step: S,
    parts: Parts,
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
    };
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
    let closing = tasks.stopping();
    let follower = parts.cancellations;
    tasks.spawn_critical("cancellations", async move {
        if let Err(error) = cancelled.follow(follower, closing).await {
            tracing::error!(error = %error, "cancelled jobs are not heard of any more");
        }
    });
    let quit = stop.child_token();
    let (critical, until) = (tasks.stopping(), quit.clone());
    tasks.spawn("watch", async move {
        critical.cancelled().await;
        until.cancel();
    });
    let consumed = consumer.run(parts.source, quit).await;
    let told = stop.is_cancelled();
    let left = tasks.shut_down(Duration::from_secs(2)).await;
    if left > 0 {
        tracing::warn!(tasks.left = left, "tasks did not end in time");
    }
    consumed.context("the consumer ended")?;
    anyhow::ensure!(told, "something that the worker needs ended");
    Ok(())
}
