//! The places that were written by hand.

use async_trait::async_trait;
use mercurious_contracts::{Currency, MealKind, Point};

use super::{by_hand, lines};
use crate::sources::{Around, FoundPlace, PlaceSource, SourceError};

/// A city whose places are known.
struct City {
    key: &'static str,
    name: &'static str,
    centre: Point,
    currency: &'static str,
    table: &'static str,
}

const CITIES: [City; 2] = [
    City {
        key: "lisbon",
        name: "places of Lisbon",
        centre: Point { lat: 38.7139, lon: -9.1394 },
        currency: "EUR",
        table: include_str!("../../../data/places/lisbon.tsv"),
    },
    City {
        key: "kyoto",
        name: "places of Kyoto",
        centre: Point { lat: 35.0116, lon: 135.7681 },
        currency: "JPY",
        table: include_str!("../../../data/places/kyoto.tsv"),
    },
];

/// A city is meant by destinations at most this far from its centre, in metres.
const NEAR: f64 = 25_000.0;

/// The places inside the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct BundledPlaces;

#[async_trait]
impl PlaceSource for BundledPlaces {
    fn name(&self) -> &'static str {
        "bundled"
    }

    async fn places(&self, around: Around<'_>) -> Result<Vec<FoundPlace>, SourceError> {
        let centre = around.destination.point;
        let near = |city: &&City| city.centre.metres_to(centre) <= NEAR;
        Ok(CITIES.iter().filter(near).flat_map(read).collect())
    }
}

fn read(city: &City) -> Vec<FoundPlace> {
    lines(city.table).filter_map(|line| place(city, line)).collect()
}

fn place(city: &City, line: &str) -> Option<FoundPlace> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [id, name, others, category, lat, lon, minutes, quality, min, max, hours, tags, serves] =
        columns.as_slice()
    else {
        return None;
    };
    let words = |text: &str, at: char| -> Vec<String> {
        text.split(at).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    Some(FoundPlace {
        id: format!("{}:{id}", city.key),
        name: (*name).to_owned(),
        other_names: words(others, ';'),
        point: Point { lat: lat.parse().ok()?, lon: lon.parse().ok()? },
        category: (*category).to_owned(),
        minutes: minutes.parse().ok()?,
        quality: quality.parse().ok()?,
        cost: (min.parse().ok()?, max.parse().ok()?),
        currency: Currency::new(city.currency).ok()?,
        opening_hours: Some((*hours).to_owned()),
        tags: words(tags, ',').into_iter().collect(),
        serves: words(serves, ',').iter().filter_map(|word| meal(word)).collect(),
        estimated: true,
        provenance: by_hand(city.name),
    })
}

fn meal(word: &str) -> Option<MealKind> {
    match word {
        "breakfast" => Some(MealKind::Breakfast),
        "lunch" => Some(MealKind::Lunch),
        "dinner" => Some(MealKind::Dinner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_place_near_its_city_with_hours_that_can_be_read() {
        for city in &CITIES {
            let places = read(city);
            assert_eq!(places.len(), lines(city.table).count(), "{}", city.key);
            assert!(places.len() >= 40, "{}: {}", city.key, places.len());
            let ids: std::collections::BTreeSet<&str> =
                places.iter().map(|place| place.id.as_str()).collect();
            assert_eq!(ids.len(), places.len(), "{}", city.key);
            for place in &places {
                assert!(place.point.metres_to(city.centre) < 25_000.0, "{}", place.name);
                let hours = place.opening_hours.as_deref().unwrap();
                assert!(hours.parse::<opening_hours::OpeningHours>().is_ok(), "{hours}");
                assert!(place.cost.0 <= place.cost.1 && place.quality <= 100, "{}", place.name);
                let eats = ["restaurant", "cafe"].contains(&place.category.as_str());
                assert_eq!(eats, !place.serves.is_empty(), "{}", place.name);
                assert!(place.estimated && place.provenance.source.contains("estimate"));
            }
        }
    }
}
