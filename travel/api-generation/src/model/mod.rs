//! A language model that titles days and writes text, where one is set up.
//!
//! **Flow.** The plan goes out as JSON; an answer by schema comes back, is judged, is asked for once more with its
//! faults named, and is given up: then templates write.
//!
//! **Guarantees.** A model writes titles and texts and nothing else: it cannot add a place, move a visit, or name
//! what is not in the day ([`judge`]). Whatever it says or fails to say, there is an itinerary. What travellers and
//! sources wrote is sent as data; nothing in it is an instruction. Neither prompt nor key is logged.

mod answer;
mod client;
mod judge;
mod prompt;
mod writer;

pub use answer::AnswerError;
pub use client::{Client, ClientError, Format, Limits, ModelSettings};
pub use judge::judge;
pub use prompt::Prompt;
pub use writer::{ModelWriter, Outcome};
