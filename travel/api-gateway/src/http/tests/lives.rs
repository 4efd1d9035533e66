//! Jobs as people see them, from accepting to the end.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use mercurious_contracts::message::{JobError, JobErrorCode};
use serde_json::json;

use crate::{
    job::{Input, Step},
    tests::{
        bench::{Bench, read},
        fixtures::{facts, itinerary, request_json},
    },
};

/// A bench with a finished trip.
async fn finished() -> (Bench, String) {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    bench.apply(job, Input::Facts(facts())).await;
    bench.apply(job, Input::Itinerary(itinerary(2))).await;
    (bench, job.to_string())
}

#[tokio::test]
async fn a_finished_job_holds_its_trip() {
    let (bench, job) = finished().await;
    let (_, answer) = bench.get(&format!("/v1/jobs/{job}")).await;
    assert_eq!((&answer["status"], &answer["progress"]), (&json!("completed"), &json!(100)));
    let (status, trip) = bench.get(&format!("/v1/trips/{job}")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["result"], trip);
    assert_eq!(trip["days"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_ambiguous_name_fails_with_its_candidates() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    let mut error =
        JobError::new(JobErrorCode::AmbiguousDestination, "several places are called so");
    let candidate = json!({ "place_id": "geonames:4717560", "name": "Paris", "region": "Texas", "country": "US" });
    error.candidates = vec![serde_json::from_value(candidate.clone()).unwrap()];
    bench.apply(job, Input::Failed(Step::Enrichment, error)).await;
    let (_, answer) = bench.get(&format!("/v1/jobs/{job}")).await;
    assert_eq!(answer["status"], "failed");
    assert_eq!(answer["error"]["code"], "ambiguous_destination");
    assert_eq!(answer["error"]["candidates"], json!([candidate]));
    assert_eq!(bench.get(&format!("/v1/trips/{job}")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn cancelling_twice_is_cancelling_once_and_what_has_ended_cannot_be_cancelled() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    let path = format!("/v1/jobs/{job}");
    for _ in 0..2 {
        let (status, answer) = bench.ask(Method::DELETE, &path).await;
        assert_eq!((status, &answer["status"]), (StatusCode::ACCEPTED, &json!("cancelled")));
    }
    assert_eq!(bench.jobs.store.waiting().await.unwrap(), 2, "the request and one cancellation");

    let (bench, job) = finished().await;
    let (status, problem) = bench.ask(Method::DELETE, &format!("/v1/jobs/{job}")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("job_ended")));
}

#[tokio::test]
async fn what_is_not_there_is_not_found_whatever_its_name() {
    let bench = Bench::new();
    let none = "01999999-0000-7000-8000-0000000000ff";
    for path in [
        format!("/v1/jobs/{none}"),
        format!("/v1/jobs/{none}/events"),
        format!("/v1/trips/{none}"),
        format!("/v1/trips/{none}.ics"),
        format!("/v1/trips/{none}.exe"),
        "/v1/jobs/what".to_owned(),
        "/v1/shared/what".to_owned(),
        "/v1/nothing".to_owned(),
        "/v1/jobs/%ff".to_owned(),
    ] {
        let (status, problem) = bench.get(&path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(problem["status"], 404, "{path}: {problem}");
    }
}

#[tokio::test]
async fn every_format_is_answered_with_its_type_and_a_known_version_is_not_sent_again() {
    let (bench, job) = finished().await;
    for (extension, media_type, begin) in [
        (".ics", "text/calendar", "BEGIN:VCALENDAR\r\n"),
        (".md", "text/markdown", "# Two days in Lisbon\n"),
        (".geojson", "application/geo+json", "{"),
        (".csv", "text/csv", "day,date,"),
        ("", "application/json", "{"),
    ] {
        let path = format!("/v1/trips/{job}{extension}");
        let response = bench.send(Request::get(&path).body(Body::empty()).unwrap()).await;
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        assert!(kind.starts_with(media_type), "{path}: {kind}");
        let tag = response.headers()[header::ETAG].clone();
        let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        assert!(body.starts_with(begin.as_bytes()), "{path}: {body:?}");
        let known = Request::get(&path).header(header::IF_NONE_MATCH, tag);
        let response = bench.send(known.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    }
}

#[tokio::test]
async fn a_link_lets_read_until_it_is_taken_back() {
    let (bench, job) = finished().await;
    let (status, share) = bench.ask(Method::POST, &format!("/v1/trips/{job}/share")).await;
    assert_eq!(status, StatusCode::CREATED);
    let url = share["url"].as_str().unwrap();
    assert_eq!(bench.get(url).await.1["id"], json!(job));
    assert_eq!(bench.get(&format!("{url}.md")).await.0, StatusCode::OK);
    let token = share["token"].as_str().unwrap();
    assert_eq!(bench.get(&format!("/v1/trips/{token}")).await.0, StatusCode::NOT_FOUND);
    let back = format!("/v1/trips/{job}/share/{token}");
    assert_eq!(bench.ask(Method::DELETE, &back).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bench.get(url).await.0, StatusCode::NOT_FOUND);
    assert_eq!(bench.ask(Method::DELETE, &back).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_job_past_its_deadline_is_failed_by_the_sweeper_and_forgotten_when_it_is_old() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    bench.clock.advance(std::time::Duration::from_secs(299));
    assert_eq!(bench.jobs.fail_overdue().await.unwrap(), 0);
    bench.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(bench.jobs.fail_overdue().await.unwrap(), 1);
    assert_eq!(bench.jobs.fail_overdue().await.unwrap(), 0);
    let path = format!("/v1/jobs/{job}");
    assert_eq!(bench.get(&path).await.1["error"]["code"], "deadline_exceeded");
    bench.clock.advance(std::time::Duration::from_hours(168));
    assert_eq!(bench.jobs.forget_old().await.unwrap(), 1);
    assert_eq!(bench.get(&path).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn head_and_wrong_methods_are_answered_as_http_says() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    let head = Request::head(format!("/v1/jobs/{job}")).body(Body::empty()).unwrap();
    assert_eq!(bench.send(head).await.status(), StatusCode::OK);
    let put = Request::put("/v1/trips").body(Body::empty()).unwrap();
    let response = bench.send(put).await;
    assert_eq!(response.headers()[header::ALLOW], "POST");
    let (status, problem) = read(response).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::METHOD_NOT_ALLOWED, &json!("method_not_allowed"))
    );
}

#[tokio::test]
async fn a_trip_is_changed_by_who_knows_its_version() {
    let (bench, job) = finished().await;
    let path = format!("/v1/trips/{job}");
    let patch = |version: Option<&str>, body: serde_json::Value| {
        let mut request = Request::patch(&path).header(header::CONTENT_TYPE, "application/json");
        if let Some(version) = version {
            request = request.header(header::IF_MATCH, version);
        }
        bench.send(request.body(Body::from(body.to_string())).unwrap())
    };
    let remove = json!({ "edits": [{ "op": "remove", "at": { "day": 1, "slot": 0 } }] });
    assert_eq!(patch(None, remove.clone()).await.status(), StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(
        patch(Some("\"7\""), remove.clone()).await.status(),
        StatusCode::PRECONDITION_FAILED
    );
    let wrong = json!({ "edits": [{ "op": "remove", "at": { "day": 9, "slot": 0 } }] });
    assert_eq!(patch(Some("*"), wrong).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let changed = patch(Some("\"1\""), remove.clone()).await;
    assert_eq!(changed.headers()[header::ETAG], "\"2\"");
    assert_eq!(changed.status(), StatusCode::OK);
    assert_eq!(patch(Some("\"1\""), remove).await.status(), StatusCode::PRECONDITION_FAILED);
    let (_, trip) = bench.get(&path).await;
    assert_eq!(trip["days"][0]["slots"].as_array().unwrap().len(), 1);
}
