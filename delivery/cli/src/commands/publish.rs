use anyhow::Context as _;
use jiff::Timestamp;
use mercurious_builder::{ImageBuilder, fetch_base, publish};
use mercurious_core::image::{Commit, ImageReference, Platform, Repository, Tag};
use mercurious_registry::RegistryClient;
use mercurious_runtime::{Clock as _, SystemClock};

use crate::{
    cli::{Globals, Output, PublishArgs},
    failure::Failure,
    output::{print, print_json, say},
    settings,
};

pub(crate) async fn run(args: PublishArgs, globals: &Globals) -> anyhow::Result<()> {
    let repository: Repository = args
        .repository
        .parse()
        .map_err(|error| Failure::usage(format!("--repository: {error}")))?;
    let mut tags = Vec::new();
    let platform = Platform::of_this_program();
    let mut builder = ImageBuilder::new(platform.clone())
        .binary(&args.binary)
        .created(created(args.created.as_deref())?);
    if let Some(text) = &args.commit {
        let commit: Commit =
            text.parse().map_err(|error| Failure::usage(format!("--commit: {error}")))?;
        tags.push(format!("sha-{commit}").parse::<Tag>()?);
        builder = builder.revision(commit);
    }
    for tag in &args.tags {
        tags.push(tag.parse().map_err(|error| Failure::usage(format!("--tag: {error}")))?);
    }
    if args.tags.is_empty() {
        tags.push("latest".parse()?);
    }
    if let Some(source) = args.source {
        builder = builder.source(source);
    }
    for port in args.expose {
        builder = builder.expose(port);
    }
    for pair in &args.variables {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Failure::usage(format!("--env: `{pair}` is not NAME=VALUE")));
        };
        builder = builder.env(name, value);
    }
    builder = builder.arguments(args.arguments);
    let client = RegistryClient::builder().build().context("cannot make a registry client")?;
    let keychain = settings::keychain();
    let base: Option<ImageReference> = match &args.base {
        Some(text) => {
            Some(text.parse().map_err(|error| Failure::usage(format!("--base: {error}")))?)
        }
        None => None,
    };
    if let Some(reference) = &base {
        builder = builder.base(fetch_base(&client, &keychain, reference, &platform).await?);
    }
    let place = tempfile::tempdir().context("cannot make a temporary directory")?;
    let image = builder.build(place.path())?;
    for warning in &image.warnings {
        say(format!("warning: {warning}"));
    }
    let from = base.as_ref().map(ImageReference::repository);
    let pushed = publish(&client, &keychain, &image, from, &repository, &tags).await?;
    let tags: Vec<String> = pushed.tags.iter().map(ToString::to_string).collect();
    if globals.output == Output::Json {
        return print_json(&serde_json::json!({
            "repository": repository, "digest": pushed.digest, "tags": tags, "libraries": image.libraries,
        }));
    }
    Ok(print(&format!(
        "{repository}:{}@{}\n",
        tags.first().map_or("", String::as_str),
        pushed.digest
    ))?)
}

/// A time as RFC 3339, or in seconds since 1970 as `SOURCE_DATE_EPOCH` is.
fn created(text: Option<&str>) -> anyhow::Result<Timestamp> {
    let Some(text) = text else { return Ok(SystemClock.now()) };
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds)
            .map_err(|error| Failure::usage(format!("--created: {error}")));
    }
    text.parse().map_err(|_| {
        Failure::usage(format!(
            "--created: `{text}` is neither a time as 2026-01-31T12:00:00Z nor seconds since 1970"
        ))
    })
}
