//! Who can answer: instances, their connections, and whose turn it is.

mod connection;
mod counters;
mod endpoint;
mod leasing;
mod members;

pub(crate) use connection::{ConnectError, Sender};
pub(crate) use counters::{Counters, Failure};
pub(crate) use endpoint::{Endpoint, Lease};
pub(crate) use leasing::{Patience, Unavailable};
pub(crate) use members::Surroundings;

pub use counters::{FailureCounts, PoolCounters};
pub use endpoint::EndpointSnapshot;
pub use members::{Drained, Pool, PoolSnapshot};
