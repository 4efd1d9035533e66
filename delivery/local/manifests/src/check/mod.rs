//! What only all objects together can tell: every reference resolves, and nothing is owned twice.

mod delivery;
mod network;
mod questions;
mod secret;
mod workload;

use mercurious_core::resources::ObjectName;

use crate::{Fault, ManifestErrors, Manifests, Sourced};

/// Every reference that does not resolve, in the order of the kinds and names.
pub(crate) fn references(manifests: &Manifests) -> ManifestErrors {
    let mut check = Check { manifests, faults: ManifestErrors::default() };
    check.deployments();
    check.secrets();
    check.services();
    check.ingresses();
    check.auto_deploys();
    check.image_policies();
    check.image_repositories();
    check.faults
}

struct Check<'read> {
    manifests: &'read Manifests,
    faults: ManifestErrors,
}

impl Check<'_> {
    fn fault<T>(&mut self, object: &Sourced<T>, field: &str, what: String, hint: &str) {
        self.faults.push(Fault {
            origin: object.at(field),
            field: field.to_owned(),
            what,
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
        });
    }

    /// The same name in another namespace, which is what is most often meant by one that is missing.
    fn elsewhere<T>(
        objects: &std::collections::BTreeMap<ObjectName, T>,
        missing: &ObjectName,
        otherwise: &str,
    ) -> String {
        objects
            .keys()
            .find(|name| name.name == missing.name)
            .map_or_else(|| otherwise.to_owned(), |name| format!("there is {name}"))
    }
}
