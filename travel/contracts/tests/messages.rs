//! Every message byte for byte, and what becomes of those that are not as they should be.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use bytes::Bytes;
use mercurious_contracts::{
    CostRange, Currency, JobId, Language, MealKind, MessageId, Mode, Point, Provenance, Span,
    Weather, WeatherKind,
    envelope::{About, DecodeError, decode, encode},
    facts::{
        DayFacts, Destination, Facts, Holiday, ModeSpeed, PlaceFacts, TravelModel, Unresolved,
    },
    message::{
        EnrichmentCompleted, EnrichmentProgress, EnrichmentRequest, GenerationCompleted,
        GenerationProgress, GenerationRequest, JobCancelled, JobError, JobErrorCode, Message,
        Stage,
    },
    request::TripRequest,
    trip::{
        Activity, Itinerary, Part, Place, Planner, SCHEMA_VERSION, Slot, Totals, Travel, TripDay,
        TripDestination, Unplaced, Warning,
    },
};
use mercurious_messaging::{Headers, Incoming, Outgoing, Position, header};

fn about() -> About {
    let job: JobId = "0198f3a2-7c00-7000-8000-00000000002a".parse().unwrap();
    About {
        job,
        id: MessageId::first(job, "a test"),
        caused_by: Some(MessageId::first(job, "its cause")),
        source: "api-gateway".to_owned(),
        at: "2026-05-01T08:00:00Z".parse().unwrap(),
        deadline: Some("2026-05-01T08:05:00Z".parse().unwrap()),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    }
}

fn request() -> TripRequest {
    let body = r#"{
        "destination": {"name": "Lisboa", "country": "pt"}, "start_date": "2026-05-04",
        "end_date": "2026-05-05", "travellers": {"adults": 2, "children": [7]},
        "budget": {"amount": "300.50", "currency": "eur"}, "interests": {"museum": 5},
        "must_do": ["Oceanário de Lisboa"], "diet": ["vegan"], "language": "pt-PT", "seed": 7
    }"#;
    TripRequest::from_json(body.as_bytes()).unwrap()
}

fn euros(min: i64, max: i64) -> CostRange {
    CostRange { min, max, currency: Currency::new("EUR").unwrap() }
}

fn provenance() -> Provenance {
    Provenance {
        source: "bundled".to_owned(),
        licence: "CC0-1.0".to_owned(),
        fetched_at: "2026-04-01T00:00:00Z".parse().unwrap(),
    }
}

fn facts() -> Facts {
    Facts {
        destinations: vec![Destination {
            id: "geonames:2267057".to_owned(),
            name: "Lisbon".to_owned(),
            country: "PT".to_owned().try_into().unwrap(),
            country_name: "Portugal".to_owned(),
            point: Point { lat: 38.717, lon: -9.133 },
            time_zone: "Europe/Lisbon".to_owned(),
            currency: Currency::new("EUR").unwrap(),
            languages: vec!["pt".to_owned()],
            provenance: provenance(),
        }],
        days: vec![DayFacts {
            date: "2026-05-04".parse().unwrap(),
            destination: 0,
            offset_minutes: 60,
            clock_change: None,
            holidays: vec![Holiday { name: "A holiday".to_owned(), provenance: provenance() }],
            weather: Some(Weather {
                kind: WeatherKind::Normal,
                temperature_min: Some(13.5),
                temperature_max: Some(22.0),
                precipitation: None,
                provenance: None,
            }),
        }],
        places: vec![PlaceFacts {
            id: "lisbon:oceanarium".to_owned(),
            name: "Oceanário de Lisboa".to_owned(),
            destination: 0,
            point: Point { lat: 38.763, lon: -9.094 },
            category: "aquarium".to_owned(),
            minutes: 120,
            score: 800,
            cost: euros(2500, 2500),
            hours: vec![vec![Span { opens: 600, closes: 1200 }]],
            opening_hours: Some("Mo-Su 10:00-20:00".to_owned()),
            tags: vec!["wheelchair".to_owned()],
            serves: Vec::new(),
            estimated: true,
            provenance: provenance(),
        }],
        travel: TravelModel {
            modes: vec![ModeSpeed {
                mode: Mode::Walk,
                metres_per_minute: 75,
                detour_percent: 130,
                extra_minutes: 0,
                extra_walk_metres: 0,
                at_most_metres: Some(5000),
            }],
            provenance: provenance(),
        },
        currency: Currency::new("EUR").unwrap(),
        exchange: None,
        must_do: vec!["lisbon:oceanarium".to_owned()],
        avoid: Vec::new(),
        unresolved: vec![Unresolved {
            name: "Nowhere".to_owned(),
            field: "must_do[1]".to_owned(),
            reason: "no place near Lisbon has this name".to_owned(),
        }],
        warnings: Vec::new(),
        attributions: vec!["Contains data of GeoNames (CC BY 4.0)".to_owned()],
    }
}

