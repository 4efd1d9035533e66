use mercurious_contracts::trip::{Activity, Trip};
use serde_json::{Value, json};

use super::{Edits, apply};
use crate::tests::fixtures::{itinerary, job_id};

fn trip() -> Trip {
    let created_at = "2026-05-01T08:00:00Z".parse().unwrap();
    Trip { id: job_id(1), created_at, itinerary: *itinerary(2) }
}

fn edited(edits: &Value) -> Result<Trip, Vec<String>> {
    let body = json!({ "edits": edits }).to_string();
    let text = |error: mercurious_contracts::problem::FieldError| {
        format!("{} {}", error.field, serde_json::to_value(error.code).unwrap().as_str().unwrap())
    };
    let texts = |errors: Vec<_>| errors.into_iter().map(text).collect::<Vec<_>>();
    let edits = Edits::from_json(body.as_bytes()).map_err(texts)?;
    apply(&trip(), &edits).map_err(texts)
}

/// What one does on a day, as `HH:MM kind`.
fn day(trip: &Trip, number: usize) -> Vec<String> {
    let kind = |activity: &Activity| match activity {
        Activity::Visit { place } => place.name.clone(),
        Activity::Meal { .. } => "meal".to_owned(),
        Activity::Travel { .. } => "way".to_owned(),
        Activity::Free => "free".to_owned(),
        Activity::Fixed { title, .. } => title.clone(),
    };
    let slots = &trip.itinerary.days[number - 1].slots;
    slots.iter().map(|slot| format!("{} {}", &slot.start[11..16], kind(&slot.activity))).collect()
}

#[test]
fn what_is_removed_is_gone_with_its_ways_and_the_sums_follow() {
    let trip = edited(&json!([{ "op": "remove", "at": { "day": 1, "slot": 0 } }])).unwrap();
    assert_eq!(day(&trip, 1), ["12:00 meal"]);
    assert_eq!(day(&trip, 2), ["09:00 Tile Museum", "10:30 way", "12:00 meal"]);
    let totals = &trip.itinerary.totals;
    assert_eq!((totals.cost.min, totals.cost.max), (1500 + 2300, 2500 + 3500));
    assert_eq!((totals.visits, totals.walk_metres), (1, 900));
    assert_eq!(totals.by_category["museum"].max, 1000);
    assert_eq!(totals.by_category["meal"].max, 5000);
    assert_eq!(trip.itinerary.warnings[0].code, "edited");
}

#[test]
fn what_is_moved_lasts_as_long_as_before_on_its_new_day() {
    let edits = json!([{ "op": "move", "at": { "day": 1, "slot": 0 }, "day": 2, "start": "2026-05-05T15:00:00+01:00" }]);
    let trip = edited(&edits).unwrap();
    assert_eq!(day(&trip, 1), ["12:00 meal"]);
    assert_eq!(
        day(&trip, 2),
        ["09:00 Tile Museum", "10:30 way", "12:00 meal", "15:00 Tile Museum"]
    );
    let moved = &trip.itinerary.days[1].slots[3];
    assert_eq!(moved.end, "2026-05-05T16:30:00+01:00");
    assert_eq!(trip.itinerary.totals.visits, 2);
}

#[test]
fn two_may_change_places_in_one_request() {
    let edits = json!([
        { "op": "move", "at": { "day": 1, "slot": 0 }, "start": "2026-05-04T12:00:00+01:00" },
        { "op": "move", "at": { "day": 1, "slot": 2 }, "start": "2026-05-04T09:00:00+01:00" },
    ]);
    assert_eq!(day(&edited(&edits).unwrap(), 1), ["09:00 meal", "12:00 Tile Museum"]);
}

#[test]
fn something_of_ones_own_is_added_and_locked() {
    let edits = json!([
        { "op": "add", "day": 1, "title": "Fado", "start": "2026-05-05T00:30:00+01:00", "end": "2026-05-05T01:30:00+01:00",
          "point": { "lat": 38.7, "lon": -9.1 }, "cost": { "min": 2000, "max": 2000 } },
        { "op": "lock", "at": { "day": 2, "slot": 0 } },
        { "op": "replace", "at": { "day": 1, "slot": 2 }, "title": "Lunch with Ana" },
    ]);
    let trip = edited(&edits).unwrap();
    assert_eq!(
        day(&trip, 1),
        ["09:00 Tile Museum", "10:30 way", "12:00 Lunch with Ana", "00:30 Fado"],
        "the night belongs to the day before"
    );
    assert!(trip.itinerary.days[0].slots[3].locked && trip.itinerary.days[1].slots[0].locked);
    assert_eq!(trip.itinerary.totals.by_category["fixed"].max, 2000);
}

#[test]
fn locking_alone_warns_of_nothing() {
    let trip = edited(&json!([{ "op": "lock", "at": { "day": 1, "slot": 0 } }])).unwrap();
    assert!(trip.itinerary.warnings.is_empty());
    assert_eq!(day(&trip, 1).len(), 3);
}

#[test]
fn every_wrong_edit_is_named_and_none_is_made() {
    let wrong = json!([
        { "op": "remove", "at": { "day": 3, "slot": 0 } },
        { "op": "remove", "at": { "day": 0, "slot": 0 } },
        { "op": "remove", "at": { "day": 1, "slot": 1 } },
        { "op": "lock", "at": { "day": 1, "slot": 0 } },
        { "op": "remove", "at": { "day": 1, "slot": 0 } },
        { "op": "move", "at": { "day": 2, "slot": 0 }, "start": "15:00" },
        { "op": "move", "at": { "day": 2, "slot": 0 }, "start": "2026-05-04T15:00:00+01:00" },
        { "op": "add", "day": 1, "title": " ", "start": "2026-05-04T20:00:00+01:00", "end": "2026-05-04T19:00:00+01:00",
          "point": { "lat": 91, "lon": 0 }, "cost": { "min": 2, "max": 1 } },
    ]);
    assert_eq!(
        edited(&wrong).unwrap_err(),
        [
            "edits[0].at out_of_range",
            "edits[1].at out_of_range",
            "edits[2].at conflict",
            "edits[4].at duplicate",
            "edits[5].start malformed",
            "edits[6].start out_of_range",
            "edits[7].title empty",
            "edits[7].point out_of_range",
            "edits[7].cost out_of_range",
        ]
    );
}

#[test]
fn what_overlaps_is_refused_and_says_with_what() {
    let edits = json!([
        { "op": "add", "day": 1, "title": "Tea", "start": "2026-05-04T12:30:00+01:00", "end": "2026-05-04T13:30:00+01:00" },
    ]);
    assert_eq!(edited(&edits).unwrap_err(), ["edits[0] conflict"]);
}

#[test]
fn what_is_no_list_of_edits_is_named() {
    let faults = |body: &str| Edits::from_json(body.as_bytes()).unwrap_err().len();
    assert_eq!(faults("["), 1);
    assert_eq!(faults("[]"), 1);
    assert_eq!(faults("{}"), 1);
    assert_eq!(faults(r#"{"edits":[],"more":1}"#), 2);
    assert_eq!(
        faults(
            r#"{"edits":[{"op":"paint"},{"op":"remove"},{"op":"lock","at":{"day":1,"slot":0},"x":1}]}"#
        ),
        3
    );
}
