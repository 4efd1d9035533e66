//! Which crate may depend on which: the floor plan of ARCHITECTURE.md, asserted.

use std::process::Command;

use anyhow::{Context as _, bail};

/// Each crate with the crates of this workspace that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("mercurious-runtime", &[]),
    ("mercurious-messaging", &["runtime"]),
    ("mercurious-contracts", &["messaging"]),
    (
        "mercurious-backends",
        &["api", "contracts", "core", "engine", "messaging", "runtime", "trials"],
    ),
    ("mercurious-api-gateway", &["contracts", "messaging", "planning", "runtime"]),
    ("mercurious-worker", &["contracts", "messaging", "runtime"]),
    ("mercurious-enrichment", &["contracts", "itinerary", "runtime", "worker"]),
    ("mercurious-generation", &["contracts", "itinerary", "planning", "runtime", "worker"]),
    ("mercurious-core", &[]),
    ("mercurious-itinerary", &[]),
    ("mercurious-planning", &["contracts", "itinerary"]),
    ("mercurious-broker", &["runtime"]),
    ("mercurious-registry", &["core", "runtime"]),
    ("mercurious-engine", &["core", "runtime"]),
    ("mercurious-builder", &["core", "registry"]),
    ("mercurious-distribution", &["core", "runtime"]),
    ("mercurious-manifests", &["core"]),
    ("mercurious-proxy", &["runtime"]),
    ("mercurious-sandbox", &["core", "runtime"]),
    ("mercurious-load", &["runtime"]),
    ("mercurious-cluster", &["core", "distribution", "load", "runtime", "trials"]),
    (
        "mercurious-trials",
        &["api", "core", "distribution", "engine", "load", "registry", "runtime"],
    ),
    (
        "mercurious-local",
        &[
            "adapters",
            "core",
            "registry",
            "engine",
            "runtime",
            "distribution",
            "manifests",
            "proxy",
            "sandbox",
        ],
    ),
    ("mercurious-adapters", &["core", "engine", "registry"]),
    ("mercurious-kubernetes", &["adapters", "core", "engine", "registry", "runtime"]),
    ("mercurious-api", &["core", "engine", "runtime"]),
    ("mercurious-webhooks", &["core", "runtime"]),
    ("mercurious-properties", &["core", "registry", "manifests", "sandbox", "webhooks"]),
    (
        "mercurious",
        &[
            "adapters",
            "api",
            "builder",
            "core",
            "engine",
            "kubernetes",
            "load",
            "local",
            "manifests",
            "registry",
            "runtime",
            "sandbox",
            "webhooks",
        ],
    ),
];

/// The crates with no input or output.
const PURE: [&str; 2] = ["mercurious-core", "mercurious-itinerary"];

/// What the pure crates must never reach, however far away.
const IMPURE: [&str; 6] = ["tokio", "reqwest", "hyper", "axum", "kube", "rustls"];

/// Fails with every edge that is not in the plan.
pub(crate) fn check() -> anyhow::Result<()> {
    let faults = faults(&metadata()?)?;
    if faults.is_empty() {
        return Ok(());
    }
    bail!("edges between crates that are not in the plan:\n{}", faults.join("\n"))
}

fn metadata() -> anyhow::Result<serde_json::Value> {
    let output = Command::new(crate::cargo_program())
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(crate::root())
        .output()
        .context("cannot run cargo metadata")?;
    anyhow::ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    serde_json::from_slice(&output.stdout).context("cargo metadata's answer")
}

fn faults(metadata: &serde_json::Value) -> anyhow::Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("no packages")?;
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("no name")?;
        if name == "xtask" {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            faults.push(format!(
                "{name} is not in the plan: add it to xtask/src/edges.rs and ARCHITECTURE.md"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().context("no dependencies")? {
            // Tests may stand on more.
            if dependency["kind"] == "dev" {
                continue;
            }
            let other = dependency["name"].as_str().context("no name")?;
            let inside = other.strip_prefix("mercurious-");
            if inside.is_some_and(|inside| !allowed.contains(&inside)) || other == "mercurious" {
                faults.push(format!("{name} -> {other}"));
            }
            if PURE.contains(&name) && IMPURE.contains(&other) {
                faults.push(format!("{name} is pure and must not depend on {other}"));
            }
        }
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `.dockerignore` keeps a file out; the last line that fits counts.
    fn is_left_out(ignored: &str, file: &str) -> bool {
        ignored.lines().fold(false, |left_out, line| {
            let (pattern, wanted) = line.strip_prefix('!').map_or((line, false), |it| (it, true));
            let directory = pattern.strip_suffix("/*").unwrap_or(pattern);
            let fits = file.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
            if fits { !wanted } else { left_out }
        })
    }

    #[test]
    fn images_are_built_from_every_member_of_the_workspace() {
        let ignored = std::fs::read_to_string(crate::root().join(".dockerignore")).unwrap();
        assert!(is_left_out("fuzz", "fuzz/properties/Cargo.toml"));
        assert!(!is_left_out("fuzz/*\n!fuzz/properties", "fuzz/properties/Cargo.toml"));
        let metadata = metadata().unwrap();
        let root = metadata["workspace_root"].as_str().unwrap();
        for package in metadata["packages"].as_array().unwrap() {
            let manifest = package["manifest_path"].as_str().unwrap();
            let file = manifest.strip_prefix(root).unwrap().trim_start_matches('/');
            assert!(!is_left_out(&ignored, file), "{file} is not in the build context");
        }
    }

    #[test]
    fn the_workspace_keeps_to_the_plan() {
        check().unwrap();
    }

    #[test]
    fn an_edge_that_is_not_in_the_plan_is_named() {
        let metadata = serde_json::json!({"packages": [
            {"name": "mercurious-core", "dependencies": [
                {"name": "tokio", "kind": null}, {"name": "mercurious-engine", "kind": null},
                {"name": "mercurious-registry", "kind": "dev"},
            ]},
            {"name": "mercurious-itinerary", "dependencies": [
                {"name": "tokio", "kind": null}, {"name": "mercurious-core", "kind": null},
            ]},
            {"name": "stranger", "dependencies": []},
        ]});
        let faults = faults(&metadata).unwrap();
        assert_eq!(faults.len(), 5, "{faults:?}");
    }
}
