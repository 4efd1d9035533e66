//! What the travel services say to each other over Kafka, and to people over HTTP.
//!
//! - [`topic`]: the one list of topics and consumer groups;
//! - [`envelope`]: how a message is written and read: key, headers, body, version;
//! - [`message`]: each message that there is;
//! - [`request`]: what a person asks for, checked as a whole;
//! - [`facts`]: what enrichment found out;
//! - [`trip`]: what generation made of it;
//! - [`job`]: a request's life, and its events;
//! - [`problem`]: errors as RFC 9457 writes them.
//!
//! A reader ignores fields that it does not know and refuses a version newer than its own
//! ([`envelope::DecodeError::FutureVersion`]): such a message belongs with the dead letters until the reader is
//! newer. A change that an old reader would misread needs a new version.

pub mod access;
pub mod envelope;
pub mod facts;
mod fields;
mod ids;
pub mod job;
pub mod message;
pub mod problem;
pub mod request;
mod shared;
pub mod topic;
pub mod trip;

pub use ids::{JobId, MessageId};
pub use shared::{
    CostRange, CountryCode, Currency, Language, MealKind, Mode, Point, Provenance, Span, TextError,
    Weather, WeatherKind,
};
