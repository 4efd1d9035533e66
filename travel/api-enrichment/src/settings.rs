//! Which sources are asked.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use mercurious_runtime::{Clock, Environment};
use secrecy::SecretString;
use url::Url;

use crate::{
    enrich::{Sources, bundled},
    http::{Cassette, Http, LiveHttp, Recorder, Resilience, Resilient, Timeouts},
    sources::{google_places::GooglePlaces, open_meteo::OpenMeteo},
};

/// Which sources are asked beside those inside the program. Nothing is asked unless it is set.
#[derive(Debug, Default)]
pub struct SourceSettings {
    /// Open-Meteo's server for forecasts and its server for names.
    pub open_meteo: Option<(Url, Url)>,
    /// The key of Open-Meteo's commercial server.
    pub open_meteo_key: Option<SecretString>,
    /// Google Places, at its address, with a key.
    pub google_places: Option<(Url, SecretString)>,
    /// Answers come from this cassette and from nowhere else.
    pub cassette: Option<PathBuf>,
    /// Answers are written to this cassette.
    pub record: Option<PathBuf>,
    /// How long one answer may take.
    pub timeout: Option<Duration>,
}

impl SourceSettings {
    /// Reads `OPEN_METEO_URL`, `OPEN_METEO_GEOCODING_URL`, `OPEN_METEO_KEY`, `GOOGLE_PLACES_API_KEY`,
    /// `GOOGLE_PLACES_URL`, `SOURCES_CASSETTE`, `SOURCES_RECORD` and `EXTERNAL_API_TIMEOUT` (seconds).
    pub fn from_environment(environment: &mut Environment) -> Self {
        let forecast = address(environment, "OPEN_METEO_URL", "/v1/forecast");
        let geocoding = address(environment, "OPEN_METEO_GEOCODING_URL", "/v1/search");
        let open_meteo = match (forecast, geocoding) {
            (Some(forecast), Some(geocoding)) => Some((forecast, geocoding)),
            (Some(forecast), None) => {
                // One server may serve both, as a hosted copy does.
                let mut geocoding = forecast.clone();
                geocoding.set_path("/v1/search");
                Some((forecast, geocoding))
            }
            (None, Some(_)) => {
                environment.fault("OPEN_METEO_GEOCODING_URL is set, but OPEN_METEO_URL is not");
                None
            }
            (None, None) => None,
        };
        let url = address(environment, "GOOGLE_PLACES_URL", "/v1/places:searchNearby");
        let usual = Url::parse("https://places.googleapis.com/v1/places:searchNearby").ok();
        let key = environment
            .text("GOOGLE_PLACES_API_KEY", &["GOOGLE_PLACES_KEY", "GOOGLE_MAPS_API_KEY"]);
        let google_places = match (url.or(usual), key) {
            (Some(url), Some(key)) => Some((url, key.into())),
            _ => None,
        };
        let file =
            |environment: &mut Environment, name| environment.text(name, &[]).map(PathBuf::from);
        let (cassette, record) =
            (file(environment, "SOURCES_CASSETTE"), file(environment, "SOURCES_RECORD"));
        if cassette.is_some() && record.is_some() {
            environment.fault("SOURCES_CASSETTE and SOURCES_RECORD exclude each other");
        }
        for unused in ["OPENAI_API_KEY", "DATA_VALIDATION_STRICT"] {
            if environment.is_set(unused) {
                environment.warn(format!("{unused} has no effect on api-enrichment"));
            }
        }
        Self {
            open_meteo,
            open_meteo_key: environment.text("OPEN_METEO_KEY", &[]).map(Into::into),
            google_places,
            cassette,
            record,
            timeout: environment
                .parsed::<u32>("EXTERNAL_API_TIMEOUT", &[])
                .map(|seconds| Duration::from_secs(u64::from(seconds))),
        }
    }

    /// The sources.
    pub fn sources(self, clock: &Arc<dyn Clock>) -> anyhow::Result<Sources> {
        let mut sources = bundled(Arc::clone(clock));
        if self.open_meteo.is_none() && self.google_places.is_none() {
            return Ok(sources);
        }
        let http = self.http()?;
        if let Some(addresses) = self.open_meteo {
            tracing::info!(
                source.name = "Open-Meteo",
                source.host = addresses.0.host_str(),
                "asked"
            );
            let (http, clock) = (Arc::clone(&http), Arc::clone(clock));
            let open_meteo = Arc::new(OpenMeteo::new(http, clock, addresses, self.open_meteo_key));
            sources.weather.insert(0, Arc::clone(&open_meteo) as _);
            sources.geocoder = Some(open_meteo);
        }
        if let Some((url, key)) = self.google_places {
            tracing::info!(source.name = "Google Places", source.host = url.host_str(), "asked");
            let google = GooglePlaces::new(http, Arc::clone(clock), url, key);
            sources.places.push(Arc::new(google));
        }
        Ok(sources)
    }

    fn http(&self) -> anyhow::Result<Arc<dyn Http>> {
        if let Some(path) = &self.cassette {
            return Ok(Arc::new(Cassette::open(path)?));
        }
        let total = self.timeout.unwrap_or(Duration::from_secs(10));
        let timeouts = Timeouts { connect: total.min(Duration::from_secs(3)), total };
        let live = LiveHttp::new(timeouts).context("cannot make an HTTP client")?;
        let resilience = Resilience { budget: total * 2, ..Resilience::default() };
        Ok(match &self.record {
            Some(path) => Arc::new(Resilient::new(Recorder::new(live, path.clone())?, resilience)),
            None => Arc::new(Resilient::new(live, resilience)),
        })
    }
}

/// A server's address, with `path` where it has none.
fn address(environment: &mut Environment, name: &str, path: &str) -> Option<Url> {
    let mut url: Url = environment.parsed(name, &[])?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        environment.fault(format!("{name}: no address of a server, such as https://example.com"));
        return None;
    }
    if url.path() == "/" {
        url.set_path(path);
    }
    Some(url)
}
