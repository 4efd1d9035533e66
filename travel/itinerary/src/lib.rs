//! Plans trips.

pub mod orienteering;
