//! Made-up places for destinations that nobody knows the places of, and for tests of scale.
//!
//! The destination decides everything: the same one has the same places at any time. Every name, id and source
//! says that the place is made up.

use std::collections::BTreeSet;

use async_trait::async_trait;
use fastrand::Rng;
use mercurious_contracts::{Currency, MealKind, Point, Provenance};
use sha2::{Digest as _, Sha256};

use super::{Around, FoundPlace, PlaceSource, SourceError, bundled::rates};
use crate::geo;

/// The source of every made-up place.
pub const SOURCE: &str = "synthetic (made up)";

/// A kind of place: its words, how long one stays, what it costs in cents of a euro, when it is open.
struct Kind {
    category: &'static str,
    word: &'static str,
    minutes: i32,
    cost: (i64, i64),
    hours: &'static [&'static str],
    outdoor: bool,
}

const SIGHTS: [Kind; 10] = [
    Kind {
        category: "museum",
        word: "museum",
        minutes: 90,
        cost: (600, 1500),
        hours: &["Tu-Su 10:00-18:00", "We-Mo 10:00-18:00", "Tu-Su 09:00-12:30,14:00-18:00; PH off"],
        outdoor: false,
    },
    Kind {
        category: "gallery",
        word: "gallery",
        minutes: 60,
        cost: (0, 900),
        hours: &["Tu-Sa 11:00-19:00", "We-Su 12:00-20:00"],
        outdoor: false,
    },
    Kind {
        category: "monument",
        word: "monument",
        minutes: 30,
        cost: (0, 800),
        hours: &["24/7", "09:00-18:00"],
        outdoor: true,
    },
    Kind {
        category: "park",
        word: "park",
        minutes: 60,
        cost: (0, 0),
        hours: &["24/7", "07:00-21:00"],
        outdoor: true,
    },
    Kind {
        category: "church",
        word: "place of worship",
        minutes: 30,
        cost: (0, 300),
        hours: &["08:00-12:00,15:00-19:00", "Mo-Sa 09:00-18:00; Su 13:00-18:00"],
        outdoor: false,
    },
    Kind {
        category: "market",
        word: "market",
        minutes: 45,
        cost: (0, 0),
        hours: &["Tu-Sa 07:00-14:00", "Sa,Su 08:00-16:00", "Mo-Sa 08:00-18:00"],
        outdoor: true,
    },
    Kind {
        category: "viewpoint",
        word: "viewpoint",
        minutes: 25,
        cost: (0, 0),
        hours: &["24/7"],
        outdoor: true,
    },
    Kind {
        category: "castle",
        word: "castle",
        minutes: 90,
        cost: (800, 1600),
        hours: &["Apr-Oct 09:00-19:00; Nov-Mar 10:00-17:00; Mo off"],
        outdoor: true,
    },
    Kind {
        category: "zoo",
        word: "zoo",
        minutes: 150,
        cost: (1500, 2600),
        hours: &["09:00-18:00"],
        outdoor: true,
    },
    Kind {
        category: "neighbourhood",
        word: "old streets",
        minutes: 60,
        cost: (0, 0),
        hours: &["24/7"],
        outdoor: true,
    },
];

const TABLES: [Kind; 2] = [
    Kind {
        category: "cafe",
        word: "café",
        minutes: 40,
        cost: (400, 1400),
        hours: &["Mo-Sa 07:30-18:00", "08:00-20:00"],
        outdoor: false,
    },
    Kind {
        category: "restaurant",
        word: "restaurant",
        minutes: 75,
        cost: (1200, 4500),
        hours: &["Tu-Su 12:00-15:00,18:00-23:00", "11:30-22:00", "Mo-Sa 12:00-14:30,19:00-24:00"],
        outdoor: false,
    },
];

const DISTRICTS: [&str; 6] = ["centre", "harbour", "hill", "river", "east", "west"];

/// Makes up a city.
#[derive(Debug, Clone, Copy)]
pub struct SyntheticPlaces {
    /// How many places.
    pub count: usize,
}

impl Default for SyntheticPlaces {
    fn default() -> Self {
        Self { count: 90 }
    }
}

#[async_trait]
impl PlaceSource for SyntheticPlaces {
    fn name(&self) -> &'static str {
        "synthetic"
    }

    async fn places(&self, around: Around<'_>) -> Result<Vec<FoundPlace>, SourceError> {
        let destination = around.destination;
        Ok(city(&destination.id, destination.point, &destination.currency, self.count))
    }
}

