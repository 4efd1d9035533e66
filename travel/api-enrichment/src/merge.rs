//! One place that several sources know is one place.

use crate::{gazetteer::plain, sources::FoundPlace};

/// Two places farther apart than this are two, in metres.
const APART: f64 = 75.0;
/// How alike two names must be, from 0 to 1.
const ALIKE: f64 = 0.88;

/// Adds to `known` what is new in `more`; what is known already keeps its facts and gets what it lacks.
pub fn merge(known: &mut Vec<FoundPlace>, more: Vec<FoundPlace>) {
    for place in more {
        match known.iter_mut().find(|known| same(known, &place)) {
            Some(known) => {
                if known.opening_hours.is_none() {
                    known.opening_hours = place.opening_hours;
                }
                known.tags.extend(place.tags);
                known.other_names.extend(place.other_names);
                if plain(&known.name) != plain(&place.name) {
                    known.other_names.push(place.name);
                }
            }
            None => known.push(place),
        }
    }
}

fn same(one: &FoundPlace, other: &FoundPlace) -> bool {
    if one.id == other.id {
        return true;
    }
    // Nearly the same latitude first: it is cheap, and most are far apart.
    (one.point.lat - other.point.lat).abs() < 0.001
        && one.point.metres_to(other.point) < APART
        && names(one).any(|name| names(other).any(|second| alike(&name, &second)))
}

fn names(place: &FoundPlace) -> impl Iterator<Item = String> {
    std::iter::once(&place.name).chain(&place.other_names).map(|name| plain(name))
}

fn alike(one: &str, other: &str) -> bool {
    // Numbers in a name tell places apart: platform 1 and platform 2.
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    digits(one) == digits(other)
        && (strsim::jaro_winkler(one, other) >= ALIKE
            || (one.len().min(other.len()) >= 8 && (one.contains(other) || other.contains(one))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::synthetic;
    use mercurious_contracts::{Currency, Point};

    fn place(id: &str, name: &str, lat: f64, lon: f64) -> FoundPlace {
        let euro = Currency::new("EUR").unwrap();
        let mut made = synthetic::city("x", Point { lat, lon }, &euro, 1).remove(0);
        made.id = id.to_owned();
        made.name = name.to_owned();
        made.point = Point { lat, lon };
        made
    }

    fn merged(first: FoundPlace, second: FoundPlace) -> Vec<FoundPlace> {
        let mut known = vec![first];
        merge(&mut known, vec![second]);
        known
    }

    #[test]
    fn the_same_place_of_two_sources_is_one_and_keeps_what_either_knows() {
        let mut first = place("a", "Torre de Belém", 38.6916, -9.2160);
        first.opening_hours = None;
        let mut second = place("b", "Torre de Belem ", 38.6918, -9.2158);
        second.tags.insert("wheelchair".to_owned());
        let one = merged(first, second.clone());
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].opening_hours, second.opening_hours);
        assert!(one[0].tags.contains("wheelchair"));
    }

    #[test]
    fn another_name_or_another_corner_is_another_place() {
        let tower = || place("a", "Torre de Belém", 38.6916, -9.2160);
        assert_eq!(merged(tower(), place("b", "Café Central", 38.6916, -9.2160)).len(), 2);
        assert_eq!(merged(tower(), place("b", "Torre de Belém", 38.6926, -9.2160)).len(), 2);
        let kiosk = |id, name| place(id, name, 1.0, 1.0);
        assert_eq!(merged(kiosk("a", "Kiosk 1"), kiosk("b", "Kiosk 2")).len(), 2);
    }
}
