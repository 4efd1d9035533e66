//! Plans a trip day by day, and judges any itinerary.
//!
//! Facts come in as a [`trip::Trip`], a plan goes out as an [`itinerary::Itinerary`]. Nothing here reads a clock,
//! a file or the network; the same input gives the same bytes on every machine.
//!
//! - [`trip`]: days, places, events, wishes and travel times, checked as a whole;
//! - [`planner`]: from a trip to a plan, with a reason for everything that is not in it;
//! - [`orienteering`]: the search inside the planner, which knows tours and stops but no trips;
//! - [`itinerary`]: the plan as it is handed on;
//! - [`validator`]: the rules, each with its code, for any itinerary whoever made it;
//! - [`synthetic`]: made-up trips from a seed, for measuring and for tests.

pub mod itinerary;
pub mod orienteering;
pub mod planner;
pub mod synthetic;
pub mod trip;
pub mod validator;
