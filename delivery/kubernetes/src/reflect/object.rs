use std::sync::Arc;

use kube::api::DynamicObject;
use mercurious_core::resources::{ImagePolicy, ImageRepository};
use serde::de::DeserializeOwned;

use super::{policy::PolicyStatus, repository::RepositoryStatus};
use crate::{
    names::{GUIDE_RECONCILE, REQUESTED_AT},
    objects::Identity,
};

/// Keeps an object from going before its controller has cleaned up.
pub(crate) const FINALIZER: &str = "finalizers.fluxcd.io";

/// An image object as it lies in the cluster: what it means, and what is there beside that.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ImageObject<Meaning, Status> {
    /// Why it means nothing, where it does not. Shared by all who keep the object.
    pub(crate) meaning: Result<Arc<Meaning>, String>,
    pub(crate) status: Status,
    pub(crate) identity: Identity,
    pub(crate) finalizers: Vec<String>,
    pub(crate) is_going: bool,
    /// What `reconcile.fluxcd.io/requestedAt` says.
    pub(crate) requested_at: Option<String>,
    /// What either annotation that asks for a look says.
    pub(crate) asked: Option<String>,
}

/// An ImageRepository.
pub(crate) type RepositoryFound = ImageObject<ImageRepository, RepositoryStatus>;
/// An ImagePolicy.
pub(crate) type PolicyObject = ImageObject<ImagePolicy, PolicyStatus>;

impl<Meaning, Status: DeserializeOwned + Default> ImageObject<Meaning, Status> {
    /// Reads all but the meaning. A status that somebody else wrote and that means nothing counts as none.
    pub(crate) fn read(object: &DynamicObject, meaning: Result<Arc<Meaning>, String>) -> Self {
        let metadata = &object.metadata;
        let status = object.data.get("status");
        let annotation = |key: &str| metadata.annotations.as_ref()?.get(key).cloned();
        Self {
            meaning,
            status: status.and_then(|status| Status::deserialize(status).ok()).unwrap_or_default(),
            identity: Identity {
                uid: metadata.uid.clone().unwrap_or_default(),
                resource_version: metadata.resource_version.clone().unwrap_or_default(),
                generation: metadata.generation.unwrap_or_default(),
            },
            finalizers: metadata.finalizers.clone().unwrap_or_default(),
            is_going: metadata.deletion_timestamp.is_some(),
            requested_at: annotation(REQUESTED_AT),
            asked: asked(&annotation),
        }
    }

    /// The same object, as an answer shows it.
    pub(crate) fn again(&self, object: &DynamicObject) -> Self {
        Self::read(object, self.meaning.clone())
    }

    /// Its finalizers less Flux's, where an object that is going has that one.
    pub(crate) fn released(&self) -> Option<Vec<String>> {
        let is_kept = self.is_going && self.finalizers.iter().any(|own| own == FINALIZER);
        is_kept.then(|| self.finalizers.iter().filter(|own| *own != FINALIZER).cloned().collect())
    }
}

impl PolicyObject {
    /// The tag that its status names, whoever wrote that.
    pub(crate) fn elected(&self) -> Option<String> {
        self.status.latest().map(|latest| latest.tag)
    }
}

/// Both annotations, so that either one's change is seen.
fn asked(annotation: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let said: Vec<String> =
        [REQUESTED_AT, GUIDE_RECONCILE].iter().filter_map(|key| annotation(key)).collect();
    (!said.is_empty()).then(|| said.join(" "))
}
