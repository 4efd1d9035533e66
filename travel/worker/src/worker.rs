//! From a request to the end of its step.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use mercurious_contracts::{
    JobId, MessageId,
    envelope::{self, About, EncodeError, Envelope},
    message::{JobError, JobErrorCode, Message},
};
use mercurious_messaging::{
    Handler, Incoming, Outcome, Producer, PublishError, StoreError, TraceContext, header,
};
use mercurious_runtime::{CancellationToken, Clock};
use tokio::time::Instant;

use crate::{Cancelled, Metrics, Progress, Step};

/// Runs a step for each request.
pub struct Worker<S> {
    step: S,
    producer: Arc<dyn Producer>,
    clock: Arc<dyn Clock>,
    cancelled: Cancelled,
    metrics: Arc<Metrics>,
}

impl<S: Step> Worker<S> {
    /// Around `step`.
    pub fn new(
        step: S,
        producer: Arc<dyn Producer>,
        clock: Arc<dyn Clock>,
        cancelled: Cancelled,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { step, producer, clock, cancelled, metrics }
    }

    /// What goes with a message that `cause` leads to.
    fn about(&self, cause: &About, id: MessageId) -> About {
        let trace = cause.traceparent.as_deref().and_then(TraceContext::parse);
        About {
            job: cause.job,
            id,
            caused_by: Some(cause.id),
            source: self.step.service().to_owned(),
            at: self.clock.now(),
            deadline: cause.deadline,
            traceparent: trace.map(|trace| trace.child(fastrand::u64(1..)).to_string()),
        }
    }

    /// Publishes the end of the step.
    async fn finish(&self, cause: &About, completed: &S::Completed) -> Outcome {
        let id = MessageId::derived(cause.id, S::Completed::EVENT_TYPE, 0);
        let about = self.about(cause, id);
        let message = match envelope::encode(&about, completed) {
            Ok(message) => message,
            Err(error @ EncodeError::TooLarge { .. }) => {
                // The job must end all the same.
                tracing::error!(job.id = %cause.job, error = %error, "the end of a job is too large");
                let error = JobError::new(JobErrorCode::Internal, error.to_string());
                match envelope::encode(&about, &S::failed(error)) {
                    Ok(message) => message,
                    Err(error) => return dead("encode", &error),
                }
            }
            Err(error) => return dead("encode", &error),
        };
        match self.producer.publish(message).await {
            Ok(()) => Outcome::Done,
            Err(error @ PublishError::Unacknowledged { .. }) => Outcome::Later(error.to_string()),
            Err(error) => dead("refused", &error),
        }
    }

    async fn work(&self, envelope: Envelope<S::Request>) -> Outcome {
        let Envelope { about, data, .. } = envelope;
        let Some(running) = self.cancelled.begin(about.job) else {
            self.metrics.skipped("cancelled");
            return Outcome::Done;
        };
        let left = about.deadline.map(|deadline| until(self.clock.now(), deadline));
        if left.is_some_and(|left| left.is_zero()) {
            self.metrics.skipped("expired");
            return self.finish(&about, &S::failed(expired())).await;
        }
        let started = Instant::now();
        let report = Report {
            worker: self,
            cause: &about,
            stop: running.stop.clone(),
            sent: AtomicU64::new(0),
        };
        let run = self.step.run(about.job, data, &report);
        let outcome = match left {
            // A step that does not notice its time being over is dropped where it waits.
            Some(left) => tokio::time::timeout(left, run).await.unwrap_or_else(|_| Err(expired())),
            None => run.await,
        };
        if running.stop.is_cancelled() {
            self.metrics.ended("cancelled", started.elapsed().as_secs_f64());
            return Outcome::Done;
        }
        // The search stops with its job's time too.
        running.stop.cancel();
        let (end, completed) = match outcome {
            Ok(completed) => ("completed", completed),
            Err(error) if error.code == JobErrorCode::DependencyUnavailable => {
                self.metrics.ended("retried", started.elapsed().as_secs_f64());
                return Outcome::Retry(error.message);
            }
            Err(error) => {
                tracing::info!(
                    job.id = %about.job, error.code = error.code.as_str(), error = %error.message,
                    "the step came to nothing"
                );
                ("failed", S::failed(error))
            }
        };
        let elapsed = started.elapsed();
        let published = self.finish(&about, &completed).await;
        self.metrics.ended(end, elapsed.as_secs_f64());
        tracing::info!(job.id = %about.job, end, duration_ms = elapsed.as_millis() as u64, "step ended");
        published
    }
}

#[async_trait]
impl<S: Step> Handler for Worker<S> {
    async fn handle(&self, message: &Incoming) -> Outcome {
        match envelope::decode::<S::Request>(message) {
            Ok(envelope) => self.work(envelope).await,
            Err(error) => {
                self.metrics.skipped("unreadable");
                dead(error.class(), &error)
            }
        }
    }

    /// Whoever waits for the job is told, as far as the message says which job it is.
    async fn given_up(
        &self,
        message: &Incoming,
        class: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let job = message.key_text().and_then(|key| key.parse::<JobId>().ok());
        let Some(job) = job else { return Ok(()) };
        let id = message.headers.text(header::MESSAGE_ID).and_then(|id| id.parse().ok());
        let cause = About {
            job,
            id: id.unwrap_or_else(|| MessageId::first(job, S::Request::EVENT_TYPE)),
            caused_by: None,
            source: String::new(),
            at: self.clock.now(),
            deadline: message.headers.moment(header::DEADLINE),
            traceparent: message.headers.text(header::TRACEPARENT).map(str::to_owned),
        };
        let code = match class {
            "exhausted" => JobErrorCode::DependencyUnavailable,
            "deadline" => JobErrorCode::DeadlineExceeded,
            _ => JobErrorCode::Internal,
        };
        let error = JobError::new(code, format!("the request was given up ({class}): {reason}"));
        match self.finish(&cause, &S::failed(error)).await {
            Outcome::Later(reason) => Err(StoreError(reason)),
            _ => Ok(()),
        }
    }
}

fn dead(class: &'static str, error: &dyn std::error::Error) -> Outcome {
    let mut reason = error.to_string();
    if let Some(source) = error.source() {
        reason = format!("{reason}: {source}");
    }
    Outcome::Dead { class, reason }
}

fn expired() -> JobError {
    JobError::new(JobErrorCode::DeadlineExceeded, "the job's time was up")
}

fn until(now: Timestamp, deadline: Timestamp) -> Duration {
    Duration::try_from(deadline.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// Publishes how far a step is. What gets lost is lost: the newest counts.
struct Report<'a, S> {
    worker: &'a Worker<S>,
    cause: &'a About,
    stop: CancellationToken,
    sent: AtomicU64,
}

#[async_trait]
impl<S: Step> Progress<S::Progress> for Report<'_, S> {
    async fn report(&self, progress: S::Progress) -> ControlFlow<()> {
        if self.stop.is_cancelled() {
            return ControlFlow::Break(());
        }
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let id = MessageId::derived(self.cause.id, S::Progress::EVENT_TYPE, number);
        let about = self.worker.about(self.cause, id);
        let published = match envelope::encode(&about, &progress) {
            Ok(message) => {
                self.worker.producer.publish(message).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = published {
            self.worker.metrics.progress_lost();
            tracing::debug!(job.id = %self.cause.job, error, "progress is lost");
        }
        if self.stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }
}