/// The made-up places of a destination.
pub fn city(id: &str, centre: Point, currency: &Currency, count: usize) -> Vec<FoundPlace> {
    let hash = Sha256::digest(id.as_bytes());
    let seed = hash.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    let mut rng = Rng::with_seed(seed);
    let districts: Vec<(f64, f64)> = (0..DISTRICTS.len())
        .map(|number| {
            let reach = if number == 0 { 300.0 } else { 3_000.0 };
            (spread(&mut rng, reach), spread(&mut rng, reach))
        })
        .collect();
    let provenance = Provenance {
        source: SOURCE.to_owned(),
        licence: "CC0-1.0".to_owned(),
        fetched_at: jiff::Timestamp::UNIX_EPOCH,
    };
    (0..count)
        .map(|number| {
            let eats = number % 5 == 4;
            let kinds: &[Kind] = if eats { &TABLES } else { &SIGHTS };
            let kind = &kinds[rng.usize(..kinds.len())];
            let district = rng.usize(..DISTRICTS.len());
            let (north, east) = districts[district];
            let point =
                geo::moved(centre, north + spread(&mut rng, 900.0), east + spread(&mut rng, 900.0));
            let mut tags: BTreeSet<String> = BTreeSet::from(["synthetic".to_owned()]);
            tags.insert(if kind.outdoor { "outdoor" } else { "indoor" }.to_owned());
            for (tag, percent, only) in
                [("wheelchair", 65, false), ("vegetarian", 70, true), ("vegan", 40, true)]
            {
                if (eats || !only) && rng.u32(..100) < percent {
                    tags.insert(tag.to_owned());
                }
            }
            let serves = match kind.category {
                "cafe" => vec![MealKind::Breakfast, MealKind::Lunch],
                "restaurant" => vec![MealKind::Lunch, MealKind::Dinner],
                _ => Vec::new(),
            };
            let factor = rng.i64(70..=130);
            let price = |cents: i64| local(cents * factor / 100, currency);
            FoundPlace {
                id: format!("synthetic:{id}:{number}"),
                name: format!("Made-up {} {number} ({})", kind.word, DISTRICTS[district]),
                other_names: Vec::new(),
                point,
                category: kind.category.to_owned(),
                minutes: kind.minutes + rng.i32(0..=2) * 15,
                quality: rng.u8(35..=95),
                cost: (price(kind.cost.0), price(kind.cost.1)),
                currency: currency.clone(),
                opening_hours: Some(kind.hours[rng.usize(..kind.hours.len())].to_owned()),
                tags,
                serves,
                estimated: true,
                provenance: provenance.clone(),
            }
        })
        .collect()
}

/// An amount in cents of a euro in the smallest unit of `currency`; none where the rate is not known.
fn local(cents: i64, currency: &Currency) -> i64 {
    let Ok(euro) = Currency::new("EUR") else { return 0 };
    rates::converted(cents, &euro, currency).unwrap_or(0)
}

fn spread(rng: &mut Rng, reach: f64) -> f64 {
    (rng.f64() * 2.0 - 1.0) * reach
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(id: &str, lat: f64, lon: f64, currency: &str, count: usize) -> Vec<FoundPlace> {
        city(id, Point { lat, lon }, &Currency::new(currency).unwrap(), count)
    }

    #[test]
    fn the_same_destination_has_the_same_places_and_another_has_others() {
        assert_eq!(made("a", 1.0, 2.0, "EUR", 50), made("a", 1.0, 2.0, "EUR", 50));
        assert_ne!(made("a", 1.0, 2.0, "EUR", 50), made("b", 1.0, 2.0, "EUR", 50));
    }

    #[test]
    fn every_place_says_that_it_is_made_up_and_has_hours_that_can_be_read() {
        for place in made("a", 48.0, 2.0, "EUR", 300) {
            assert!(place.name.starts_with("Made-up"), "{place:?}");
            assert!(place.estimated && place.provenance.source.contains("made up"));
            let hours = place.opening_hours.unwrap();
            assert!(hours.parse::<opening_hours::OpeningHours>().is_ok(), "{hours}");
        }
    }

    #[test]
    fn places_stay_on_the_globe_at_the_poles_and_across_the_antimeridian() {
        for (lat, lon) in [(90.0, 0.0), (-90.0, 50.0), (-16.8, 179.999), (78.22, 15.63)] {
            let centre = Point { lat, lon };
            for place in made("edge", lat, lon, "EUR", 200) {
                let Point { lat, lon } = place.point;
                assert!((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon));
                assert!(centre.metres_to(place.point) < 8_000.0, "{:?}", place.point);
            }
        }
    }

    #[test]
    fn prices_are_in_the_currency_of_the_destination() {
        let dearest = |currency| made("a", 1.0, 2.0, currency, 90).iter().map(|p| p.cost.1).max();
        let (euro, yen) = (dearest("EUR").unwrap(), dearest("JPY").unwrap());
        // 1.70 yen for a cent.
        assert!((yen - euro * 17 / 10).abs() <= 2, "{euro} {yen}");
        assert_eq!(dearest("XPF"), Some(0));
    }
}
