use mercurious_core::resources::{Metadata, ObjectName};
use serde::Deserialize;

/// A directory that outlives replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersistentVolumeClaim {
    /// Namespace and name.
    pub name: ObjectName,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersistentVolumeClaimObject {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    #[serde(rename = "spec")]
    _spec: ClaimSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClaimSpec {
    #[serde(default, rename = "accessModes")]
    _access_modes: Vec<String>,
}

impl From<PersistentVolumeClaimObject> for PersistentVolumeClaim {
    fn from(object: PersistentVolumeClaimObject) -> Self {
        Self { name: object.metadata.object_name() }
    }
}
