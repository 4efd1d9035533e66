//! Maps by RFC 7946: longitude before latitude, and no line that crosses the antimeridian in one piece (§3.1.9).

use geojson::{Feature, FeatureCollection, Geometry, JsonObject};
use mercurious_contracts::{
    Point,
    trip::{Activity, Slot, Trip, TripDay},
};
use serde_json::json;

use super::{ExportError, slot};

pub(super) fn write(trip: &Trip) -> Result<String, ExportError> {
    let mut features = Vec::new();
    for day in &trip.itinerary.days {
        features.extend(day.slots.iter().filter_map(|slot| feature(day, slot)));
    }
    let collection = FeatureCollection {
        bbox: None,
        features,
        foreign_members: Some(JsonObject::from_iter([
            ("name".to_owned(), json!(trip.itinerary.title)),
            ("trip".to_owned(), json!(trip.id)),
            ("attributions".to_owned(), json!(trip.itinerary.attributions)),
        ])),
    };
    serde_json::to_string(&collection).map_err(|_| ExportError::Write("GeoJSON"))
}

fn feature(day: &TripDay, slot: &Slot) -> Option<Feature> {
    let geometry = match &slot.activity {
        Activity::Travel { travel } => way(travel.from, travel.to),
        other => Geometry::new_point(position(slot::point(other)?)),
    };
    let mut properties = JsonObject::from_iter([
        ("day".to_owned(), json!(day.number)),
        ("date".to_owned(), json!(day.date)),
        ("start".to_owned(), json!(slot.start)),
        ("end".to_owned(), json!(slot.end)),
        ("kind".to_owned(), json!(slot::kind(&slot.activity))),
        ("name".to_owned(), json!(slot::name(&slot.activity))),
    ]);
    if let Some(place) = slot::place(&slot.activity) {
        let about = [
            ("place_id", &place.id),
            ("category", &place.category),
            ("source", &place.source),
            ("licence", &place.licence),
        ];
        properties.extend(about.map(|(name, value)| (name.to_owned(), json!(value))));
    }
    if let Activity::Travel { travel } = &slot.activity {
        properties.insert("mode".to_owned(), json!(travel.mode));
        properties.insert("minutes".to_owned(), json!(travel.minutes));
    }
    Some(Feature {
        bbox: None,
        geometry: Some(geometry),
        id: None,
        properties: Some(properties),
        foreign_members: None,
    })
}

fn position(point: Point) -> [f64; 2] {
    [point.lon, point.lat]
}

/// A straight way; where it is shorter across the antimeridian, cut there.
fn way(from: Point, to: Point) -> Geometry {
    if (to.lon - from.lon).abs() <= 180.0 {
        return Geometry::new_line_string([position(from), position(to)]);
    }
    let side = 180.0_f64.copysign(from.lon);
    // How far it is to the antimeridian, and from there on.
    let (before, after) = (180.0 - from.lon.abs(), 180.0 - to.lon.abs());
    let share = if before + after > 0.0 { before / (before + after) } else { 0.5 };
    let lat = from.lat + (to.lat - from.lat) * share;
    Geometry::new_multi_line_string([[position(from), [side, lat]], [[-side, lat], position(to)]])
}

/// Only for tests: what is read back.
#[cfg(test)]
pub(super) fn read(text: &str) -> serde_json::Value {
    let read: geojson::GeoJson = text.parse().unwrap();
    serde_json::to_value(read).unwrap()
}
