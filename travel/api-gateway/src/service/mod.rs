//! What the gateway does with jobs, whoever asks: people over HTTP, workers over Kafka, the clock.
//!
//! - [`Jobs`]: accepts, changes and shows jobs; the only one that writes them;
//! - [`Intake`]: hands what workers say to [`Jobs`];
//! - [`DayPlanner`]: plans one day of a trip anew;
//! - [`Posting`]: the outbox, as the relay sees it;
//! - [`Hub`]: wakes whoever follows a job;
//! - [`sweep`]: fails what is overdue and forgets what is old.

mod day_planner;
mod hub;
mod intake;
mod jobs;
mod news;
mod posting;
mod sweep;

pub use day_planner::{DayPlanner, PlanDayError};
pub use hub::{Follow, Hub};
pub use intake::Intake;
pub use jobs::{AcceptError, Accepting, Applied, Jobs, Retention, Times};
pub use news::News;
pub use posting::Posting;
pub use sweep::sweep;
