//! A request's life, as people see it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    JobId,
    message::Stage,
    problem::Problem,
    trip::{Trip, TripDay},
};

/// Where a job is. It only ever goes on, and ends once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Accepted.
    Queued,
    /// Facts are being gathered.
    Enriching,
    /// The itinerary is being made.
    Generating,
    /// There is a trip.
    Completed,
    /// There will be none.
    Failed,
    /// It was not wanted any more.
    Cancelled,
}

impl JobStatus {
    /// Whether nothing more will happen.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// How it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Enriching => "enriching",
            Self::Generating => "generating",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The answer to a request: it is durable, and will be worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Accepted {
    /// What the job is known by.
    pub job_id: JobId,
    /// Where to ask how it is.
    pub status_url: String,
    /// Where to listen how it goes.
    pub events_url: String,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Job {
    /// What it is known by.
    pub id: JobId,
    /// Where it is.
    pub status: JobStatus,
    /// How far it is, in hundredths.
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 100))]
    pub progress: u8,
    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// How often the present step was begun.
    pub attempt: u32,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it fails unless it is finished.
    pub deadline: Timestamp,
    /// The trip, once completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Trip>,
    /// Why there is none, once failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// One event of a job. On the stream, `event:` is [`JobEvent::name`], `id:` the sequence, `data:` this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum JobEvent {
    /// It goes on.
    Progress {
        /// Where the job is.
        status: JobStatus,
        /// How far it is, in hundredths.
        progress: u8,
        /// What is being done.
        stage: Stage,
        /// A sentence.
        message: String,
    },
    /// A day is finished.
    Day {
        /// The day.
        day: Box<TripDay>,
    },
    /// The trip is ready.
    Completed {
        /// Where it is.
        trip_url: String,
    },
    /// There will be no trip.
    Failed {
        /// Why.
        error: Problem,
    },
    /// It was not wanted any more.
    Cancelled,
}

impl JobEvent {
    /// The event's name on the stream.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Progress { .. } => "progress",
            Self::Day { .. } => "day",
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_terminal(&self) -> bool {
        !matches!(self, Self::Progress { .. } | Self::Day { .. })
    }
}
