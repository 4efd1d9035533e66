use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use mercurious_contracts::{
    JobId,
    job::{Job, JobStatus},
    problem::Problem,
};

use super::{App, Fault, path::Named};
use crate::{
    job::{Input, JobRecord},
    service::Applied,
};

/// Reads an id of the path. What is no id is the id of nothing.
pub(super) fn id(text: &str, what: &str) -> Result<JobId, Fault> {
    text.parse().map_err(|_| Fault::not_found(what))
}

/// How a job is.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    operation_id = "show_job",
    tag = "jobs",
    params(("id" = JobId, Path, description = "the job")),
    responses(
        (status = 200, description = "the job, with its trip once completed", body = Job),
        (status = 404, description = "there is no such job", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    Named(job): Named<String>,
) -> Result<Json<Job>, Fault> {
    let job = id(&job, "job")?;
    let record = app.jobs.store.job(job).await?.ok_or_else(|| Fault::not_found("job"))?;
    view(&app, &record).await.map(Json)
}

/// Cancels a job. Asking twice is asking once.
#[utoipa::path(
    delete,
    path = "/v1/jobs/{id}",
    tag = "jobs",
    params(("id" = JobId, Path, description = "the job")),
    responses(
        (status = 202, description = "it is cancelled; whoever works on it will stop", body = Job),
        (status = 404, description = "there is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "it has ended otherwise", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel(
    State(app): State<App>,
    Named(job): Named<String>,
) -> Result<Response, Fault> {
    let job = id(&job, "job")?;
    let reason = "it was cancelled by whoever asked for it".to_owned();
    let record = match app.jobs.apply(job, Input::Cancel { reason }).await? {
        Applied::Unknown => return Err(Fault::not_found("job")),
        Applied::Changed(record) => record,
        Applied::Ignored(_, record) if record.status == JobStatus::Cancelled => record,
        Applied::Ignored(_, record) => {
            let detail = format!("the job has ended: it is {}", record.status.as_str());
            return Err(Fault::new(StatusCode::CONFLICT, "job_ended", detail));
        }
    };
    let job = view(&app, &record).await?;
    Ok((StatusCode::ACCEPTED, Json(job)).into_response())
}

/// What people see of a job.
async fn view(app: &App, record: &JobRecord) -> Result<Job, Fault> {
    let trip = match record.status {
        JobStatus::Completed => app.jobs.store.trip(record.id).await?,
        _ => None,
    };
    Ok(record.view(trip.map(|stored| stored.trip)))
}
