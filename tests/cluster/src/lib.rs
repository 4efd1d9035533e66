//! A real single-node Kubernetes: etcd, API server, controller manager, scheduler, kubelet, containerd and proxy, with
//! an embedded registry beside it, in namespaces of its own.
//!
//! # Flow
//!
//! ```text
//! test ──stdin──► mercurious-cluster up ──stdin──► mercurious-cluster inside ──► etcd, kube-apiserver, …
//!      ◄─stdout─  (keeper, on the host)            (process 1 of its own PID, mount and network namespace)
//! ```
//!
//! [`Cluster::get`] starts the keeper, which installs what is missing ([`packages`]), builds the parts once
//! ([`build`]), writes certificates and settings, starts the registry and the inner process, and tells it which part
//! to start when. A pipe ties each to the one before: when a test ends in any way, its keeper takes everything down.
//!
//! # Guarantees
//!
//! - The kernel ends every process, mount and link together with the inner process, whatever killed it. The keeper
//!   removes its own cgroups and its directory; what a killed keeper left is removed by the next.
//! - The kubelet changes no setting of the host: it sees files of its own in the place of those that it would write.
//! - Addresses are chosen per cluster, so that several run side by side.
//!
//! # Caveats
//!
//! Linux, root. No cluster DNS, no metrics server; the bridge enforces no NetworkPolicy. etcd does not sync to disk.
//! Where `MERCURIOUS_TEST_KUBECONFIG` names a cluster, that one is used, with the registry of
//! `MERCURIOUS_TEST_REGISTRY` (`HOST:PORT`, plain HTTP, reachable from here and from its nodes).

pub mod build;
mod cgroup;
mod cluster;
mod files;
mod images;
mod inside;
mod keeper;
mod kubectl;
mod leftovers;
mod namespace;
pub mod packages;
mod parts;
mod pki;
mod place;
mod subnet;

pub use cluster::{Cluster, Facts, Unavailable, prepare};
pub use images::Images;
pub use inside::inside;
pub use keeper::keep;
pub use kubectl::{Kubectl, KubectlError};
pub use leftovers::leftovers;
pub use namespace::Namespace;
