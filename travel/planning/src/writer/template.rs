//! Titles and texts from templates: nothing in them that is not in the plan.

use mercurious_contracts::{
    WeatherKind,
    trip::{Activity, Itinerary, Part, TripDay},
};

use super::{Phrases, Texts};

/// Longer names are cut in titles.
const NAME: usize = 60;
/// Rain of so many mm in a day is spoken of.
const WET: f64 = 3.0;

/// The texts of `itinerary`.
pub fn write(itinerary: &Itinerary, phrases: &Phrases) -> Texts {
    let mut names: Vec<&str> = Vec::new();
    for destination in &itinerary.destinations {
        if !names.contains(&&*destination.name) {
            names.push(&destination.name);
        }
    }
    let place = listed(&names, phrases);
    let count = itinerary.days.len();
    let title = match count {
        1 => fill(phrases.day_in, &[&place]),
        _ => fill(phrases.days_in, &[&count.to_string(), &place]),
    };
    let visits = itinerary.totals.visits.to_string();
    let mut summary = fill(phrases.summary, &[&visits, &count.to_string()]);
    if itinerary.warnings.iter().any(|warning| warning.code == "estimate") {
        summary = format!("{summary} {}", phrases.estimates);
    }
    let days = itinerary.days.iter().map(|day| (day_title(day, phrases), day_text(day, phrases)));
    Texts { title, summary, days: days.collect() }
}

/// The names of what happens, in order: of visits, of events, of meals at a place.
fn happenings(day: &TripDay, meals: bool) -> Vec<(Part, &str)> {
    (day.slots.iter())
        .filter_map(|slot| match &slot.activity {
            Activity::Visit { place } => Some((slot.part, place.name.as_str())),
            Activity::Fixed { title, .. } => Some((slot.part, title.as_str())),
            Activity::Meal { place: Some(place), .. } if meals => {
                Some((slot.part, place.name.as_str()))
            }
            _ => None,
        })
        .collect()
}

fn day_title(day: &TripDay, phrases: &Phrases) -> String {
    let names: Vec<String> =
        happenings(day, false).into_iter().map(|(_, name)| shortened(name)).collect();
    match names.as_slice() {
        [] if day.number == 1 => phrases.arrival.to_owned(),
        [] => phrases.leisure.to_owned(),
        [one] => one.clone(),
        [one, two] => format!("{one} {} {two}", phrases.and),
        [one, two, ..] => fill(phrases.more, &[&format!("{one}, {two}")]),
    }
}

fn day_text(day: &TripDay, phrases: &Phrases) -> String {
    let mut sentences = Vec::new();
    let happenings = happenings(day, true);
    for (number, part) in [Part::Morning, Part::Afternoon, Part::Evening].into_iter().enumerate() {
        let names: Vec<&str> =
            happenings.iter().filter(|(at, _)| *at == part).map(|(_, name)| *name).collect();
        if !names.is_empty() {
            sentences.push(format!("{}: {}.", phrases.parts[number], listed(&names, phrases)));
        }
    }
    if sentences.is_empty() {
        sentences.push(phrases.nothing.to_owned());
    }
    for holiday in &day.holidays {
        sentences.push(fill(phrases.holiday, &[&holiday.name]));
    }
    if let Some(weather) = &day.weather
        && let (Some(min), Some(max)) = (weather.temperature_min, weather.temperature_max)
    {
        let phrase = match weather.kind {
            WeatherKind::Forecast => phrases.weather,
            _ => phrases.usually,
        };
        sentences.push(fill(phrase, &[&format!("{min:.0}"), &format!("{max:.0}")]));
        let wet = weather.precipitation.is_some_and(|rain| rain >= WET);
        if wet && weather.kind == WeatherKind::Forecast {
            sentences.push(phrases.rain.to_owned());
        }
    }
    sentences.join(" ")
}

/// "A", "A and B", "A, B and C".
fn listed(names: &[&str], phrases: &Phrases) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} {} {last}", first.join(", "), phrases.and),
    }
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    let cut: String = name.chars().take(NAME - 1).collect();
    format!("{}…", cut.trim_end())
}

/// Puts `values` where the holes are, in order; a hole inside a value stays as it is.
fn fill(phrase: &str, values: &[&str]) -> String {
    let mut parts = phrase.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (part, value) in parts.zip(values) {
        text.push_str(value);
        text.push_str(part);
    }
    text
}
