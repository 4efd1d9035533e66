//! The HTTP API of a running engine: server, types, client.
//!
//! It listens on a socket in the data directory, and on a loopback port where asked. Reading needs no token;
//! changing needs the one in the data directory. Requests with a foreign `Host` or `Origin` are refused, so
//! that no web page can speak for the person at this machine.

mod change;
mod client;
mod follow;
mod guard;
mod live;
mod openapi;
mod problem;
mod read;
mod server;
mod types;
mod unsteered;
mod wait;

pub use client::{ApiClient, ClientError};
pub use follow::{Follow, FollowLog, Live, LogEvent};
pub use openapi::openapi_json;
pub use problem::Problem;
pub use server::{ApiServer, serve};
pub use types::{Change, Explanation, ManifestWarning, Verb};
pub use unsteered::{UnsteeredWorkload, UnsteeredWorkloads};