fn day() -> TripDay {
    let place = Place {
        id: "lisbon:oceanarium".to_owned(),
        name: "Oceanário de Lisboa".to_owned(),
        point: Point { lat: 38.763, lon: -9.094 },
        category: "aquarium".to_owned(),
        opening_hours: None,
        estimated: true,
        source: "bundled".to_owned(),
        licence: "CC0-1.0".to_owned(),
    };
    let slot = |start: &str, end: &str, part, activity, cost| Slot {
        start: format!("2026-05-04T{start}:00+01:00"),
        end: format!("2026-05-04T{end}:00+01:00"),
        part,
        activity,
        cost,
        locked: false,
        reason: None,
    };
    let home = Point { lat: 38.717, lon: -9.133 };
    let travel =
        Travel { mode: Mode::Transit, minutes: 25, walk_metres: 400, from: home, to: place.point };
    TripDay {
        number: 1,
        date: "2026-05-04".parse().unwrap(),
        destination: 0,
        title: "Lisboa".to_owned(),
        text: None,
        base: None,
        weather: None,
        holidays: Vec::new(),
        slots: vec![
            slot("09:35", "10:00", Part::Morning, Activity::Travel { travel }, euros(0, 0)),
            slot("10:00", "12:00", Part::Morning, Activity::Visit { place }, euros(6000, 7500)),
            slot(
                "12:30",
                "13:30",
                Part::Afternoon,
                Activity::Meal { meal: MealKind::Lunch, place: None },
                euros(3000, 6000),
            ),
            slot("13:30", "14:00", Part::Afternoon, Activity::Free, euros(0, 0)),
        ],
        walk_metres: 400,
        cost: euros(9000, 13_500),
    }
}

fn itinerary() -> Itinerary {
    Itinerary {
        schema_version: SCHEMA_VERSION,
        title: "Dois dias em Lisboa".to_owned(),
        summary: None,
        seed: 7,
        planner: Planner { name: "mercurious-itinerary".to_owned(), version: "0.1.0".to_owned() },
        writer: "template".to_owned(),
        language: Language::new("pt-PT").unwrap(),
        currency: Currency::new("EUR").unwrap(),
        destinations: vec![TripDestination {
            name: "Lisbon".to_owned(),
            country: "PT".to_owned().try_into().unwrap(),
            point: Point { lat: 38.717, lon: -9.133 },
            time_zone: "Europe/Lisbon".to_owned(),
            currency: Currency::new("EUR").unwrap(),
        }],
        days: vec![day()],
        totals: Totals {
            cost: euros(9000, 13_500),
            by_category: [("aquarium".to_owned(), euros(6000, 7500))].into(),
            walk_metres: 400,
            visits: 1,
        },
        unplaced: vec![Unplaced {
            name: "Nowhere".to_owned(),
            place_id: None,
            asked_for: true,
            reason: "unknown".to_owned(),
            detail: "no place near Lisbon has this name".to_owned(),
        }],
        warnings: vec![Warning { code: "estimate".to_owned(), message: "An estimate.".to_owned() }],
        attributions: vec!["Contains data of GeoNames (CC BY 4.0)".to_owned()],
    }
}

fn incoming(sent: &Outgoing) -> Incoming {
    Incoming {
        position: Position { topic: sent.topic.clone(), partition: 0, offset: 0 },
        key: Bytes::from(sent.key.clone()),
        headers: sent.headers.clone(),
        payload: sent.payload.clone(),
    }
}

/// Headers and body as text, one header a line.
fn written(sent: &Outgoing) -> String {
    let mut text = format!("topic: {}\nkey: {}\n", sent.topic, sent.key);
    for (name, value) in sent.headers.iter() {
        text += &format!("{name}: {}\n", std::str::from_utf8(value).unwrap());
    }
    text + "\n" + std::str::from_utf8(&sent.payload).unwrap() + "\n"
}

#[expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN=1 writes them anew")]
fn is_golden<M: Message + Clone + PartialEq + std::fmt::Debug>(name: &str, data: &M) {
    let sent = encode(&about(), data).unwrap();
    let read = decode::<M>(&incoming(&sent)).unwrap();
    assert_eq!(read.about, about());
    assert_eq!((read.attempt, read.version), (1, M::VERSION));
    assert_eq!(read.data, *data, "what is read is not what was written");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, written(&sent)).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(
        written(&sent) == golden,
        "{name} is written otherwise than before; readers of before may misread it:\n{}",
        written(&sent)
    );
}

