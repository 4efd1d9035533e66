use std::io::Read as _;

use anyhow::Context as _;
use mercurious_core::{
    policy::{FilterError, Order, Policy, Range, TagFilter},
    resources::SortOrder,
};

use crate::{
    cli::{Globals, Output, PolicyArgs},
    failure::Failure,
    output::{print, print_json, table},
};

/// No more than this is read.
const INPUT_BYTES: u64 = 64 * 1024 * 1024;

pub(crate) fn run(args: &PolicyArgs, globals: &Globals) -> anyhow::Result<()> {
    let Some(policy) = policy(args)? else {
        return Err(Failure::usage(
            "an order is missing: give --semver, --numerical or --alphabetical",
        ));
    };
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(INPUT_BYTES + 1)
        .read_to_end(&mut bytes)
        .context("cannot read tags from standard input")?;
    if bytes.len() as u64 > INPUT_BYTES {
        return Err(Failure::usage(format!("more than {} MiB of tags", INPUT_BYTES >> 20)));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = String::from_utf8_lossy(&error.as_bytes()[..valid]).matches('\n').count() + 1;
        Failure::usage(format!("line {line} of the tags is not UTF-8"))
    })?;
    // Some editors put a mark before the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // Blank lines at the end are no tags; one between others is, and not a valid one.
    let tags: Vec<String> =
        text.trim_end_matches(['\n', '\r']).lines().map(str::to_owned).collect();
    let selection =
        policy.select_as_given(&tags).map_err(|error| Failure::usage(error.to_string()))?;
    if globals.output == Output::Json {
        return print_json(&selection);
    }
    let rows: Vec<Vec<String>> = selection
        .tags
        .iter()
        .map(|verdict| {
            let chosen = selection.latest.as_ref() == Some(&verdict.tag);
            let mark = if chosen { "*" } else { "" };
            let key = verdict.key.clone().unwrap_or_default();
            vec![mark.to_owned(), verdict.tag.clone(), key, verdict.reason.clone()]
        })
        .collect();
    Ok(print(&table(&["", "TAG", "KEY", "WHY"], &rows))?)
}

/// The policy that the flags describe; `None` where they name no order.
pub(crate) fn policy(args: &PolicyArgs) -> anyhow::Result<Option<Policy>> {
    let order = if let Some(range) = &args.order.semver {
        Order::Semver(Range::parse(range).map_err(|error| wrong("semver", &error))?)
    } else if let Some(text) = &args.order.numerical {
        Order::Numerical(direction("numerical", text)?)
    } else if let Some(text) = &args.order.alphabetical {
        Order::Alphabetical(direction("alphabetical", text)?)
    } else {
        return Ok(None);
    };
    Ok(Some(Policy::new(order, filter(args)?)))
}

pub(crate) fn filter(args: &PolicyArgs) -> anyhow::Result<Option<TagFilter>> {
    let Some(pattern) = &args.filter else { return Ok(None) };
    let extract = args.extract.as_deref().unwrap_or_default();
    TagFilter::new(pattern, extract).map(Some).map_err(|error| match &error {
        FilterError::Pattern(_) => wrong("filter", &error),
        FilterError::Template(_) => wrong("extract", &error),
    })
}

/// A flag that cannot be used, with all that is known of why.
fn wrong(flag: &str, error: &dyn std::error::Error) -> anyhow::Error {
    let mut text = format!("--{flag}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Failure::usage(text)
}

fn direction(flag: &str, text: &str) -> anyhow::Result<SortOrder> {
    match text {
        "asc" => Ok(SortOrder::Asc),
        "desc" => Ok(SortOrder::Desc),
        other => {
            Err(Failure::usage(format!("--{flag}: `{other}` is not an order; give asc or desc")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::OrderArgs;

    #[test]
    fn a_filter_that_cannot_be_used_names_its_flag_and_says_why() {
        let with = |filter: &str, extract: Option<&str>| PolicyArgs {
            order: OrderArgs { semver: None, numerical: None, alphabetical: None },
            filter: Some(filter.to_owned()),
            extract: extract.map(str::to_owned),
        };
        let error = filter(&with("v(", None)).unwrap_err().to_string();
        assert!(error.starts_with("--filter: filterTags.pattern cannot be used: "), "{error}");
        assert!(filter(&with("^v(?P<n>[0-9]+)$", Some("$n"))).is_ok());
    }
}
