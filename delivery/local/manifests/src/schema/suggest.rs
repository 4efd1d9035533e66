use strsim::damerau_levenshtein;

use super::shape::{Leaf, Rule, Shape};

/// The known name that a misspelt one most likely means.
pub(super) fn nearest<'known>(
    text: &str,
    known: impl IntoIterator<Item = &'known str>,
) -> Option<&'known str> {
    if text.len() > 60 {
        return None;
    }
    let folded = text.to_lowercase().replace(['_', '-'], "");
    let allowed = match folded.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .map(|name| (damerau_levenshtein(&folded, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Where a field that is unknown here would be honoured: in a part below, as a path to it.
pub(super) fn below(shape: &'static Shape, name: &str) -> Option<String> {
    let mut parts = vec![(shape, String::new())];
    for _ in 0..5 {
        let mut deeper = Vec::new();
        for (part, path) in parts {
            for field in part.fields {
                let Some(inner) = field.inner() else { continue };
                let is_list = !matches!(field.rule, Rule::Read(Leaf::Object(_)));
                let path = format!("{path}{}{}", field.name, if is_list { "[]." } else { "." });
                if inner.field(name).is_some_and(|field| matches!(field.rule, Rule::Read(_))) {
                    return Some(format!("{path}{name}"));
                }
                deeper.push((inner, path));
            }
        }
        parts = deeper;
    }
    None
}

/// The field of `parent`, beside `current`, whose parts know all of these names: where an item has slipped under the
/// wrong field.
pub(super) fn beside(
    parent: &'static Shape,
    current: &str,
    names: &[&str],
) -> Option<&'static str> {
    let knows_all = |shape: &Shape| names.iter().all(|name| shape.field(name).is_some());
    parent
        .fields
        .iter()
        .filter(|field| field.name != current && field.inner().is_some_and(knows_all))
        .map(|field| (damerau_levenshtein(field.name, current), field.name))
        .min()
        .map(|(_, name)| name)
}
