//! Tables of every field that Kubernetes, Flux and Mercurious know for the supported kinds, and what one machine makes
//! of it.
//!
//! The same table refuses a misspelt field, says which field is not supported and why, drops what changes nothing,
//! checks values before they are converted, and is printed as documentation.

mod auto_deploy;
mod claim;
mod config;
mod container;
mod deployment;
mod flux;
mod ingress;
mod kinds;
mod leaf;
mod metadata;
mod pod;
mod reference;
mod service;
mod shape;
mod suggest;
mod walk;

pub(crate) use kinds::{Kind, kind_of};
pub use reference::field_reference;
pub(crate) use walk::{Found, walk};
