//! ImageRepository and ImagePolicy as Flux's image-reflector-controller keeps them, where that one is not at work.
//!
//! # Flow
//! The engine looks at registries; [`Reflector`] turns what was seen into the status of the objects. What a status says
//! is computed without IO ([`RepositoryStatus::next`](repository::RepositoryStatus::next),
//! [`PolicyStatus::next`](policy::PolicyStatus::next)), compared with what is there, and written where it is news.
//!
//! # Guarantees
//! - While Flux's Lease is live nothing is written; that both choose differently is told.
//! - What says the same as before is not written. That the same tags were listed again is written every ten minutes.
//! - A write names the resourceVersion that it was made for.
//!
//! # Caveats
//! docs/flux.md tells what differs from Flux, and why.

mod condition;
mod object;
mod policy;
mod presence;
mod reflector;
mod repository;
mod tasks;
mod world;

pub(crate) use object::{ImageObject, PolicyObject, RepositoryFound};
pub(crate) use presence::{Flux, Presence};
pub(crate) use reflector::Reflector;
pub(crate) use tasks::Reflections;
