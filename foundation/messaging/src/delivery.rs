//! One message from the moment it is begun to the moment it may be committed.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use mercurious_runtime::{CancellationToken, Clock};
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use crate::{
    Dedup, Handler, Incoming, Outcome, Outgoing, Producer, RetryPolicy, Route, TraceContext,
    header,
    retry::{self, Next},
    status::{Count, Status},
};

/// Waits between tries of what must work before anything else can: the store and the broker.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often [`Handler::given_up`] is tried before the message goes to the dead letters all the same.
const GIVING_UP: u32 = 5;

/// What all deliveries of a consumer share.
pub(crate) struct Shared {
    pub(crate) group: String,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) dedup: Arc<dyn Dedup>,
    pub(crate) producer: Arc<dyn Producer>,
    pub(crate) policy: RetryPolicy,
    pub(crate) handler_timeout: Duration,
    /// As many permits as messages may be handled at the same time; waiting needs none.
    pub(crate) room: Semaphore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) status: Status,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It may be committed.
    Finished,
    /// It was not handled, and is somebody else's now.
    Abandoned,
}

impl Shared {
    /// Handles `message` until it has taken effect, waits elsewhere or is dead. `quit` ends waiting, not handling.
    pub(crate) async fn deliver(
        &self,
        message: &Incoming,
        route: &Route,
        quit: &CancellationToken,
    ) -> End {
        let id = message.headers.text(header::MESSAGE_ID).unwrap_or_default();
        let trace = TraceContext::of(&message.headers).map(|trace| trace.trace_id());
        let span = tracing::info_span!(
            "message",
            message.position = %message.position,
            message.id = id,
            message.key = message.key_text().unwrap_or_default(),
            trace.id = trace.as_deref().unwrap_or_default(),
        );
        async {
            match quit.run_until_cancelled(self.begin(message, route, id)).await {
                Some(Begin::Finished) => return End::Finished,
                Some(Begin::Handle) => {}
                None => return End::Abandoned,
            }
            let Some(_permit) = quit.run_until_cancelled(self.room.acquire()).await else {
                return End::Abandoned;
            };
            self.handle(message, route, id, quit).await
        }
        .instrument(span)
        .await
    }

    /// Waits until it may be tried, and finds out whether it was handled before.
    async fn begin(&self, message: &Incoming, route: &Route, id: &str) -> Begin {
        if message.position.topic == route.retry {
            let group = message.headers.text(header::RETRY_GROUP);
            if group.is_some_and(|group| group != self.group) {
                self.status.count(Count::Foreign);
                return Begin::Finished;
            }
            if let Some(not_before) = message.headers.moment(header::NOT_BEFORE) {
                let wait = not_before.duration_since(self.clock.now());
                // No clock is so wrong that a message should wait for ever.
                let longest = self.policy.longest.mul_f64(1.2);
                let wait = Duration::try_from(wait).unwrap_or_default().min(longest);
                tokio::time::sleep(wait).await;
            }
        }
        if !id.is_empty() {
            let mut wait = FIRST_WAIT;
            loop {
                match self.dedup.seen(&self.group, id).await {
                    Ok(false) => break,
                    Ok(true) => {
                        tracing::debug!("message was handled before");
                        self.status.count(Count::Duplicate);
                        return Begin::Finished;
                    }
                    Err(error) => self.stall(&error, &mut wait).await,
                }
            }
        }
        Begin::Handle
    }

    async fn handle(
        &self,
        message: &Incoming,
        route: &Route,
        id: &str,
        quit: &CancellationToken,
    ) -> End {
        let mut wait = FIRST_WAIT;
        let outcome = loop {
            match self.tried(message).await {
                Outcome::Later(reason) => {
                    if quit.run_until_cancelled(self.stall(&reason, &mut wait)).await.is_none() {
                        return End::Abandoned;
                    }
                }
                outcome => break outcome,
            }
        };
        // From here on, what was done is written down, unless that is impossible and time is up.
        let done = async {
            match outcome {
                Outcome::Done | Outcome::Later(_) => {
                    self.record(id).await;
                    self.status.count(Count::Handled);
                }
                Outcome::Retry(reason) => {
                    let at = (self.clock.now(), fastrand::f64());
                    let next = retry::after_failure(
                        message,
                        route,
                        &self.group,
                        &reason,
                        &self.policy,
                        at,
                    );
                    self.go_on(message, route, id, next).await;
                }
                Outcome::Dead { class, reason } => {
                    let next = retry::dead(message, route, class, &reason);
                    self.go_on(message, route, id, next).await;
                }
            }
        };
        match quit_late(quit, done).await {
            Some(()) => End::Finished,
            None => End::Abandoned,
        }
    }

    /// One try: a panic or a time-out is a failure like another.
    async fn tried(&self, message: &Incoming) -> Outcome {
        let handled = AssertUnwindSafe(self.handler.handle(message)).catch_unwind();
        match tokio::time::timeout(self.handler_timeout, handled).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => {
                let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
                let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
                let said = said.unwrap_or_default();
                tracing::error!(panic = said, "the handler panicked");
                Outcome::Retry(format!("the handler panicked: {said}"))
            }
            Err(_) => Outcome::Retry(format!("not handled within {:?}", self.handler_timeout)),
        }
    }

    async fn go_on(&self, message: &Incoming, route: &Route, id: &str, next: Next) {
        match next {
            Next::Retry(outgoing) => {
                tracing::info!(
                    message.attempt = retry::attempt(message),
                    reason = outgoing.headers.text(header::ERROR_REASON).unwrap_or_default(),
                    "message is tried again later"
                );
                self.publish(outgoing).await;
                self.status.count(Count::Retried);
            }
            Next::Dead { message: outgoing, class, reason } => {
                tracing::warn!(
                    error.class = class,
                    reason,
                    topic = route.dead_letters,
                    "message goes to the dead letters"
                );
                let mut wait = FIRST_WAIT;
                for _ in 0..GIVING_UP {
                    match self.handler.given_up(message, &class, &reason).await {
                        Ok(()) => break,
                        Err(error) => self.stall(&error, &mut wait).await,
                    }
                }
                self.publish(outgoing).await;
                self.record(id).await;
                self.status.count(Count::Dead);
            }
        }
    }

    /// Publishes for as long as it takes; what the broker refuses for good is logged as lost.
    async fn publish(&self, outgoing: Outgoing) {
        let mut wait = FIRST_WAIT;
        loop {
            match self.producer.publish(outgoing.clone()).await {
                Ok(()) => return,
                Err(error) if error.is_retryable() => self.stall(&error, &mut wait).await,
                Err(error) => {
                    tracing::error!(
                        error = %error,
                        "message is dropped: the broker does not take it where it should go"
                    );
                    return;
                }
            }
        }
    }

    async fn record(&self, id: &str) {
        if id.is_empty() {
            return;
        }
        let mut wait = FIRST_WAIT;
        while let Err(error) = self.dedup.record(&self.group, id).await {
            self.stall(&error, &mut wait).await;
        }
    }

    async fn stall(&self, reason: &(impl std::fmt::Display + ?Sized), wait: &mut Duration) {
        tracing::warn!(reason = %reason, "something needed does not answer; waiting");
        self.status.count(Count::Stalled);
        tokio::time::sleep(*wait).await;
        *wait = wait.saturating_mul(2).min(LONGEST_WAIT);
    }
}

enum Begin {
    Handle,
    Finished,
}

/// Runs `work` to its end; gives up only when it is still waiting a while after `quit`.
async fn quit_late<T>(quit: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = async { quit.cancelled().await; tokio::time::sleep(Duration::from_secs(2)).await } => None,
    }
}
