//! What the gateway does with jobs, whoever asks: people over HTTP, workers over Kafka, the clock.
//!
//! - [`Jobs`]: accepts, changes and shows jobs; the only one that writes them;
//! - [`Intake`]: hands what workers say to [`Jobs`];
//! - [`Posting`]: the outbox, as the relay sees it;
//! - [`Hub`]: wakes whoever follows a job;
//! - [`sweep`]: fails what is overdue and forgets what is old.

mod hub;
mod intake;
mod jobs;
mod news;
mod posting;
mod sweep;

pub use hub::{Follow, Hub};
pub use intake::Intake;
pub use jobs::{AcceptError, Accepting, Applied, Jobs, Retention, Times};
pub use news::News;
pub use posting::Posting;
pub use sweep::sweep;
