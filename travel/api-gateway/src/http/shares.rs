//! Links that let others read a trip and nothing else, until they are taken back.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use mercurious_contracts::{JobId, problem::Problem, trip::Trip};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    App, Fault,
    idempotency::digest,
    jobs::id,
    path::Named,
    trips::{answer, split},
};
use crate::random::random;

/// A link to a trip.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Share {
    /// Lets whoever has it read the trip. It is shown this once.
    token: String,
    /// Where to read it.
    url: String,
}

/// Makes a link that lets others read the trip.
#[utoipa::path(
    post,
    path = "/v1/trips/{id}/share",
    tag = "trips",
    params(("id" = JobId, Path, description = "the trip")),
    responses(
        (status = 201, description = "the link", body = Share),
        (status = 404, description = "there is no such trip", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn share(
    State(app): State<App>,
    Named(trip): Named<String>,
) -> Result<Response, Fault> {
    let trip = id(&trip, "trip")?;
    app.jobs.store.trip(trip).await?.ok_or_else(|| Fault::not_found("trip"))?;
    let token: String = random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    app.jobs.store.share(trip, &secret(&token), app.jobs.clock.now()).await?;
    let url = format!("/v1/shared/{token}");
    Ok((StatusCode::CREATED, Json(Share { token, url })).into_response())
}

/// Takes a link back.
#[utoipa::path(
    delete,
    path = "/v1/trips/{id}/share/{token}",
    tag = "trips",
    params(
        ("id" = JobId, Path, description = "the trip"),
        ("token" = String, Path, description = "the link's token"),
    ),
    responses(
        (status = 204, description = "it leads nowhere now"),
        (status = 404, description = "there is no such link", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn unshare(
    State(app): State<App>,
    Named((trip, token)): Named<(String, String)>,
) -> Result<StatusCode, Fault> {
    let trip = id(&trip, "trip")?;
    if app.jobs.store.unshare(trip, &secret(&token)).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Fault::not_found("link"))
    }
}

/// A trip that was shared, in the formats of trips.
#[utoipa::path(
    get,
    path = "/v1/shared/{token}",
    operation_id = "show_shared",
    tag = "trips",
    params(("token" = String, Path, description = "the link's token, with .ics, .md, .geojson or .csv for those formats")),
    responses(
        (status = 200, description = "the trip", headers(("etag" = String, description = "its version")), content(
            (Trip = "application/json"),
            (String = "text/calendar"),
            (String = "text/markdown"),
            (String = "application/geo+json"),
            (String = "text/csv"),
        )),
        (status = 304, description = "it is what the caller has (If-None-Match)"),
        (status = 404, description = "there is no such link, or no more", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    Named(name): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let (token, format) = split(&name)?;
    let trip = app.jobs.store.shared(&secret(token)).await?;
    let trip = trip.ok_or_else(|| Fault::not_found("link"))?;
    answer(&app, trip, format, &headers).await
}

/// What is kept of a token.
fn secret(token: &str) -> String {
    digest(&[token.as_bytes()])
}
