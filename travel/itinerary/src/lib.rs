//! Plans trips.

pub mod itinerary;
pub mod orienteering;
pub mod planner;
pub mod synthetic;
pub mod trip;
pub mod validator;
