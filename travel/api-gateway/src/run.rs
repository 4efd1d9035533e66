//! The service, put together.

use std::{sync::Arc, time::Duration};

use mercurious_contracts::topic;
use mercurious_messaging::{
    Consumer, NoDedup, Parts, Producer, Relay, RetryPolicy, Route, Settings, Source, SourceError,
};
use mercurious_runtime::{CancellationToken, Clock, Tasks};
use thiserror::Error;
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    http::{App, HttpSettings, Readiness, Serving, router, serve},
    limits::Limits,
    metrics::Metrics,
    service::{Intake, Jobs, News, Posting, Times, sweep},
    store::Store,
};

/// How often overdue jobs are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// How often the store is asked for events that other replicas stored.
const LOOK: Duration = Duration::from_millis(100);
/// How long the rest may take to end after the last request.
const END: Duration = Duration::from_secs(10);

/// What the service stands on.
pub struct Foundation {
    /// Where jobs are kept.
    pub store: Arc<dyn Store>,
    /// Who tells of other replicas' events at once, where somebody does.
    pub news: Option<Arc<dyn News>>,
    /// Who may ask how fast.
    pub limits: Arc<dyn Limits>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who sends messages.
    pub producer: Arc<dyn Producer>,
    /// The interface.
    pub http: HttpSettings,
    /// How the server serves.
    pub serving: Serving,
    /// How long things take and are kept.
    pub times: Times,
}

/// How this group reads: what to subscribe to, and how messages are tried again.
pub fn consumer_settings(group: &str) -> Settings {
    let route = |topic: &&str| Route {
        topic: (*topic).to_owned(),
        retry: topic::retry(topic),
        dead_letters: topic::dead_letters(topic),
    };
    let mut settings = Settings::new(group, Intake::topics().iter().map(route).collect());
    settings.retry = RetryPolicy::default();
    // Handling is one transaction; many at once share one flush to the disk.
    settings.concurrency = 64;
    settings
}

/// Serves on `listener` until `stopping` or until something that must not end does.
///
/// The end: no more is begun, requests are answered within the drain time, streams end, messages that were begun
/// are finished, offsets are committed, and what waits in the outbox is left to the other replicas.
pub async fn run(
    foundation: Foundation,
    consumer: Settings,
    source: Box<dyn Source>,
    listener: TcpListener,
    stopping: CancellationToken,
) -> Result<(), RunError> {
    let Foundation { store, news, limits, metrics, clock, producer, http, serving, times } =
        foundation;
    let jobs = Jobs::new(store, Arc::clone(&clock), metrics, times, news.clone());
    let jobs = Arc::new(jobs);
    let parts = Parts {
        handler: Arc::new(Intake(Arc::clone(&jobs))),
        // A job takes nothing twice.
        dedup: Arc::new(NoDedup),
        producer: Arc::clone(&producer),
        clock,
    };
    let consumer = Consumer::new(consumer, parts);
    let readiness = Readiness { consumer: Some(consumer.status()), stopping: stopping.clone() };

    let tasks = Tasks::new();
    let stop = tasks.stopping();
    let relay = Relay::new(Arc::new(Posting(Arc::clone(&jobs))), producer);
    let (waker, wanted, ended) = (relay.waker(), Arc::clone(&jobs), stop.clone());
    tasks.spawn_critical("relay-waker", async move { wanted.wake(&waker, ended).await });
    tasks.spawn_critical("relay", relay.run(stop.clone()));
    let (hub, store) = (jobs.hub.clone(), Arc::clone(&jobs.store));
    if let Some(news) = news {
        let (hub, stop) = (hub.clone(), stop.clone());
        tasks.spawn_critical("news", async move { news.listen(&hub, stop).await });
    }
    tasks.spawn_critical("hub", {
        let stop = stop.clone();
        async move { hub.watch(store, LOOK, stop).await }
    });
    tasks.spawn_critical("sweeper", sweep(Arc::clone(&jobs), SWEEP, stop.clone()));
    let (said, says) = oneshot::channel();
    tasks.spawn_critical("consumer", {
        let stop = stop.clone();
        async move {
            // Whoever would hear it is gone only when the service is.
            let _ = said.send(consumer.run(source, stop).await);
        }
    });

    // The server outlives the wish to stop by its drain time; everything else outlives the server.
    let app = App::new(jobs, limits, http, readiness);
    let both = CancellationToken::new();
    let until = async {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = stop.cancelled() => stopping.cancel(),
        }
        both.cancel();
    };
    tokio::join!(serve(listener, router(app), serving, both.clone()), until);
    let broken = stop.is_cancelled();
    let left = tasks.shut_down(END).await;
    if left > 0 {
        tracing::warn!(tasks.left = left, "tasks did not end in time");
    }
    match says.await {
        Ok(Err(error)) => Err(RunError::Broker(error)),
        _ if broken => Err(RunError::Task),
        _ => Ok(()),
    }
}

/// Why the service ended by itself.
#[derive(Debug, Error)]
pub enum RunError {
    /// The broker does not let it go on.
    #[error("nothing comes from the broker any more")]
    Broker(#[source] SourceError),
    /// Something that must not end did; the log says what.
    #[error("a part of the service ended")]
    Task,
}
