//! Where credentials come from, and which of them match a repository.
//!
//! Every match is tried, most specific first, so that a rotated secret beside an old one works; anonymous
//! access is the last try of all. Nothing here shows a secret: errors and `Debug` name the source alone.

mod credential;
mod docker_config;
pub(crate) mod fuzzing;
mod helper;
mod keychain;
mod matching;

pub use credential::{Credential, CredentialsError};
pub(crate) use keychain::Fingerprint;
pub use keychain::Keychain;
