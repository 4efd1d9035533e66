//! Google Places (New): candidates with opening hours, only where a key is set.
//!
//! Terms: what is found is shown with its attribution and is kept no longer than the job; ids may be kept.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc, time::Duration};

use async_trait::async_trait;
use mercurious_contracts::{Currency, MealKind, Point, Provenance};
use mercurious_runtime::Clock;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{Around, FoundPlace, PlaceSource, SourceError, bundled::rates};
use crate::http::{Http, Question};

const NAME: &str = "Google Places";
/// What must be shown with its facts.
pub const ATTRIBUTION: &str = "Places by Google";
/// Exactly what is read: Google bills by field.
const FIELDS: &str = "places.id,places.displayName,places.location,places.types,places.primaryType,places.rating,\
    places.userRatingCount,places.priceLevel,places.businessStatus,places.regularOpeningHours.periods,\
    places.accessibilityOptions";
/// One question for each group, because each answers 20 places at most.
const GROUPS: [&[&str]; 4] = [
    &["museum", "art_gallery", "cultural_landmark"],
    &["tourist_attraction", "historical_landmark", "monument"],
    &["park", "botanical_garden", "zoo", "aquarium", "market"],
    &["restaurant", "cafe"],
];
const PER_QUESTION: usize = 20;

/// Asks Google Places.
pub struct GooglePlaces {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    url: Url,
    key: SecretString,
}

impl GooglePlaces {
    /// At `url` (`…/v1/places:searchNearby`) with a key.
    pub fn new(http: Arc<dyn Http>, clock: Arc<dyn Clock>, url: Url, key: SecretString) -> Self {
        Self { http, clock, url, key }
    }

    async fn ask(&self, around: Around<'_>, types: &[&str]) -> Result<Vec<Place>, SourceError> {
        let Point { lat, lon } = around.destination.point;
        let body = json!({
            "includedTypes": types,
            "maxResultCount": PER_QUESTION,
            "languageCode": around.language,
            "rankPreference": "POPULARITY",
            "locationRestriction": {"circle": {
                "center": {"latitude": lat, "longitude": lon},
                // Google takes no larger circle.
                "radius": around.radius.min(50_000.0),
            }},
        });
        let question = Question {
            url: self.url.clone(),
            headers: vec![("x-goog-fieldmask", FIELDS.to_owned())],
            secret: Some(("x-goog-api-key", self.key.expose_secret().to_owned().into())),
            body: Some(body.to_string()),
            fresh: Duration::from_secs(3_600),
        };
        let answer = self.http.ask(&question).await;
        let answer =
            answer.map_err(|source| SourceError::Unreachable { source_name: NAME, source })?;
        if answer.status != 200 {
            return Err(SourceError::Refused { source_name: NAME, status: answer.status });
        }
        let nearby: Nearby = serde_json::from_slice(&answer.body)
            .map_err(|source| SourceError::Unreadable { source_name: NAME, source })?;
        Ok(nearby.places)
    }
}

#[async_trait]
impl PlaceSource for GooglePlaces {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn places(&self, around: Around<'_>) -> Result<Vec<FoundPlace>, SourceError> {
        let provenance = Provenance {
            source: NAME.to_owned(),
            licence: "Google Maps Platform terms".to_owned(),
            fetched_at: self.clock.now(),
        };
        let mut found: Vec<FoundPlace> = Vec::new();
        for types in GROUPS {
            for place in self.ask(around, types).await? {
                let currency = &around.destination.currency;
                if let Some(place) = read_place(place, currency, &provenance)
                    && !found.iter().any(|known| known.id == place.id)
                {
                    found.push(place);
                }
            }
        }
        Ok(found)
    }
}

#[derive(Deserialize)]
struct Nearby {
    #[serde(default)]
    places: Vec<Place>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    id: String,
    display_name: Option<Text>,
    location: Location,
    #[serde(default)]
    types: Vec<String>,
    primary_type: Option<String>,
    rating: Option<f64>,
    user_rating_count: Option<u64>,
    price_level: Option<String>,
    business_status: Option<String>,
    regular_opening_hours: Option<Hours>,
    accessibility_options: Option<Accessibility>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Deserialize)]
