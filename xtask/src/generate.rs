//! Pages and documents that are made from the code.

use std::{fs, process::Command};

use anyhow::{Context as _, bail, ensure};

use crate::{cargo_program, root};

/// An example that prints a file, its package, and the file.
const GENERATED: [(&str, &str, &str); 8] = [
    ("openapi", "mercurious-api", "docs/openapi.json"),
    ("openapi", "mercurious-api-gateway", "docs/api-gateway.openapi.json"),
    ("settings", "mercurious-api-gateway", "docs/api-gateway-settings.md"),
    ("asyncapi", "mercurious-contracts", "docs/asyncapi.json"),
    ("message_schemas", "mercurious-contracts", "docs/travel-messages.schema.json"),
    ("fields", "mercurious-manifests", "docs/manifests.md"),
    ("autodeploy_crd", "mercurious-kubernetes", "deploy/mercurious/crds/autodeploys.yaml"),
    ("flux_crds", "mercurious-kubernetes", "deploy/mercurious/crds/images/images.yaml"),
];

#[derive(clap::Args)]
pub(crate) struct Generate {
    /// Write nothing; fail where a file is old
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(generate: &Generate) -> anyhow::Result<()> {
    let mut old = Vec::new();
    for (example, package, path) in GENERATED {
        let output = Command::new(cargo_program())
            .args(["run", "--quiet", "--locked", "--package", package, "--example", example])
            .current_dir(root())
            .stderr(std::process::Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run the example {example}"))?;
        ensure!(output.status.success(), "the example {example} of {package} failed");
        let file = root().join(path);
        if fs::read(&file).is_ok_and(|committed| committed == output.stdout) {
            continue;
        }
        if generate.check {
            old.push(path);
        } else {
            fs::write(&file, &output.stdout).with_context(|| format!("cannot write {path}"))?;
        }
    }
    if !old.is_empty() {
        bail!("old: {}; run `cargo xtask generate`", old.join(", "));
    }
    Ok(())
}
