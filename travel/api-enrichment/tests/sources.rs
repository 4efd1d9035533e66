//! Sources that answer, lie, fail and stay silent: the job goes on.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use mercurious_contracts::{WeatherKind, message::JobErrorCode};
use mercurious_enrichment::{
    enrich::{Sources, enrich},
    http::{Answer, Http, HttpError, Question},
    sources::{google_places::GooglePlaces, open_meteo::OpenMeteo},
};
use mercurious_worker::Unwatched;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use support::{clock, request, sources, warned};

const MAY: (&str, &str) = ("2026-05-04", "2026-05-06");

/// Answers by path; what it does not know is not recorded.
#[derive(Default)]
struct FakeHttp {
    answers: BTreeMap<&'static str, (u16, String)>,
    asked: Mutex<Vec<String>>,
}

impl FakeHttp {
    fn with(mut self, path: &'static str, status: u16, body: &Value) -> Self {
        self.answers.insert(path, (status, body.to_string()));
        self
    }

    fn raw(mut self, path: &'static str, body: &str) -> Self {
        self.answers.insert(path, (200, body.to_owned()));
        self
    }
}

#[async_trait]
impl Http for FakeHttp {
    async fn ask(&self, question: &Question) -> Result<Answer, HttpError> {
        let secret = question.secret.as_ref().map(|(_, secret)| secret.expose_secret().to_owned());
        let body = question.body.clone().unwrap_or_default();
        self.asked.lock().unwrap().push(format!("{} {secret:?} {body}", question.url));
        match self.answers.get(question.url.path()) {
            Some((status, body)) => {
                Ok(Answer { status: *status, body: Bytes::from(body.clone()), retry_after: None })
            }
            None => Err(HttpError::NotRecorded {
                host: question.host().to_owned(),
                key: question.key(),
            }),
        }
    }
}

fn with_open_meteo(http: FakeHttp) -> (Sources, Arc<FakeHttp>) {
    let http = Arc::new(http);
    let addresses = (
        "http://weather.test/v1/forecast".parse().unwrap(),
        "http://names.test/v1/search".parse().unwrap(),
    );
    let open_meteo =
        Arc::new(OpenMeteo::new(Arc::clone(&http) as Arc<dyn Http>, clock(), addresses, None));
    let mut sources = sources();
    sources.weather.insert(0, Arc::clone(&open_meteo) as _);
    sources.geocoder = Some(open_meteo);
    (sources, http)
}

fn with_google(http: FakeHttp) -> (Sources, Arc<FakeHttp>) {
    let http = Arc::new(http);
    let url = "http://places.test/v1/places:searchNearby".parse().unwrap();
    let key = "the-key".to_owned().into();
    let google = GooglePlaces::new(Arc::clone(&http) as Arc<dyn Http>, clock(), url, key);
    let mut sources = sources();
    sources.places.push(Arc::new(google));
    (sources, http)
}

fn forecast() -> Value {
    json!({"daily": {
        "time": ["2026-05-04", "2026-05-05", "2026-05-06"],
        "temperature_2m_max": [21.4, 19.0, null],
        "temperature_2m_min": [12.0, 11.5, null],
        "precipitation_sum": [0.0, 12.3, null],
    }})
}

#[tokio::test]
async fn a_forecast_is_used_where_there_is_one_and_the_usual_weather_elsewhere() {
    let (sources, http) =
        with_open_meteo(FakeHttp::default().with("/v1/forecast", 200, &forecast()));
    let facts = enrich(&sources, &request("Lisbon", MAY, &json!({})), &Unwatched).await.unwrap();
    let kinds: Vec<WeatherKind> =
        facts.days.iter().map(|day| day.weather.as_ref().unwrap().kind).collect();
    assert_eq!(kinds, [WeatherKind::Forecast, WeatherKind::Forecast, WeatherKind::Normal]);
    let provenance = facts.days[0].weather.as_ref().unwrap().provenance.as_ref().unwrap();
    assert_eq!(
        (provenance.source.as_str(), provenance.licence.as_str()),
        ("Open-Meteo", "CC-BY-4.0")
    );
    assert_eq!(provenance.fetched_at, clock().now());
    assert!(facts.attributions.iter().any(|line| line.contains("Open-Meteo")));
    assert!(http.asked.lock().unwrap()[0].contains("start_date=2026-05-04&end_date=2026-05-06"));
}

#[tokio::test]
async fn days_beyond_the_forecast_are_not_asked_for() {
    let (sources, http) = with_open_meteo(FakeHttp::default());
    let late = request("Porto, PT", ("2026-05-20", "2026-05-21"), &json!({}));
    let facts = enrich(&sources, &late, &Unwatched).await.unwrap();
    assert!(http.asked.lock().unwrap().is_empty());
    assert!(warned(&facts, "weather_unknown") && !warned(&facts, "weather_unavailable"));
}

