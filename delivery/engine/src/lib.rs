//! Detect, decide, apply, report: the loop, over ports.
//!
//! # Flow
//! One watcher per image repository looks at the registry and keeps what it has [`Seen`]; one reconciler per
//! auto-deploy observes its workload, takes the newest candidate, calls [`mercurious_core::decide::decide`],
//! writes the record, performs the effect, and waits for the next thing to happen.
//!
//! # Guarantees
//! - The record is written before each effect, and effects are idempotent: a process that dies anywhere goes
//!   on where it was.
//! - One reconciler per auto-deploy: one rollout at a time, and a slow workload delays no other.
//! - A failed look never changes the answer; an unchanged world writes, logs and sends nothing.
//!
//! # Assumptions
//! - One engine at a time per scope: the home's lock or lease sees to that.

mod admission;
mod ask_error;
mod audit;
mod checks;
mod detect;
mod engine;
mod events;
mod handle;
mod hints;
mod reconcile;
mod releases;
mod rest;
mod seats;
mod verify;
mod view;
mod watch;
mod wish;

pub mod ports;

pub use admission::Admission;
pub use ask_error::AskError;
pub use audit::AuditEntry;
pub use detect::{
    Listing, Look, LookDepth, PassedOver, SAFETY_NET, Seen, ShownTag, TagChoice, choose, look,
    shown, tag_choices,
};
pub use engine::{Engine, EngineError, Ports};
pub use events::{Event, EventBus, EventKind};
pub use handle::EngineHandle;
pub use rest::Rest;
pub use verify::{Verification, VerifiedBox, verify};
pub use view::{AutoDeployView, DecisionView, RepositoryView, WorkloadView};
pub use watch::RepositoryState;
pub use wish::{Place, RepositoryWish, Target, Wish, WishError, Wishes, chosen_from};
