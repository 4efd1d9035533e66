//! The REST interface.
//!
//! Errors are problems (RFC 9457) and name every wrong field at once. What changes something is answered once it
//! is stored, and with 503 when it cannot be.

mod app;
mod body;
mod events;
mod guard;
mod idempotency;
mod jobs;
mod openapi;
mod path;
mod prefer;
mod probes;
mod problem;
mod regenerate;
mod serve;
mod shares;
#[cfg(test)]
mod tests;
mod trips;

pub use app::{App, HttpSettings, Readiness, router};
pub use openapi::openapi_json;
pub use problem::Fault;
pub use serve::{Serving, serve};
