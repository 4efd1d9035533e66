//! Unpacks image layers safely, runs their entrypoint as a supervised process, and probes it.
//!
//! Nothing here knows registries, manifests or rollouts: a caller brings local layer files and a command.
//!
//! - [`unpack`]: an [`unpack::ImageStore`] of root file systems, one per image, complete or absent;
//! - [`run`]: a [`run::Runner`] starts [`run::Replica`]s, in a `bwrap` sandbox where that works;
//! - [`probe`]: startup, readiness and liveness probes with the semantics of Kubernetes;
//! - [`launcher`]: the hidden command by which plain processes die with their parent.

mod follow;
pub mod launcher;
mod listening;
pub mod probe;
pub mod run;
pub mod unpack;
