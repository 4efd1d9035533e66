//! Opens what the settings name, and runs the service on it.

use std::{io::Write as _, sync::Arc, time::Duration};

use anyhow::Context as _;
use mercurious_api_gateway::{
    Foundation, consumer_settings,
    limits::{Limits, LocalLimits},
    metrics::Metrics,
    run,
    service::News,
    settings::{Settings, StoreSetting},
    store::{SqliteStore, Store},
};
use mercurious_contracts::topic;
use mercurious_messaging::kafka::{self, Expected, KafkaProducer, KafkaSource, check};
use mercurious_runtime::{CancellationToken, Clock, Tasks, terminated};
use tokio::net::TcpListener;

/// How long the broker may take to say that everything is there.
const CHECK: Duration = Duration::from_secs(10);

/// What replicas share, each where there is something to share it over.
struct Shared {
    news: Option<Arc<dyn News>>,
    limits: Arc<dyn Limits>,
}

/// Serves until a signal.
pub(crate) async fn serve(
    settings: Settings,
    broker: kafka::Settings,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<()> {
    tracing::info!(
        listen = %settings.listen,
        store = ?settings.store,
        redis = ?settings.redis,
        broker = broker.describe(),
        rate.per_second = settings.rate.per_second,
        rate.burst = settings.rate.burst,
        "starting",
    );
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let expected = Expected { topics: topic::all(), partitions: topic::PARTITIONS };
    let metrics = Arc::new(Metrics::new());
    let opened = tokio::try_join!(
        async { check(&broker, expected, CHECK).await.context("Kafka cannot be used") },
        store(&settings),
        shared(&settings, &clock, &metrics),
    );
    let ((), store, shared) = opened?;
    let consumer = consumer_settings(broker.group.as_deref().unwrap_or(topic::GATEWAY_GROUP));
    let source = KafkaSource::apart(&broker, &consumer.group, &consumer.routes)?;
    let producer = Arc::new(KafkaProducer::new(&broker)?);
    let foundation = Foundation {
        store,
        news: shared.news,
        limits: shared.limits,
        metrics,
        clock,
        producer,
        http: settings.http,
        serving: settings.serving,
        times: settings.times,
    };
    let stopping = CancellationToken::new();
    let signals = Tasks::new();
    signals.spawn("signals", {
        let stopping = stopping.clone();
        async move {
            match terminated().await {
                Ok(signal) => tracing::info!(signal, "stopping"),
                Err(error) => tracing::error!(error = %error, "signals cannot be heard"),
            }
            stopping.cancel();
        }
    });
    run(foundation, consumer, Box::new(source), listener, stopping).await?;
    tracing::info!("stopped");
    Ok(())
}

async fn store(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match &settings.store {
        StoreSetting::Memory => {
            tracing::warn!("jobs are kept in memory: they are gone when this process ends");
            Arc::new(SqliteStore::in_memory()?)
        }
        StoreSetting::Sqlite(path) => Arc::new(SqliteStore::open(path)?),
        #[cfg(feature = "mongodb")]
        StoreSetting::Mongo(url) => {
            let kept = settings.times.retention;
            Arc::new(mercurious_api_gateway::store::MongoStore::connect(url, kept).await?)
        }
        #[cfg(not(feature = "mongodb"))]
        StoreSetting::Mongo(_) => anyhow::bail!("this program was built without MongoDB"),
    })
}

async fn shared(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Shared> {
    let local = LocalLimits::new(settings.rate, Arc::clone(clock));
    let Some(url) = &settings.redis else {
        return Ok(Shared { news: None, limits: Arc::new(local) });
    };
    #[cfg(feature = "redis")]
    {
        use mercurious_api_gateway::redis::{Redis, RedisLimits, RedisNews};
        let redis = Redis::connect(url).await?;
        let limits = RedisLimits::new(redis.clone(), settings.rate, local, Arc::clone(metrics));
        Ok(Shared { news: Some(Arc::new(RedisNews::new(redis))), limits: Arc::new(limits) })
    }
    #[cfg(not(feature = "redis"))]
    anyhow::bail!("this program was built without Redis, which {url} is")
}

/// Writes to standard output; that nobody reads it is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says on standard error why the program ends.
pub(crate) fn report(error: &anyhow::Error) {
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("cause: {cause}\n"));
    }
    // There is nobody else to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
