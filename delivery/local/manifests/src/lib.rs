//! Reads the Kubernetes manifests that one machine understands; refuses by name what it does not.
//!
//! Flow: text → documents → typed objects (every field known, or named and refused with the nearest known one)
//! → [`Manifests::validate`] (references between objects).
//!
//! Guarantees: total (no input makes it panic or run away); a fault names file, line, column and field; the
//! faults of all fields of all documents come together; no Secret's value is ever part of a fault, a warning or `Debug`.

mod check;
mod document;
mod environment;
mod expand;
mod fault;
mod known;
mod manifests;
mod objects;
mod read;
mod tree;

pub use environment::{EnvironmentError, PodFacts, environment};
pub use expand::expand;
pub use fault::{Fault, ManifestErrors, Origin, Warning, WarningKind};
pub use known::field_reference;
pub use manifests::{Manifests, Sourced};
pub use objects::{
    Capabilities, ConfigMap, Container, ContainerPort, Deployment, EmptyDirVolume, EnvFrom,
    EnvFromSource, EnvValue, EnvVar, ExecAction, HttpGet, HttpHeader, Ignored, Image, Ingress,
    IngressBackend, IngressPath, IngressRule, IntOrPercent, KeyRef, KeyToPath, Lifecycle,
    MapVolume, PathType, PodField, PodSecurity, PodTemplate, PortRef, PreStop, Probe, ProbeAction,
    Protocol, Resources, RollingLimits, Secret, SecretValue, SecurityContext, Service, ServicePort,
    ServiceType, SleepAction, SourceRef, Strategy, TcpSocket, Volume, VolumeMount, VolumeSource,
};
pub use read::{parse, read_paths};
