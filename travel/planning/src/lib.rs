//! Between what people and services say of a trip and what the planner knows of it, with no input or output.
//!
//! - [`problem`]: facts and request as a trip that can be planned;
//! - [`tell`]: a plan as people get it;
//! - [`writer`]: titles and texts from templates;
//! - [`again`]: one day of a finished trip, planned anew;
//! - [`sums`]: what everything costs, and how far one walks;
//! - [`ways`]: the way from one point to another.

pub mod again;
pub mod problem;
pub mod sums;
pub mod tell;
pub mod ways;
pub mod writer;