#[test]
fn every_message_is_written_as_before() {
    let error = JobError {
        candidates: vec![mercurious_contracts::facts::Candidate {
            place_id: "geonames:1".to_owned(),
            name: "Springfield".to_owned(),
            region: Some("Illinois".to_owned()),
            country: "US".to_owned().try_into().unwrap(),
            population: Some(114_394),
        }],
        ..JobError::new(JobErrorCode::AmbiguousDestination, "several places have this name")
    };
    let progress = EnrichmentProgress {
        percent: 40,
        stage: Stage::Places,
        message: "Looking for places".to_owned(),
    };
    is_golden("enrichment-request", &EnrichmentRequest { request: request() });
    is_golden("enrichment-progress", &progress);
    is_golden("enrichment-completed", &EnrichmentCompleted::Ok { facts: Box::new(facts()) });
    is_golden("enrichment-error", &EnrichmentCompleted::Error { error: error.clone() });
    let generation = GenerationRequest { request: request(), facts: Box::new(facts()) };
    is_golden("generation-request", &generation);
    let progress = GenerationProgress {
        percent: 60,
        stage: Stage::Planning,
        message: "Day 1 is ready".to_owned(),
        day: Some(Box::new(day())),
    };
    is_golden("generation-progress", &progress);
    let completed = GenerationCompleted::Ok { itinerary: Box::new(itinerary()) };
    is_golden("generation-completed", &completed);
    is_golden("generation-error", &GenerationCompleted::Error { error });
    is_golden("job-cancelled", &JobCancelled { reason: "asked for by the client".to_owned() });
}

fn cancelled() -> Incoming {
    let data = JobCancelled { reason: "asked for".to_owned() };
    incoming(&encode(&about(), &data).unwrap())
}

fn edited(edit: impl FnOnce(String) -> String) -> Incoming {
    let message = cancelled();
    let text = edit(String::from_utf8(message.payload.to_vec()).unwrap());
    Incoming { payload: Bytes::from(text), ..message }
}

#[test]
fn an_unknown_field_is_ignored_wherever_it_is() {
    let message = edited(|text| {
        let text = text.replace("\"reason\":", "\"newer\":{\"a\":[1]},\"reason\":");
        text.replace("\"metadata\":{", "\"also\":1,\"metadata\":{\"more\":true,")
    });
    assert_eq!(decode::<JobCancelled>(&message).unwrap().data.reason, "asked for");
}

#[test]
fn a_newer_version_is_refused_even_when_nothing_else_can_be_read() {
    let in_body = edited(|text| {
        let text = text.replace("\"version\":1", "\"version\":2");
        text.replace("\"reason\":\"asked for\"", "\"why\":7")
    });
    let in_header =
        Incoming { headers: cancelled().headers.with(header::SCHEMA_VERSION, 2), ..cancelled() };
    for message in [in_body, in_header] {
        let error = decode::<JobCancelled>(&message).unwrap_err();
        assert!(matches!(error, DecodeError::FutureVersion { found: 2, known: 1, .. }), "{error}");
        assert_eq!(error.class(), "future-version");
    }
}

#[test]
fn what_is_malformed_is_named_by_its_class() {
    let without_id = {
        let mut headers = cancelled().headers;
        headers.remove(header::MESSAGE_ID);
        Incoming { headers, ..cancelled() }
    };
    let cases = [
        (edited(|_| String::new()), "malformed"),
        (edited(|_| "null".to_owned()), "malformed"),
        (edited(|text| text[..text.len() / 2].to_owned()), "malformed"),
        (edited(|text| text.replace("\"reason\":\"asked for\"", "\"reason\":7")), "malformed"),
        (edited(|text| text.replace("travel.job.cancelled", "travel.other")), "other-type"),
        (edited(|text| text.replace("00000000002a", "00000000002b")), "other-job"),
        (Incoming { key: Bytes::from_static(&[0xff, 0xfe]), ..cancelled() }, "other-job"),
        (Incoming { key: Bytes::new(), ..cancelled() }, "other-job"),
        (without_id, "header"),
        (edited(|_| "[".repeat(100_000)), "malformed"),
        (edited(|text| text + &" ".repeat(1_000_000)), "too-large"),
        (Incoming { payload: Bytes::from_static(b"\xff\x00\xfe"), ..cancelled() }, "malformed"),
    ];
    for (message, class) in cases {
        let error = decode::<JobCancelled>(&message).unwrap_err();
        assert_eq!(error.class(), class, "{error}");
    }
}

#[test]
fn a_message_that_names_its_kind_in_the_body_only_is_read() {
    let mut headers = Headers::new();
    let id = about().id;
    headers.set_text(header::MESSAGE_ID, id);
    let message = Incoming { headers, ..cancelled() };
    assert_eq!(decode::<JobCancelled>(&message).unwrap().about.id, id);
}

#[test]
fn the_same_work_done_twice_sends_the_same_ids() {
    let cause = about().id;
    let kind = EnrichmentProgress::EVENT_TYPE;
    assert_eq!(MessageId::derived(cause, kind, 3), MessageId::derived(cause, kind, 3));
    assert_ne!(MessageId::derived(cause, kind, 3), MessageId::derived(cause, kind, 4));
    assert_ne!(
        MessageId::derived(cause, kind, 3),
        MessageId::derived(cause, EnrichmentCompleted::EVENT_TYPE, 3)
    );
}
