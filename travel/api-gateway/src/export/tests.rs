use mercurious_contracts::{
    Currency, Point,
    trip::{Activity, Slot, Trip},
};
use proptest::prelude::*;
use serde_json::json;

use super::{Format, geojson, slot};
use crate::{
    store::StoredTrip,
    tests::fixtures::{itinerary, job_id},
};

fn trip() -> StoredTrip {
    let trip = Trip {
        id: job_id(1),
        created_at: "2026-05-01T08:00:00Z".parse().unwrap(),
        itinerary: *itinerary(2),
    };
    StoredTrip { trip, version: 1 }
}

/// The trip with its first visit called something else.
fn named(name: &str) -> StoredTrip {
    let mut trip = trip();
    let slot = &mut trip.trip.itinerary.days[0].slots[0];
    if let Activity::Visit { place } = &mut slot.activity {
        name.clone_into(&mut place.name);
    }
    trip
}

fn write(format: Format, trip: &StoredTrip) -> String {
    format.write(trip).unwrap()
}

#[test]
fn a_calendar_has_what_one_does_in_utc() {
    let text = write(Format::Ics, &trip());
    assert_eq!(text.matches("BEGIN:VEVENT\r\n").count(), 4, "visits and meals, no ways");
    // Lisbon is at +01:00 in May.
    assert!(text.contains("DTSTART:20260504T080000Z\r\nDTEND:20260504T093000Z\r\n"), "{text}");
    assert!(text.contains("DTSTAMP:20260501T080000Z\r\n"));
    assert!(
        text.contains("SUMMARY:Tile Museum\r\n") && text.contains("GEO:38.700000;-9.100000\r\n")
    );
    assert_eq!(text, write(Format::Ics, &trip()), "the same trip, the same bytes");
}

#[test]
fn an_event_that_moves_keeps_its_uid_and_its_sequence_grows() {
    let uids = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("UID:")).map(str::to_owned).collect()
    };
    let before = write(Format::Ics, &trip());
    let mut moved = trip();
    moved.version = 3;
    let slot = &mut moved.trip.itinerary.days[0].slots[0];
    slot.start = "2026-05-04T15:00:00+01:00".to_owned();
    slot.end = "2026-05-04T16:00:00+01:00".to_owned();
    let after = write(Format::Ics, &moved);
    assert_eq!(uids(&before), uids(&after));
    let mut once = uids(&before);
    once.sort();
    once.dedup();
    assert_eq!(once.len(), 4);
    assert!(before.contains("SEQUENCE:0\r\n") && after.contains("SEQUENCE:2\r\n"));
}

#[test]
fn a_change_of_clocks_is_in_the_offset() {
    let mut trip = trip();
    let slots = &mut trip.trip.itinerary.days[0].slots;
    slots[0].start = "2026-03-29T00:30:00+00:00".to_owned();
    slots[0].end = "2026-03-29T02:30:00+01:00".to_owned();
    let text = write(Format::Ics, &trip);
    assert!(text.contains("DTSTART:20260329T003000Z\r\nDTEND:20260329T013000Z\r\n"), "one hour");
}

#[test]
fn a_time_that_is_none_is_an_error_and_not_a_wrong_calendar() {
    let mut trip = trip();
    trip.trip.itinerary.days[0].slots[0].start = "tomorrow".to_owned();
    let error = Format::Ics.write(&trip).unwrap_err();
    assert!(error.to_string().contains("tomorrow"));
}

proptest! {
    /// No line is longer than 75 octets, none is cut within a character, and another program reads what was written.
    #[test]
    fn another_program_reads_every_name_back(name in "[ -~àé京都القاهرة🇨🇱,;:\\\\\n\"]{1,120}") {
        let text = write(Format::Ics, &named(&name));
        prop_assert!(text.ends_with("END:VCALENDAR\r\n"));
        for line in text.split("\r\n") {
            prop_assert!(line.len() <= 75, "{}", line);
            prop_assert!(!line.contains(['\n', '\r']));
        }
        let calendar: icalendar::Calendar = text.parse().unwrap();
        let event = calendar.components[0].as_event().unwrap();
        let read = icalendar::Component::get_summary(event).unwrap().to_owned();
        prop_assert_eq!(read.trim(), name.trim());
    }

    #[test]
    fn a_table_gives_back_its_texts_and_no_formula(name in "\\PC{0,40}") {
        let text = write(Format::Csv, &named(&name));
        let mut table = csv::Reader::from_reader(text.as_bytes());
        let row = table.records().next().unwrap().unwrap();
        let cell = &row[5];
        prop_assert!(cell == name || cell.strip_prefix('\'') == Some(name.as_str()));
        let first = cell.trim_start_matches([' ', '\u{a0}']).chars().next();
        prop_assert!(!first.is_some_and(|first| "=+-@".contains(first)), "{}", cell);
    }

    #[test]
    fn a_text_keeps_names_on_their_line(name in "\\PC{0,40}[\n#*_`\\[\\]<>()|~\u{202e}]{0,5}") {
        let lines = write(Format::Markdown, &trip()).lines().count();
        prop_assert_eq!(write(Format::Markdown, &named(&name)).lines().count(), lines);
    }
}

