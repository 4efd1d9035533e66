//! How fast one client may ask.
//!
//! The generic cell rate algorithm: of each client a single moment is kept, the one at which all that it asked for
//! would be paid off. With Redis, replicas share it; without, each keeps its own, for as many clients as fit.

mod local;
mod port;

pub use local::LocalLimits;
pub use port::{Limits, Rate, Verdict};
