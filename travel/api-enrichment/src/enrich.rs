//! From a request to facts.
//!
//! **Flow.** Destinations are found; their days get clocks, holidays and weather; candidates are gathered from the
//! place sources, made one where several know them, given hours, scores and prices; wishes become ids.
//!
//! **Guarantees.** Without a network the same request gives the same facts. Only a destination that is not found,
//! and a day that does not exist, end the work: a source that fails is a warning.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use jiff::{civil::Date, tz::TimeZone};
use mercurious_contracts::{
    CostRange, Currency, Weather, WeatherKind,
    facts::{DayFacts, Destination, FactWarning, Facts, Holiday, PlaceFacts},
    message::{EnrichmentProgress, JobError, JobErrorCode, Stage},
    problem::FieldCode,
    request::TripRequest,
};
use mercurious_runtime::Clock;
use mercurious_worker::Progress;

use crate::{
    days, destination, gazetteer,
    hours::{self, PublicHolidays},
    merge, score,
    sources::{
        Around, FoundPlace, Geocoder, HolidaySource, PlaceSource, WeatherSource,
        bundled::{derived, rates},
        synthetic,
    },
    travel, wishes,
};

/// Where facts come from.
pub struct Sources {
    /// Knows names that the bundled table lacks.
    pub geocoder: Option<Arc<dyn Geocoder>>,
    /// Candidates, the most trusted first.
    pub places: Vec<Arc<dyn PlaceSource>>,
    /// Asked where the others know too few places.
    pub stand_in: Arc<dyn PlaceSource>,
    /// The weather, the most exact first.
    pub weather: Vec<Arc<dyn WeatherSource>>,
    /// Public holidays.
    pub holidays: Arc<dyn HolidaySource>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Candidates are at most this far away, in metres.
const RADIUS: f64 = 20_000.0;
/// Where the sources know fewer places than this, made-up ones are added.
const FEW: usize = 12;
/// More candidates of a destination, and of all, than this are left out, the lowest scores first.
const MOST: usize = 120;
const MOST_IN_ALL: usize = 480;

/// Gathers the facts of `request`.
pub async fn enrich(
    sources: &Sources,
    request: &TripRequest,
    progress: &dyn Progress<EnrichmentProgress>,
) -> Result<Facts, JobError> {
    let mut work = Work { sources, request, warnings: Vec::new(), attributions: Vec::new() };
    let go = |flow| match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            Err(JobError::new(JobErrorCode::Cancelled, "the job was cancelled"))
        }
    };
    let report = |percent, stage, message: &str| {
        progress.report(EnrichmentProgress { percent, stage, message: message.to_owned() })
    };
    go(report(5, Stage::Destination, "looking for the destination").await)?;
    let destinations = work.destinations().await?;
    go(report(20, Stage::Country, "time zone, currency and holidays").await)?;
    let mut days = work.days(&destinations)?;
    let holidays = work.holidays(&destinations, &mut days).await;
    go(report(35, Stage::Weather, "the weather").await)?;
    work.weather(&destinations, &mut days).await;
    let mut found = Vec::new();
    for (number, destination) in destinations.iter().enumerate() {
        let percent = 45 + (40 * number / destinations.len()) as u8;
        go(report(percent, Stage::Places, &format!("places in {}", destination.name)).await)?;
        found.push(work.places(destination).await);
    }
    go(report(90, Stage::Places, "opening hours and scores").await)?;
    work.facts(destinations, days, &holidays, found)
}

struct Work<'a> {
    sources: &'a Sources,
    request: &'a TripRequest,
    warnings: Vec<FactWarning>,
    attributions: Vec<String>,
}

