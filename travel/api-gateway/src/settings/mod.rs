//! How the service is set up: by variables of the environment, each with one canonical name.
//!
//! The names that the originals used are taken too, with a warning. All faults are reported together.

mod gateway;
mod secret;
#[cfg(test)]
mod tests;
mod variables;

pub use gateway::{Settings, StoreSetting};
pub use secret::SecretUrl;
pub use variables::{VARIABLES, Variable, page, reference};
