//! Plans trips.

pub mod itinerary;
pub mod orienteering;
pub mod trip;
