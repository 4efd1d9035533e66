//! From a destination and dates to the facts that a trip is planned from.
//!
//! - [`enrich`]: the work, step by step;
//! - [`sources`]: where facts come from, as ports;
//! - [`http`]: how sources ask the network;
//! - [`step`], [`settings`]: the service around it;
//! - [`gazetteer`]: cities and countries inside the program;
//! - [`hours`], [`days`], [`geo`], [`merge`], [`score`], [`travel`], [`wishes`]: single steps.

pub mod days;
pub mod destination;
pub mod enrich;
pub mod gazetteer;
pub mod geo;
pub mod hours;
pub mod http;
pub mod merge;
pub mod score;
pub mod settings;
pub mod sources;
pub mod step;
pub mod travel;
pub mod wishes;
