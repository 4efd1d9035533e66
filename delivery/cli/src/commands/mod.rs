//! One module per command, or per group of commands that talk to a running engine.

pub(crate) mod cluster;
pub(crate) mod cluster_apps;
pub(crate) mod completions;
#[cfg(feature = "home")]
pub(crate) mod demo;
pub(crate) mod doctor;
mod explain;
mod history;
pub(crate) mod images;
mod logs;
pub(crate) mod manifests;
pub(crate) mod policy;
pub(crate) mod publish;
mod rollback;
pub(crate) mod session;
mod status;
mod sync;
#[cfg(feature = "home")]
pub(crate) mod up;
mod verify;
