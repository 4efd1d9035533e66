//! The client against servers that lie, fail and stall, and against a real registry.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod auth;
mod blobs;
mod encrypted;
mod hostile;
mod images;
mod liar;
mod looks;
mod pushes;
mod real;
mod resolves;
mod stubborn;
mod support;
mod tags;
