//! The registry, asked in-process, over sockets by real clients, and killed.

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
