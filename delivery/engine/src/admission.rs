use std::collections::BTreeMap;

use mercurious_core::resources::{AccessFrom, ImageRepository, ObjectName};

/// The label that the API server gives every namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Which namespaces' policies may choose from a repository of another namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// The labels of the namespaces that have been asked for theirs; of the others, only the name is known.
    pub labels: BTreeMap<String, BTreeMap<String, String>>,
    /// No policy may choose from another namespace, whatever a repository says.
    pub own_namespace_only: bool,
}

impl Admission {
    /// Whether policies of this namespace may choose from this repository.
    pub fn admits(&self, name: &ObjectName, object: &ImageRepository, namespace: &str) -> bool {
        if *name.namespace == *namespace {
            return true;
        }
        let access = object.spec.access_from.as_ref();
        !self.own_namespace_only
            && access.is_some_and(|access| {
                access.namespace_selectors.iter().any(|selector| {
                    selector.match_labels.iter().all(|(key, value)| self.has(namespace, key, value))
                })
            })
    }

    /// Whether nothing but the labels of the namespace can tell.
    pub fn needs_labels(access: Option<&AccessFrom>) -> bool {
        let selectors = access.iter().flat_map(|access| &access.namespace_selectors);
        selectors
            .into_iter()
            .any(|selector| selector.match_labels.keys().any(|key| key != NAME_LABEL))
    }

    fn has(&self, namespace: &str, key: &str, value: &str) -> bool {
        let labels = self.labels.get(namespace);
        labels.and_then(|labels| labels.get(key)).is_some_and(|own| own == value)
            || (key == NAME_LABEL && value == namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_namespaces_are_let_in_by_any_selector_whose_labels_they_all_have() {
        let repository = |access: serde_json::Value| -> ImageRepository {
            serde_json::from_value(serde_json::json!({
                "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository",
                "metadata": {"name": "web"},
                "spec": {"image": "h.io/web", "interval": "1m", "accessFrom": access},
            }))
            .unwrap()
        };
        let selectors = |labels: &[serde_json::Value]| {
            let selectors: Vec<_> =
                labels.iter().map(|labels| serde_json::json!({"matchLabels": labels})).collect();
            repository(serde_json::json!({"namespaceSelectors": selectors}))
        };
        let name = ObjectName::new("flux-system", "web");
        let team =
            [("team".to_owned(), "blue".to_owned()), ("stage".to_owned(), "test".to_owned())];
        let known = Admission {
            labels: [("app".to_owned(), BTreeMap::from(team))].into(),
            own_namespace_only: false,
        };
        let everybody = selectors(&[serde_json::json!({})]);
        let blue = serde_json::json!({"team": "blue"});
        let both = serde_json::json!({"team": "blue", "stage": "production"});
        let named = serde_json::json!({"kubernetes.io/metadata.name": "app"});
        let cases = [
            (repository(serde_json::Value::Null), "flux-system", true),
            (repository(serde_json::Value::Null), "app", false),
            (selectors(&[]), "app", false),
            (everybody.clone(), "app", true),
            (everybody.clone(), "unheard-of", true),
            (selectors(std::slice::from_ref(&blue)), "app", true),
            (selectors(std::slice::from_ref(&blue)), "unheard-of", false),
            (selectors(std::slice::from_ref(&both)), "app", false),
            (selectors(&[both, blue]), "app", true),
            (selectors(std::slice::from_ref(&named)), "app", true),
            (selectors(&[named]), "unheard-of", false),
        ];
        for (number, (object, namespace, admitted)) in cases.iter().enumerate() {
            assert_eq!(known.admits(&name, object, namespace), *admitted, "case {number}");
        }
        let blocked = Admission { own_namespace_only: true, ..Admission::default() };
        assert!(!blocked.admits(&name, &everybody, "app"));
        assert!(blocked.admits(&name, &everybody, "flux-system"));
    }
}
