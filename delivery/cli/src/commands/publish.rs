use std::{io::IsTerminal as _, path::Path};

use anyhow::Context as _;
use jiff::Timestamp;
use mercurious_builder::{BuiltImage, ImageBuilder, Progress, Publication, fetch_base};
use mercurious_core::image::{Commit, ImageReference, Platform, Repository, Tag};
use mercurious_registry::{BlobDescriptor, Keychain, PushedBlob, RegistryClient};
use mercurious_runtime::{Clock as _, SystemClock};

use crate::{
    cli::{Globals, Output, PublishArgs},
    failure::Failure,
    output::{print, print_json, say},
    settings,
};

pub(crate) async fn run(args: PublishArgs, globals: &Globals) -> anyhow::Result<()> {
    let repository: Option<Repository> = match &args.repository {
        Some(text) => {
            let parsed = text.parse();
            Some(parsed.map_err(|error| Failure::usage(format!("--repository: {error}")))?)
        }
        None => None,
    };
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
    let directory = place.path().to_owned();
    // Reading, packing and hashing a program keep a thread busy for seconds.
    let image = tokio::task::spawn_blocking(move || builder.build(&directory))
        .await
        .context("the build broke off")??;
    for warning in &image.warnings {
        say(format!("warning: {warning}"));
    }
    let maker = Maker { client, keychain, image, base, tags };
    match (args.layout, repository) {
        (Some(layout), _) => maker.write(&layout, globals).await,
        (None, Some(repository)) => maker.push(&repository, globals).await,
        (None, None) => Err(Failure::usage("give --repository, or --layout for a directory")),
    }
}

/// An image that was built, and where it may go.
struct Maker {
    client: RegistryClient,
    keychain: Keychain,
    image: BuiltImage,
    base: Option<ImageReference>,
    tags: Vec<Tag>,
}

impl Maker {
    async fn push(&self, repository: &Repository, globals: &Globals) -> anyhow::Result<()> {
        let publication = Publication {
            image: &self.image,
            base: self.base.as_ref().map(ImageReference::repository),
            repository,
            tags: &self.tags,
        };
        let shown = std::io::stderr().is_terminal();
        let progress = |step| {
            if shown && let Some(text) = describe(&step) {
                say(text);
            }
        };
        let pushed = publication.push(&self.client, &self.keychain, progress).await?;
        if globals.output == Output::Json {
            return print_json(&serde_json::json!({
                "repository": repository, "digest": pushed.digest, "tags": pushed.tags,
                "libraries": self.image.libraries, "bytesSent": pushed.bytes_sent(),
            }));
        }
        let tag = pushed.tags.first().map_or("", Tag::as_str);
        Ok(print(&format!("{repository}:{tag}@{}\n", pushed.digest))?)
    }

    /// Writes an OCI image layout, with the base's layers: it is complete in itself.
    async fn write(&self, layout: &Path, globals: &Globals) -> anyhow::Result<()> {
        let blobs = layout.join("blobs/sha256");
        if let Some(base) = &self.base {
            std::fs::create_dir_all(&blobs)
                .with_context(|| format!("cannot make {}", blobs.display()))?;
            for layer in &self.image.base_layers {
                let path = blobs.join(layer.digest.hex());
                if path.is_file() {
                    continue;
                }
                let descriptor = BlobDescriptor {
                    digest: layer.digest.clone(),
                    size: layer.size,
                    media_type: layer.media_type.clone(),
                };
                self.client
                    .blob_to_file(base.repository(), &descriptor, &path, &self.keychain)
                    .await
                    .with_context(|| format!("cannot copy a layer of {base}"))?;
            }
        }
        for tag in &self.tags {
            self.image.write_oci_layout(layout, tag.as_str())?;
        }
        let digest = &self.image.manifest.digest;
        if globals.output == Output::Json {
            return print_json(&serde_json::json!({
                "layout": layout, "digest": digest, "tags": self.tags, "libraries": self.image.libraries,
            }));
        }
        let tag = self.tags.first().map_or("", Tag::as_str);
        Ok(print(&format!("oci:{}:{tag}@{digest}\n", layout.display()))?)
    }
}

/// What is worth saying to somebody who waits.
fn describe(step: &Progress) -> Option<String> {
    let mebibytes = |size: u64| format!("{:.1} MiB", size as f64 / f64::from(1 << 20));
    match step {
        Progress::Started { digest, size, .. } if *size >= 1 << 20 => {
            Some(format!("pushing {} ({})", digest.short(), mebibytes(*size)))
        }
        Progress::Arrived(blob) if blob.outcome == PushedBlob::Present && blob.size >= 1 << 20 => {
            Some(format!("{} was there already", blob.digest.short()))
        }
        _ => None,
    }
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
