//! Whether tests with real servers run.

use std::fmt;

/// Why a server cannot be had here.
#[derive(Debug)]
pub struct Unavailable(pub(crate) anyhow::Error);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl From<anyhow::Error> for Unavailable {
    fn from(error: anyhow::Error) -> Self {
        Self(error)
    }
}

/// The server, or none where the tests that need it are to be skipped, said on standard error.
///
/// # Panics
/// Where `MERCURIOUS_BACKEND_TESTS=require` and there is none.
#[expect(clippy::disallowed_methods, reason = "the switch of these tests")]
pub fn or_skip<S>(start: impl FnOnce() -> Result<S, Unavailable>) -> Option<S> {
    let wanted = std::env::var("MERCURIOUS_BACKEND_TESTS").unwrap_or_default();
    if wanted == "skip" {
        eprintln!("skipped: MERCURIOUS_BACKEND_TESTS=skip");
        return None;
    }
    match start() {
        Ok(server) => Some(server),
        Err(why) => {
            assert!(wanted != "require", "a server is required and cannot be had: {why}");
            eprintln!("skipped: {why}");
            None
        }
    }
}

/// A number that a variable of the environment says, or the usual one.
#[expect(clippy::disallowed_methods, reason = "the switches of these tests")]
pub fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
