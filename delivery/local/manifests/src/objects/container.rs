use std::collections::BTreeMap;

use mercurious_core::image::{ImageReference, ReferenceError};
use serde::Deserialize;

use super::{EnvFrom, EnvVar, Probe};

/// One process of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// What it is called; one of a kind in its replica.
    pub name: String,
    /// What it is started from.
    pub image: Image,
    /// The program and its first arguments; the image's entrypoint where it is empty. `$(NAME)` is not expanded yet.
    #[serde(default)]
    pub command: Vec<String>,
    /// Arguments; the image's `Cmd` where both are empty. `$(NAME)` is not expanded yet.
    #[serde(default)]
    pub args: Vec<String>,
    /// The working directory; the image's where it is left out.
    pub working_dir: Option<String>,
    /// Variables one by one; a later one of the same name wins.
    #[serde(default)]
    pub env: Vec<EnvVar>,
    /// Variables from whole ConfigMaps and Secrets; `env` wins over them, a later one over an earlier.
    #[serde(default)]
    pub env_from: Vec<EnvFrom>,
    /// Ports that it listens on.
    #[serde(default)]
    pub ports: Vec<ContainerPort>,
    /// Whether it may get requests.
    pub readiness_probe: Option<Probe>,
    /// Whether it must be restarted.
    pub liveness_probe: Option<Probe>,
    /// Until this has succeeded once the others are not asked.
    pub startup_probe: Option<Probe>,
    /// What happens around its end.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// Where volumes appear.
    #[serde(default)]
    pub volume_mounts: Vec<VolumeMount>,
    /// What it asks for; kept, not enforced.
    #[serde(default)]
    pub resources: Resources,
    /// As whom it runs.
    #[serde(default)]
    pub security_context: SecurityContext,
}

/// An image as it was written, and what that means.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Image {
    /// As it was written.
    pub text: String,
    /// What it means.
    pub reference: ImageReference,
}

impl TryFrom<String> for Image {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Self, ReferenceError> {
        Ok(Self { reference: text.parse()?, text })
    }
}

/// A TCP port that a container listens on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerPort {
    /// What Services and probes may call it.
    pub name: Option<String>,
    /// Its number, 1 to 65535.
    pub container_port: u16,
}

/// A port by number or by the name that the container gives it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PortRef {
    /// 1 to 65535.
    Number(u16),
    /// The name of a container's port.
    Name(String),
}

impl std::fmt::Display for PortRef {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Name(name) => write!(formatter, "{name}"),
        }
    }
}

/// What happens around a container's end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifecycle {
    /// Done before SIGTERM, within the grace.
    pub pre_stop: Option<PreStop>,
}

/// Done before SIGTERM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PreStop {
    /// Wait.
    Sleep(SleepAction),
    /// Run a program beside the container's own.
    Exec(ExecAction),
}

/// Wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SleepAction {
    /// So long.
    pub seconds: u32,
}

/// Run a program; 0 is success.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecAction {
    /// The program and its arguments; no shell. Never empty.
    pub command: Vec<String>,
}

/// Where a volume appears.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeMount {
    /// The volume.
    pub name: String,
    /// An absolute path in the container.
    pub mount_path: String,
    /// Only this part of the volume: relative, without `..`.
    pub sub_path: Option<String>,
    /// Whether writing is refused.
    #[serde(default)]
    pub read_only: bool,
}

/// What a container asks for, as written (`500m`, `128Mi`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// The most it may use.
    #[serde(default)]
    pub limits: BTreeMap<String, String>,
    /// What it needs.
    #[serde(default)]
    pub requests: BTreeMap<String, String>,
}

/// As whom a container runs; the pod's where it is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecurityContext {
    /// The user's number.
    pub run_as_user: Option<u32>,
    /// The group's number.
    pub run_as_group: Option<u32>,
    /// Refuse to start as root.
    pub run_as_non_root: Option<bool>,
    /// The image's own files cannot be written.
    #[serde(default)]
    pub read_only_root_filesystem: bool,
}
