//! Texts in CommonMark. Names are text and nothing else: no link, no heading, no HTML; and a name that is written
//! from right to left does not turn the rest of its line.

use std::fmt::Write as _;

use mercurious_contracts::trip::{Activity, Slot, Trip, TripDay};

use super::slot;

pub(super) fn write(trip: &Trip) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let mut put = |line: String| text.extend([line.as_str(), "\n"]);
    let itinerary = &trip.itinerary;
    put(format!("# {}\n", name(&itinerary.title)));
    if let Some(summary) = &itinerary.summary {
        put(format!("{}\n", escape(summary)));
    }
    for day in &itinerary.days {
        put(head(day));
        for slot in &day.slots {
            put(line(slot));
        }
        put(String::new());
    }
    if let Some(total) = slot::cost(&itinerary.totals.cost) {
        put(format!("Total: {total}\n"));
    }
    if !itinerary.unplaced.is_empty() {
        put("## Not in the plan\n".to_owned());
        for unplaced in &itinerary.unplaced {
            put(format!("- {}: {}", name(&unplaced.name), escape(&unplaced.detail)));
        }
        put(String::new());
    }
    if !itinerary.warnings.is_empty() {
        put("## Good to know\n".to_owned());
        for warning in &itinerary.warnings {
            put(format!("- {}", escape(&warning.message)));
        }
        put(String::new());
    }
    for attribution in &itinerary.attributions {
        put(format!("{}  ", escape(attribution)));
    }
    text
}

fn head(day: &TripDay) -> String {
    let mut head = format!("## Day {}, {}: {}\n", day.number, day.date, name(&day.title));
    if let Some(text) = &day.text {
        let _ = write!(head, "\n{}\n", escape(text));
    }
    for holiday in &day.holidays {
        let _ = write!(head, "\nPublic holiday: {}\n", name(&holiday.name));
    }
    head
}

fn line(slot: &Slot) -> String {
    let (start, end) = (slot::clock(&slot.start), slot::clock(&slot.end));
    let mut line = format!("- {start}–{end} ");
    let _ = match &slot.activity {
        Activity::Travel { travel } => {
            write!(line, "*{}, {} min*", slot::mode(travel.mode), travel.minutes)
        }
        other => write!(line, "**{}**", name(&slot::name(other))),
    };
    if let Some(cost) = slot::cost(&slot.cost) {
        let _ = write!(line, ", {cost}");
    }
    if let Some(reason) = &slot.reason {
        let _ = write!(line, ": {}", escape(reason));
    }
    line
}

/// A name, set apart so that its direction is its own.
fn name(text: &str) -> String {
    let escaped = escape(text);
    if escaped.chars().all(|character| (character as u32) < 0x590) {
        return escaped;
    }
    format!("\u{2068}{escaped}\u{2069}")
}

/// Text as text (CommonMark §2.4), on one line, without characters that turn the direction of what follows.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.trim().chars() {
        match character {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {}
            character if character.is_control() => escaped.push(' '),
            character if character.is_ascii_punctuation() && !",':;\"%/?".contains(character) => {
                escaped.extend(['\\', character]);
            }
            character => escaped.push(character),
        }
    }
    escaped
}
