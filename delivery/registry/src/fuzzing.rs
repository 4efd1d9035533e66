//! The readers of what registries and people send, for the fuzz targets; no part of the interface.

use std::time::Duration;

use jiff::Timestamp;

/// The target of the `next` link of a `Link` header.
pub fn next_page(header: &str) -> Option<&str> {
    crate::link::next_page(header)
}

/// The wait that a `Retry-After` header asks for.
pub fn retry_after_header(value: &str, now: Timestamp) -> Option<Duration> {
    crate::retry_after::from_header(value, now)
}

/// The wait that the body of a refusal names.
pub fn retry_after_body(body: &str) -> Option<Duration> {
    crate::retry_after::from_body(body)
}

pub use crate::credentials::fuzzing::{DockerConfigLook, docker_config};
