use std::error::Error;

use mercurious_core::{
    policy::{Order, Policy, TagFilter},
    resources::SortOrder,
};
use regex::Regex;

use crate::text::{assert_short, lines};

/// A pattern on the first line, a template on the second, tags below: a filter's answers are its own after a round trip,
/// do not depend on the order of the tags, and are those of the `regex` crate where both syntaxes say the same.
pub fn tag_filter(data: &[u8]) {
    let Some(mut lines) = lines(data) else { return };
    let pattern = lines.next().unwrap_or_default();
    let template = lines.next().unwrap_or_default();
    let mut tags: Vec<&str> = lines.take(8).collect();
    let filter = match TagFilter::new(pattern, template) {
        Ok(filter) => filter,
        Err(error) => {
            let mut cause: Option<&dyn Error> = Some(&error);
            while let Some(one) = cause {
                assert_short(&one.to_string());
                cause = one.source();
            }
            return;
        }
    };
    let again =
        TagFilter::new(&filter.pattern().to_string(), &filter.extract().unwrap_or_default())
            .expect("a filter is printed as it was read");
    assert_eq!(again, filter);
    let other = in_both_syntaxes(pattern, template);
    for tag in &tags {
        let key = filter.key(tag);
        assert_eq!(again.key(tag), key, "{tag:?}");
        assert_eq!(key.is_some(), filter.pattern().is_match(tag), "{tag:?}");
        assert!(key.is_none() || !template.is_empty() || key.as_deref() == Some(tag));
        if let Some(other) = &other {
            let expected = other.captures(tag).map(|found| {
                let mut key = String::new();
                found.expand(if template.is_empty() { "" } else { template }, &mut key);
                if template.is_empty() { (*tag).to_owned() } else { key }
            });
            assert_eq!(key, expected, "{pattern:?} {template:?} {tag:?}");
        }
    }
    let choices = choices(&filter, &tags);
    tags.reverse();
    assert_eq!(self::choices(&filter, &tags), choices);
}

/// What each order chooses among the tags, or that a key is not a number.
fn choices(filter: &TagFilter, tags: &[&str]) -> Vec<Result<Option<String>, ()>> {
    let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
    [
        Order::Alphabetical(SortOrder::Asc),
        Order::Alphabetical(SortOrder::Desc),
        Order::Numerical(SortOrder::Asc),
        Order::Numerical(SortOrder::Desc),
    ]
    .into_iter()
    .map(|order| {
        let policy = Policy::new(order, Some(filter.clone()));
        let chosen = policy.select(&tags).map_err(|_| ())?.latest;
        if let Some(only) = policy.only_tag() {
            assert!(chosen.as_ref().is_none_or(|chosen| *chosen == only), "{chosen:?} {only}");
        }
        Ok(chosen)
    })
    .collect()
}

/// The pattern as the `regex` crate reads it by itself: no braces, escapes, classes, flags or letters beyond ASCII, and a
/// template whose names are numbers without leading zeros or words.
fn in_both_syntaxes(pattern: &str, template: &str) -> Option<Regex> {
    let same_pattern = pattern
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_:/ .^$|()*+?@=,;".contains(&byte))
        && !pattern.contains("(?");
    let same_template =
        template.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_. $".contains(&byte))
            && !template.contains("$0");
    if !same_pattern || !same_template {
        return None;
    }
    Regex::new(pattern).ok()
}
