//! Destinations, days, holidays, weather, candidates: as the sources have them.

use std::collections::BTreeMap;

use jiff::{civil::Date, tz::TimeZone};
use mercurious_contracts::{
    Weather, WeatherKind,
    facts::{DayFacts, Destination, Holiday},
    message::JobError,
    problem::FieldCode,
};

use super::{Work, told};
use crate::{
    days, destination, gazetteer,
    hours::PublicHolidays,
    merge,
    sources::{Around, FoundPlace, bundled::derived},
};

/// Candidates are at most this far away, in metres.
const RADIUS: f64 = 20_000.0;
/// Where the sources know fewer places than this, made-up ones are added.
const FEW: usize = 12;

impl Work<'_> {
    pub(super) async fn destinations(&mut self) -> Result<Vec<Destination>, JobError> {
        let mut found: Vec<Destination> = Vec::new();
        for (number, wish) in self.request.stops().iter().enumerate() {
            let field = match self.request.destination {
                Some(_) => "destination".to_owned(),
                None => format!("destinations[{number}]"),
            };
            let geocoder = self.sources.geocoder.as_deref();
            let one = destination::resolve(wish, &field, geocoder).await?;
            for (code, note) in one.notes {
                self.warn(code, note);
            }
            found.push(one.destination);
        }
        if found.is_empty() {
            return Err(destination::invalid("destination", FieldCode::Required, "is missing"));
        }
        self.attribute(gazetteer::ATTRIBUTION);
        Ok(found)
    }

    pub(super) fn days(&self, destinations: &[Destination]) -> Result<Vec<DayFacts>, JobError> {
        let spread = days::spread(self.request);
        let dates = days::dates(self.request);
        let mut read = Vec::with_capacity(dates.len());
        for (date, number) in dates.into_iter().zip(spread) {
            let zone = &destinations[number].time_zone;
            let tz = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
            let Some(day) = days::day(date, number, &tz) else {
                let message = format!("{date} does not exist in {zone}: the date line was moved");
                return Err(destination::invalid("start_date", FieldCode::OutOfRange, &message));
            };
            read.push(day);
        }
        Ok(read)
    }

    pub(super) async fn holidays(
        &mut self,
        destinations: &[Destination],
        days: &mut [DayFacts],
    ) -> Vec<PublicHolidays> {
        let mut all = Vec::new();
        for (number, destination) in destinations.iter().enumerate() {
            // The days and those beside them: nights belong to two days.
            let mut dates: Vec<Date> = Vec::new();
            for day in days.iter().filter(|day| day.destination == number) {
                let beside = [day.date.yesterday(), Ok(day.date), day.date.tomorrow()];
                dates.extend(beside.into_iter().flatten());
            }
            dates.sort_unstable();
            dates.dedup();
            let country = destination.country.as_str();
            let source = &self.sources.holidays;
            let found = match source.holidays(country, &dates).await {
                Ok(Some(found)) => found,
                Ok(None) => {
                    let name = &destination.country_name;
                    self.warn(
                        "holidays_unknown",
                        format!("public holidays of {name} are not known"),
                    );
                    BTreeMap::new()
                }
                Err(error) => {
                    self.warn("holidays_unavailable", told(&error));
                    BTreeMap::new()
                }
            };
            let provenance = derived("holidays (Python package)", "MIT");
            for day in days.iter_mut().filter(|day| day.destination == number) {
                let names = found.get(&day.date).cloned().unwrap_or_default();
                let known = |name| Holiday { name, provenance: provenance.clone() };
                day.holidays = names.into_iter().map(known).collect();
            }
            all.push(PublicHolidays::new(&found));
        }
        all
    }

    pub(super) async fn weather(&mut self, destinations: &[Destination], days: &mut [DayFacts]) {
        for (number, destination) in destinations.iter().enumerate() {
            let mut unknown: Vec<Date> =
                days.iter().filter(|day| day.destination == number).map(|day| day.date).collect();
            for source in self.sources.weather.clone() {
                if unknown.is_empty() {
                    break;
                }
                let found = match source.weather(destination, &unknown).await {
                    Ok(found) => found,
                    Err(error) => {
                        self.warn("weather_unavailable", told(&error));
                        continue;
                    }
                };
                if found.values().any(|weather| weather.kind == WeatherKind::Forecast) {
                    self.attribute(crate::sources::open_meteo::ATTRIBUTION);
                }
                unknown.retain(|date| !found.contains_key(date));
                for day in days.iter_mut().filter(|day| day.destination == number) {
                    if let Some(weather) = found.get(&day.date) {
                        day.weather = Some(weather.clone());
                    }
                }
            }
            if !unknown.is_empty() {
                let name = &destination.name;
                let message =
                    format!("the weather in {name} is not known for {} days", unknown.len());
                self.warn("weather_unknown", message);
            }
        }
        for day in days {
            day.weather.get_or_insert(Weather {
                kind: WeatherKind::Unknown,
                temperature_min: None,
                temperature_max: None,
                precipitation: None,
                provenance: None,
            });
        }
    }

    pub(super) async fn places(&mut self, destination: &Destination) -> Vec<FoundPlace> {
        let language = self.request.language.as_str();
        let around = Around { destination, radius: RADIUS, language };
        let mut found: Vec<FoundPlace> = Vec::new();
        for source in self.sources.places.clone() {
            match source.places(around).await {
                Ok(more) => {
                    if !more.is_empty() && source.name() == "Google Places" {
                        self.attribute(crate::sources::google_places::ATTRIBUTION);
                    }
                    merge::merge(&mut found, more);
                }
                Err(error) => self.warn("places_unavailable", told(&error)),
            }
        }
        if found.len() < FEW {
            match self.sources.stand_in.places(around).await {
                Ok(more) => {
                    let name = &destination.name;
                    if !more.is_empty() {
                        let message = format!(
                            "no places of {name} are known: those in this trip are made up, to show what a plan looks like"
                        );
                        self.warn("synthetic_places", message);
                    }
                    merge::merge(&mut found, more);
                }
                Err(error) => self.warn("places_unavailable", told(&error)),
            }
        }
        found
    }
}
