//! A job's events as a stream (Server-Sent Events). Any replica can go on where another one stopped: the events
//! are in the store, numbered, and a client says which one it saw last.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, stream};
use mercurious_contracts::{JobId, problem::Problem};
use utoipa::ToSchema;

use super::{App, Fault, jobs::id, path::Named};
use crate::{job::StoredEvent, metrics::Metrics, service::Follow};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How many events are read at once.
const BATCH: usize = 64;
/// After how long a client should come back.
const RETRY: Duration = Duration::from_secs(1);
/// How long to wait before reading again what was told of and is not there.
const PAUSE: Duration = Duration::from_millis(100);

/// An event of the stream, field by field.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is written")]
pub(super) struct StreamEvent {
    /// Its number, from 1.
    id: Option<String>,
    /// What kind it is.
    event: Option<String>,
    /// A JobEvent as JSON.
    data: Option<String>,
}

/// How a job goes on: all its events, from the first or after the one seen last.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/events",
    tag = "jobs",
    params(
        ("id" = JobId, Path, description = "the job"),
        ("last-event-id" = Option<String>, Header, pattern = "^[0-9]{0,18}$", description = "the number of the event that was seen last"),
    ),
    responses(
        (status = 200, description = "the events; the data of each is a JobEvent, its id is its number; the last one is completed, failed or cancelled. A comment each 15 s keeps it alive", body = StreamEvent, content_type = "text/event-stream"),
        (status = 204, description = "the job has ended and everything was seen: do not come back"),
        (status = 400, description = "Last-Event-ID is no number", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "there is no such job", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn follow(
    State(app): State<App>,
    Named(job): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let job = id(&job, "job")?;
    let seen = last_seen(&headers)?;
    // Followed before it is looked at, so that nothing falls between.
    let follow = app.jobs.hub.follow(job);
    let record = app.jobs.store.job(job).await?.ok_or_else(|| Fault::not_found("job"))?;
    if record.status.is_terminal() && seen >= record.last_event {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let open = Open::new(&app).ok_or_else(|| Fault::unavailable("too many event streams"))?;
    // Nobody can have seen what has not happened.
    let reading = Reading {
        after: seen.min(record.last_event),
        app: app.clone(),
        job,
        follow,
        read: VecDeque::new(),
        phase: Phase::Begin,
        _open: open,
    };
    let keep_alive = KeepAlive::new().interval(app.settings.keep_alive);
    let mut response = Sse::new(events(reading)).keep_alive(keep_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that buffer would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn last_seen(headers: &HeaderMap) -> Result<u64, Fault> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(0) };
    let number = value.to_str().ok().map(str::trim).and_then(|text| match text {
        "" => Some(0),
        // As long as its description says, so that it is a number of 64 bits.
        text if text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()
        }
        _ => None,
    });
    number.ok_or_else(|| Fault::bad("bad_last_event_id", "Last-Event-ID is not a number"))
}

struct Reading {
    app: App,
    job: JobId,
    after: u64,
    follow: Follow,
    read: VecDeque<StoredEvent>,
    phase: Phase,
    _open: Open,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Begin,
    Going,
    Ended,
}

fn events(reading: Reading) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(reading, |mut reading| async move {
        let event = reading.next().await?;
        Some((Ok(event), reading))
    })
}

impl Reading {
    async fn next(&mut self) -> Option<Event> {
        match self.phase {
            Phase::Begin => {
                self.phase = Phase::Going;
                return Some(Event::default().retry(RETRY));
            }
            Phase::Ended => return None,
            Phase::Going => {}
        }
        if self.read.is_empty() {
            self.fill().await?;
        }
        let StoredEvent { sequence, event } = self.read.pop_front()?;
        self.after = sequence;
        if event.is_terminal() {
            self.phase = Phase::Ended;
        }
        let told = Event::default().id(sequence.to_string()).event(event.name());
        match told.json_data(&event) {
            Ok(told) => Some(told),
            Err(error) => {
                tracing::error!(error = %error, job.id = %self.job, "an event cannot be written");
                None
            }
        }
    }

    /// Reads what comes next, and waits until there is something. None ends the stream: the client comes back,
    /// here or to another replica, and says where it was.
    async fn fill(&mut self) -> Option<()> {
        let mut waited = false;
        loop {
            match self.app.jobs.store.events(self.job, self.after, BATCH).await {
                Ok(events) if !events.is_empty() => {
                    self.read.extend(events);
                    return Some(());
                }
                Ok(_) if waited => tokio::time::sleep(PAUSE).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "an event stream ends: the store does not answer");
                    return None;
                }
            }
            tokio::select! {
                () = self.follow.beyond(self.after) => waited = true,
                () = self.app.readiness.stopping.cancelled() => return None,
            }
        }
    }
}

/// One open stream.
pub(super) struct Open {
    streams: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Open {
    pub(super) fn new(app: &App) -> Option<Self> {
        let most = app.settings.streams;
        let open = |open: usize| (open < most).then_some(open + 1);
        app.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, open).ok()?;
        app.metrics.streams.inc();
        Some(Self { streams: Arc::clone(&app.streams), metrics: Arc::clone(&app.metrics) })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
        self.metrics.streams.dec();
    }
}
