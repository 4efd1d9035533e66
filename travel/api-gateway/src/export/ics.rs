//! Calendars by RFC 5545.
//!
//! Moments are in UTC: every reader knows them, whatever it knows of time zones, and clock changes are in them
//! already. An event keeps its UID when it moves, so that a calendar that has it moves it too.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mercurious_contracts::trip::{Activity, Slot, TripDay};

use super::{ExportError, slot};
use crate::store::StoredTrip;

/// The octets of a line at most (RFC 5545 §3.1).
const LINE: usize = 75;

pub(super) fn write(stored: &StoredTrip) -> Result<String, ExportError> {
    let trip = &stored.trip;
    let mut calendar = Calendar::default();
    calendar.line("BEGIN", "VCALENDAR");
    calendar.line("VERSION", "2.0");
    calendar.line("PRODID", "-//Mercurious//Travel//EN");
    calendar.line("CALSCALE", "GREGORIAN");
    calendar.line("METHOD", "PUBLISH");
    calendar.text("NAME", &trip.itinerary.title);
    calendar.text("X-WR-CALNAME", &trip.itinerary.title);
    let mut names = BTreeMap::new();
    for day in &trip.itinerary.days {
        let mut way = None;
        for slot in &day.slots {
            if let Activity::Travel { travel } = &slot.activity {
                way = Some(format!("{}, {} min", slot::mode(travel.mode), travel.minutes));
            }
            if slot::is_gap(slot) {
                continue;
            }
            calendar.event(stored, &unique(&mut names, day, slot), slot, way.take())?;
        }
    }
    calendar.line("END", "VCALENDAR");
    Ok(calendar.text)
}

/// What an event is known by within its trip: what it is, not when.
fn unique(names: &mut BTreeMap<String, u32>, day: &TripDay, slot: &Slot) -> String {
    let name = match (&slot.activity, slot::place(&slot.activity)) {
        (Activity::Visit { place }, _) => format!("visit/{}", place.id),
        (Activity::Meal { meal, .. }, _) => format!("meal/{}/{}", day.number, slot::meal(*meal)),
        (Activity::Fixed { title, .. }, _) => format!("fixed/{title}"),
        (other, _) => slot::kind(other).to_owned(),
    };
    let count = names.entry(name.clone()).or_insert(0);
    *count += 1;
    format!("{name}/{count}")
}

#[derive(Default)]
struct Calendar {
    text: String,
}

impl Calendar {
    fn event(
        &mut self,
        stored: &StoredTrip,
        name: &str,
        slot: &Slot,
        way: Option<String>,
    ) -> Result<(), ExportError> {
        let trip = &stored.trip;
        let uid = mercurious_contracts::MessageId::first(trip.id, name);
        self.line("BEGIN", "VEVENT");
        self.line("UID", &format!("{uid}@mercurious"));
        self.line("DTSTAMP", &utc(trip.created_at));
        self.line("SEQUENCE", &stored.version.saturating_sub(1).to_string());
        self.line("DTSTART", &utc(slot::moment(&slot.start)?));
        self.line("DTEND", &utc(slot::moment(&slot.end)?));
        self.text("SUMMARY", &slot::name(&slot.activity));
        if let Some(place) = slot::place(&slot.activity) {
            self.text("LOCATION", &place.name);
        }
        if let Some(point) = slot::point(&slot.activity) {
            self.line("GEO", &format!("{:.6};{:.6}", point.lat, point.lon));
        }
        let description = describe(slot, way);
        if !description.is_empty() {
            self.text("DESCRIPTION", &description);
        }
        self.text("CATEGORIES", slot::kind(&slot.activity));
        self.line("TRANSP", "OPAQUE");
        self.line("END", "VEVENT");
        Ok(())
    }

    fn text(&mut self, name: &str, value: &str) {
        self.line(name, &escape(value));
    }

    /// Writes a line, folded so that none has more octets than may be and no character is cut.
    fn line(&mut self, name: &str, value: &str) {
        let mut room = LINE;
        for character in name.chars().chain([':']).chain(value.chars()) {
            if character.len_utf8() > room {
                self.text.push_str("\r\n ");
                room = LINE - 1;
            }
            room -= character.len_utf8();
            self.text.push(character);
        }
        self.text.push_str("\r\n");
    }
}

fn describe(slot: &Slot, way: Option<String>) -> String {
    let place = slot::place(&slot.activity);
    let lines = [
        way,
        slot.reason.clone(),
        place.and_then(|place| place.opening_hours.clone()),
        slot::cost(&slot.cost),
        place.map(|place| format!("{} ({})", place.source, place.licence)),
    ];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// A text's value (RFC 5545 §3.3.11). Control characters other than a line's end may not be there at all.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' | ';' | ',' => escaped.extend(['\\', character]),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' | '\r' => escaped.push_str("\\n"),
            '\t' => escaped.push('\t'),
            other if other.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

fn utc(moment: Timestamp) -> String {
    moment.strftime("%Y%m%dT%H%M%SZ").to_string()
}
