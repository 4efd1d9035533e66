//! The travel platform's public REST service.
//!
//! It accepts a request for a trip once the job is stored, has enrichment and generation work on it over Kafka,
//! and tells how it goes. It alone owns every job's state.
//!
//! - [`job`]: a job's life, as a pure state machine;
//! - [`store`]: where jobs, trips and messages to be sent are kept;
//! - [`service`]: what is done with jobs, whoever asks;
//! - [`http`]: the REST interface;
//! - [`edit`]: changes that people make to a trip;
//! - [`export`]: trips as calendars, maps, tables and text;
//! - [`settings`]: how it is set up.

pub mod edit;
pub mod export;
pub mod http;
pub mod job;
pub mod limits;
pub mod metrics;
mod random;
#[cfg(feature = "redis")]
pub mod redis;
mod run;
pub mod service;
pub mod settings;
pub mod store;
#[cfg(test)]
mod tests;

pub use run::{Foundation, RunError, consumer_settings, run};
