//! Requests as people send them: right ones, wrong ones, and odd ones.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use mercurious_contracts::{
    Mode,
    problem::FieldCode,
    request::{BudgetScope, TripRequest},
};
use proptest::prelude::*;

const LEAST: &str =
    r#"{"destination": {"name": "Lisbon"}, "start_date": "2026-05-04", "end_date": "2026-05-04"}"#;

/// The least request with these fields put in.
fn with(fields: &str) -> Result<TripRequest, Vec<(String, FieldCode)>> {
    read(&LEAST.replacen('{', &format!("{{{fields}, "), 1))
}

fn read(body: &str) -> Result<TripRequest, Vec<(String, FieldCode)>> {
    TripRequest::from_json(body.as_bytes())
        .map_err(|faults| faults.0.into_iter().map(|fault| (fault.field, fault.code)).collect())
}

fn faults(fields: &str) -> Vec<(String, FieldCode)> {
    with(fields).unwrap_err()
}

fn one(field: &str, code: FieldCode) -> Vec<(String, FieldCode)> {
    vec![(field.to_owned(), code)]
}

#[test]
fn the_least_request_has_sensible_defaults() {
    let request = read(LEAST).unwrap();
    assert_eq!(request.days(), 1);
    assert_eq!(request.travellers.count(), 1);
    assert_eq!(request.transport, [Mode::Walk, Mode::Transit]);
    assert_eq!(request.language.as_str(), "en");
    assert_eq!(request.stops().len(), 1);
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let faults = read(
        r#"{"destination": {"name": " ", "nights": -1, "contry": "PT"}, "start_date": "2026-02-30",
            "end_date": 5, "travellers": {"adults": 0, "children": [1, 30, "x"]},
            "budget": {"amount": -5, "currency": "XYZ", "scope": "none"}, "interests": {"Art": 3, "food": 9},
            "pace": "lazy", "day_start": "25:00", "must_do": ["", 7, "a", "a"], "mobility": {"wheelchair": 1},
            "transport": ["walk", "boat", "car", "taxi"], "language": "english!", "seed": 1.5, "strat_date": 1,
            "fixed": [{"title": "x", "start": "2026-05-04T10:00", "end": "2026-05-04T09:00", "point": {"lat": 91}}]}"#,
    )
    .unwrap_err();
    let fields: Vec<&str> = faults.iter().map(|(field, _)| field.as_str()).collect();
    for field in [
        "destination.name",
        "destination.nights",
        "destination.contry",
        "start_date",
        "end_date",
        "travellers.adults",
        "travellers.children[0]",
        "travellers.children[1]",
        "travellers.children[2]",
        "budget.amount",
        "budget.currency",
        "budget.scope",
        "interests.Art",
        "interests.food",
        "pace",
        "day_start",
        "must_do[0]",
        "must_do[1]",
        "must_do[3]",
        "mobility.wheelchair",
        "transport[1]",
        "transport",
        "language",
        "seed",
        "strat_date",
        "fixed[0].end",
        "fixed[0].point.lat",
        "fixed[0].point.lon",
    ] {
        assert!(fields.contains(&field), "{field} is not named: {fields:?}");
    }
    assert_eq!(fields.len(), 28, "{fields:?}");
}

#[test]
fn an_unknown_field_is_named_with_the_one_that_was_meant() {
    let body = LEAST.replace("end_date", "enddate");
    let faults = TripRequest::from_json(body.as_bytes()).unwrap_err().0;
    assert_eq!(faults[0].field, "end_date");
    assert_eq!(faults[1].message, "is not known; perhaps end_date?");
}

#[test]
fn dates_that_make_no_trip_are_refused() {
    let dates = |start: &str, end: &str| {
        read(&format!(
            r#"{{"destination": {{"name": "x"}}, "start_date": "{start}", "end_date": "{end}"}}"#
        ))
    };
    assert_eq!(
        dates("2026-05-04", "2026-05-03").unwrap_err(),
        one("end_date", FieldCode::EndsBeforeStart)
    );
    assert_eq!(
        dates("2026-05-01", "2026-05-31").unwrap_err(),
        one("end_date", FieldCode::OutOfRange)
    );
    assert_eq!(dates("2026-05-01", "2026-05-30").unwrap().days(), 30);
    assert_eq!(dates("2024-02-28", "2024-03-01").unwrap().days(), 3);
    assert!(dates("2026-05-04T00:00", "2026-05-04").is_err());
    assert!(dates("0026-05-04", "2026-05-04").is_err());
    assert!(dates("+002026-05-04", "2026-05-04").is_err());
}

