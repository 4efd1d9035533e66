//! How the service is set up: by variables of the environment, each with one canonical name.
//!
//! The names that the originals used are taken too, with a warning. Two names of one setting that say different
//! things are a fault. All faults are reported together.

mod environment;
mod gateway;
mod secret;
mod variables;
#[cfg(test)]
mod tests;

pub use environment::{Environment, SettingFault, SettingsError};
pub use gateway::{Settings, StoreSetting};
pub use secret::SecretUrl;
pub use variables::{VARIABLES, Variable, reference};
