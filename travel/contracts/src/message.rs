//! Each message that there is. The topic, the event type and the version of each stand in its [`Message`].

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    facts::{Candidate, Facts},
    problem::FieldError,
    request::TripRequest,
    topic,
    trip::{Itinerary, TripDay},
};

/// What can be sent.
pub trait Message: Serialize + DeserializeOwned + Send {
    /// Its topic.
    const TOPIC: &'static str;
    /// The header `event-type`, and what the schema is called.
    const EVENT_TYPE: &'static str;
    /// The newest version of its schema that this program reads, and the one that it writes.
    const VERSION: u32 = 1;
}

/// Facts are wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EnrichmentRequest {
    /// What the person asked for.
    pub request: TripRequest,
}

impl Message for EnrichmentRequest {
    const TOPIC: &'static str = topic::ENRICHMENT_REQUEST;
    const EVENT_TYPE: &'static str = "travel.enrichment.request";
}

/// How far enrichment is. It may be lost; the newest counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EnrichmentProgress {
    /// How far this step is, in hundredths.
    pub percent: u8,
    /// What is being done.
    pub stage: Stage,
    /// A sentence.
    pub message: String,
}

impl Message for EnrichmentProgress {
    const TOPIC: &'static str = topic::ENRICHMENT_PROGRESS;
    const EVENT_TYPE: &'static str = "travel.enrichment.progress";
}

/// Enrichment is at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum EnrichmentCompleted {
    /// Here they are.
    Ok {
        /// The facts.
        facts: Box<Facts>,
    },
    /// There are none, and trying again would not help.
    Error {
        /// Why.
        error: JobError,
    },
}

impl Message for EnrichmentCompleted {
    const TOPIC: &'static str = topic::ENRICHMENT_COMPLETED;
    const EVENT_TYPE: &'static str = "travel.enrichment.completed";
}

/// An itinerary is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GenerationRequest {
    /// What the person asked for.
    pub request: TripRequest,
    /// What enrichment found out.
    pub facts: Box<Facts>,
}

impl Message for GenerationRequest {
    const TOPIC: &'static str = topic::GENERATION_REQUEST;
    const EVENT_TYPE: &'static str = "travel.generation.request";
}

/// How far generation is. It may be lost; the newest counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GenerationProgress {
    /// How far this step is, in hundredths.
    pub percent: u8,
    /// What is being done.
    pub stage: Stage,
    /// A sentence.
    pub message: String,
    /// A day that is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Box<TripDay>>,
}

impl Message for GenerationProgress {
    const TOPIC: &'static str = topic::GENERATION_PROGRESS;
    const EVENT_TYPE: &'static str = "travel.generation.progress";
}

/// Generation is at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum GenerationCompleted {
    /// Here it is.
    Ok {
        /// The itinerary.
        itinerary: Box<Itinerary>,
    },
    /// There is none, and trying again would not help.
    Error {
        /// Why.
        error: JobError,
    },
}

impl Message for GenerationCompleted {
    const TOPIC: &'static str = topic::GENERATION_COMPLETED;
    const EVENT_TYPE: &'static str = "travel.generation.completed";
}

/// The job is not wanted any more: whoever works on it may stop. Its key is the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobCancelled {
    /// Why, for people.
    pub reason: String,
}

impl Message for JobCancelled {
    const TOPIC: &'static str = topic::JOB_CANCELLED;
    const EVENT_TYPE: &'static str = "travel.job.cancelled";
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The job waits.
    Queued,
    /// Names become places.
    Destination,
    /// Countries, currencies, holidays, time zones.
    Country,
    /// Candidates are found.
    Places,
    /// The weather is looked up.
    Weather,
    /// The plan is made.
    Planning,
    /// The plan is judged.
    Validating,
    /// Texts are written.
    Writing,
    /// A step of a newer version.
    #[serde(other)]
    Other,
}

/// Why a step came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobError {
    /// For programs.
    pub code: JobErrorCode,
    /// What happened and what to do.
    pub message: String,
    /// Every wrong field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Which places an ambiguous name may mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
}

impl JobError {
    /// An error with nothing but its code and words.
    pub fn new(code: JobErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), errors: Vec::new(), candidates: Vec::new() }
    }
}

/// The kinds of [`JobError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobErrorCode {
    /// No place has that name.
    UnknownDestination,
    /// Several places have that name.
    AmbiguousDestination,
    /// The request has faults that only facts show.
    InvalidRequest,
    /// No plan can be made from the facts.
    NoPlan,
    /// Something that is needed did not answer, however often it was tried.
    DependencyUnavailable,
    /// The time was up.
    DeadlineExceeded,
    /// It was cancelled.
    Cancelled,
    /// A fault of ours, or of a newer version.
    #[serde(other)]
    Internal,
}

impl JobErrorCode {
    /// How it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownDestination => "unknown_destination",
            Self::AmbiguousDestination => "ambiguous_destination",
            Self::InvalidRequest => "invalid_request",
            Self::NoPlan => "no_plan",
            Self::DependencyUnavailable => "dependency_unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}
