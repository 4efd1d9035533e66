use std::{collections::BTreeSet, path::PathBuf};

use mercurious_core::resources::ObjectName;
use mercurious_manifests::Manifests;

use super::Examination;

/// What the manifests tell before anything runs.
pub(super) fn examine(paths: &[PathBuf], examination: &mut Examination) {
    let manifests = match mercurious_manifests::read_paths(paths) {
        Ok(manifests) => manifests,
        Err(faults) => {
            for fault in faults.faults() {
                let subject = match fault.field.as_str() {
                    "" => fault.origin.to_string(),
                    field => format!("{}: {field}", fault.origin),
                };
                let remedy = fault.hint.as_deref().unwrap_or("correct the manifest");
                examination.error(subject, &fault.what, remedy);
            }
            if faults.left_out() > 0 {
                let more = format!("{} more faults", faults.left_out());
                examination.error("manifests", more, "correct those above first");
            }
            return;
        }
    };
    examination.checked(format!("{} objects in the manifests", manifests.len()));
    for warning in &manifests.warnings {
        let subject = format!("{}: {}", warning.origin, warning.subject);
        examination.warning(subject, &warning.message, "change the manifest, or leave it");
    }
    unfollowed(&manifests, examination);
}

/// Objects that nothing looks at.
fn unfollowed(manifests: &Manifests, examination: &mut Examination) {
    let deploys = || manifests.auto_deploys.values().map(|sourced| &sourced.value);
    let targets: BTreeSet<ObjectName> =
        deploys().map(|it| it.metadata.object_name().beside(&it.spec.target.name)).collect();
    for (name, sourced) in &manifests.deployments {
        if !targets.contains(name) {
            let subject = format!("{}: Deployment {name}", sourced.origin);
            let remedy = "write an AutoDeploy for it, if it is to follow new images";
            examination.warning(subject, "no AutoDeploy follows it: it stays as it is", remedy);
        }
    }
    let policies: BTreeSet<ObjectName> =
        deploys().map(|it| it.spec.policy_ref.seen_from(&it.metadata.object_name())).collect();
    for (name, sourced) in &manifests.image_policies {
        if !policies.contains(name) {
            let subject = format!("{}: ImagePolicy {name}", sourced.origin);
            let remedy = "name it by spec.policyRef of an AutoDeploy";
            examination.warning(subject, "no AutoDeploy uses it", remedy);
        }
    }
    for (name, sourced) in &manifests.image_repositories {
        let spec = &sourced.value.spec;
        let host = spec.image.split('/').next().unwrap_or_default();
        let loopback = host.starts_with("127.") || host.starts_with("localhost");
        if spec.secret_ref.is_none() && !loopback {
            let subject = format!("{}: ImageRepository {name}", sourced.origin);
            let finding =
                "has no secretRef: a private image is found only with this person's own login";
            let remedy =
                format!("name a docker-registry Secret by spec.secretRef, or log in to {host}");
            examination.warning(subject, finding, remedy);
        }
    }
}
