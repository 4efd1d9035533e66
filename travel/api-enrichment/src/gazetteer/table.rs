//! The table of cities: one line each, the most populous first, read where it stands in the program.

use mercurious_contracts::Point;

const CITIES: &str = include_str!("../../data/cities.tsv");
const LINES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lines.bin"));

/// One city.
#[derive(Debug, Clone, PartialEq)]
pub struct City {
    /// Its number at GeoNames.
    pub id: u32,
    /// What people call it, mostly in English.
    pub name: &'static str,
    /// Its country's two letters.
    pub country: &'static str,
    /// The code of its region.
    pub region_code: &'static str,
    /// The name of its region, where it is known.
    pub region: Option<&'static str>,
    /// Where it is.
    pub point: Point,
    /// Its time zone's name in the IANA database.
    pub time_zone: &'static str,
    /// How many people live there.
    pub population: u64,
    /// How many names it has: how well known it is.
    pub fame: u64,
}

impl City {
    /// How likely it is the one that is meant when only a name is known.
    pub fn weight(&self) -> u64 {
        self.population.max(1) * self.fame.max(1)
    }
}

/// How many cities there are.
#[cfg(test)]
pub(super) fn count() -> u32 {
    (LINES.len() / 4) as u32
}

/// The city on a line.
pub(super) fn city(number: u32) -> Option<City> {
    let at = number as usize * 4;
    let offset = u32::from_le_bytes(LINES.get(at..at + 4)?.try_into().ok()?);
    read(CITIES.get(offset as usize..)?.lines().next()?)
}

/// Every city, the most populous first.
pub(super) fn cities() -> impl Iterator<Item = City> {
    CITIES.lines().filter_map(read)
}

fn read(line: &'static str) -> Option<City> {
    let mut columns = line.split('\t');
    let mut next = || columns.next();
    Some(City {
        id: next()?.parse().ok()?,
        name: next()?,
        country: next()?,
        region_code: next()?,
        region: next().filter(|region| !region.is_empty()),
        point: Point { lat: next()?.parse().ok()?, lon: next()?.parse().ok()? },
        time_zone: next()?,
        population: next()?.parse().ok()?,
        fame: next()?.parse().ok()?,
    })
}
