use jiff::Timestamp;
use mercurious_contracts::{
    JobId,
    job::{Job, JobEvent, JobStatus},
    message::Stage,
    problem::Problem,
    request::TripRequest,
    trip::Trip,
};
use serde::{Deserialize, Serialize};

/// What the gateway knows of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// What it is known by.
    pub id: JobId,
    /// Where it is.
    pub status: JobStatus,
    /// How far it is, in hundredths; it never falls.
    pub progress: u8,
    /// What is being done.
    #[serde(default)]
    pub stage: Option<Stage>,
    /// How often the present step was begun.
    pub attempt: u32,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it fails unless it is finished.
    pub deadline: Timestamp,
    /// What is asked for.
    pub request: TripRequest,
    /// The W3C trace context of whoever asked.
    #[serde(default)]
    pub traceparent: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<Problem>,
    /// The days that were told already: a bit for each number.
    #[serde(default)]
    pub days_told: u64,
    /// The sequence of its newest event; the first has 1.
    pub last_event: u64,
    /// Goes up with each change.
    pub version: u64,
}

impl JobRecord {
    /// What people see of it.
    pub fn view(&self, trip: Option<Trip>) -> Job {
        Job {
            id: self.id,
            status: self.status,
            progress: self.progress,
            stage: self.stage,
            attempt: self.attempt,
            created_at: self.created_at,
            updated_at: self.updated_at,
            deadline: self.deadline,
            result: trip,
            error: self.error.clone(),
        }
    }
}

/// What a new job begins with.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What it is to be known by.
    pub id: JobId,
    /// What is asked for.
    pub request: TripRequest,
    /// When.
    pub now: Timestamp,
    /// When it fails unless it is finished.
    pub deadline: Timestamp,
    /// The W3C trace context of whoever asks.
    pub traceparent: Option<String>,
}

/// An event with its place in the job's sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its place, from 1.
    pub sequence: u64,
    /// What happened.
    pub event: JobEvent,
}
