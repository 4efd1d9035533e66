//! Tokens of identity providers: a workflow of GitHub Actions, a service account of Google.

mod claims;
mod key_ring;
mod keys;
mod verifier;

use std::collections::BTreeMap;

use url::Url;

pub(crate) use claims::check;
pub(crate) use key_ring::KeyRing;

/// Whose tokens count, and what they must say.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    pub(crate) issuers: Vec<String>,
    pub(crate) keys: Url,
    pub(crate) audience: String,
    /// Claims with the values that they must have; a `*` at the end stands for anything.
    pub(crate) claims: BTreeMap<String, String>,
}

/// Why a token does not count. Nobody but the log is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("there is no bearer token")]
    None,
    #[error("the token cannot be read: {0}")]
    Unreadable(String),
    #[error("no key of the issuer has the token's id")]
    NoSuchKey,
    #[error("the issuer's keys are not at hand: {0}")]
    NoKeys(String),
    #[error("the token is not valid: {0}")]
    Invalid(String),
    #[error("the token is of another time")]
    Time,
    #[error("the claim {0} is another one")]
    Claim(String),
}