impl Work<'_> {
    fn warn(&mut self, code: &str, message: impl Into<String>) {
        let message = message.into();
        if !self.warnings.iter().any(|known| known.code == code && known.message == message) {
            let at = self.sources.clock.now();
            self.warnings.push(FactWarning { code: code.to_owned(), message, at });
        }
    }

    fn attribute(&mut self, sentence: &str) {
        if !self.attributions.iter().any(|known| known == sentence) {
            self.attributions.push(sentence.to_owned());
        }
    }

    async fn destinations(&mut self) -> Result<Vec<Destination>, JobError> {
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

    fn days(&self, destinations: &[Destination]) -> Result<Vec<DayFacts>, JobError> {
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

    async fn holidays(
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

    async fn weather(&mut self, destinations: &[Destination], days: &mut [DayFacts]) {
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

    async fn places(&mut self, destination: &Destination) -> Vec<FoundPlace> {
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

    fn facts(
        mut self,
        destinations: Vec<Destination>,
        days: Vec<DayFacts>,
        holidays: &[PublicHolidays],
        found: Vec<Vec<FoundPlace>>,
    ) -> Result<Facts, JobError> {
        let currency = destinations[0].currency.clone();
        let everything: Vec<FoundPlace> = found.iter().flatten().cloned().collect();
        let mut must_do = wishes::resolve(&self.request.must_do, "must_do", &everything);
        let avoid = wishes::resolve(&self.request.avoid, "avoid", &everything);
        let mut wanted: Vec<String> = must_do.ids.iter().chain(&avoid.ids).cloned().collect();
        for (number, fixed) in self.request.fixed.iter().enumerate() {
            let Some(name) = &fixed.place else { continue };
            let names = std::slice::from_ref(name);
            let resolved = wishes::resolve(names, &format!("fixed[{number}].place"), &everything);
            wanted.extend(resolved.ids);
            must_do.unresolved.extend(resolved.unresolved);
        }
        let mut places = Vec::new();
        let most = MOST.min(MOST_IN_ALL / destinations.len());
        for (number, candidates) in found.into_iter().enumerate() {
            let destination = &destinations[number];
            let here: Vec<DayFacts> =
                days.iter().filter(|day| day.destination == number).cloned().collect();
            let mut scored: Vec<(u32, FoundPlace)> = candidates
                .into_iter()
                .map(|place| {
                    let metres = destination.point.metres_to(place.point);
                    (score::score(&place, self.request, &here, metres), place)
                })
                .collect();
            // What was asked for by name stays, whatever its score.
            scored.sort_by(|one, other| {
                let asked = |place: &FoundPlace| wanted.contains(&place.id);
                (asked(&other.1), other.0, &one.1.id).cmp(&(asked(&one.1), one.0, &other.1.id))
            });
            scored.truncate(most);
            for (score, place) in scored {
                let known = &holidays[number];
                if let Some(place) = self.place(place, score, number, &days, known, &currency) {
                    places.push(place);
                }
            }
        }
        places.sort_by(|one, other| one.id.cmp(&other.id));
        places.dedup_by(|one, other| one.id == other.id);
        let exchange = self.exchange(&currency);
        let mut unresolved = must_do.unresolved;
        unresolved.extend(avoid.unresolved);
        if places.iter().any(|place| place.estimated) {
            let message = "hours, lengths and prices are estimates; look them up before you go";
            self.warn("estimate", message);
        }
        Ok(Facts {
            destinations,
            days,
            places,
            travel: travel::model(self.request),
            currency,
            exchange,
            must_do: must_do.ids,
            avoid: avoid.ids,
            unresolved,
            warnings: self.warnings,
            attributions: self.attributions,
        })
    }

    fn exchange(
        &mut self,
        currency: &Currency,
    ) -> Option<mercurious_contracts::facts::ExchangeRate> {
        let budget = &self.request.budget.as_ref()?.currency;
        if budget == currency {
            return None;
        }
        let rate = rates::rate(budget, currency);
        if rate.is_none() {
            let message = format!("what {budget} is worth in {currency} is not known");
            self.warn("exchange_rate_unknown", message);
        }
        rate
    }

    fn place(
        &mut self,
        place: FoundPlace,
        score: u32,
        destination: usize,
        days: &[DayFacts],
        holidays: &PublicHolidays,
        currency: &Currency,
    ) -> Option<PlaceFacts> {
        let mut hours = match &place.opening_hours {
            Some(hours) => match hours::open(hours, days, holidays) {
                Ok(spans) => spans,
                Err(error) => {
                    self.warn("opening_hours_unreadable", format!("{}: {error}", place.name));
                    return None;
                }
            },
            None => {
                // What is usual, where nothing is known.
                let usual = if place.serves.is_empty() { "09:00-18:00" } else { "11:00-22:00" };
                hours::open(usual, days, holidays).unwrap_or_default()
            }
        };
        // On days that are spent elsewhere nobody asks, and thirty days of hours are long.
        for (spans, day) in hours.iter_mut().zip(days) {
            if day.destination != destination {
                spans.clear();
            }
        }
        let cost = |amount| rates::converted(amount, &place.currency, currency);
        let (min, max) = match (cost(place.cost.0), cost(place.cost.1)) {
            (Some(min), Some(max)) => (min, max),
            _ => {
                let message = format!("prices in {} are not known in {currency}", place.currency);
                self.warn("price_unknown", message);
                (0, 0)
            }
        };
        let unknown_hours = place.opening_hours.is_none();
        Some(PlaceFacts {
            id: place.id,
            name: place.name,
            destination,
            point: place.point,
            category: place.category,
            minutes: place.minutes,
            score,
            cost: CostRange { min, max: max.max(min), currency: currency.clone() },
            hours,
            opening_hours: place.opening_hours,
            tags: place.tags.into_iter().collect(),
            serves: place.serves,
            estimated: place.estimated || unknown_hours,
            provenance: place.provenance,
        })
    }
}

/// An error with what is behind it, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Sources with nothing but what is inside the program.
pub fn bundled(clock: Arc<dyn Clock>) -> Sources {
    use crate::sources::bundled::{BundledClimate, BundledHolidays, BundledPlaces};
    Sources {
        geocoder: None,
        places: vec![Arc::new(BundledPlaces)],
        stand_in: Arc::new(synthetic::SyntheticPlaces::default()),
        weather: vec![Arc::new(BundledClimate)],
        holidays: Arc::new(BundledHolidays),
        clock,
    }
}
