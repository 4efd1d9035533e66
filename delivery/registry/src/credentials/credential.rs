use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;

/// What is shown to a registry or its token service. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A name and a password, or an access token in its place.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// An OAuth2 refresh token, exchanged at the token service.
    IdentityToken(SecretString),
    /// A bearer token for the registry itself, with no exchange.
    RegistryToken(SecretString),
}

/// Why credentials cannot be read or obtained. Names the source, never the content.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("{} cannot be read: {problem}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        problem: String,
    },
    /// Not the JSON that it should be.
    #[error("{origin} is not a Docker configuration: {problem}")]
    Malformed {
        /// The source.
        origin: String,
        /// What is wrong, with no content.
        problem: &'static str,
    },
    /// One entry cannot be decoded.
    #[error("the entry `{key}` of {origin} is not usable: {problem}")]
    Entry {
        /// The source.
        origin: String,
        /// The entry's key, a host.
        key: String,
        /// What is wrong, with no content.
        problem: &'static str,
    },
    /// A secret that names a program of somebody's workstation.
    #[error(
        "{origin} names a credential helper, which a secret cannot use; log in without a helper and make the secret again"
    )]
    HelperInSecret {
        /// The source.
        origin: String,
    },
    /// The credential helper failed.
    #[error("the credential helper `{program}` failed: {problem}")]
    Helper {
        /// The program.
        program: String,
        /// What went wrong, with none of its output.
        problem: String,
    },
    /// The credential helper did not end in time.
    #[error("the credential helper `{program}` did not answer within {}s", .after.as_secs())]
    HelperTimeout {
        /// The program.
        program: String,
        /// The deadline.
        after: Duration,
    },
}
