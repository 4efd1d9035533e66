use std::{fmt::Write as _, sync::Arc, sync::atomic::Ordering};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::net::TcpListener;

use crate::{broker::Broker, log::ReadError};

/// Answers /health, /ready and /metrics until the broker stops.
pub(crate) async fn serve(broker: Arc<Broker>, listener: TcpListener) {
    let stopping = broker.stopping.clone();
    let app = Router::new()
        .route("/", get(concat!("broker ", env!("CARGO_PKG_VERSION"), "\n")))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(broker);
    let served = axum::serve(listener, app)
        .with_graceful_shutdown(async move { stopping.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(error = %error, "the admin port failed");
    }
}

/// Whether the writer lives: without it a restart is needed.
async fn health(State(broker): State<Arc<Broker>>) -> (StatusCode, &'static str) {
    if broker.log.writer.lives() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the log's writer has ended\n")
    }
}

/// Whether the log can be read and written now.
async fn ready(State(broker): State<Arc<Broker>>) -> (StatusCode, &'static str) {
    if broker.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    let written = broker.log.writer.commit(String::new(), Vec::new()).await;
    if written.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the log cannot be written\n");
    }
    (StatusCode::OK, "ready\n")
}

/// Partitions, groups and their lag, in the text format of Prometheus.
async fn metrics(State(broker): State<Arc<Broker>>) -> (StatusCode, String) {
    let blocking = Arc::clone(&broker);
    let lags = tokio::task::spawn_blocking(move || lags(&blocking))
        .await
        .map_err(ReadError::Ended)
        .and_then(|lags| lags);
    let lags = match lags {
        Ok(lags) => lags,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    };
    let mut text = String::from("# TYPE broker_records_appended_total counter\n");
    let appended = broker.log.topics.appended();
    let connections = broker.connections.load(Ordering::Relaxed);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "broker_records_appended_total {appended}");
    let _ = writeln!(text, "# TYPE broker_connections gauge\nbroker_connections {connections}");
    text.push_str("# TYPE broker_partition_end_offset gauge\n");
    for (topic, partitions) in broker.log.topics.iter() {
        for view in partitions {
            let (number, next) = (view.number, view.next());
            let _ = writeln!(
                text,
                "broker_partition_end_offset{{topic=\"{topic}\",partition=\"{number}\"}} {next}"
            );
        }
    }
    text.push_str("# TYPE broker_group_members gauge\n");
    for (name, group) in broker.groups.list() {
        let (name, state, count) = (label(&name), group.state, group.members.len());
        let _ =
            writeln!(text, "broker_group_members{{group=\"{name}\",state=\"{state}\"}} {count}");
    }
    text.push_str("# TYPE broker_group_lag gauge\n");
    for (group, topic, lag) in lags {
        let group = label(&group);
        let _ = writeln!(text, "broker_group_lag{{group=\"{group}\",topic=\"{topic}\"}} {lag}");
    }
    (StatusCode::OK, text)
}

/// How many records each group has still before it, by topic.
fn lags(broker: &Broker) -> Result<Vec<(String, String, i64)>, ReadError> {
    let mut lags = Vec::new();
    for group in broker.log.reader.groups()? {
        let mut by_topic: std::collections::BTreeMap<String, i64> =
            std::collections::BTreeMap::new();
        for ((topic, number), committed) in broker.log.reader.committed(&group)? {
            if let Some(view) = broker.log.topics.partition(&topic, number) {
                *by_topic.entry(topic).or_default() += (view.next() - committed.offset).max(0);
            }
        }
        lags.extend(by_topic.into_iter().map(|(topic, lag)| (group.clone(), topic, lag)));
    }
    Ok(lags)
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