#[test]
fn amounts_follow_the_currencys_decimals() {
    let amount = |amount: &str, currency: &str| {
        with(&format!(r#""budget": {{"amount": {amount}, "currency": "{currency}"}}"#))
            .map(|request| request.budget.unwrap().amount)
    };
    assert_eq!(amount("\"12.5\"", "EUR"), Ok(1250));
    assert_eq!(amount("1250", "eur"), Ok(1250));
    assert_eq!(amount("\"12000\"", "JPY"), Ok(12_000));
    assert_eq!(amount("\"1.234\"", "KWD"), Ok(1234));
    assert_eq!(amount("0", "EUR"), Ok(0));
    for (text, currency) in [
        ("\"12.5\"", "JPY"),
        ("\"1.2345\"", "KWD"),
        ("\"12.\"", "EUR"),
        ("\".5\"", "EUR"),
        ("\"1e3\"", "EUR"),
        ("\"-1\"", "EUR"),
        ("12.5", "EUR"),
        ("\"99999999999999999999\"", "EUR"),
        ("99999999999999999999", "EUR"),
        ("null", "EUR"),
    ] {
        assert!(amount(text, currency).is_err(), "{text} {currency}");
    }
}

#[test]
fn a_budget_is_for_what_it_says() {
    let request =
        with(r#""budget": {"amount": 100, "currency": "EUR", "scope": "per_person"}"#).unwrap();
    let budget = request.budget.unwrap();
    assert_eq!(budget.scope, BudgetScope::PerPerson);
    assert_eq!(budget.total(3, 2), 200);
}

#[test]
fn several_destinations_need_nights_that_fit() {
    let body = |destinations: &str| {
        read(&format!(
            r#"{{"destinations": {destinations}, "start_date": "2026-05-01", "end_date": "2026-05-05"}}"#
        ))
    };
    let request = body(r#"[{"name": "Lisbon", "nights": 2}, {"place_id": "p"}]"#).unwrap();
    assert_eq!(request.stops().len(), 2);
    assert_eq!(
        body(r#"[{"name": "Lisbon"}, {"name": "Porto"}]"#).unwrap_err(),
        one("destinations[0].nights", FieldCode::Required)
    );
    assert_eq!(
        body(r#"[{"name": "a", "nights": 3}, {"name": "b", "nights": 2}]"#).unwrap_err(),
        one("destinations", FieldCode::Conflict)
    );
    assert_eq!(body("[]").unwrap_err(), one("destinations", FieldCode::Empty));
    assert_eq!(
        faults(r#""destinations": [{"name": "a"}]"#),
        one("destinations", FieldCode::Conflict)
    );
    let both = LEAST.replace(
        "{\"name\": \"Lisbon\"}",
        "{\"name\": \"a\", \"point\": {\"lat\": 0, \"lon\": 180}}",
    );
    assert_eq!(read(&both).unwrap_err(), one("destination", FieldCode::Conflict));
    let none = LEAST.replace("{\"name\": \"Lisbon\"}", "{}");
    assert_eq!(read(&none).unwrap_err(), one("destination", FieldCode::Required));
}

#[test]
fn names_of_all_scripts_poles_and_the_date_line_are_taken() {
    for name in ["القاهرة", "東京", "Ålesund", "São Paulo", "תל אביב"] {
        let request = read(&LEAST.replace("Lisbon", name)).unwrap();
        assert_eq!(request.stops()[0].name.as_deref(), Some(name));
    }
    for (lat, lon) in [("90", "180"), ("-90.0", "-180"), ("0", "179.9999")] {
        let point = format!("{{\"point\": {{\"lat\": {lat}, \"lon\": {lon}}}}}");
        read(&LEAST.replace("{\"name\": \"Lisbon\"}", &point)).unwrap();
    }
    assert!(read(&LEAST.replace("Lisbon", "a\\u0000b")).is_err());
    assert!(read(&LEAST.replace("Lisbon", &"x".repeat(201))).is_err());
}

#[test]
fn fixed_events_overlap_freely_but_lie_within_the_trip() {
    let event = |start: &str, end: &str| {
        format!(
            r#"{{"title": "t", "start": "{start}", "end": "{end}", "point": {{"lat": 1, "lon": 2}}}}"#
        )
    };
    let one_day = event("2026-05-04T19:00", "2026-05-04T22:00");
    with(&format!(r#""fixed": [{one_day}, {one_day}]"#)).unwrap();
    let past_midnight = event("2026-05-04T23:00", "2026-05-05T01:00");
    with(&format!(r#""fixed": [{past_midnight}]"#)).unwrap();
    let other_day = event("2026-05-05T19:00", "2026-05-05T22:00");
    assert_eq!(
        faults(&format!(r#""fixed": [{other_day}]"#)),
        one("fixed[0].start", FieldCode::OutOfRange)
    );
    let offset = event("2026-05-04T19:00+02:00", "2026-05-04T22:00");
    assert_eq!(
        faults(&format!(r#""fixed": [{offset}]"#)),
        one("fixed[0].start", FieldCode::Malformed)
    );
}

#[test]
fn what_is_no_request_at_all_is_refused() {
    for body in ["", "null", "[]", "7", "{", "{\"a\":", "\u{feff}{}"] {
        let faults = read(body).unwrap_err();
        assert!(!faults.is_empty(), "{body}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(read(&deep).unwrap_err(), one("", FieldCode::Malformed));
    let many =
        format!("{{{}}}", (0..5000).map(|n| format!("\"f{n}\": 1")).collect::<Vec<_>>().join(","));
    assert_eq!(read(&many).unwrap_err().len(), 100);
}

#[test]
fn what_was_read_is_read_again_the_same_from_what_it_is_written_as() {
    let request = with(
        r#""travellers": {"adults": 2, "children": [3], "infants": 1},
           "budget": {"amount": "99.90", "currency": "USD", "scope": "per_day"},
           "interests": {"museum": 5, "park": 1}, "pace": "packed", "day_start": "08:30:00",
           "arrival_time": "23:10", "bases": [{"start": {"lat": 1.5, "lon": 2}}],
           "fixed": [{"title": "t", "start": "2026-05-04T19:00", "end": "2026-05-04T22:00",
                      "point": {"lat": 1, "lon": 2}, "place": "p"}],
           "mobility": {"max_walk_m": 0, "wheelchair": true}, "meals": [], "seed": 9007199254740991"#,
    )
    .unwrap();
    let written = serde_json::to_vec(&request).unwrap();
    assert_eq!(TripRequest::from_json(&written).unwrap(), request);
    assert_eq!(serde_json::from_slice::<TripRequest>(&written).unwrap(), request);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = TripRequest::from_json(&bytes);
    }

    #[test]
    fn no_value_in_any_field_makes_it_panic(
        field in prop::sample::select(vec![
            "destination", "destinations", "start_date", "end_date", "travellers", "budget", "interests",
            "pace", "day_start", "bases", "must_do", "fixed", "mobility", "transport", "language", "seed",
        ]),
        value in prop::sample::select(vec![
            "null", "true", "0", "-1", "1e308", "18446744073709551615", "\"\"", "\"é\"", "[]", "[[]]", "[{}]",
            "{}", "{\"\": 1}", "[null]", "\"2026-02-29\"", "{\"amount\": \"1.\", \"currency\": \"JPY\"}",
            "{\"lat\": 1e999}", "[{\"name\": \"x\", \"nights\": 29}, {\"name\": \"y\", \"nights\": 29}]",
        ]),
    ) {
        let mut request: serde_json::Value = serde_json::from_str(LEAST).unwrap();
        if let Ok(value) = serde_json::from_str(value) {
            request[field] = value;
        }
        let _ = TripRequest::from_json(request.to_string().as_bytes());
    }
}
