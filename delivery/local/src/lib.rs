//! One machine as a home: workloads as processes behind the front proxy, state in a data directory.
//!
//! - [`DataDirectory`]: what lies where, and the lock that keeps a second engine out;
//! - [`FileStore`]: records, requests and the audit history as files, written atomically;
//! - [`Deployments`]: rolling updates of replicas, the way a Deployment does them;
//! - [`Home`]: all of it together with the embedded registry and the front proxy.

mod checker;
mod credentials;
mod data_directory;
mod deployments;
mod home;
mod left_overs;
mod network;
mod pull;
mod store;

pub use checker::LocalChecker;
pub use credentials::Credentials;
pub use data_directory::{DataDirectory, DataDirectoryError};
pub use deployments::{Deployments, Unsteered};
pub use home::{Home, HomeError, HomeSettings};
pub use left_overs::end_left_overs;
pub use network::Address;
pub use store::FileStore;
