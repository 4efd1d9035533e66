//! The embedded OCI registry: an axum router over blobs on disk, streaming in bounded memory.
//!
//! It speaks the OCI distribution specification 1.1 as podman, skopeo, crane and the engine's own client use it.
//!
//! # Flow
//!
//! [`Distribution::open`] takes a directory for itself (a lock file keeps a second process out),
//! [`Distribution::router`] gives the HTTP side and [`serve`] runs it on a listener. A manifest that has arrived is
//! announced on [`Distribution::pushes`]. [`Distribution::collect_garbage`] removes what no tag reaches.
//!
//! On disk:
//!
//! ```text
//! lock                                   held while the directory is open
//! blobs/sha256/ab/<hex>                  content, shared by all repositories
//! repositories/<name>/_blobs/<hex>       empty: this repository has the blob
//! repositories/<name>/_manifests/<hex>   media type: this repository has the manifest
//! repositories/<name>/_referrers/<subject hex>/<hex>
//! repositories/<name>/_tags/<tag>        digest
//! uploads/<id>.<repository's hash>       bytes received so far
//! temporary/                             files being written; emptied on open
//! ```
//!
//! # Guarantees
//!
//! - Everything appears by an atomic rename of a synced file, content before the links to it, links before tags: a
//!   process killed at any point leaves no half-written state. There is no index in memory to lose.
//! - An accepted manifest was complete: every blob and child that it names was present, of the size it states.
//! - Memory does not grow with the size of a push or pull; uploads, connections and bodies are bounded.
//! - Garbage collection never takes what a concurrent push has seen, sent or named.
//!
//! # Assumptions
//!
//! One process owns the directory, on one file system. There is no authentication: it is meant for loopback, and
//! refuses a `Host` that is not loopback (or allowed by name) and any foreign `Origin`.

mod distribution;
mod endpoints;
mod guard;
mod manifest;
mod name;
mod refusal;
mod requests;
mod route;
mod serve;
mod settings;
mod storage;

pub use distribution::{Distribution, Push};
pub use name::{Reference, RepositoryName, RepositoryNameError};
pub use requests::{RequestKind, Requests};
pub use serve::serve;
pub use settings::Settings;
pub use storage::{Collected, OpenError, StorageError, StoredManifest};
