//! What people send that is odd and right, and what is odd and wrong.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::tests::{bench::Bench, fixtures::request_json};

/// The request with some fields set.
fn with(changes: Value) -> Value {
    let mut request = request_json();
    let Value::Object(changes) = changes else { panic!("no object") };
    request.as_object_mut().unwrap().extend(changes);
    request
}

/// The request, as it is passed on.
async fn passed_on(changes: Value) -> Value {
    let bench = Bench::new();
    bench.accepted(&with(changes)).await;
    let now = bench.jobs.clock.now();
    let rows = bench.jobs.store.claim(now, 1, std::time::Duration::from_secs(1)).await.unwrap();
    let body: Value = serde_json::from_slice(&rows[0].message.payload).unwrap();
    body["data"]["request"].clone()
}

/// The faults, as `field code`.
async fn faults(changes: Value) -> Vec<String> {
    let (status, problem) = Bench::new().post(&with(changes)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|error| text(error, "field") + " " + &text(error, "code")).collect()
}

#[tokio::test]
async fn a_trip_over_a_change_of_clocks_keeps_its_local_times() {
    // In Lisbon the clocks go forward on 2026-03-29 at 01:00: 01:30 does not exist there, and is still passed on.
    let request = passed_on(json!({
        "start_date": "2026-03-28", "end_date": "2026-03-30", "day_start": "08:30",
        "fixed": [{ "title": "Fado", "start": "2026-03-29T01:30", "end": "2026-03-29T03:00",
                    "point": { "lat": 38.7, "lon": -9.1 } }],
    }))
    .await;
    assert_eq!(request["fixed"][0]["start"], "2026-03-29T01:30");
    assert_eq!(request["day_start"], "08:30");
}

#[tokio::test]
async fn a_trip_over_the_date_line_is_accepted() {
    let request = passed_on(json!({
        "destination": null,
        "destinations": [
            { "name": "Apia", "country": "WS", "nights": 2 },
            { "name": "Pago Pago", "country": "AS" },
        ],
        "start_date": "2026-12-30", "end_date": "2027-01-02",
    }))
    .await;
    assert_eq!(request["destinations"][1]["name"], "Pago Pago");
}

#[tokio::test]
async fn an_end_before_the_start_is_named() {
    let changes = json!({ "start_date": "2026-05-05", "end_date": "2026-05-04" });
    assert_eq!(faults(changes).await, ["end_date ends_before_start"]);
}

#[tokio::test]
async fn one_day_is_a_trip_and_thirty_one_are_too_many() {
    let request = passed_on(json!({ "start_date": "2026-05-04", "end_date": "2026-05-04" })).await;
    assert_eq!(request["end_date"], "2026-05-04");
    let long = json!({ "start_date": "2026-05-01", "end_date": "2026-05-31" });
    assert_eq!(faults(long).await, ["end_date out_of_range"]);
}

#[tokio::test]
async fn money_has_the_decimals_of_its_currency() {
    for (amount, currency, minor) in [
        (json!("50000"), "JPY", 50_000),
        (json!("1250.500"), "KWD", 1_250_500),
        (json!("12.50"), "EUR", 1_250),
        (json!(0), "EUR", 0),
    ] {
        let request =
            passed_on(json!({ "budget": { "amount": amount, "currency": currency } })).await;
        assert_eq!(request["budget"]["amount"], minor, "{currency}");
    }
    for (amount, currency) in [("50000.5", "JPY"), ("1.2345", "KWD")] {
        let changes = json!({ "budget": { "amount": amount, "currency": currency } });
        let faults = faults(changes).await;
        assert!(faults[0].starts_with("budget.amount "), "{faults:?}");
    }
    let negative = faults(json!({ "budget": { "amount": -1, "currency": "EUR" } })).await;
    assert!(negative[0].starts_with("budget.amount "), "{negative:?}");
}

#[tokio::test]
async fn names_in_every_script_pass_unchanged() {
    for name in ["القاهرة", "ירושלים", "京都市", "Αθήνα", "São Tomé", "Ñuñoa 🇨🇱"]
    {
        let request =
            passed_on(json!({ "destination": { "name": name }, "must_do": [name] })).await;
        assert_eq!(request["destination"]["name"], name);
        assert_eq!(request["must_do"][0], name);
    }
    assert_eq!(
        faults(json!({ "destination": { "name": "Lis\u{0}bon" } })).await,
        ["destination.name malformed"]
    );
}

#[tokio::test]
async fn the_poles_and_the_antimeridian_are_places_and_beyond_is_none() {
    for (lat, lon) in [(90.0, 0.0), (-90.0, 180.0), (-16.9, -180.0), (-17.8, 179.99)] {
        let point = json!({ "lat": lat, "lon": lon });
        let request = passed_on(json!({ "destination": { "point": point } })).await;
        assert_eq!(request["destination"]["point"], point);
    }
    let beyond = json!({ "destination": { "point": { "lat": 90.1, "lon": 180.5 } } });
    let faults = faults(beyond).await;
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[tokio::test]
async fn fixed_events_that_overlap_are_passed_on_to_be_judged_with_the_facts() {
    let event = |start: &str, end: &str| {
        json!({ "title": "Event", "start": format!("2026-05-04T{start}"),
                "end": format!("2026-05-04T{end}"), "point": { "lat": 38.7, "lon": -9.1 } })
    };
    let fixed = json!([event("10:00", "12:00"), event("11:00", "13:00")]);
    let request = passed_on(json!({ "fixed": fixed })).await;
    assert_eq!(request["fixed"].as_array().unwrap().len(), 2);
    let wrong = faults(json!({ "fixed": [event("12:00", "10:00")] })).await;
    assert_eq!(wrong, ["fixed[0].end ends_before_start"]);
}

#[tokio::test]
async fn no_interests_are_no_fault() {
    let request = passed_on(json!({ "interests": {} })).await;
    assert_eq!(request.get("interests"), None);
    let faults = faults(json!({ "interests": { "museum": 6, "Art Deco": 1 } })).await;
    assert_eq!(faults, ["interests.Art Deco malformed", "interests.museum out_of_range"]);
}

#[tokio::test]
async fn an_arrival_after_everything_has_closed_is_no_fault_of_the_request() {
    let request = passed_on(json!({ "arrival_time": "23:30", "departure_time": "06:00" })).await;
    assert_eq!(request["arrival_time"], "23:30");
}
