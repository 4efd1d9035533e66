use std::collections::BTreeMap;

use mercurious_core::resources::NameRef;
use serde::Deserialize;

use super::Container;

/// What a replica is. It is always restarted (`restartPolicy: Always`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "PodTemplateObject")]
pub struct PodTemplate {
    /// Labels: what selectors match.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// From SIGTERM (preStop included) to SIGKILL; 30 where it is left out.
    pub termination_grace_seconds: u32,
    /// At least one.
    pub containers: Vec<Container>,
    /// Secrets of type `kubernetes.io/dockerconfigjson` in the same namespace.
    pub image_pull_secrets: Vec<String>,
    /// What containers may mount.
    pub volumes: Vec<Volume>,
    /// As whom containers run that do not say it themselves.
    pub security: PodSecurity,
}

/// As whom containers run that do not say it themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSecurity {
    /// The user's number.
    pub run_as_user: Option<u32>,
    /// The group's number.
    pub run_as_group: Option<u32>,
    /// Refuse to start as root.
    pub run_as_non_root: Option<bool>,
}

/// Files that containers may mount.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "VolumeObject")]
pub struct Volume {
    /// What mounts call it.
    pub name: String,
    /// Where the files come from.
    pub source: VolumeSource,
}

/// Where a volume's files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// A ConfigMap's keys as files.
    ConfigMap(MapVolume),
    /// A Secret's keys as files.
    Secret(MapVolume),
    /// An empty directory that lives as long as the replica.
    EmptyDir(EmptyDirVolume),
    /// A directory that outlives the replica.
    Claim(ClaimVolume),
}

/// A directory that outlives the replica.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimVolume {
    /// The PersistentVolumeClaim, in the same namespace.
    #[serde(rename = "claimName")]
    pub name: String,
    /// Whether writing is refused.
    #[serde(default)]
    pub read_only: bool,
}

/// The keys of a ConfigMap or Secret as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapVolume {
    /// The ConfigMap or Secret, in the same namespace.
    pub name: String,
    /// Only these keys, at these paths; all keys under their own names where it is empty.
    pub items: Vec<KeyToPath>,
    /// Permission bits of the files; 0644 where they are left out.
    pub default_mode: u32,
    /// Whether it may be missing.
    pub optional: bool,
}

/// A key as a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyToPath {
    /// The key.
    pub key: String,
    /// The file's path in the volume: relative, without `..`.
    pub path: String,
    /// Permission bits where they are not the volume's.
    pub mode: Option<u32>,
}

/// An empty directory that lives as long as the replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmptyDirVolume {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PodTemplateObject {
    #[serde(default)]
    metadata: TemplateMetadata,
    spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateMetadata {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodSpec {
    #[serde(default = "thirty")]
    termination_grace_period_seconds: u32,
    containers: Vec<Container>,
    #[serde(default)]
    image_pull_secrets: Vec<NameRef>,
    #[serde(default)]
    volumes: Vec<Volume>,
    #[serde(default)]
    security_context: PodSecurity,
}

fn thirty() -> u32 {
    30
}

impl From<PodTemplateObject> for PodTemplate {
    fn from(object: PodTemplateObject) -> Self {
        let spec = object.spec;
        Self {
            labels: object.metadata.labels,
            annotations: object.metadata.annotations,
            termination_grace_seconds: spec.termination_grace_period_seconds,
            containers: spec.containers,
            image_pull_secrets: spec.image_pull_secrets.into_iter().map(|it| it.name).collect(),
            volumes: spec.volumes,
            security: spec.security_context,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VolumeObject {
    name: String,
    config_map: Option<ConfigMapVolumeObject>,
    secret: Option<SecretVolumeObject>,
    empty_dir: Option<EmptyDirVolume>,
    persistent_volume_claim: Option<ClaimVolume>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConfigMapVolumeObject {
    name: String,
    #[serde(default)]
    items: Vec<KeyToPath>,
    #[serde(default = "readable")]
    default_mode: u32,
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretVolumeObject {
    secret_name: String,
    #[serde(default)]
    items: Vec<KeyToPath>,
    #[serde(default = "readable")]
    default_mode: u32,
    #[serde(default)]
    optional: bool,
}

fn readable() -> u32 {
    0o644
}

impl From<VolumeObject> for Volume {
    fn from(object: VolumeObject) -> Self {
        let source = if let Some(map) = object.config_map {
            VolumeSource::ConfigMap(MapVolume {
                name: map.name,
                items: map.items,
                default_mode: map.default_mode,
                optional: map.optional,
            })
        } else if let Some(secret) = object.secret {
            VolumeSource::Secret(MapVolume {
                name: secret.secret_name,
                items: secret.items,
                default_mode: secret.default_mode,
                optional: secret.optional,
            })
        } else if let Some(claim) = object.persistent_volume_claim {
            VolumeSource::Claim(claim)
        } else {
            VolumeSource::EmptyDir(object.empty_dir.unwrap_or_default())
        };
        Self { name: object.name, source }
    }
}
