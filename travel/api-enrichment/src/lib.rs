//! From a destination and dates to the facts that a trip is planned from.

pub mod gazetteer;
pub mod geo;
