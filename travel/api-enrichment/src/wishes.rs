//! From the names of places that a person wants or does not want to their ids.

use mercurious_contracts::facts::Unresolved;

use crate::{gazetteer::plain, sources::FoundPlace};

/// How alike a name must be to a place's to mean it.
const ALIKE: f64 = 0.93;

/// What a list of names means.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The ids that were found, in the order of the names, each once.
    pub ids: Vec<String>,
    /// What was not.
    pub unresolved: Vec<Unresolved>,
}

/// Looks up each of `names`, which stand in `field`.
pub fn resolve(names: &[String], field: &str, places: &[FoundPlace]) -> Resolved {
    let mut resolved = Resolved::default();
    for (number, name) in names.iter().enumerate() {
        match one(name, places) {
            Ok(id) if resolved.ids.contains(&id) => {}
            Ok(id) => resolved.ids.push(id),
            Err(reason) => resolved.unresolved.push(Unresolved {
                name: name.clone(),
                field: format!("{field}[{number}]"),
                reason,
            }),
        }
    }
    resolved
}

/// The id of the place that `name` means.
pub fn one(name: &str, places: &[FoundPlace]) -> Result<String, String> {
    if let Some(place) = places.iter().find(|place| place.id == name) {
        return Ok(place.id.clone());
    }
    let wanted = plain(name);
    let likeness = |place: &FoundPlace| {
        std::iter::once(&place.name)
            .chain(&place.other_names)
            .map(|known| {
                let known = plain(known);
                let part =
                    wanted.len() >= 5 && format!(" {known} ").contains(&format!(" {wanted} "));
                if known == wanted {
                    1.0
                } else if part {
                    0.95
                } else {
                    strsim::jaro_winkler(&known, &wanted) * 0.99
                }
            })
            .fold(0.0, f64::max)
    };
    let mut near: Vec<(f64, &FoundPlace)> =
        places.iter().map(|place| (likeness(place), place)).collect();
    near.sort_by(|one, other| {
        other.0.total_cmp(&one.0).then_with(|| other.1.quality.cmp(&one.1.quality))
    });
    match near.first() {
        Some((likeness, place)) if *likeness >= ALIKE && !wanted.is_empty() => Ok(place.id.clone()),
        Some((likeness, place)) if *likeness > 0.75 => {
            Err(format!("no candidate has that name; perhaps {} ({})?", place.name, place.id))
        }
        _ => Err("no candidate has that name".to_owned()),
    }
}
