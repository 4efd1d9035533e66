use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::json;

use crate::tests::{
    bench::{Bench, posting, read},
    fixtures::request_json,
};

fn with_key(key: &str, body: &serde_json::Value) -> Request<Body> {
    posting().header("idempotency-key", key).body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn a_request_is_accepted_once_it_is_stored() {
    let bench = Bench::new();
    let response =
        bench.send(posting().body(Body::from(request_json().to_string())).unwrap()).await;
    let location = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let (status, answer) = read(response).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(answer["status_url"], location);
    let (status, job) = bench.get(&location).await;
    assert_eq!((status, &job["status"]), (StatusCode::OK, &json!("queued")));
    assert_eq!(job["id"], answer["job_id"]);
    assert_eq!(bench.jobs.store.waiting().await.unwrap(), 1);
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_and_another_request_is_refused() {
    let bench = Bench::new();
    let first = read(bench.send(with_key("\"one\"", &request_json())).await).await;
    // Spaces and the order of fields make no other request; quotes are the structured field's.
    let spaced = serde_json::to_string_pretty(&request_json()).unwrap();
    let again = posting().header("idempotency-key", "one").body(Body::from(spaced)).unwrap();
    let again = bench.send(again).await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(read(again).await, first);
    assert_eq!(bench.jobs.store.waiting().await.unwrap(), 1, "one job");

    let mut other = request_json();
    other["pace"] = json!("packed");
    let (status, problem) = read(bench.send(with_key("one", &other)).await).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["code"], "idempotency_key_reused");

    let mut whose = with_key("one", &other);
    whose.headers_mut().insert(header::AUTHORIZATION, "Bearer other".parse().unwrap());
    assert_eq!(bench.send(whose).await.status(), StatusCode::ACCEPTED, "somebody else's key");
}

#[tokio::test]
async fn a_key_that_is_being_used_is_a_conflict() {
    let bench = Bench::new();
    let mut slow = std::pin::pin!(bench.send(with_key("one", &request_json())));
    // Until the store is asked for the first one.
    let first = futures::poll!(&mut slow);
    assert!(first.is_pending());
    let second = bench.send(with_key("one", &request_json())).await;
    assert_eq!(second.status(), StatusCode::CONFLICT);
    assert_eq!(second.headers()[header::RETRY_AFTER], "1");
    assert_eq!(slow.await.status(), StatusCode::ACCEPTED);
    let third = bench.send(with_key("one", &request_json())).await;
    assert_eq!(third.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_named() {
    let bench = Bench::new();
    for key in ["", "\"\"", &"k".repeat(256)] {
        let (status, problem) = read(bench.send(with_key(key, &request_json())).await).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::BAD_REQUEST, &json!("bad_idempotency_key"))
        );
    }
    let mut two = with_key("a", &request_json());
    two.headers_mut().append("idempotency-key", "b".parse().unwrap());
    assert_eq!(bench.send(two).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let bench = Bench::new();
    let wrong = json!({
        "destination": { "nam": "Lisbon" },
        "start_date": "2026-02-30",
        "end_date": "2026-05-05",
        "travellers": { "adults": 0 },
        "budget": { "amount": "12.505", "currency": "EUR" },
        "language": "english please",
    });
    let (status, problem) = bench.post(&wrong).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_request"))
    );
    let fields: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    for field in ["destination.nam", "start_date", "travellers.adults", "budget.amount", "language"]
    {
        assert!(fields.contains(&field), "{field} is not in {fields:?}");
    }
}

#[tokio::test]
async fn what_is_no_json_or_too_large_is_told_so() {
    let bench = Bench::new();
    let send = |kind: &str, body: String| {
        let request = Request::post("/v1/trips").header(header::CONTENT_TYPE, kind);
        bench.send(request.body(Body::from(body)).unwrap())
    };
    let json = "application/json; charset=utf-8";
    assert_eq!(send(json, "{".to_owned()).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(send(json, String::new()).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(send(json, "[".repeat(60_000)).await.status(), StatusCode::BAD_REQUEST);
    let right = request_json().to_string();
    assert_eq!(
        send("text/plain", right.clone()).await.status(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let large = send(json, " ".repeat(64 * 1024) + &right).await;
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(large.headers()[header::CONTENT_TYPE], "application/problem+json");
    let none = Request::post("/v1/trips").body(Body::from(right)).unwrap();
    assert_eq!(bench.send(none).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    let bench = Bench::new();
    let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 8192]));
    let response = bench.send(posting().body(Body::from_stream(endless)).unwrap()).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let bench = Bench::new();
    tokio::time::pause();
    let never = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let response = bench.send(posting().body(Body::from_stream(never)).unwrap()).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}
