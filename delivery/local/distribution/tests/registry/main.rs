//! The registry, asked in-process, over sockets by real clients, and killed.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is all test code")]

mod blobs;
mod clients;
mod collection;
mod hosts;
mod killed;
mod listings;
mod manifests;
mod memory;
mod serving;
mod support;
mod uploads;
