//! From a name, an id or a point to a city.

use std::collections::BTreeMap;

use fst::{
    Automaton as _, IntoStreamer as _, Map, Streamer as _,
    automaton::{Levenshtein, Str},
};
use mercurious_contracts::Point;

use super::{City, country, plain::plain, table};

const NAMES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/names.fst"));
const LISTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lists.bin"));

/// What a name means.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// One city; the others of that name are far less known.
    One {
        /// The city.
        city: City,
        /// The others, the best known first.
        others: Vec<City>,
    },
    /// Several, the best known first.
    Several(Vec<City>),
    /// None; these have names nearly like it.
    None(Vec<City>),
}

/// One city outweighs the others of its name when it weighs this much more than the next.
const OUTWEIGHS: u64 = 5;
/// More candidates and near names than these are not listed.
const MOST_CANDIDATES: usize = 10;
const MOST_NEAR: usize = 5;

/// What `name` means, in any language, with a country's two letters where they are known. What follows a comma
/// narrows it: a country, a region or the region's code (`Springfield, IL`).
pub fn find(name: &str, country: Option<&str>) -> Meaning {
    let (head, tail) = match name.split_once(',') {
        Some((head, tail)) if !plain(head).is_empty() => (head, Some(tail.trim())),
        _ => (name, None),
    };
    let mut found = named(&plain(head));
    if let Some(country) = country {
        found.retain(|city| city.country.eq_ignore_ascii_case(country));
    }
    if let Some(tail) = tail {
        found.retain(|city| lies_in(city, tail));
    }
    found.sort_by_key(|city| (std::cmp::Reverse(city.weight()), city.id));
    // Parts of one another: Paris and its first arrondissement share a name.
    let mut once: Vec<City> = Vec::new();
    for city in found {
        if !once.iter().any(|known| known.point.metres_to(city.point) < 15_000.0) {
            once.push(city);
        }
    }
    once.truncate(MOST_CANDIDATES);
    match once.as_slice() {
        [] => Meaning::None(near(&plain(head), country)),
        [_] => Meaning::One { city: once.remove(0), others: Vec::new() },
        [first, next, ..] if first.weight() >= next.weight().saturating_mul(OUTWEIGHS) => {
            Meaning::One { city: once.remove(0), others: once }
        }
        _ => Meaning::Several(once),
    }
}

/// The city with a number of GeoNames.
pub fn by_id(id: u32) -> Option<City> {
    table::cities().find(|city| city.id == id)
}

/// The city nearest to `point`, and how many metres away it is.
pub fn nearest(point: Point) -> Option<(City, f64)> {
    table::cities()
        .map(|city| (point.metres_to(city.point), city))
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(metres, city)| (city, metres))
}

fn lies_in(city: &City, tail: &str) -> bool {
    let plain_tail = plain(tail);
    city.country.eq_ignore_ascii_case(tail)
        || country::by_code(city.country).is_some_and(|country| plain(country.name) == plain_tail)
        || city.region.is_some_and(|region| plain(region) == plain_tail)
        || (tail.len() > 1 && city.region_code.eq_ignore_ascii_case(tail))
        || matches!((city.country, plain_tail.as_str()), ("GB", "uk") | ("US", "usa"))
}

/// The cities that are called `name`, which is plain.
fn named(name: &str) -> Vec<City> {
    let Some(at) = index().and_then(|index| index.get(name)) else { return Vec::new() };
    listed(at).filter_map(table::city).collect()
}

/// Cities whose names are nearly `name`, which is plain: at most two letters differ, or it goes on.
fn near(name: &str, country: Option<&str>) -> Vec<City> {
    let Some(index) = index() else { return Vec::new() };
    let letters = name.chars().count();
    // Long names make large automata, and nobody mistypes one word of forty letters.
    if !(3..=40).contains(&letters) {
        return Vec::new();
    }
    let mut best: BTreeMap<u32, (usize, City)> = BTreeMap::new();
    let mut add = |key: &[u8], at: u64| {
        let Ok(key) = std::str::from_utf8(key) else { return };
        let distance = strsim::damerau_levenshtein(key, name);
        for number in listed(at) {
            let Some(city) = table::city(number) else { continue };
            if country.is_some_and(|country| !city.country.eq_ignore_ascii_case(country)) {
                continue;
            }
            let known = best.entry(number).or_insert((distance, city));
            known.0 = known.0.min(distance);
        }
    };
    let most = if letters < 5 { 1 } else { 2 };
    if let Ok(automaton) = Levenshtein::new(name, most) {
        let mut stream = index.search(automaton).into_stream();
        while let Some((key, at)) = stream.next() {
            add(key, at);
        }
    }
    if letters >= 4 {
        let mut stream = index.search(Str::new(name).starts_with()).into_stream();
        let mut seen = 0;
        while let Some((key, at)) = stream.next() {
            add(key, at);
            seen += 1;
            if seen == 200 {
                break;
            }
        }
    }
    let mut near: Vec<(usize, City)> = best.into_values().collect();
    near.sort_by_key(|(distance, city)| (*distance, std::cmp::Reverse(city.weight()), city.id));
    near.truncate(MOST_NEAR);
    near.into_iter().map(|(_, city)| city).collect()
}

