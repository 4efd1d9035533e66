//! One day of a trip is planned anew, and what is answered where it cannot be.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use mercurious_contracts::JobId;
use serde_json::{Value, json};

use crate::{
    job::Input,
    tests::{
        bench::{Bench, read},
        fixtures::{planned, request, request_json},
    },
};

/// A bench with a finished trip of two days.
async fn finished() -> (Bench, JobId) {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    let (facts, itinerary) = planned(&request());
    bench.apply(job, Input::Facts(facts)).await;
    bench.apply(job, Input::Itinerary(itinerary)).await;
    (bench, job)
}

async fn regenerate(bench: &Bench, path: &str, version: Option<&str>) -> (StatusCode, Value) {
    let mut request = Request::post(format!("/v1/trips/{path}/regenerate"));
    if let Some(version) = version {
        request = request.header(header::IF_MATCH, version);
    }
    read(bench.send(request.body(Body::empty()).unwrap()).await).await
}

async fn patch(bench: &Bench, job: JobId, edits: &Value) -> Value {
    let request = Request::patch(format!("/v1/trips/{job}"))
        .header(header::IF_MATCH, "*")
        .header(header::CONTENT_TYPE, "application/json");
    let body = Body::from(json!({ "edits": edits }).to_string());
    let (status, trip) = read(bench.send(request.body(body).unwrap()).await).await;
    assert_eq!(status, StatusCode::OK, "{trip}");
    trip
}

/// The slots of a day that are visits, meals or events, by their number.
fn done(trip: &Value, day: usize) -> Vec<(usize, &Value)> {
    let slots = trip["days"][day]["slots"].as_array().unwrap().iter().enumerate();
    slots.filter(|(_, slot)| slot["kind"] != "travel" && slot["kind"] != "free").collect()
}

fn places(trip: &Value, day: usize) -> Vec<&str> {
    done(trip, day).into_iter().filter_map(|(_, slot)| slot["place"]["id"].as_str()).collect()
}

#[tokio::test]
async fn a_day_is_planned_anew_around_what_is_locked() {
    let (bench, job) = finished().await;
    let (_, trip) = bench.get(&format!("/v1/trips/{job}")).await;
    let (slot, _) = done(&trip, 0).into_iter().find(|(_, slot)| slot["kind"] == "visit").unwrap();
    let before =
        patch(&bench, job, &json!([{ "op": "lock", "at": { "day": 1, "slot": slot } }])).await;
    let request = Request::post(format!("/v1/trips/{job}/days/1/regenerate"))
        .header(header::IF_MATCH, "\"2\"");
    let response = bench.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()[header::ETAG], "\"3\"");
    let (status, after) = read(response).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    assert_eq!(before["days"][1], after["days"][1], "the other day stays");
    let locked = &before["days"][0]["slots"][slot];
    assert!(after["days"][0]["slots"].as_array().unwrap().contains(locked));
    let (old, new, other) = (places(&before, 0), places(&after, 0), places(&after, 1));
    assert_eq!(new.iter().filter(|place| old.contains(place)).count(), 1, "{old:?} {new:?}");
    assert!(new.iter().all(|place| !other.contains(place)), "{new:?} {other:?}");
    assert_eq!(bench.get(&format!("/v1/trips/{job}")).await.1, after, "it is stored");
}

#[tokio::test]
async fn who_has_an_old_version_or_none_changes_nothing() {
    let (bench, job) = finished().await;
    let path = format!("{job}/days/1");
    for (version, status, code) in [
        (None, StatusCode::PRECONDITION_REQUIRED, "if_match_missing"),
        (Some("\"7\""), StatusCode::PRECONDITION_FAILED, "changed_since"),
        (Some("W/\"1\""), StatusCode::PRECONDITION_FAILED, "changed_since"),
    ] {
        let (found, problem) = regenerate(&bench, &path, version).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)));
    }
    let (first, second) = tokio::join!(
        regenerate(&bench, &path, Some("\"1\"")),
        regenerate(&bench, &path, Some("\"1\""))
    );
    let mut both = [first.0, second.0];
    both.sort();
    assert_eq!(both, [StatusCode::OK, StatusCode::PRECONDITION_FAILED], "one of the two counts");
}

#[tokio::test]
async fn a_day_that_is_not_there_is_not_found() {
    let (bench, job) = finished().await;
    for day in ["0", "3", "-1", "1.5", "first", "99999999999999999999"] {
        let (status, problem) = regenerate(&bench, &format!("{job}/days/{day}"), Some("*")).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::NOT_FOUND, &json!("not_found")),
            "{day}"
        );
    }
    for trip in ["01999999-0000-7000-8000-0000000000ff", "none"] {
        let (status, _) = regenerate(&bench, &format!("{trip}/days/1"), Some("*")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{trip}");
    }
}

#[tokio::test]
async fn a_trip_that_is_not_ready_or_was_cancelled_has_no_days() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    let path = format!("{job}/days/1");
    let (status, problem) = regenerate(&bench, &path, Some("*")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("not_completed")));
    bench.ask(Method::DELETE, &format!("/v1/jobs/{job}")).await;
    let (status, problem) = regenerate(&bench, &path, Some("*")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("no_trip")));
    assert!(problem["detail"].as_str().unwrap().contains("cancelled"), "{problem}");
}

#[tokio::test]
async fn a_locked_day_with_nothing_to_change_stays_and_says_so() {
    let (bench, job) = finished().await;
    let (_, trip) = bench.get(&format!("/v1/trips/{job}")).await;
    let lock =
        |(slot, _): &(usize, &Value)| json!({ "op": "lock", "at": { "day": 1, "slot": slot } });
    let before = patch(&bench, job, &done(&trip, 0).iter().map(lock).collect()).await;
    let (status, problem) = regenerate(&bench, &format!("{job}/days/1"), Some("*")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("nothing_to_change")));
    assert_eq!(bench.get(&format!("/v1/trips/{job}")).await.1, before);
}

#[tokio::test]
async fn what_is_locked_and_cannot_be_kept_is_named() {
    let (bench, job) = finished().await;
    let own = |title: &str, hours: (&str, &str), lat: f64| {
        json!({ "op": "add", "day": 1, "title": title, "point": { "lat": lat, "lon": -9.14 },
                "start": format!("2026-05-04T{}:00+01:00", hours.0), "end": format!("2026-05-04T{}:00+01:00", hours.1) })
    };
    let edits =
        json!([own("Here", ("21:00", "22:00"), 38.71), own("Far away", ("22:01", "23:00"), 41.0)]);
    let trip = patch(&bench, job, &edits).await;
    let (status, problem) = regenerate(&bench, &format!("{job}/days/1"), Some("*")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("locked_apart")));
    let far = done(&trip, 0).into_iter().find(|(_, slot)| slot["title"] == "Far away").unwrap().0;
    assert_eq!(problem["errors"][0]["field"], json!(format!("days[0].slots[{far}]")), "{problem}");
}
