//! Who owns the image field: read from `metadata.managedFields`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use crate::names::FIELD_MANAGER;

/// Controllers that write what their source says, again and again: a field of theirs is not taken in silence.
const RELENTLESS: [(&str, &str); 6] = [
    ("kustomize-controller", "Flux's kustomize-controller"),
    ("helm-controller", "Flux's helm-controller"),
    ("argocd-controller", "Argo CD"),
    ("argocd-application-controller", "Argo CD"),
    ("fleetagent", "Rancher Fleet"),
    ("kapp-controller", "kapp-controller"),
];

/// Commands of people, by the name that kubectl gives them.
const COMMANDS: [(&str, &str); 8] = [
    ("kubectl-set", "kubectl set image"),
    ("kubectl-rollout", "kubectl rollout"),
    ("kubectl-edit", "kubectl edit"),
    ("kubectl-patch", "kubectl patch"),
    ("kubectl-replace", "kubectl replace"),
    ("kubectl-client-side-apply", "kubectl apply"),
    ("kubectl-create", "kubectl create"),
    ("kubectl", "kubectl"),
];

/// The managers that own the image field of this container, ours left out, newest last.
pub(crate) fn image_owners(entries: &[ManagedFieldsEntry], container: &str) -> Vec<String> {
    let key = format!("k:{}", serde_json::json!({ "name": container }));
    let owns = |fields: &Value| {
        ["f:spec", "f:template", "f:spec", "f:containers", key.as_str(), "f:image"]
            .iter()
            .try_fold(fields, |fields, step| fields.get(*step))
            .is_some()
    };
    let mut owners: Vec<_> = entries
        .iter()
        .filter(|entry| entry.subresource.as_deref().is_none_or(str::is_empty))
        .filter(|entry| entry.fields_v1.as_ref().is_some_and(|fields| owns(&fields.0)))
        .filter_map(|entry| Some((entry.time.as_ref().map(|time| time.0), entry.manager.clone()?)))
        .filter(|(_, manager)| manager != FIELD_MANAGER)
        .collect();
    owners.sort();
    owners.into_iter().map(|(_, manager)| manager).collect()
}

/// What people call a manager.
pub(crate) fn called(manager: &str) -> String {
    COMMANDS
        .iter()
        .chain(&RELENTLESS)
        .find(|(name, _)| *name == manager)
        .map_or_else(|| manager.to_owned(), |(_, called)| (*called).to_owned())
}

/// Whether a manager writes its own value again soon, so that to take the field over is to begin a fight.
pub(crate) fn is_relentless(manager: &str) -> bool {
    RELENTLESS.iter().any(|(name, _)| *name == manager)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, time: &str, container: &str, field: &str) -> ManagedFieldsEntry {
        serde_json::from_value(serde_json::json!({
            "manager": manager, "operation": "Update", "time": time, "apiVersion": "apps/v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {
                format!("k:{{\"name\":\"{container}\"}}"): {field: {}, ".": {}}}}}}},
        }))
        .unwrap()
    }

    #[test]
    fn r13_every_writer_of_the_image_field_is_named_newest_last() {
        let entries = [
            entry("kubectl-set", "2026-01-02T00:00:00Z", "app", "f:image"),
            entry("mercurious", "2026-01-03T00:00:00Z", "app", "f:image"),
            entry("kustomize-controller", "2026-01-01T00:00:00Z", "app", "f:image"),
            entry("hpa", "2026-01-04T00:00:00Z", "app", "f:resources"),
            entry("other", "2026-01-04T00:00:00Z", "sidecar", "f:image"),
        ];
        assert_eq!(image_owners(&entries, "app"), ["kustomize-controller", "kubectl-set"]);
        assert!(image_owners(&entries, "absent").is_empty());
        assert!(is_relentless("kustomize-controller") && !is_relentless("kubectl-set"));
        assert_eq!(called("kubectl-set"), "kubectl set image");
        assert_eq!(called("helm"), "helm");
    }
}
