use std::collections::BTreeMap;

use mercurious_core::resources::{AutoDeploy, ImagePolicy, ImageRepository, ObjectName};

use crate::{
    ConfigMap, Deployment, Ingress, ManifestErrors, Origin, PersistentVolumeClaim, Secret, Service,
    Warning, check,
};

/// An object with the places that it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sourced<T> {
    /// Where the object starts.
    pub origin: Origin,
    /// What was read.
    pub value: T,
    /// Line and column of every field, by path.
    pub(crate) positions: BTreeMap<String, (usize, usize)>,
}

impl<T> Sourced<T> {
    /// Where a field stands, as `spec.template.spec.containers[0].image`; of one that is not written, its nearest parent.
    pub fn at(&self, field: &str) -> Origin {
        let mut path = field;
        loop {
            if let Some(&(line, column)) = self.positions.get(path) {
                return Origin { file: self.origin.file.clone(), line, column };
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.origin.clone(),
            }
        }
    }
}

/// Everything that was read, each kind by namespace and name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifests {
    /// Deployment (`apps/v1`).
    pub deployments: BTreeMap<ObjectName, Sourced<Deployment>>,
    /// Service (`v1`).
    pub services: BTreeMap<ObjectName, Sourced<Service>>,
    /// Ingress (`networking.k8s.io/v1`).
    pub ingresses: BTreeMap<ObjectName, Sourced<Ingress>>,
    /// ConfigMap (`v1`).
    pub config_maps: BTreeMap<ObjectName, Sourced<ConfigMap>>,
    /// Secret (`v1`).
    pub secrets: BTreeMap<ObjectName, Sourced<Secret>>,
    /// PersistentVolumeClaim (`v1`).
    pub claims: BTreeMap<ObjectName, Sourced<PersistentVolumeClaim>>,
    /// ImageRepository (`image.toolkit.fluxcd.io`).
    pub image_repositories: BTreeMap<ObjectName, Sourced<ImageRepository>>,
    /// ImagePolicy (`image.toolkit.fluxcd.io`).
    pub image_policies: BTreeMap<ObjectName, Sourced<ImagePolicy>>,
    /// AutoDeploy (`mercurious.dev`).
    pub auto_deploys: BTreeMap<ObjectName, Sourced<AutoDeploy>>,
    /// What is legal and deserves a look, in the order of the files.
    pub warnings: Vec<Warning>,
}

impl Manifests {
    /// Checks what only all objects together can tell: every reference resolves, no two own the same thing. All faults together.
    pub fn validate(&self) -> Result<(), ManifestErrors> {
        let faults = check::references(self);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.deployments.len()
            + self.services.len()
            + self.ingresses.len()
            + self.config_maps.len()
            + self.secrets.len()
            + self.claims.len()
            + self.image_repositories.len()
            + self.image_policies.len()
            + self.auto_deploys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
