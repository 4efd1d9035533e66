use std::collections::BTreeSet;

use mercurious_core::resources::ObjectName;

use super::{Remarks, has_password, is_credential};
use crate::{
    Container, Deployment, EnvValue, Manifests, PreStop, Sourced, Strategy,
    WarningKind::{Credential, Downtime, MutableTag, NoEffect, Rollback, Suspicious},
};

pub(crate) fn deployment(object: &Sourced<Deployment>, remarks: &mut Remarks<'_>) {
    let deployment = &object.value;
    strategy(object, remarks);
    if deployment.revision_history_limit == 0 {
        let message = "a cluster keeps nothing to go back to; leave it out, or write 2 or more";
        remarks.add(Rollback, object, "spec.revisionHistoryLimit", message);
    }
    if deployment.min_ready_seconds >= deployment.progress_deadline_seconds {
        let message = format!(
            "a replica counts after {}s, but progress is given up after {}s: no rollout can succeed",
            deployment.min_ready_seconds, deployment.progress_deadline_seconds
        );
        remarks.add(Suspicious, object, "spec.minReadySeconds", message);
    }
    if deployment.paused {
        let message = "no new image is rolled out while this is true";
        remarks.add(Suspicious, object, "spec.paused", message);
    }
    let grace = deployment.template.termination_grace_seconds;
    if grace == 0 {
        let message = "replicas are killed at once, in the middle of their requests";
        let field = "spec.template.spec.terminationGracePeriodSeconds";
        remarks.add(Downtime, object, field, message);
    }
    for (index, part) in deployment.template.containers.iter().enumerate() {
        let path = format!("spec.template.spec.containers[{index}]");
        container(object, part, &path, remarks);
        if let Some(PreStop::Sleep(sleep)) = &part.lifecycle.pre_stop
            && grace > 0
            && sleep.seconds >= grace
        {
            let message = format!(
                "sleeps {}s of a grace of {grace}s, which leaves nothing to end requests in",
                sleep.seconds
            );
            remarks.add(Downtime, object, &format!("{path}.lifecycle.preStop"), message);
        }
    }
}

fn strategy(object: &Sourced<Deployment>, remarks: &mut Remarks<'_>) {
    let deployment = &object.value;
    if deployment.replicas == 0 {
        return;
    }
    if deployment.strategy == Strategy::Recreate {
        let message =
            "every rollout stops all replicas before it starts a new one; use RollingUpdate";
        return remarks.add(Downtime, object, "spec.strategy.type", message);
    }
    let limits = deployment.limits();
    if limits.max_unavailable > 0 {
        let message = format!(
            "a rollout may take away {} of {} replicas before new ones are ready; set maxUnavailable: 0",
            limits.max_unavailable, deployment.replicas
        );
        let field = "spec.strategy.rollingUpdate.maxUnavailable";
        remarks.add(Downtime, object, field, message);
    }
}

/// Images that a tag names which moves, where no auto-deploy pins them.
pub(crate) fn unpinned(manifests: &mut Manifests) {
    let steered: BTreeSet<ObjectName> = manifests
        .auto_deploys
        .iter()
        .map(|(name, object)| ObjectName::new(&name.namespace, &object.value.spec.target.name))
        .collect();
    let Manifests { deployments, warnings, .. } = manifests;
    for (name, object) in deployments.iter().filter(|(name, _)| !steered.contains(name)) {
        let subject = format!("Deployment {name}");
        let mut remarks = Remarks { subject: &subject, warnings: &mut *warnings };
        for (index, container) in object.value.template.containers.iter().enumerate() {
            let reference = &container.image.reference;
            let latest = reference.tag().is_some_and(|tag| tag.as_str() == "latest");
            if reference.digest().is_none() && latest {
                let message = "`latest` means another image every day; name a tag of one build, or a digest, or \
                               write an AutoDeploy";
                let field = format!("spec.template.spec.containers[{index}].image");
                remarks.add(MutableTag, object, &field, message);
            }
        }
    }
}

fn container(
    object: &Sourced<Deployment>,
    container: &Container,
    path: &str,
    remarks: &mut Remarks<'_>,
) {
    if container.readiness_probe.is_none() {
        let message =
            "there is none: a replica counts as ready, and gets requests, as soon as it is started";
        remarks.add(Downtime, object, &format!("{path}.readinessProbe"), message);
    }
    if !container.resources.limits.is_empty() {
        let message = "what a replica uses is not limited on one machine";
        remarks.add(NoEffect, object, &format!("{path}.resources.limits"), message);
    }
    for (index, variable) in container.env.iter().enumerate() {
        let field = format!("{path}.env[{index}]");
        let EnvValue::Text(text) = &variable.value else { continue };
        let is_written = !text.is_empty() && !text.contains("$(");
        if has_password(text) || (is_written && is_credential(&variable.name)) {
            let message = format!(
                "`{}` looks like a credential and stands here for everybody to read; keep it in a Secret and use secretKeyRef",
                variable.name
            );
            remarks.add(Credential, object, &field, message);
        }
        if container.env[index + 1..].iter().any(|later| later.name == variable.name) {
            let message = format!("`{}` stands here twice; the last one wins", variable.name);
            remarks.add(Suspicious, object, &field, message);
        }
    }
}
