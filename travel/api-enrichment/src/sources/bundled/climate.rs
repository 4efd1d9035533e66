//! What the weather usually is, for the few cities where it is known.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::civil::Date;
use mercurious_contracts::{Weather, WeatherKind, facts::Destination};

use super::{by_hand, lines};
use crate::sources::{SourceError, WeatherSource};

const CLIMATE: &str = include_str!("../../../data/climate.tsv");

/// The usual weather inside the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct BundledClimate;

#[async_trait]
impl WeatherSource for BundledClimate {
    fn name(&self) -> &'static str {
        "climate"
    }

    async fn weather(
        &self,
        destination: &Destination,
        days: &[Date],
    ) -> Result<BTreeMap<Date, Weather>, SourceError> {
        let known = |day: &Date| Some((*day, usual(&destination.id, day.month())?));
        Ok(days.iter().filter_map(known).collect())
    }
}

fn usual(destination: &str, month: i8) -> Option<Weather> {
    let id = destination.strip_prefix("geonames:")?;
    let line = lines(CLIMATE).find(|line| line.split('\t').next() == Some(id))?;
    let column = line.split('\t').nth(usize::try_from(month).ok()?)?;
    let mut numbers = column.split('/').map(|number| number.parse().ok());
    Some(Weather {
        kind: WeatherKind::Normal,
        temperature_min: numbers.next()?,
        temperature_max: numbers.next()?,
        precipitation: numbers.next()?,
        provenance: Some(by_hand("usual weather")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_weather_is_that_of_the_month() {
        let august = usual("geonames:2267057", 8).unwrap();
        assert_eq!((august.temperature_min, august.temperature_max), (Some(19.0), Some(28.0)));
        assert_eq!(august.kind, WeatherKind::Normal);
        assert_eq!(usual("geonames:1", 8), None);
        for month in 1..=12 {
            assert!(usual("geonames:1857910", month).is_some(), "{month}");
        }
    }
}
