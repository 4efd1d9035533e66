use std::{fmt, path::PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// The content of a file, without the line's end.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "the file {}", path.display()),
            Self::Variable(name) => write!(formatter, "the variable {name}"),
        }
    }
}

/// Reads secrets: files and the environment are the program's business.
pub trait SecretReader {
    /// The secret as it stands there. The error says why it cannot be read, and nothing of its content.
    fn read(&self, source: &SecretSource) -> Result<SecretString, String>;
}

/// A secret that two share.
#[derive(Clone)]
pub(crate) struct Secret(SecretString);

/// A shorter one can be guessed.
pub(crate) const SHORTEST: usize = 16;
/// What stands in a path must be harder to guess: nothing else is asked for.
pub(crate) const SHORTEST_IN_PATH: usize = 24;

impl Secret {
    pub(crate) fn new(text: &SecretString) -> Self {
        Self(SecretString::from(text.expose_secret().trim_end_matches(['\r', '\n'])))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.expose_secret().len()
    }

    /// Whether it can stand in a path as it is.
    pub(crate) fn fits_a_path(&self) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        self.0.expose_secret().bytes().all(plain)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }

    /// Compares in a time that says nothing of either, their lengths included.
    pub(crate) fn is(&self, told: &[u8]) -> bool {
        Sha256::digest(self.bytes()).ct_eq(&Sha256::digest(told)).into()
    }

    /// The end of Flux's path: SHA-256 of token, name and namespace, in hex.
    pub(crate) fn flux_path(&self, name: &str, namespace: &str) -> String {
        let hash = Sha256::new().chain_update(self.bytes()).chain_update(name);
        let hash = hash.chain_update(namespace).finalize();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_one_that_flux_computes() {
        // `printf 'tokenreceivernamespace' | sha256sum`
        let secret = Secret::new(&SecretString::from("token\n"));
        assert_eq!(
            secret.flux_path("receiver", "namespace"),
            "effaae060b8e5d24f197f523163785e723cc4aaf3ba32cbb3a72cf228cb6b257"
        );
    }

    #[test]
    fn a_secret_is_itself_and_shows_nothing() {
        let secret = Secret::new(&SecretString::from("correct horse"));
        assert!(secret.is(b"correct horse"));
        for wrong in [&b"correct hors"[..], b"correct horsf", b"", b"correct horse "] {
            assert!(!secret.is(wrong));
        }
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