struct Location {
    latitude: f64,
    longitude: f64,
}

#[derive(Deserialize)]
struct Hours {
    #[serde(default)]
    periods: Vec<Period>,
}

#[derive(Deserialize)]
struct Period {
    open: Moment,
    close: Option<Moment>,
}

#[derive(Deserialize, Clone, Copy)]
struct Moment {
    /// 0 is Sunday.
    #[serde(default)]
    day: u8,
    #[serde(default)]
    hour: u8,
    #[serde(default)]
    minute: u8,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accessibility {
    #[serde(default)]
    wheelchair_accessible_entrance: bool,
}

/// Google's types, what they are here, how long one stays.
const KINDS: [(&str, &str, i32); 17] = [
    ("art_gallery", "gallery", 60),
    ("museum", "museum", 90),
    ("botanical_garden", "garden", 60),
    ("zoo", "zoo", 150),
    ("aquarium", "aquarium", 120),
    ("park", "park", 60),
    ("market", "market", 45),
    ("castle", "castle", 90),
    ("church", "church", 30),
    ("hindu_temple", "temple", 40),
    ("mosque", "mosque", 30),
    ("synagogue", "synagogue", 30),
    ("monument", "monument", 30),
    ("historical_landmark", "monument", 45),
    ("cultural_landmark", "monument", 45),
    ("cafe", "cafe", 40),
    ("restaurant", "restaurant", 75),
];

fn read_place(place: Place, currency: &Currency, provenance: &Provenance) -> Option<FoundPlace> {
    if place.business_status.as_deref().is_some_and(|status| status != "OPERATIONAL") {
        return None;
    }
    let is = |kind: &str| {
        place.primary_type.as_deref() == Some(kind) || place.types.iter().any(|other| other == kind)
    };
    let primary = |(kind, ..): &&(&str, &str, i32)| place.primary_type.as_deref() == Some(*kind);
    let kind = KINDS.iter().find(primary).or_else(|| KINDS.iter().find(|(kind, ..)| is(kind)));
    let (category, minutes) =
        kind.map_or(("attraction", 60), |(_, here, minutes)| (*here, *minutes));
    let serves = match category {
        "cafe" => vec![MealKind::Breakfast, MealKind::Lunch],
        "restaurant" => vec![MealKind::Lunch, MealKind::Dinner],
        _ => Vec::new(),
    };
    let mut tags = BTreeSet::new();
    if place.accessibility_options.is_some_and(|access| access.wheelchair_accessible_entrance) {
        tags.insert("wheelchair".to_owned());
    }
    for (kind, tag) in [("vegetarian_restaurant", "vegetarian"), ("vegan_restaurant", "vegan")] {
        if is(kind) {
            tags.insert(tag.to_owned());
        }
    }
    let outdoor = ["park", "garden", "zoo", "market", "monument", "castle"].contains(&category);
    tags.insert(if outdoor { "outdoor" } else { "indoor" }.to_owned());
    // Many votes make a rating more believable.
    let votes = place.user_rating_count.unwrap_or(0) as f64;
    let rating = place.rating.unwrap_or(3.5).clamp(1.0, 5.0);
    let believed = (rating * votes + 3.5 * 50.0) / (votes + 50.0);
    let (min, max) = price(place.price_level.as_deref(), !serves.is_empty());
    let euro = Currency::new("EUR").ok()?;
    let local = |cents| rates::converted(cents, &euro, currency).unwrap_or(0);
    Some(FoundPlace {
        name: place.display_name.map(|name| name.text).filter(|name| !name.trim().is_empty())?,
        id: format!("google:{}", place.id),
        other_names: Vec::new(),
        point: Point { lat: place.location.latitude, lon: place.location.longitude },
        category: category.to_owned(),
        minutes,
        quality: ((believed - 1.0) * 25.0).round() as u8,
        cost: (local(min), local(max)),
        currency: currency.clone(),
        opening_hours: place.regular_opening_hours.as_ref().map(|hours| written(&hours.periods)),
        tags,
        serves,
        // Lengths and prices are ours.
        estimated: true,
        provenance: provenance.clone(),
    })
}

/// What a price level means, in cents of a euro for one adult.
fn price(level: Option<&str>, eats: bool) -> (i64, i64) {
    match (level, eats) {
        (Some("PRICE_LEVEL_FREE"), _) => (0, 0),
        (Some("PRICE_LEVEL_INEXPENSIVE"), true) => (800, 1500),
        (Some("PRICE_LEVEL_EXPENSIVE"), true) => (3500, 6000),
        (Some("PRICE_LEVEL_VERY_EXPENSIVE"), true) => (6000, 15000),
        (_, true) => (1500, 3000),
        (Some(_), false) => (500, 1500),
        (None, false) => (0, 1000),
    }
}

/// Google's periods as OpenStreetMap writes opening hours.
fn written(periods: &[Period]) -> String {
    const DAYS: [&str; 7] = ["Su", "Mo", "Tu", "We", "Th", "Fr", "Sa"];
    let day = |moment: Moment| usize::from(moment.day % 7);
    // Open for ever: one opening and no closing.
    if periods.iter().any(|period| period.close.is_none()) {
        return "24/7".to_owned();
    }
    let mut text = String::new();
    for (number, name) in DAYS.iter().enumerate() {
        let mut spans = Vec::new();
        for period in periods.iter().filter(|period| day(period.open) == number) {
            let Some(close) = period.close else { continue };
            let mut hour = i32::from(close.hour);
            let days = (day(close) + 7 - number) % 7;
            let (open, closed) = (period.open, close.minute);
            if days > 0 && days < 2 {
                hour += 24;
            }
            spans.push(format!("{:02}:{:02}-{hour:02}:{closed:02}", open.hour, open.minute));
        }
        if !spans.is_empty() {
            let separator = if text.is_empty() { "" } else { "; " };
            // Writing to a text never fails.
            let _ = write!(text, "{separator}{name} {}", spans.join(","));
        }
    }
    if text.is_empty() { "off".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn periods(text: &str) -> Vec<Period> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn periods_become_opening_hours_also_past_midnight_and_around_the_clock() {
        let text = r#"[{"open":{"day":1,"hour":9},"close":{"day":1,"hour":12,"minute":30}},
            {"open":{"day":1,"hour":14},"close":{"day":1,"hour":18}},
            {"open":{"day":6,"hour":20},"close":{"day":0,"hour":2}}]"#;
        let hours = written(&periods(text));
        assert_eq!(hours, "Mo 09:00-12:30,14:00-18:00; Sa 20:00-26:00");
        assert!(hours.parse::<opening_hours::OpeningHours>().is_ok());
        assert_eq!(written(&periods(r#"[{"open":{"day":0,"hour":0}}]"#)), "24/7");
        assert!(written(&[]).parse::<opening_hours::OpeningHours>().is_ok());
    }

    #[test]
    fn a_closed_place_and_one_without_a_name_are_left_out() {
        let read = |text: &str| {
            let provenance = Provenance {
                source: NAME.to_owned(),
                licence: String::new(),
                fetched_at: jiff::Timestamp::UNIX_EPOCH,
            };
            let euro = Currency::new("EUR").unwrap();
            read_place(serde_json::from_str(text).unwrap(), &euro, &provenance)
        };
        let place = r#"{"id":"a","displayName":{"text":"Louvre"},"location":{"latitude":48.86,"longitude":2.33},
            "types":["museum"],"rating":4.7,"userRatingCount":300000}"#;
        let louvre = read(place).unwrap();
        assert_eq!((louvre.category.as_str(), louvre.quality), ("museum", 92));
        assert_eq!(
            read(&place.replace("\"id\"", "\"businessStatus\":\"CLOSED_TEMPORARILY\",\"id\"")),
            None
        );
        assert_eq!(read(&place.replace("Louvre", " ")), None);
    }
}
