//! The client against servers that lie, fail and stall, and against a real registry.

mod auth;
mod blobs;
mod encrypted;
mod images;
mod liar;
mod looks;
mod newest;
mod pushes;
mod real;
mod resolves;
mod stubborn;
mod support;
mod tags;
