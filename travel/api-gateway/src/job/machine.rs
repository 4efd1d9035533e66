use jiff::Timestamp;
use mercurious_contracts::{
    MessageId,
    envelope::{About, EncodeError, encode},
    facts::Facts,
    job::{JobEvent, JobStatus},
    message::{
        EnrichmentRequest, GenerationRequest, JobCancelled, JobError, JobErrorCode, Message, Stage,
    },
    problem::Problem,
    trip::{Itinerary, Trip, TripDay},
};
use mercurious_messaging::Outgoing;

use super::{Change, JobRecord, NewJob};

/// Who sends the gateway's messages.
const SOURCE: &str = "api-gateway";
/// How far a job is when its facts are there.
const FACTS_ARE: u8 = 40;
/// How far a job is at most before its end.
const NEARLY: u8 = 99;

/// The two steps that others work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Facts are gathered.
    Enrichment,
    /// The itinerary is made.
    Generation,
}

/// What happens to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A step goes on.
    Progress {
        /// Which.
        step: Step,
        /// How far it is, in hundredths.
        percent: u8,
        /// What is being done.
        stage: Stage,
        /// A sentence.
        message: String,
        /// A day that is finished.
        day: Option<Box<TripDay>>,
        /// How often the step was begun.
        attempt: u32,
    },
    /// The facts are there.
    Facts(Box<Facts>),
    /// The itinerary is there.
    Itinerary(Box<Itinerary>),
    /// A step came to nothing.
    Failed(Step, JobError),
    /// It is not wanted any more.
    Cancel {
        /// Why, for people.
        reason: String,
    },
    /// Somebody thinks that its time is up.
    Overdue,
}

/// What an input leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// This is to be stored.
    Change(Box<Change>),
    /// Nothing.
    Ignored(Ignored),
}

/// Why an input changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// The job is finished, or past that step.
    Late,
    /// It says nothing that is not known.
    Duplicate,
    /// The job has not come to that step.
    Early,
}

impl Ignored {
    /// The word for it in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Early => "early",
        }
    }
}

/// A new job, with its first event and the request for facts.
///
/// # Errors
/// When the request is too large for a message.
pub fn accept(new: NewJob) -> Result<Change, EncodeError> {
    let mut change = Change::of(JobRecord {
        id: new.id,
        status: JobStatus::Queued,
        progress: 0,
        stage: Some(Stage::Queued),
        attempt: 1,
        created_at: new.now,
        updated_at: new.now,
        deadline: new.deadline,
        request: new.request,
        traceparent: new.traceparent,
        error: None,
        days_told: 0,
        last_event: 0,
        version: 1,
    });
    let request = EnrichmentRequest { request: change.job.request.clone() };
    change.outbox.push(message(&change.job, &request, new.now)?);
    change.tell(JobEvent::Progress {
        status: JobStatus::Queued,
        progress: 0,
        stage: Stage::Queued,
        message: "accepted".to_owned(),
    });
    Ok(change)
}

/// What `input` does to `job` at `now`.
pub fn apply(job: &JobRecord, input: Input, now: Timestamp) -> Verdict {
    if job.status.is_terminal() {
        return Verdict::Ignored(Ignored::Late);
    }
    let mut change = Change::of(job.clone());
    let ignored = match input {
        Input::Progress { step, percent, stage, message, day, attempt } => {
            let told = Told { percent, stage, message, attempt };
            progress(&mut change, step, told, day)
        }
        Input::Facts(facts) => found(&mut change, facts, now),
        Input::Itinerary(itinerary) => made(&mut change, itinerary, now),
        Input::Failed(step, error) => {
            if let Some(ignored) = place(job.status, step) {
                Some(ignored)
            } else {
                fail(&mut change, &error);
                None
            }
        }
        Input::Cancel { reason } => {
            change.job.status = JobStatus::Cancelled;
            change.job.stage = None;
            stop_workers(&mut change, reason, now);
            change.tell(JobEvent::Cancelled);
            None
        }
        Input::Overdue if now < job.deadline => Some(Ignored::Early),
        Input::Overdue => {
            let message = "it was not finished in time; ask again";
            stop_workers(&mut change, "its time is up".to_owned(), now);
            fail(&mut change, &JobError::new(JobErrorCode::DeadlineExceeded, message));
            None
        }
    };
    if let Some(ignored) = ignored {
        return Verdict::Ignored(ignored);
    }
    change.job.version += 1;
    change.job.updated_at = now.max(job.updated_at);
    Verdict::Change(Box::new(change))
}

/// Why something of `step` is not taken by a job at `status`.
fn place(status: JobStatus, step: Step) -> Option<Ignored> {
    match (step, status) {
        (Step::Enrichment, JobStatus::Queued | JobStatus::Enriching)
        | (Step::Generation, JobStatus::Generating) => None,
        (Step::Generation, JobStatus::Queued | JobStatus::Enriching) => Some(Ignored::Early),
        _ => Some(Ignored::Late),
    }
}

/// How far a step says that it is.
struct Told {
    percent: u8,
    stage: Stage,
    message: String,
    attempt: u32,
}

