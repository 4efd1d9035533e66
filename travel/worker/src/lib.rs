//! What the workers have in common: a message asks for one step of a job, and its end is a message.
//!
//! - [`Step`]: the work itself, which knows no broker;
//! - [`Worker`]: reads requests, runs the step, publishes progress and the end;
//! - [`Cancelled`]: jobs that are not wanted any more;
//! - [`run`]: a whole program: consumer, cancellations, admin port, drain.
//!
//! **Guarantees.** A request leads to its end at least once, and each time to the same message ids, so that who
//! reads them knows the second for what it is. A request that cannot be read, or is given up, ends the job with an
//! error as far as the job can be told. Nothing is stored here.

mod admin;
mod cancelled;
mod consuming;
mod metrics;
mod program;
mod recent;
mod settings;
#[cfg(feature = "kafka")]
mod start;
mod step;
mod worker;

pub use admin::admin;
pub use cancelled::Cancelled;
pub use metrics::Metrics;
pub use program::{Connected, Parts, Probes, run};
pub use recent::Recent;
pub use settings::WorkerSettings;
#[cfg(feature = "kafka")]
pub use start::{Place, start};
pub use step::{Progress, Step, Unwatched};
pub use worker::Worker;