fn index() -> Option<Map<&'static [u8]>> {
    Map::new(NAMES).ok()
}

fn listed(at: u64) -> impl Iterator<Item = u32> {
    let list = LISTS.get(at as usize..).unwrap_or_default();
    let number = |bytes: &[u8]| bytes.try_into().map_or(u32::MAX, u32::from_le_bytes);
    let count = list.get(..4).map_or(0, number) as usize;
    list.get(4..).unwrap_or_default().chunks_exact(4).take(count).map(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> City {
        match find(name, None) {
            Meaning::One { city, .. } => city,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn a_city_is_found_by_its_name_in_many_languages_whatever_case_and_accents() {
        for name in
            ["Lisbon", "lisboa", "LISBONNE", "Lissabon", "Лиссабон", "里斯本", "لشبونة", " Lisbóa "]
        {
            assert_eq!(one(name).id, 2_267_057, "{name}");
        }
        for name in ["München", "munich", "Muenchen", "Monaco di Baviera", "Мюнхен"] {
            assert_eq!(one(name).name, "Munich", "{name}");
        }
        assert_eq!(one("京都").name, "Kyoto");
        assert_eq!(one("תל אביב").country, "IL");
    }

    #[test]
    fn the_best_known_city_of_a_name_is_meant_and_the_others_are_told() {
        let Meaning::One { city, others } = find("Paris", None) else { panic!() };
        assert_eq!(city.country, "FR");
        assert!(others.iter().any(|city| city.region == Some("Texas")), "{others:?}");
        for (name, country) in [("London", "GB"), ("Rome", "IT"), ("Barcelona", "ES")] {
            assert_eq!(one(name).country, country, "{name}");
        }
    }

    #[test]
    fn a_name_of_several_cities_returns_them() {
        let Meaning::Several(cities) = find("Springfield", None) else { panic!() };
        assert!(cities.len() >= 4, "{cities:?}");
        let Meaning::Several(cities) = find("Valencia", None) else { panic!() };
        let countries: Vec<&str> = cities.iter().map(|city| city.country).collect();
        assert!(countries.contains(&"ES") && countries.contains(&"VE"), "{countries:?}");
    }

    #[test]
    fn a_country_or_region_narrows_a_name() {
        assert_eq!(one("Springfield, IL").region, Some("Illinois"));
        assert_eq!(one("Springfield, Missouri").region, Some("Missouri"));
        assert_eq!(one("Paris, Texas").region, Some("Texas"));
        assert_eq!(one("Valencia, Spain").country, "ES");
        let Meaning::One { city, .. } = find("Valencia", Some("VE")) else { panic!() };
        assert_eq!(city.country, "VE");
    }

    #[test]
    fn an_unknown_name_returns_the_nearest() {
        let Meaning::None(near) = find("Lisbno", None) else { panic!() };
        assert!(near.iter().any(|city| city.name == "Lisbon"), "{near:?}");
        let Meaning::None(near) = find("Xyzzyqqq", None) else { panic!() };
        assert!(near.is_empty(), "{near:?}");
        assert_eq!(find("!!!", None), Meaning::None(Vec::new()));
        assert_eq!(find("", None), Meaning::None(Vec::new()));
    }

    #[test]
    fn every_city_is_found_by_its_own_name_and_has_a_country_and_a_time_zone() {
        let mut zones = std::collections::BTreeSet::new();
        for city in table::cities() {
            assert!(named(&plain(city.name)).iter().any(|found| found.id == city.id), "{city:?}");
            assert!(country::by_code(city.country).is_some(), "{city:?}");
            zones.insert(city.time_zone);
        }
        for zone in zones {
            assert!(jiff::tz::TimeZone::get(zone).is_ok(), "{zone}");
        }
        assert_eq!(table::count(), 34_006);
    }

    #[test]
    fn the_nearest_city_is_found_across_the_antimeridian() {
        let (city, metres) = nearest(Point { lat: -16.8, lon: -179.9 }).unwrap();
        assert_eq!(city.country, "FJ", "{city:?} {metres}");
    }
}
