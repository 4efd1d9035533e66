//! Whether what a model wrote may stand.

use std::collections::BTreeSet;

use mercurious_contracts::trip::{Activity, Itinerary, TripDay};

use super::answer::{Written, WrittenDay};

/// The longest title and text, in characters.
const TITLE: usize = 100;
const TEXT: usize = 900;

/// Words that are frequent in one language and rare in the others.
const WORDS: [(&str, &[&str]); 6] = [
    ("en", &["the", "and", "with", "you", "your", "of", "this", "is", "to", "then"]),
    ("fr", &["le", "les", "des", "et", "vous", "une", "dans", "avec", "puis", "est", "du"]),
    ("de", &["der", "die", "und", "das", "sie", "mit", "ein", "eine", "den", "ist", "dann"]),
    ("es", &["el", "los", "las", "y", "una", "con", "usted", "luego", "del", "es", "su"]),
    ("it", &["il", "gli", "della", "con", "poi", "una", "di", "che", "nel", "è", "e"]),
    ("pt", &["o", "os", "uma", "com", "depois", "da", "do", "em", "não", "e", "você"]),
];

/// What is wrong with `written` for `itinerary` in `language`, in words; nothing when it may stand.
pub(super) fn faults(written: &Written, itinerary: &Itinerary, language: &str) -> Vec<String> {
    let mut faults = Vec::new();
    text("the title", &written.title, TITLE, &mut faults);
    text("the summary", &written.summary, TEXT, &mut faults);
    let numbers: Vec<u32> = written.days.iter().map(|day| day.day).collect();
    let wanted: Vec<u32> = itinerary.days.iter().map(|day| day.number).collect();
    if numbers != wanted {
        faults.push(format!("the days must be {wanted:?}, in that order, each once"));
        return faults;
    }
    for (day, planned) in written.days.iter().zip(&itinerary.days) {
        one(day, planned, itinerary, &mut faults);
    }
    let all = written.days.iter().flat_map(|day| [day.title.as_str(), day.text.as_str()]);
    let all: Vec<&str> = all.chain([written.title.as_str(), written.summary.as_str()]).collect();
    if let Some(other) = other_language(&all.join(" "), language) {
        faults.push(format!("the texts must be in the language {language}, not in {other}"));
    }
    faults.truncate(20);
    faults
}

/// What is wrong with JSON that a model wrote; for tests and tools.
pub fn judge(json: &str, itinerary: &Itinerary, language: &str) -> Vec<String> {
    match super::answer::read(json) {
        Ok(written) => faults(&written, itinerary, language),
        Err(error) => vec![error.to_string()],
    }
}

fn one(day: &WrittenDay, planned: &TripDay, itinerary: &Itinerary, faults: &mut Vec<String>) {
    let number = day.day;
    text(&format!("the title of day {number}"), &day.title, TITLE, faults);
    text(&format!("the text of day {number}"), &day.text, TEXT, faults);
    let here = places(planned);
    let ids: BTreeSet<&str> = here.iter().map(|(id, _)| *id).collect();
    for id in &day.places {
        if !ids.contains(id.as_str()) {
            let id: String = id.chars().take(80).collect();
            faults.push(format!("day {number} has no place with the id {id:?}"));
        }
    }
    // Also what is not said to be spoken of: a place of another day, by name.
    let said = format!("{} {}", day.title, day.text).to_lowercase();
    for other in itinerary.days.iter().filter(|other| other.number != number) {
        for (id, name) in places(other) {
            let name = name.to_lowercase();
            let known = here.iter().any(|(_, here)| here.to_lowercase().contains(&name));
            if !ids.contains(id) && !known && name.chars().count() >= 6 && said.contains(&name) {
                faults.push(format!("day {number} speaks of a place of day {}", other.number));
            }
        }
    }
}

fn places(day: &TripDay) -> Vec<(&str, &str)> {
    (day.slots.iter())
        .filter_map(|slot| match &slot.activity {
            Activity::Visit { place }
            | Activity::Meal { place: Some(place), .. }
            | Activity::Fixed { place: Some(place), .. } => {
                Some((place.id.as_str(), place.name.as_str()))
            }
            _ => None,
        })
        .collect()
}

fn text(what: &str, text: &str, most: usize, faults: &mut Vec<String>) {
    let length = text.trim().chars().count();
    if length == 0 {
        faults.push(format!("{what} is empty"));
    }
    if length > most {
        faults.push(format!("{what} has {length} characters, more than {most}"));
    }
    if text.chars().any(|letter| letter.is_control() && letter != '\n') {
        faults.push(format!("{what} holds control characters"));
    }
    let lower = text.to_lowercase();
    if ["http:", "https:", "www.", "](", "<a ", "<script", "```"]
        .iter()
        .any(|link| lower.contains(link))
    {
        faults.push(format!("{what} holds a link or markup"));
    }
    if has_time(text) {
        faults.push(format!("{what} gives a time of the day"));
    }
}

/// Whether there is something like 9:30, 18h00 or 6 pm.
fn has_time(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    (0..letters.len()).any(|at| {
        let digit = |at: usize| letters.get(at).is_some_and(char::is_ascii_digit);
        if !digit(at) || (at > 0 && digit(at - 1)) {
            return false;
        }
        let mut end = at + 1;
        while digit(end) {
            end += 1;
        }
        let next = letters.get(end).copied().unwrap_or(' ');
        let clock = matches!(next, ':' | 'h' | 'H' | '.') && digit(end + 1) && digit(end + 2);
        let rest: String = letters[end..].iter().take(4).collect::<String>().to_lowercase();
        let rest = rest.trim_start();
        let noon = ["am", "pm", "uhr"].iter().any(|word| rest.starts_with(word));
        end - at <= 2 && ((clock && !digit(end + 3)) || noon)
    })
}

/// The language that `text` is in when that is clearly another one than `language`.
fn other_language(text: &str, language: &str) -> Option<&'static str> {
    let wanted = language.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|letter: char| !letter.is_alphabetic()).collect();
    let count = |known: &[&str]| words.iter().filter(|word| known.contains(word)).count();
    let here = WORDS.iter().find(|(tag, _)| *tag == wanted).map_or(0, |(_, known)| count(known));
    WORDS
        .iter()
        .filter(|(tag, _)| *tag != wanted)
        .map(|(tag, known)| (count(known), *tag))
        .max()
        .filter(|(there, _)| *there >= 4 && *there > here * 2)
        .map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_day_are_found_and_years_and_prices_are_not() {
        for text in ["at 9:30", "à 18h00 précises", "gegen 9 Uhr", "by 6 pm", "12.30"] {
            assert!(has_time(text), "{text}");
        }
        for text in ["in 1755", "3 places", "the 28 tram", "day 2: rest", "12.3 km", "1:1", ""] {
            assert!(!has_time(text), "{text}");
        }
    }

    #[test]
    fn another_language_is_noticed_and_the_right_one_is_not() {
        let german =
            "Der Tag beginnt mit einem Spaziergang und die Burg ist das Ziel, dann der Hafen.";
        assert_eq!(other_language(german, "en"), Some("de"));
        assert_eq!(other_language(german, "de-AT"), None);
        let english =
            "Start the day with a walk to the castle and then enjoy the view of your city.";
        assert_eq!(other_language(english, "en"), None);
        assert_eq!(other_language(english, "fr"), Some("en"));
        assert_eq!(other_language("東京の一日", "ja"), None);
    }
}
