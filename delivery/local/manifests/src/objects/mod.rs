//! What the rest of the program works with: complete, with Kubernetes' defaults filled in.

mod claim;
mod config;
mod container;
mod deployment;
mod environment;
mod ingress;
mod pod;
mod probe;
mod secret_value;
mod service;

pub use claim::PersistentVolumeClaim;
pub use config::{ConfigMap, Secret};
pub use container::{
    Container, ContainerPort, ExecAction, Image, Lifecycle, PortRef, PreStop, Resources,
    SecurityContext, SleepAction, VolumeMount,
};
pub use deployment::{Deployment, IntOrPercent, RollingLimits, Strategy};
pub use environment::{EnvFrom, EnvFromSource, EnvValue, EnvVar, KeyRef, PodField, SourceRef};
pub use ingress::{Ingress, IngressBackend, IngressPath, IngressRule, PathType};
pub use pod::{
    ClaimVolume, EmptyDirVolume, KeyToPath, MapVolume, PodSecurity, PodTemplate, Volume,
    VolumeSource,
};
pub use probe::{HttpGet, HttpHeader, Probe, ProbeAction, TcpSocket};
pub use secret_value::SecretValue;
pub use service::{Service, ServicePort, ServiceType};
pub(crate) use {
    claim::PersistentVolumeClaimObject,
    config::{ConfigMapObject, SecretObject, decode},
    deployment::DeploymentObject,
    ingress::IngressObject,
    service::ServiceObject,
};
