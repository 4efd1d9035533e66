//! One day of a trip, planned anew.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use mercurious_contracts::{
    JobId,
    job::JobStatus,
    problem::{FieldCode, FieldError, Problem},
    trip::Trip,
};
use mercurious_planning::again::{AgainError, Settings};

use super::{
    App, Fault,
    jobs::id,
    path::Named,
    trips::{if_match, save},
};
use crate::service::PlanDayError;

/// Plans one day anew. What is locked or agreed on stays, other days stay, and their places are not used again.
#[utoipa::path(
    post,
    path = "/v1/trips/{id}/days/{day}/regenerate",
    tag = "trips",
    params(
        ("id" = JobId, Path, description = "the trip"),
        ("day" = u32, Path, minimum = 1, description = "the day's number, from 1"),
        ("if-match" = String, Header, description = "the version that is to be changed: its ETag, or *"),
    ),
    responses(
        (status = 200, description = "the trip afterwards", body = Trip, headers(("etag" = String, description = "its version"))),
        (status = 404, description = "there is no such trip, or it has no such day", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "not_completed: the job has no trip yet; no_trip: it ended without one; nothing_to_change: nothing else fits beside what is locked; locked_apart: what is locked does not go together, each such slot is named; facts_gone: what the trip was made from is not kept any more; cannot_be_planned: what the day holds makes no trip", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "the trip has changed since", body = Problem, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn regenerate(
    State(app): State<App>,
    Named((trip, day)): Named<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let trip = id(&trip, "trip")?;
    let store = &app.jobs.store;
    let job = store.job(trip).await?;
    let Some(stored) = store.trip(trip).await? else {
        return Err(no_trip(job.map(|job| job.status)));
    };
    let days = stored.trip.itinerary.days.len();
    let number = day.parse::<usize>().ok().filter(|number| (1..=days).contains(number));
    let no_day = || Fault::not_found(&format!("day; the trip has {days}"));
    let number = number.ok_or_else(no_day)? - 1;
    if_match(&headers, &stored)?;
    let (Some(job), Some(facts)) = (job, store.facts(trip).await?) else {
        let detail = "what the trip was made from is not kept any more; ask for a new trip";
        return Err(conflict("facts_gone", detail));
    };
    let mut changed = stored.trip.clone();
    let seed = seed(changed.itinerary.seed, stored.version);
    let settings = Settings { seed, ..Settings::default() };
    let planned = app.planner.plan(job.request, facts, changed.itinerary, number, settings).await;
    changed.itinerary = planned.map_err(|error| fault(trip, number, error))?;
    save(&app, &stored, changed).await
}

/// Another one for each version.
fn seed(trip: u64, version: u64) -> u64 {
    trip.wrapping_add(version)
}

fn conflict(code: &str, detail: impl Into<String>) -> Fault {
    Fault::new(StatusCode::CONFLICT, code, detail)
}

fn no_trip(job: Option<JobStatus>) -> Fault {
    match job {
        None | Some(JobStatus::Completed) => Fault::not_found("trip"),
        Some(status) if status.is_terminal() => {
            conflict("no_trip", format!("the job is {}: it has no trip", status.as_str()))
        }
        Some(status) => {
            let detail = format!(
                "the job is {}: its trip can be changed once it is completed",
                status.as_str()
            );
            conflict("not_completed", detail)
        }
    }
}

fn fault(trip: JobId, number: usize, error: PlanDayError) -> Fault {
    match error {
        PlanDayError::Busy(_) => {
            Fault::unavailable("too many days are being planned; ask again in a moment")
        }
        PlanDayError::Again(AgainError::Nothing) => conflict(
            "nothing_to_change",
            "nothing else fits on that day; unlock or remove what may change",
        ),
        PlanDayError::Again(AgainError::Apart { slots }) => {
            let field = |(slot, reason): (usize, String)| FieldError {
                field: format!("days[{number}].slots[{slot}]"),
                code: FieldCode::Conflict,
                message: reason,
            };
            let detail = "what is locked on that day does not go together; move it or unlock it";
            conflict("locked_apart", detail).with_fields(slots.into_iter().map(field).collect())
        }
        PlanDayError::Again(error @ (AgainError::Facts { .. } | AgainError::Plan(_))) => {
            tracing::warn!(error = %error, trip.id = %trip, "a day makes no trip that can be planned");
            conflict("cannot_be_planned", "what the day holds makes no trip that can be planned")
        }
        error => {
            tracing::error!(error = %error, trip.id = %trip, "a day cannot be planned anew");
            let detail = "the day cannot be planned; tell whoever runs this service";
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
        }
    }
}
