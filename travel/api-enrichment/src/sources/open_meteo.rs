//! Open-Meteo: weather forecasts and names of places (data CC BY 4.0; the public server is for non-commercial use).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::{ToSpan as _, civil::Date};
use mercurious_contracts::{Point, Provenance, Weather, WeatherKind, facts::Destination};
use mercurious_runtime::Clock;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{Geocoded, Geocoder, SourceError, WeatherSource};
use crate::http::{Http, Question};

const NAME: &str = "Open-Meteo";
/// What must be shown with its facts.
pub const ATTRIBUTION: &str = "Weather data by Open-Meteo.com, CC BY 4.0";
/// How many days ahead the forecast goes, today included.
const AHEAD: i32 = 16;

/// Asks Open-Meteo.
pub struct OpenMeteo {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    forecast: Url,
    geocoding: Url,
    key: Option<SecretString>,
}

impl OpenMeteo {
    /// At these addresses (`…/v1/forecast` and `…/v1/search`), with a key for the commercial server.
    pub fn new(
        http: Arc<dyn Http>,
        clock: Arc<dyn Clock>,
        (forecast, geocoding): (Url, Url),
        key: Option<SecretString>,
    ) -> Self {
        Self { http, clock, forecast, geocoding, key }
    }

    async fn ask<T: DeserializeOwned>(&self, url: Url, fresh: Duration) -> Result<T, SourceError> {
        // The commercial server takes its key in a header too.
        let secret = self
            .key
            .as_ref()
            .map(|key| ("x-api-key", SecretString::from(key.expose_secret().to_owned())));
        let question = Question { url, headers: Vec::new(), secret, body: None, fresh };
        let answer = self.http.ask(&question).await;
        let answer =
            answer.map_err(|source| SourceError::Unreachable { source_name: NAME, source })?;
        if answer.status != 200 {
            return Err(SourceError::Refused { source_name: NAME, status: answer.status });
        }
        serde_json::from_slice(&answer.body)
            .map_err(|source| SourceError::Unreadable { source_name: NAME, source })
    }

    fn provenance(&self) -> Provenance {
        Provenance {
            source: NAME.to_owned(),
            licence: "CC-BY-4.0".to_owned(),
            fetched_at: self.clock.now(),
        }
    }
}

#[derive(Deserialize)]
struct Forecast {
    daily: Daily,
}

/// Lists of equal length.
#[derive(Deserialize)]
struct Daily {
    time: Vec<Date>,
    #[serde(default)]
    temperature_2m_max: Vec<Option<f64>>,
    #[serde(default)]
    temperature_2m_min: Vec<Option<f64>>,
    #[serde(default)]
    precipitation_sum: Vec<Option<f64>>,
}

#[async_trait]
impl WeatherSource for OpenMeteo {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn weather(
        &self,
        destination: &Destination,
        days: &[Date],
    ) -> Result<BTreeMap<Date, Weather>, SourceError> {
        let zone =
            jiff::tz::TimeZone::get(&destination.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
        let today = self.clock.now().to_zoned(zone).date();
        let last = today.saturating_add((AHEAD - 1).days());
        let near: Vec<Date> =
            days.iter().copied().filter(|day| (today..=last).contains(day)).collect();
        let (Some(first), Some(last)) = (near.iter().min(), near.iter().max()) else {
            return Ok(BTreeMap::new());
        };
        let mut url = self.forecast.clone();
        url.query_pairs_mut()
            .append_pair("latitude", &destination.point.lat.to_string())
            .append_pair("longitude", &destination.point.lon.to_string())
            .append_pair("daily", "temperature_2m_max,temperature_2m_min,precipitation_sum")
            .append_pair("timezone", &destination.time_zone)
            .append_pair("start_date", &first.to_string())
            .append_pair("end_date", &last.to_string());
        let forecast: Forecast = self.ask(url, Duration::from_secs(3_600)).await?;
        let daily = forecast.daily;
        let at = |list: &[Option<f64>], number: usize| list.get(number).copied().flatten();
        let mut found = BTreeMap::new();
        for (number, day) in daily.time.iter().enumerate() {
            let weather = Weather {
                kind: WeatherKind::Forecast,
                temperature_min: at(&daily.temperature_2m_min, number),
                temperature_max: at(&daily.temperature_2m_max, number),
                precipitation: at(&daily.precipitation_sum, number),
                provenance: Some(self.provenance()),
            };
            // A day of nothing but nulls is not known.
            if near.contains(day) && weather.temperature_max.or(weather.precipitation).is_some() {
                found.insert(*day, weather);
            }
        }
        Ok(found)
    }
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    results: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    id: u32,
    name: String,
    latitude: f64,
    longitude: f64,
    #[serde(default)]
    country_code: Option<String>,
    #[serde(default)]
    timezone: Option<String>,
    #[serde(default)]
    population: Option<u64>,
    #[serde(default)]
    admin1: Option<String>,
    #[serde(default)]
    feature_code: Option<String>,
}

#[async_trait]
impl Geocoder for OpenMeteo {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn find(&self, name: &str, country: Option<&str>) -> Result<Vec<Geocoded>, SourceError> {
        let mut url = self.geocoding.clone();
        url.query_pairs_mut()
            .append_pair("name", name)
            .append_pair("count", "10")
            .append_pair("language", "en")
            .append_pair("format", "json");
        let search: Search = self.ask(url, Duration::from_secs(7 * 86_400)).await?;
        let settled = |hit: &Hit| {
            // Places where people live (P…), islands, and what does not say.
            hit.feature_code.as_deref().is_none_or(|code| code.starts_with('P') || code == "ISL")
        };
        Ok((search.results.into_iter().filter(settled))
            .filter_map(|hit| {
                let code = hit.country_code?;
                if country.is_some_and(|country| !country.eq_ignore_ascii_case(&code)) {
                    return None;
                }
                Some(Geocoded {
                    id: hit.id,
                    name: hit.name,
                    region: hit.admin1,
                    country: code,
                    point: Point { lat: hit.latitude, lon: hit.longitude },
                    time_zone: hit.timezone?,
                    population: hit.population,
                })
            })
            .collect())
    }
}
