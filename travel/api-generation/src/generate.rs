//! From facts to an itinerary: plan, judge, tell, describe.
//!
//! **Guarantees.** What is returned keeps every rule of the validator. The same request, facts and seed give the same
//! bytes, where no model writes. Cancelling is noticed between steps and within the search.

use std::{ops::ControlFlow, sync::Arc};

use mercurious_contracts::{
    JobId, Language,
    facts::Facts,
    message::{GenerationProgress, JobError, JobErrorCode, Stage},
    request::TripRequest,
    trip::{Itinerary, Warning},
};
use mercurious_itinerary::{
    orienteering::Settings,
    planner::{self, Plan, Request},
    validator,
};
use mercurious_planning::{
    problem::Problem,
    tell::Teller,
    writer::{self, Phrases},
};
use mercurious_runtime::CancellationToken;
use mercurious_worker::Progress;
use sha2::{Digest as _, Sha256};

use crate::model::{ModelWriter, Outcome};

/// Makes itineraries.
#[derive(Debug, Clone)]
pub struct Generator {
    /// Writes texts, where it is set up.
    pub model: Option<Arc<ModelWriter>>,
    /// How hard to search; see [`Settings::effort`].
    pub effort: u64,
}

impl Default for Generator {
    fn default() -> Self {
        Self { model: None, effort: Settings::EFFORT }
    }
}

/// The seed of a job that asks for none.
pub fn seed_of(job: JobId) -> u64 {
    let hash = Sha256::digest(job.to_string().as_bytes());
    // Every reader of JSON takes 53 bits exactly.
    hash.iter().take(8).fold(0_u64, |seed, byte| seed << 8 | u64::from(*byte)) >> 11
}

impl Generator {
    /// The itinerary for `request` from `facts`; `seed` is for requests that name none.
    pub async fn generate(
        &self,
        request: &TripRequest,
        facts: &Facts,
        seed: u64,
        progress: &dyn Progress<GenerationProgress>,
    ) -> Result<Itinerary, JobError> {
        let report = async |percent, stage, message: &str, day| {
            let message = message.to_owned();
            match progress.report(GenerationProgress { percent, stage, message, day }).await {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(cancelled()),
            }
        };
        report(5, Stage::Planning, "looking for the best days", None).await?;
        let problem = Arc::new(Problem::new(request, facts)?);
        let request_seed = request.seed.unwrap_or(seed);
        let plan = self.plan(&problem, request_seed, progress.stopping()).await?;
        report(60, Stage::Validating, "checking every rule", None).await?;
        let violations = validator::validate(&problem.trip, &plan.itinerary);
        if let Some(first) = violations.first() {
            tracing::error!(violations = violations.len(), rule = ?first.rule, "the plan breaks a rule");
            let message = format!("the plan breaks {} rules: {}", violations.len(), first.message);
            return Err(JobError::new(JobErrorCode::Internal, message));
        }
        report(70, Stage::Writing, "describing the days", None).await?;
        let phrases = Phrases::of(request.language.as_str());
        let teller = Teller::new(request, facts, &problem, phrases);
        let written = Language::new(phrases.language).unwrap_or_else(|_| request.language.clone());
        // `pt-BR` is served by Portuguese, and stays what was asked for.
        let served = request.language.as_str().split('-').next() == Some(phrases.language);
        let language = if served { request.language.clone() } else { written };
        let mut itinerary = teller.itinerary(&plan.itinerary, language);
        self.describe(&mut itinerary, request, phrases).await;
        for (number, day) in itinerary.days.iter().enumerate() {
            let percent = 80 + (19 * (number + 1) / itinerary.days.len()) as u8;
            let message = format!("day {} of {}", day.number, itinerary.days.len());
            report(percent, Stage::Writing, &message, Some(Box::new(day.clone()))).await?;
        }
        Ok(itinerary)
    }

    async fn plan(
        &self,
        problem: &Arc<Problem>,
        seed: u64,
        stopping: CancellationToken,
    ) -> Result<Plan, JobError> {
        let (problem, request) = (Arc::clone(problem), Request { seed, effort: self.effort });
        let stop = stopping.clone();
        // The search takes the processor for itself.
        let planned = tokio::task::spawn_blocking(move || {
            planner::plan(&problem.trip, &request, &mut |_| {
                if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
        let planned = planned
            .await
            .map_err(|_| JobError::new(JobErrorCode::Internal, "the planner ended unexpectedly"))?;
        if stopping.is_cancelled() {
            return Err(cancelled());
        }
        planned.map_err(|error| JobError::new(JobErrorCode::NoPlan, error.to_string()))
    }

    /// Titles and texts: the model's where they may stand, else those of the templates.
    async fn describe(&self, itinerary: &mut Itinerary, request: &TripRequest, phrases: &Phrases) {
        if let Some(model) = &self.model {
            let language = request.language.as_str();
            match model.write(itinerary, language).await {
                Outcome::Written(texts) => {
                    itinerary.language = request.language.clone();
                    itinerary.warnings.retain(|warning| warning.code != "language_not_available");
                    texts.put(itinerary, model.model());
                    return;
                }
                Outcome::Not(code, message) => {
                    itinerary.warnings.push(Warning { code: code.to_owned(), message });
                }
            }
        }
        writer::write(itinerary, phrases).put(itinerary, "template");
    }
}

fn cancelled() -> JobError {
    JobError::new(JobErrorCode::Cancelled, "the job was cancelled")
}