#[tokio::test]
async fn a_weather_source_that_fails_or_talks_nonsense_is_a_warning() {
    for http in [
        FakeHttp::default(),
        FakeHttp::default().with("/v1/forecast", 503, &json!({})),
        FakeHttp::default().raw("/v1/forecast", "<html>"),
        FakeHttp::default().with("/v1/forecast", 200, &json!({"daily": {"time": ["soon"]}})),
    ] {
        let (sources, _) = with_open_meteo(http);
        let facts =
            enrich(&sources, &request("Lisbon", MAY, &json!({})), &Unwatched).await.unwrap();
        assert!(warned(&facts, "weather_unavailable"), "{:?}", facts.warnings);
        assert_eq!(facts.days[0].weather.as_ref().unwrap().kind, WeatherKind::Normal);
    }
}

#[tokio::test]
async fn a_village_that_the_table_lacks_is_found_by_the_geocoder() {
    let hits = json!({"results": [{
        "id": 2_729_907, "name": "Longyearbyen", "latitude": 78.22334, "longitude": 15.64689,
        "country_code": "SJ", "timezone": "Arctic/Longyearbyen", "population": 2060, "feature_code": "PPLC",
    }]});
    let http = FakeHttp::default().with("/v1/search", 200, &hits);
    let (sources, _) = with_open_meteo(http);
    let wanted = request("Longyearbyenn", MAY, &json!({}));
    let facts = enrich(&sources, &wanted, &Unwatched).await.unwrap();
    let destination = &facts.destinations[0];
    assert_eq!((destination.name.as_str(), destination.currency.as_str()), ("Longyearbyen", "NOK"));
    assert_eq!(facts.days[0].offset_minutes, 120);
    assert_eq!(destination.provenance.source, "Open-Meteo");
    // Without an answer the name stays unknown, and it is said why.
    let (sources, _) = with_open_meteo(FakeHttp::default());
    let error = enrich(&sources, &wanted, &Unwatched).await.unwrap_err();
    assert_eq!(error.code, JobErrorCode::UnknownDestination);
    assert!(error.message.contains("could not be asked"), "{}", error.message);
}

#[tokio::test]
async fn places_of_google_are_merged_with_those_known_and_the_key_stays_in_its_header() {
    let hour = |day, open, close| json!({"open": {"day": day, "hour": open}, "close": {"day": day, "hour": close}});
    let places = json!({"places": [
        {"id": "g1", "displayName": {"text": "Torre de Belem"}, "types": ["historical_landmark"],
         "location": {"latitude": 38.69162, "longitude": -9.21598}, "rating": 4.6, "userRatingCount": 90_000},
        {"id": "g2", "displayName": {"text": "Padaria do Bairro"}, "types": ["cafe"], "primaryType": "cafe",
         "location": {"latitude": 38.7188, "longitude": -9.1400}, "priceLevel": "PRICE_LEVEL_INEXPENSIVE",
         "regularOpeningHours": {"periods": [hour(1, 8, 18), hour(2, 8, 18)]},
         "accessibilityOptions": {"wheelchairAccessibleEntrance": true}},
        {"id": "g3", "displayName": {"text": "Shut"}, "businessStatus": "CLOSED_PERMANENTLY",
         "location": {"latitude": 38.71, "longitude": -9.14}},
    ]});
    let http = FakeHttp::default().with("/v1/places:searchNearby", 200, &places);
    let (sources, http) = with_google(http);
    let facts = enrich(&sources, &request("Lisbon", MAY, &json!({})), &Unwatched).await.unwrap();
    let ids: Vec<&str> = facts.places.iter().map(|place| place.id.as_str()).collect();
    assert!(
        ids.contains(&"google:g2") && !ids.contains(&"google:g1") && !ids.contains(&"google:g3")
    );
    let cafe = facts.places.iter().find(|place| place.id == "google:g2").unwrap();
    assert_eq!((cafe.hours[0][0].opens, cafe.hours[2].len()), (480, 0));
    assert!(facts.attributions.iter().any(|line| line.contains("Google")));
    for asked in http.asked.lock().unwrap().iter() {
        assert!(asked.contains("Some(\"the-key\")"), "{asked}");
        assert_eq!(asked.matches("the-key").count(), 1, "{asked}");
    }
}

#[tokio::test]
async fn a_place_source_that_refuses_is_a_warning() {
    let http = FakeHttp::default().with("/v1/places:searchNearby", 403, &json!({}));
    let (sources, _) = with_google(http);
    let facts = enrich(&sources, &request("Lisbon", MAY, &json!({})), &Unwatched).await.unwrap();
    assert!(warned(&facts, "places_unavailable"));
    assert!(facts.places.len() >= 40);
}
