//! Ports and the connections that clients make to them.

mod connection;
mod listener;
mod passing;
mod proxy;

pub use proxy::{FrontProxy, FrontSnapshot, ListenError};
