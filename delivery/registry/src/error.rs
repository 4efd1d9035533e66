use std::{collections::BTreeSet, fmt, io, path::PathBuf, sync::Arc, time::Duration};

use mercurious_core::image::{Digest, Platform};

use crate::credentials::CredentialsError;

/// Why a registry gave no usable answer.
///
/// `what` is always the thing asked for (`ghcr.io/team/app:latest`), so that a message stands alone.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RegistryError {
    /// The registry answered, and says that there is no such thing.
    #[error("{what} does not exist in the registry{}", detail(.message))]
    NotFound {
        /// What was asked for.
        what: String,
        /// The registry's own words; may be empty.
        message: String,
    },
    /// Every credential that matches, and none at all, were refused.
    #[error("access to {what} was denied: {}; {}", list(.attempts), advice(.attempts))]
    Denied {
        /// What was asked for.
        what: String,
        /// What was tried, in order.
        attempts: Vec<Attempt>,
    },
    /// Too many requests: ours, or those of others behind the same address.
    #[error("{host} limits requests{}{}", again(*.retry_after), detail(.message))]
    RateLimited {
        /// The registry's host.
        host: String,
        /// How long the registry asks to wait, where it says so.
        retry_after: Option<Duration>,
        /// The registry's own words; may be empty.
        message: String,
    },
    /// The registry failed (5xx), and went on failing after all retries.
    #[error("the registry answered {status} for {what}{}", detail(.message))]
    Unavailable {
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The registry's own words; may be empty.
        message: String,
        /// How long the registry asks to wait, where it says so.
        retry_after: Option<Duration>,
    },
    /// The registry refused the request (4xx) for a reason that is neither absence nor access.
    #[error("the registry refused {what} with {status}{}", detail(.message))]
    Refused {
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The registry's own words; may be empty.
        message: String,
    },
    /// An answer that is not what the distribution specification says: an HTML page, an error under status 200, too long.
    #[error("the answer for {what} is not usable: {problem}")]
    BadAnswer {
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A list of tags that could not be read to its end; no shorter list is given instead.
    #[error("the tags of {what} could not be listed to the end: {problem}")]
    Paging {
        /// The repository.
        what: String,
        /// What is wrong with the pages.
        problem: String,
    },
    /// A redirect that is not followed, because it leaves the registry or never ends.
    #[error("the registry redirects {what} to {target}, which is not followed: {reason}")]
    Redirect {
        /// What was asked for.
        what: String,
        /// Scheme and host of the target; no path, as it may hold a signature.
        target: String,
        /// Why not.
        reason: &'static str,
    },
    /// The registry names a token service to which no credential may be sent.
    #[error("{host} names the token service `{realm}`, which is refused: {reason}")]
    Realm {
        /// The registry's host.
        host: String,
        /// The realm as sent, shortened.
        realm: String,
        /// Why not.
        reason: &'static str,
    },
    /// The TLS handshake failed.
    #[error(
        "no trusted TLS connection to {host}: {problem}; give the registry's CA, or name the host as plain HTTP if it is"
    )]
    Tls {
        /// The host.
        host: String,
        /// What rustls says.
        problem: String,
    },
    /// No answer in time.
    #[error("{host} did not answer for {what} within {}", seconds(*.after))]
    Timeout {
        /// What was asked for.
        what: String,
        /// The host.
        host: String,
        /// The deadline that passed.
        after: Duration,
    },
    /// The connection could not be made, or broke.
    #[error("the connection to {host} failed for {what}: {problem}")]
    Connection {
        /// What was asked for.
        what: String,
        /// The host.
        host: String,
        /// What the network says.
        problem: String,
    },
    /// The bytes are not those that the digest names: never used.
    #[error("{what} has the digest {actual}, but {expected} was asked for; it is not used")]
    DigestMismatch {
        /// What was asked for.
        what: String,
        /// The digest asked for.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// The image exists, but not for this platform.
    #[error("{what} has no image for {wanted}; it has {}", platforms(.available))]
    PlatformMissing {
        /// The image.
        what: String,
        /// The platform that it must run on.
        wanted: Platform,
        /// The platforms that exist.
        available: BTreeSet<Platform>,
    },
    /// There is a manifest, but of something that is no container image: a chart, a signature.
    #[error("{what} is not a container image but `{media_type}`")]
    NotAnImage {
        /// What was asked for.
        what: String,
        /// The media type that says so.
        media_type: String,
    },
    /// A text that is neither a tag nor a digest.
    #[error("`{reference}` is neither a tag nor a digest")]
    Reference {
        /// The text, shortened.
        reference: String,
    },
    /// Credentials that cannot be read or obtained.
    #[error("credentials for {what} are not usable")]
    Credentials {
        /// What was asked for.
        what: String,
        /// Why.
        source: CredentialsError,
    },
    /// A local file could not be read or written.
    #[error("{} cannot be used", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
}

/// One try of one credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Where the credential comes from, or `anonymous`; never the credential itself.
    pub credential: String,
    /// What came of it: status and the registry's words.
    pub outcome: String,
}

impl Attempt {
    /// The name of a try without credentials.
    pub const ANONYMOUS: &'static str = "anonymous";
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.credential, self.outcome)
    }
}

impl RegistryError {
    /// Whether the same request may succeed later with nothing changed on our side.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::Timeout { .. }
            | Self::Connection { .. } => true,
            Self::NotFound { .. }
            | Self::Denied { .. }
            | Self::Refused { .. }
            | Self::BadAnswer { .. }
            | Self::Paging { .. }
            | Self::Redirect { .. }
            | Self::Realm { .. }
            | Self::Tls { .. }
            | Self::DigestMismatch { .. }
            | Self::PlatformMissing { .. }
            | Self::NotAnImage { .. }
            | Self::Reference { .. }
            | Self::Credentials { .. }
            | Self::File { .. } => false,
        }
    }

    /// Whether the registry said that there is no such thing: an answer, not a failure.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether the image can never run here, whatever is tried again.
    pub fn is_unusable_image(&self) -> bool {
        matches!(self, Self::PlatformMissing { .. } | Self::NotAnImage { .. })
    }

    /// How long the registry asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// One bounded word for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::Denied { .. } | Self::Credentials { .. } => "denied",
            Self::RateLimited { .. } => "rate-limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Refused { .. } => "refused",
            Self::BadAnswer { .. } | Self::Paging { .. } => "bad-answer",
            Self::Redirect { .. } | Self::Realm { .. } => "unsafe",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::Connection { .. } => "connection",
            Self::DigestMismatch { .. } => "digest-mismatch",
            Self::PlatformMissing { .. } | Self::NotAnImage { .. } => "unusable-image",
            Self::Reference { .. } => "reference",
            Self::File { .. } => "file",
        }
    }

    /// The message with all its causes, in one line.
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

fn again(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!("; it says to wait {}", seconds(wait)))
}

fn list(attempts: &[Attempt]) -> String {
    attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn advice(attempts: &[Attempt]) -> &'static str {
    if attempts.iter().all(|attempt| attempt.credential == Attempt::ANONYMOUS) {
        "if it is private, give credentials for this host"
    } else {
        "check that these credentials are valid and may read (to push: write) this repository"
    }
}

fn platforms(available: &BTreeSet<Platform>) -> String {
    if available.is_empty() {
        return "none that is named".to_owned();
    }
    available.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