#[test]
fn formulas_are_made_texts() {
    for name in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1"] {
        let text = write(Format::Csv, &named(name));
        assert!(text.contains(&format!("'{name}")), "{text}");
    }
    // A number is one: the guard is for texts.
    assert!(write(Format::Csv, &trip()).contains(",38.7,-9.1,"));
}

#[test]
fn a_table_quotes_by_the_book() {
    let text = write(Format::Csv, &named("a \"b\", c\nd"));
    assert!(text.contains(",\"a \"\"b\"\", c\nd\","), "{text}");
    assert!(text.starts_with("day,date,") && text.contains("\r\n"));
}

#[test]
fn money_has_the_decimals_of_its_currency() {
    let amount = |minor, code: &str| slot::amount(minor, &Currency::new(code).unwrap());
    assert_eq!(amount(1_250, "EUR"), "12.50");
    assert_eq!(amount(50_000, "JPY"), "50000");
    assert_eq!(amount(1_250_005, "KWD"), "1250.005");
    assert_eq!(amount(-5, "EUR"), "-0.05");
    assert_eq!(amount(0, "EUR"), "0.00");
}

#[test]
fn a_map_has_longitude_first_and_every_place_its_source() {
    let map = geojson::read(&write(Format::GeoJson, &trip()));
    assert_eq!(map["type"], "FeatureCollection");
    assert_eq!(
        map["features"][0]["geometry"],
        json!({ "type": "Point", "coordinates": [-9.1, 38.7] })
    );
    assert_eq!(map["features"][0]["properties"]["licence"], "CC0");
    assert_eq!(map["features"][1]["geometry"]["type"], "LineString");
    assert_eq!(map["attributions"], json!(["Places: test data (CC0)"]));
}

#[test]
fn a_way_over_the_antimeridian_is_cut_there() {
    let mut trip = trip();
    if let Activity::Travel { travel } = &mut trip.trip.itinerary.days[0].slots[1].activity {
        travel.from = Point { lat: -16.0, lon: 179.0 };
        travel.to = Point { lat: -18.0, lon: -179.0 };
    }
    let map = geojson::read(&write(Format::GeoJson, &trip));
    let geometry = &map["features"][1]["geometry"];
    assert_eq!(geometry["type"], "MultiLineString");
    assert_eq!(
        geometry["coordinates"],
        json!([[[179.0, -16.0], [180.0, -17.0]], [[-180.0, -17.0], [-179.0, -18.0]]])
    );
}

#[test]
fn a_name_cannot_become_more_than_text_in_markdown() {
    let text = write(Format::Markdown, &named("[x](javascript:1) <b> **bold** `code` # no"));
    assert!(
        text.contains("\\[x\\]\\(javascript:1\\) \\<b\\> \\*\\*bold\\*\\* \\`code\\` \\# no"),
        "{text}"
    );
}

#[test]
fn a_name_from_right_to_left_does_not_turn_its_line() {
    let text = write(Format::Markdown, &named("المتحف \u{202e}المصري"));
    assert!(text.contains("**\u{2068}المتحف المصري\u{2069}**"), "{text}");
}

#[test]
fn what_is_not_in_the_plan_and_what_to_know_are_in_the_text() {
    let mut trip = trip();
    trip.trip.itinerary.unplaced = serde_json::from_value(json!([
        { "name": "Closed Palace", "asked_for": true, "reason": "closed", "detail": "It is closed on all days." }
    ]))
    .unwrap();
    trip.trip.itinerary.warnings =
        serde_json::from_value(json!([{ "code": "estimate", "message": "Costs are estimates." }]))
            .unwrap();
    insta::assert_snapshot!(write(Format::Markdown, &trip));
}

/// So that nothing is left out by mistake when a kind of slot is added.
#[test]
fn every_kind_of_slot_has_a_name() {
    let fixed: Slot = serde_json::from_value(json!({
        "start": "2026-05-04T19:00:00+01:00", "end": "2026-05-04T20:00:00+01:00", "part": "evening",
        "kind": "fixed", "title": "Fado", "point": { "lat": 1.0, "lon": 2.0 },
        "cost": { "min": 0, "max": 0, "currency": "EUR" },
    }))
    .unwrap();
    assert_eq!(
        (slot::kind(&fixed.activity), slot::name(&fixed.activity)),
        ("fixed", "Fado".to_owned())
    );
    assert_eq!(slot::point(&fixed.activity), Some(Point { lat: 1.0, lon: 2.0 }));
    assert_eq!(slot::name(&Activity::Free), "Free time");
}
