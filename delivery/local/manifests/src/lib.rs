//! Reads the Kubernetes manifests that one machine understands; refuses by name what it does not.
//!
//! Flow: text → `tree` (YAML or JSON with the place of every value, bounded) → `schema` (tables of every known field: honoured,
//! accepted or refused) → `objects` (typed, complete) and `lint` (warnings) → [`Manifests::validate`] (references between
//! objects).
//!
//! Guarantees: total (no input makes it panic or run away); every fault names file, line, column and field; the faults of all
//! objects of all files come together; no Secret's value is ever part of a fault, a warning or `Debug`.
//!
//! Caveats: a file that is not YAML from some line on is read up to there.
//!
//! The tables are also the documentation: [`field_reference`] is `docs/manifests.md`.

mod check;
mod environment;
mod expand;
mod fault;
mod lint;
mod manifests;
mod object;
mod objects;
mod read;
mod schema;
mod tree;

pub use environment::{EnvironmentError, PodFacts, environment};
pub use expand::expand;
pub use fault::{Fault, ManifestErrors, Origin, Warning, WarningKind};
pub use manifests::{Manifests, Sourced};
pub use objects::{
    ClaimVolume, ConfigMap, Container, ContainerPort, Deployment, EmptyDirVolume, EnvFrom,
    EnvFromSource, EnvValue, EnvVar, ExecAction, HttpGet, HttpHeader, Image, Ingress,
    IngressBackend, IngressPath, IngressRule, IntOrPercent, KeyRef, KeyToPath, Lifecycle,
    MapVolume, PathType, PersistentVolumeClaim, PodField, PodSecurity, PodTemplate, PortRef,
    PreStop, Probe, ProbeAction, Resources, RollingLimits, Secret, SecretValue, SecurityContext,
    Service, ServicePort, ServiceType, SleepAction, SourceRef, Strategy, TcpSocket, Volume,
    VolumeMount, VolumeSource,
};
pub use read::{parse, read_paths};
pub use schema::field_reference;
