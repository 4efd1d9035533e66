//! From the facts of a trip to an itinerary that keeps every rule, described in the traveller's language.
//!
//! - [`generate`]: plan, judge, tell, describe;
//! - [`model`]: titles and texts from a language model;
//! - [`step`], [`settings`]: the service around it.
//!
//! What the facts mean to the planner, and a plan to people, is in `mercurious-planning`.

pub mod generate;
pub mod model;
pub mod settings;
pub mod step;
