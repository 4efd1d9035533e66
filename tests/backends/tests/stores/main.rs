//! The gateway's stores on real servers, and the servers themselves.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

// What every store must do, as the gateway's own tests have it; the paths in it are those of the gateway.
#[path = "../../../../travel/api-gateway/src/store/contract.rs"]
mod contract;
#[path = "../../../../travel/api-gateway/src/tests/fixtures.rs"]
#[expect(dead_code, reason = "the contract uses a part")]
mod fixtures;
mod mongodb;
mod redis;
mod servers;

use mercurious_api_gateway::{job, store};

mod tests {
    pub(crate) use crate::fixtures;
}
