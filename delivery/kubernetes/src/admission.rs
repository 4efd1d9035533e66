use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Client, api::Api};
use mercurious_engine::{Admission, chosen_from};

use crate::{objects::Objects, workloads::bounded};

/// What is to be known about image objects, beside what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageSettings {
    /// No policy may choose from a repository of another namespace.
    pub own_namespace_only: bool,
    /// Where Flux's image-reflector-controller has its Lease.
    pub flux_namespace: String,
    /// Namespaces whose image objects are kept although no auto-deploy refers to them.
    pub namespaces: Vec<String>,
}

/// The labels of the namespaces that repositories may let in by their labels. A namespace that may not be read has
/// none, and is not let in.
pub(crate) async fn admission(
    client: &Client,
    objects: &Objects,
    own_namespace_only: bool,
) -> Admission {
    let mut labels = BTreeMap::new();
    for namespace in strangers(objects) {
        let api: Api<Namespace> = Api::all(client.clone());
        match bounded(api.get(&namespace)).await {
            Ok(found) => {
                labels.insert(namespace, found.metadata.labels.unwrap_or_default());
            }
            Err(message) => {
                tracing::warn!(namespace, error = message, "labels of a namespace cannot be read");
            }
        }
    }
    Admission { labels, own_namespace_only }
}

/// Namespaces of policies whose repository is elsewhere and lets in by labels.
pub(crate) fn strangers(objects: &Objects) -> BTreeSet<String> {
    let policies = objects.policies.iter().filter_map(|(name, policy)| {
        let repository = chosen_from(name, policy);
        let object = objects.repositories.get(&repository)?;
        let asks = Admission::needs_labels(object.repository.spec.access_from.as_ref());
        (repository.namespace != name.namespace && asks).then(|| name.namespace.to_string())
    });
    policies.collect()
}
