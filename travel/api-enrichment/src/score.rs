//! What a place is worth beside others: interest × quality × weather × distance.

use mercurious_contracts::{Weather, facts::DayFacts, request::TripRequest};

use crate::sources::FoundPlace;

/// Wishes that stand for several categories.
const THEMES: [(&str, &[&str]); 10] = [
    (
        "history",
        &["museum", "monument", "castle", "palace", "church", "temple", "shrine", "neighbourhood"],
    ),
    ("culture", &["museum", "gallery", "monument", "temple", "shrine", "church", "palace", "tour"]),
    ("history_culture", &["museum", "monument", "castle", "palace", "church", "temple", "shrine"]),
    ("art", &["gallery", "museum"]),
    ("nature", &["park", "garden", "viewpoint", "zoo"]),
    ("nature_parks", &["park", "garden", "viewpoint"]),
    ("food", &["restaurant", "cafe", "market"]),
    ("food_drink", &["restaurant", "cafe", "market"]),
    ("shopping", &["market", "shop"]),
    ("entertainment", &["zoo", "aquarium", "tour", "viewpoint", "neighbourhood"]),
];

/// From 0 to 1000 for a place that is `metres` away from the centre.
pub fn score(place: &FoundPlace, request: &TripRequest, days: &[DayFacts], metres: f64) -> u32 {
    let interest = match interest(&place.category, request) {
        1 => 0.3,
        2 => 0.6,
        3 => 1.0,
        4 => 1.4,
        _ => 1.8,
    };
    let quality = f64::from(place.quality) / 100.0;
    // Half as good at 12 km.
    let distance = 12_000.0 / (12_000.0 + metres);
    let outdoor = place.tags.contains("outdoor");
    let weather = if outdoor { weather_factor(days) } else { 1.0 };
    let score = 1000.0 * quality * (interest / 1.8) * distance * weather;
    (score.round() as u32).clamp(1, 1000)
}

/// How much one likes a category, 1 to 5: what was said, less for what was not where something was.
fn interest(category: &str, request: &TripRequest) -> u8 {
    let key = |name: &str| name.to_lowercase().replace([' ', '-', '&', '/'], "_");
    let mut best = None;
    for (name, value) in &request.interests {
        let name = key(name);
        let theme = THEMES.iter().find(|(theme, _)| *theme == name);
        let meant = name == category
            || name.strip_suffix('s') == Some(category)
            || theme.is_some_and(|(_, categories)| categories.contains(&category));
        if meant {
            best = best.max(Some(*value));
        }
    }
    best.unwrap_or(if request.interests.is_empty() { 3 } else { 2 })
}

/// Less for what is outdoors when most days are wet or hot or cold.
fn weather_factor(days: &[DayFacts]) -> f64 {
    let unpleasant = |weather: &Weather| {
        weather.precipitation.is_some_and(|rain| rain >= 5.0)
            || weather.temperature_max.is_some_and(|warmest| !(3.0..36.0).contains(&warmest))
    };
    let known: Vec<&Weather> = days.iter().filter_map(|day| day.weather.as_ref()).collect();
    if known.is_empty() {
        return 1.0;
    }
    let bad = known.iter().filter(|weather| unpleasant(weather)).count();
    1.0 - 0.5 * bad as f64 / known.len() as f64
}
