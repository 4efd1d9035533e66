//! Kubernetes as a home: the engine's ports over an API server.
//!
//! # Flow
//! [`Objects`] are read from the cluster and understood as wishes. [`ClusterWorkloads`] observes a Deployment with
//! its newest ReplicaSet and that one's Pods, and writes the one image field by server-side apply. [`StatusStore`]
//! keeps all that the engine remembers in `AutoDeploy.status`. [`run_pass`] makes one pass, [`run_controller`] goes
//! on for ever.
//!
//! # Guarantees
//! - Each write asks the [`Permit`] first: one engine at a time, by a Lease that is taken when the first write is due.
//! - A status is written with the resourceVersion that it was read with: an engine that lost its lease without
//!   knowing cannot overwrite what another has written.
//! - Only the image field of an existing container is written, as `repository[:tag]@digest`; no container is added.
//! - Secrets are read when a look is due and not kept.
//!
//! # Assumptions
//! - The API server supports server-side apply and status subresources (Kubernetes 1.22 and later).

mod admission;
mod api_error;
mod checker;
mod close_watches;
mod connection;
mod controller;
mod credentials;
mod deployment;
mod desk;
mod events;
mod health;
mod hints;
mod lease;
mod lint;
mod names;
mod objects;
mod owners;
mod pass;
mod permit;
mod pods;
mod reading;
mod reflect;
mod registry_settings;
mod reports;
mod store;
mod stored;
mod workloads;

#[cfg(test)]
mod tests;

pub use admission::ImageSettings;
pub use api_error::explain;
pub use checker::ClusterChecker;
pub use connection::{Connection, ConnectionError, ConnectionSettings};
pub use controller::{ControllerError, ControllerSettings, run_controller};
pub use credentials::ClusterCredentials;
pub use desk::{Desk, DeskError, Shown};
pub use health::MoreMetrics;
pub use hints::Hints;
pub use lease::{Lease, LeaseError, LeaseSettings};
pub use lint::Finding;
pub use objects::{FluxVersion, Objects, ObjectsError, Scope};
pub use pass::{Hears, Outcome, PassError, PassSettings, run_pass};
pub use permit::{Denied, Permit};
pub use registry_settings::{Mirror, MirrorError};
pub use store::StatusStore;
pub use workloads::ClusterWorkloads;
