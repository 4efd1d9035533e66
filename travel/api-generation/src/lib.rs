//! From the facts of a trip to an itinerary that keeps every rule, described in the traveller's language.
//!
//! - [`problem`]: facts and request as a trip that can be planned;
//! - [`generate`]: plan, judge, tell, describe;
//! - [`tell`]: a plan as people get it;
//! - [`writer`]: titles and texts, from templates or from a language model;
//! - [`step`], [`settings`]: the service around it;
//! - [`ways`]: the way from one point to another.

pub mod generate;
pub mod model;
pub mod problem;
pub mod settings;
pub mod step;
pub mod tell;
pub mod ways;
pub mod writer;
