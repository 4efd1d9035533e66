use std::sync::Arc;

use async_trait::async_trait;
use mercurious_contracts::{
    JobId,
    envelope::{DecodeError, Envelope, decode},
    message::{
        EnrichmentCompleted, EnrichmentProgress, GenerationCompleted, GenerationProgress, JobError,
        JobErrorCode,
    },
    topic,
};
use mercurious_messaging::{Handler, Incoming, Outcome, StoreError, header};

use super::Jobs;
use crate::job::{Input, Step};

/// Hands what workers say to the jobs.
///
/// Handling a message twice changes nothing, because a job takes nothing twice: no record of messages is needed.
#[derive(Debug)]
pub struct Intake(pub Arc<Jobs>);

/// The topics that a gateway reads.
const TOPICS: [&str; 4] = [
    topic::ENRICHMENT_PROGRESS,
    topic::ENRICHMENT_COMPLETED,
    topic::GENERATION_PROGRESS,
    topic::GENERATION_COMPLETED,
];

impl Intake {
    /// The topics that a gateway reads.
    pub fn topics() -> &'static [&'static str] {
        &TOPICS
    }
}

#[async_trait]
impl Handler for Intake {
    async fn handle(&self, message: &Incoming) -> Outcome {
        let (job, input) = match read(message) {
            Ok(read) => read,
            Err(error) => {
                self.0.metrics.ignore(error.class());
                return Outcome::Dead { class: error.class(), reason: chain(&error) };
            }
        };
        match self.0.apply(job, input).await {
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::Later(error.to_string()),
        }
    }

    async fn given_up(
        &self,
        message: &Incoming,
        class: &str,
        _reason: &str,
    ) -> Result<(), StoreError> {
        // An answer that nobody can read is an answer that will never come: the job must not wait for it.
        let step = match original_topic(message) {
            topic::ENRICHMENT_COMPLETED => Step::Enrichment,
            topic::GENERATION_COMPLETED => Step::Generation,
            _ => return Ok(()),
        };
        let Some(job) = message.key_text().and_then(|key| key.parse().ok()) else { return Ok(()) };
        let error = JobError::new(
            JobErrorCode::Internal,
            format!("the answer of {} could not be read ({class})", worker(step)),
        );
        self.0.apply(job, Input::Failed(step, error)).await?;
        Ok(())
    }
}

fn worker(step: Step) -> &'static str {
    match step {
        Step::Enrichment => "api-enrichment",
        Step::Generation => "api-generation",
    }
}

/// The topic that a message stood in first.
fn original_topic(message: &Incoming) -> &str {
    message.headers.text(header::ORIGINAL_TOPIC).unwrap_or(&message.position.topic)
}

fn read(message: &Incoming) -> Result<(JobId, Input), DecodeError> {
    match original_topic(message) {
        topic::ENRICHMENT_PROGRESS => {
            let Envelope { about, attempt, data, .. } = decode::<EnrichmentProgress>(message)?;
            let EnrichmentProgress { percent, stage, message } = data;
            let step = Step::Enrichment;
            Ok((about.job, Input::Progress { step, percent, stage, message, day: None, attempt }))
        }
        topic::GENERATION_PROGRESS => {
            let Envelope { about, attempt, data, .. } = decode::<GenerationProgress>(message)?;
            let GenerationProgress { percent, stage, message, day } = data;
            let step = Step::Generation;
            Ok((about.job, Input::Progress { step, percent, stage, message, day, attempt }))
        }
        topic::ENRICHMENT_COMPLETED => {
            let Envelope { about, data, .. } = decode::<EnrichmentCompleted>(message)?;
            Ok(match data {
                EnrichmentCompleted::Ok { facts } => (about.job, Input::Facts(facts)),
                EnrichmentCompleted::Error { error } => {
                    (about.job, Input::Failed(Step::Enrichment, error))
                }
            })
        }
        _ => {
            let Envelope { about, data, .. } = decode::<GenerationCompleted>(message)?;
            Ok(match data {
                GenerationCompleted::Ok { itinerary } => (about.job, Input::Itinerary(itinerary)),
                GenerationCompleted::Error { error } => {
                    (about.job, Input::Failed(Step::Generation, error))
                }
            })
        }
    }
}

/// An error with what led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
