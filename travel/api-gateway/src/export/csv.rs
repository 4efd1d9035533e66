//! Tables by RFC 4180. A text that a spreadsheet would take for a formula gets a `'` before it.

use csv::{Terminator, WriterBuilder};
use mercurious_contracts::trip::{Activity, Slot, Trip, TripDay};

use super::{ExportError, slot};

const HEAD: [&str; 18] = [
    "day", "date", "start", "end", "kind", "name", "category", "lat", "lon", "mode", "minutes",
    "cost_min", "cost_max", "currency", "locked", "reason", "source", "licence",
];

pub(super) fn write(trip: &Trip) -> Result<String, ExportError> {
    let mut table = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    let failed = |_| ExportError::Write("CSV");
    table.write_record(HEAD).map_err(failed)?;
    for day in &trip.itinerary.days {
        for slot in &day.slots {
            table.write_record(record(day, slot)).map_err(failed)?;
        }
    }
    let bytes = table.into_inner().map_err(|_| ExportError::Write("CSV"))?;
    String::from_utf8(bytes).map_err(|_| ExportError::Write("CSV"))
}

fn record(day: &TripDay, slot: &Slot) -> [String; HEAD.len()] {
    let place = slot::place(&slot.activity);
    let point = slot::point(&slot.activity);
    let travel = match &slot.activity {
        Activity::Travel { travel } => Some(travel),
        _ => None,
    };
    let currency = &slot.cost.currency;
    let about = |text: fn(&mercurious_contracts::trip::Place) -> &String| {
        place.map(|place| guard(text(place))).unwrap_or_default()
    };
    [
        day.number.to_string(),
        day.date.to_string(),
        slot.start.clone(),
        slot.end.clone(),
        slot::kind(&slot.activity).to_owned(),
        guard(&slot::name(&slot.activity)),
        about(|place| &place.category),
        point.map(|point| point.lat.to_string()).unwrap_or_default(),
        point.map(|point| point.lon.to_string()).unwrap_or_default(),
        travel.map(|travel| slot::mode(travel.mode).to_lowercase()).unwrap_or_default(),
        travel.map(|travel| travel.minutes.to_string()).unwrap_or_default(),
        slot::amount(slot.cost.min, currency),
        slot::amount(slot.cost.max, currency),
        currency.to_string(),
        slot.locked.to_string(),
        slot.reason.as_deref().map(guard).unwrap_or_default(),
        about(|place| &place.source),
        about(|place| &place.licence),
    ]
}

/// A text as a text, whatever it begins with; some spreadsheets look behind spaces too.
fn guard(text: &str) -> String {
    let first = text.trim_start_matches([' ', '\u{a0}', '\u{feff}']).chars().next();
    if text.starts_with(['\t', '\r', '\n'])
        || first.is_some_and(|first| "=+-@＝＋－＠".contains(first))
    {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