fn progress(
    change: &mut Change,
    step: Step,
    told: Told,
    day: Option<Box<TripDay>>,
) -> Option<Ignored> {
    if let Some(ignored) = place(change.job.status, step) {
        return Some(ignored);
    }
    let percent = u32::from(told.percent.min(100));
    let (begin, end, status) = match step {
        Step::Enrichment => (0, u32::from(FACTS_ARE), JobStatus::Enriching),
        Step::Generation => (u32::from(FACTS_ARE), u32::from(NEARLY), JobStatus::Generating),
    };
    let whole = (begin + (end - begin) * percent / 100) as u8;
    let begun = change.job.status < status;
    let new_day = day.filter(|day| tell_day(&mut change.job, day.number));
    let further = whole > change.job.progress || told.attempt > change.job.attempt;
    if !begun && !further && new_day.is_none() {
        return Some(Ignored::Duplicate);
    }
    change.job.status = status;
    change.job.attempt = change.job.attempt.max(told.attempt);
    if begun || further {
        change.job.progress = change.job.progress.max(whole);
        change.job.stage = Some(told.stage);
        change.tell(JobEvent::Progress {
            status,
            progress: change.job.progress,
            stage: told.stage,
            message: told.message,
        });
    }
    if let Some(day) = new_day {
        change.tell(JobEvent::Day { day });
    }
    None
}

/// Whether a day was not told before; now it is.
fn tell_day(job: &mut JobRecord, number: u32) -> bool {
    let Some(bit) = 1_u64.checked_shl(number).filter(|_| number > 0) else { return false };
    let new = job.days_told & bit == 0;
    job.days_told |= bit;
    new
}

fn found(change: &mut Change, facts: Box<Facts>, now: Timestamp) -> Option<Ignored> {
    if let Some(ignored) = place(change.job.status, Step::Enrichment) {
        return Some(ignored);
    }
    let request = GenerationRequest { request: change.job.request.clone(), facts };
    match message(&change.job, &request, now) {
        Ok(message) => change.outbox.push(message),
        Err(error) => {
            let message = format!("the facts cannot be passed on: {error}");
            fail(change, &JobError::new(JobErrorCode::Internal, message));
            return None;
        }
    }
    change.facts = Some(request.facts);
    change.job.status = JobStatus::Generating;
    change.job.stage = Some(Stage::Planning);
    change.job.attempt = 1;
    change.job.progress = change.job.progress.max(FACTS_ARE);
    change.tell(JobEvent::Progress {
        status: JobStatus::Generating,
        progress: change.job.progress,
        stage: Stage::Planning,
        message: "the facts are there".to_owned(),
    });
    None
}

fn made(change: &mut Change, itinerary: Box<Itinerary>, now: Timestamp) -> Option<Ignored> {
    if let Some(ignored) = place(change.job.status, Step::Generation) {
        return Some(ignored);
    }
    // Days whose progress was lost, or is still on its way, are told before the end.
    for day in &itinerary.days {
        if tell_day(&mut change.job, day.number) {
            change.tell(JobEvent::Day { day: Box::new(day.clone()) });
        }
    }
    let id = change.job.id;
    change.trip = Some(Box::new(Trip { id, created_at: now, itinerary: *itinerary }));
    change.job.status = JobStatus::Completed;
    change.job.stage = None;
    change.job.progress = 100;
    change.tell(JobEvent::Completed { trip_url: format!("/v1/trips/{id}") });
    None
}

fn fail(change: &mut Change, error: &JobError) {
    let problem = problem(error);
    change.job.status = JobStatus::Failed;
    change.job.stage = None;
    change.job.error = Some(problem.clone());
    change.tell(JobEvent::Failed { error: problem });
}

fn stop_workers(change: &mut Change, reason: String, now: Timestamp) {
    // A reason of a few words is never too large; and who misses it only works for nothing.
    if let Ok(message) = message(&change.job, &JobCancelled { reason }, now) {
        change.outbox.push(message);
    }
}

/// A message of the job. A job sends each kind once, so its id follows from both.
fn message<M: Message>(job: &JobRecord, data: &M, now: Timestamp) -> Result<Outgoing, EncodeError> {
    let about = About {
        job: job.id,
        id: MessageId::first(job.id, M::EVENT_TYPE),
        caused_by: None,
        source: SOURCE.to_owned(),
        at: now,
        deadline: Some(job.deadline),
        traceparent: job.traceparent.clone(),
    };
    encode(&about, data)
}

/// The error as people see it.
fn problem(error: &JobError) -> Problem {
    let (status, title) = match error.code {
        JobErrorCode::UnknownDestination
        | JobErrorCode::AmbiguousDestination
        | JobErrorCode::InvalidRequest
        | JobErrorCode::NoPlan => (422, "Unprocessable Content"),
        JobErrorCode::DependencyUnavailable => (503, "Service Unavailable"),
        JobErrorCode::DeadlineExceeded => (504, "Gateway Timeout"),
        JobErrorCode::Cancelled => (409, "Conflict"),
        JobErrorCode::Internal => (500, "Internal Server Error"),
    };
    Problem {
        errors: error.errors.clone(),
        candidates: error.candidates.clone(),
        ..Problem::new(status, title, error.code.as_str(), error.message.clone())
    }
}
