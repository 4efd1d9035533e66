//! The front proxy before real servers and clients on loopback.

mod drains;
mod protocol;
mod retries;
mod routing;
mod stage;
mod stops;
mod streams;
mod swaps;
