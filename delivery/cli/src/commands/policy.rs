use std::io::Read as _;

use anyhow::Context as _;
use mercurious_core::{
    policy::{Order, Policy, Range, TagFilter},
    resources::SortOrder,
};

use crate::{
    cli::{Globals, Output, PolicyArgs},
    failure::Failure,
    output::{print, print_json, table},
};

/// Tags are read no further than this.
const INPUT_BYTES: u64 = 64 * 1024 * 1024;

pub(crate) fn run(args: &PolicyArgs, globals: &Globals) -> anyhow::Result<()> {
    let Some(policy) = policy(args)? else {
        return Err(Failure::usage("an order is missing: give --semver, --numerical or --alphabetical"));
    };
    let mut text = String::new();
    std::io::stdin().take(INPUT_BYTES).read_to_string(&mut text).context("cannot read tags from standard input")?;
    let tags: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let selection = policy.select(&tags).map_err(|error| Failure::usage(error.to_string()))?;
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
    let wrong = |flag: &str, error: &dyn std::error::Error| {
        let mut text = format!("--{flag}: {error}");
        if let Some(cause) = error.source() {
            text = format!("{text}: {cause}");
        }
        Failure::usage(text)
    };
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
    TagFilter::new(pattern, extract).map(Some).map_err(|error| Failure::usage(format!("--filter: {error}")))
}

fn direction(flag: &str, text: &str) -> anyhow::Result<SortOrder> {
    match text {
        "asc" => Ok(SortOrder::Asc),
        "desc" => Ok(SortOrder::Desc),
        other => Err(Failure::usage(format!("--{flag}: `{other}` is not an order; give asc or desc"))),
    }
}
