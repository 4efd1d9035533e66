use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use mercurious_contracts::{
    JobId,
    job::Accepted,
    problem::{FieldCode, FieldError, Problem},
    request::{TripRequest, limits},
    trip::Trip,
};
use mercurious_messaging::{TraceContext, header::TRACEPARENT};

use super::{App, Fault, body, idempotency, jobs::id, path::Named, prefer};
use crate::{
    edit::{self, Edits},
    export::Format,
    random::random,
    store::{Committed, StoredTrip},
};

/// Asks for a trip. The answer comes at once; the trip is made afterwards.
#[utoipa::path(
    post,
    path = "/v1/trips",
    tag = "trips",
    params(
        ("idempotency-key" = Option<String>, Header, min_length = 1, max_length = 255, description = "the same key and the same request within a day: the same job"),
        ("prefer" = Option<String>, Header, description = "wait=SECONDS, 60 at most: the answer comes once the trip is made or the time is up"),
    ),
    request_body = TripRequest,
    responses(
        (status = 202, description = "accepted: it is stored and will be worked on", body = Accepted,
            headers(("location" = String, description = "where to ask how it is"))),
        (status = 303, description = "it was waited for, and the job has ended: Location is the job with the trip", body = Accepted,
            headers(("location" = String, description = "the job"))),
        (status = 400, description = "the body is no JSON, or the key cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "the body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "a request with this key is being accepted", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "the body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "the body is not said to be JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "fields are wrong, all of them named; or the key came with another request", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let body = body::read(&headers, body, limits::BODY).await?;
    let request = TripRequest::from_json(&body).map_err(|faults| {
        let no_json =
            |fault: &FieldError| fault.field.is_empty() && fault.code == FieldCode::Malformed;
        let (status, code) = if faults.0.iter().any(no_json) {
            (StatusCode::BAD_REQUEST, "malformed")
        } else {
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request")
        };
        let detail = match faults.0.as_slice() {
            [only] => format!("{} {}", only.field, only.message).trim().to_owned(),
            many => format!("{} fields are wrong; see errors", many.len()),
        };
        Fault::new(status, code, detail).with_fields(faults.0)
    })?;
    let key = idempotency::key(&headers, &request)?;
    let accepting = app.jobs.accept(request, key, Some(trace(&headers))).await?;
    let job = accepting.job;
    let status_url = format!("/v1/jobs/{job}");
    let accepted = Accepted {
        job_id: job,
        events_url: format!("{status_url}/events"),
        status_url: status_url.clone(),
    };
    let wait = prefer::wait(&headers);
    let ended = match wait {
        // It is accepted, whatever becomes of the waiting.
        Some(patience) => prefer::ended(&app, job, patience).await.unwrap_or(false),
        None => false,
    };
    let status = if ended { StatusCode::SEE_OTHER } else { StatusCode::ACCEPTED };
    let mut response = (status, Json(accepted)).into_response();
    let headers = response.headers_mut();
    if wait.is_some() {
        let applied = HeaderValue::from_static("wait");
        headers.insert(HeaderName::from_static("preference-applied"), applied);
    }
    if let Ok(location) = HeaderValue::from_str(&status_url) {
        headers.insert(header::LOCATION, location);
    }
    if accepting.repeated {
        let name = HeaderName::from_static("idempotency-replayed");
        headers.insert(name, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The trace that a request belongs to: the caller's, or a new one.
fn trace(headers: &HeaderMap) -> String {
    let caller = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let span = u64::from_be_bytes(random());
    let context = match caller.and_then(TraceContext::parse) {
        Some(caller) => caller.child(span),
        None => TraceContext::begin((u128::from_be_bytes(random()), span)),
    };
    context.to_string()
}

/// A trip, as JSON or, with the format's extension after the id, as a calendar (`.ics`), a text (`.md`), a map
/// (`.geojson`) or a table (`.csv`).
#[utoipa::path(
    get,
    path = "/v1/trips/{id}",
    operation_id = "show_trip",
    tag = "trips",
    params(("id" = String, Path, description = "the trip: its job's id, with .ics, .md, .geojson or .csv for those formats")),
    responses(
        (status = 200, description = "the trip", headers(("etag" = String, description = "its version")), content(
            (Trip = "application/json"),
            (String = "text/calendar"),
            (String = "text/markdown"),
            (String = "application/geo+json"),
            (String = "text/csv"),
        )),
        (status = 304, description = "it is what the caller has (If-None-Match)"),
        (status = 404, description = "there is no such trip, or not yet", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    Named(name): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let (trip, format) = split(&name)?;
    let trip = id(trip, "trip")?;
    answer(&app, trip, format, &headers).await
}

/// Changes a trip: locks, moves, replaces, removes and adds what one does. All edits are made, or none.
#[utoipa::path(
    patch,
    path = "/v1/trips/{id}",
    tag = "trips",
    params(
        ("id" = JobId, Path, description = "the trip"),
        ("if-match" = String, Header, description = "the version that is to be changed: its ETag, or *"),
    ),
    request_body = Edits,
    responses(
        (status = 200, description = "the trip afterwards", body = Trip, headers(("etag" = String, description = "its version"))),
        (status = 400, description = "the body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "there is no such trip", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "the body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "the trip has changed since", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "the body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "the body is not said to be JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "edits are wrong, all of them named", body = Problem, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change(
    State(app): State<App>,
    Named(trip): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let trip = id(&trip, "trip")?;
    let body = body::read(&headers, body, limits::BODY).await?;
    let stored = app.jobs.store.trip(trip).await?.ok_or_else(|| Fault::not_found("trip"))?;
    if_match(&headers, &stored)?;
    let wrong = |faults: Vec<FieldError>| {
        let no_json = faults.iter().any(|fault| fault.field.is_empty());
        let (status, code) = if no_json {
            (StatusCode::BAD_REQUEST, "malformed")
        } else {
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_edits")
        };
        Fault::new(status, code, "no edit was made; see errors").with_fields(faults)
    };
    let edits = Edits::from_json(&body).map_err(wrong)?;
    let changed = edit::apply(&stored.trip, &edits).map_err(wrong)?;
    save(&app, &stored, changed).await
}

/// Whether the caller means the version that is stored.
pub(super) fn if_match(headers: &HeaderMap, stored: &StoredTrip) -> Result<(), Fault> {
    let Some(matches) = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()) else {
        let detail = "say which version is to be changed: If-Match with the trip's ETag";
        return Err(Fault::new(StatusCode::PRECONDITION_REQUIRED, "if_match_missing", detail));
    };
    let tag_now = tag(stored);
    let is_it = |one: &str| one == "*" || one == tag_now;
    if matches.split(',').any(|one| is_it(one.trim())) { Ok(()) } else { Err(changed_since()) }
}

/// Stores a trip that was changed from `stored`, and answers with it.
pub(super) async fn save(app: &App, stored: &StoredTrip, changed: Trip) -> Result<Response, Fault> {
    let changed = StoredTrip { trip: changed, version: stored.version + 1 };
    match app.jobs.store.save_trip(changed.clone()).await? {
        Committed::Conflict => Err(changed_since()),
        Committed::Stored => {
            let tag = [(header::ETAG, tag(&changed))];
            Ok((tag, Json(changed.trip)).into_response())
        }
    }
}

fn changed_since() -> Fault {
    let detail = "the trip has changed since; read it again";
    Fault::new(StatusCode::PRECONDITION_FAILED, "changed_since", detail)
}

/// The name of a trip, and in which format it is wanted.
pub(super) fn split(name: &str) -> Result<(&str, Option<Format>), Fault> {
    let Some((name, extension)) = name.split_once('.') else { return Ok((name, None)) };
    match Format::of_extension(extension) {
        Some(format) => Ok((name, Some(format))),
        None => Err(Fault::not_found("format; there are .ics, .md, .geojson and .csv")),
    }
}

/// A trip in a format.
pub(super) async fn answer(
    app: &App,
    trip: JobId,
    format: Option<Format>,
    headers: &HeaderMap,
) -> Result<Response, Fault> {
    let stored = app.jobs.store.trip(trip).await?.ok_or_else(|| Fault::not_found("trip"))?;
    let tag = tag(&stored);
    let known = |value: &HeaderValue| {
        value.to_str().is_ok_and(|known| known.split(',').any(|one| one.trim() == tag))
    };
    let mut response = if headers.get(header::IF_NONE_MATCH).is_some_and(known) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if let Some(format) = format {
        write(&stored, format)?
    } else {
        Json(&stored.trip).into_response()
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// What a trip's version is called.
fn tag(stored: &StoredTrip) -> String {
    format!("\"{}\"", stored.version)
}

fn write(stored: &StoredTrip, format: Format) -> Result<Response, Fault> {
    let text = format.write(stored).map_err(|error| {
        tracing::error!(error = %error, trip.id = %stored.trip.id, "a trip cannot be written");
        let detail = "the trip cannot be written in this format; tell whoever runs this service";
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    })?;
    let name = format!("attachment; filename=\"trip-{}.{}\"", stored.trip.id, format.extension());
    let head = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment")),
        ),
        // A text of strangers is shown as what it is said to be, or not at all.
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((head, text).into_response())
}
