//! What every program here stands on: the clock, supervised tasks, circuit breakers, shutdown and telemetry.

mod breaker;
mod clock;
mod environment;
mod shutdown;
mod tasks;
mod telemetry;

pub use breaker::{Breaker, BreakerLimit};
pub use clock::{Clock, SystemClock};
pub use environment::{Environment, SettingsFaults};
pub use shutdown::terminated;
pub use tasks::Tasks;
pub use telemetry::{LogFormat, start_telemetry};
pub use tokio_util::sync::CancellationToken;
