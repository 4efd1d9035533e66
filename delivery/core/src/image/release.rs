use std::{fmt, str::FromStr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Digest, ImageReference, Platform, Repository, Tag};
use crate::printable::printable;

/// A source revision: 7 to 64 hex digits, lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commit(Arc<str>);

/// Why a text is not a commit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a commit: expected 7 to 64 hex digits")]
pub struct CommitError {
    text: String,
}

impl Commit {
    /// The hex digits as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits: what people read.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl FromStr for Commit {
    type Err = CommitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase().into()))
        } else {
            Err(CommitError { text: printable(text) })
        }
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

super::serde_as_string!(Commit);

/// What can be deployed, immutable: a repository and a digest, with what is known of them.
// An engine keeps the same one in many places: clones share their texts.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Where it lies.
    pub repository: Repository,
    /// What it is: the digest of the index, or of the manifest where there is no index.
    pub digest: Digest,
    /// The tag under which it was found, written beside the digest for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// The revision it was built from, where a tag, annotation or label names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// When it was built, where the image says so credibly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_at: Option<Timestamp>,
    /// The platforms that it has images for; empty if unknown.
    #[serde(default, skip_serializing_if = "is_empty")]
    #[cfg_attr(feature = "schema", schema(value_type = std::collections::BTreeSet<Platform>))]
    pub platforms: Arc<[Platform]>,
}

impl Release {
    /// The reference that the engine writes: `repository[:tag]@digest`.
    pub fn image(&self) -> ImageReference {
        ImageReference::pinned(self.repository.clone(), self.tag.clone(), self.digest.clone())
    }

    /// What people call it beside these: a name that another of them has too tells nothing without the digest.
    pub fn nickname_among<'r>(&self, others: impl IntoIterator<Item = &'r Self>) -> String {
        let name = self.nickname();
        let shared =
            others.into_iter().any(|other| other.digest != self.digest && other.nickname() == name);
        if shared && name != self.digest.short() {
            format!("{name}@{}", self.digest.short())
        } else {
            name
        }
    }

    /// What people call it: its tag (a commit tag cut to seven digits), else its commit's seven digits, else
    /// its short digest.
    pub fn nickname(&self) -> String {
        match (&self.tag, &self.commit) {
            (Some(tag), _) => match tag.as_str().strip_prefix("sha-") {
                Some(hex) if hex.len() > 12 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    format!("sha-{}", &hex[..7])
                }
                _ => tag.to_string(),
            },
            (None, Some(commit)) => commit.short().to_owned(),
            (None, None) => self.digest.short().to_owned(),
        }
    }
}

fn is_empty(platforms: &Arc<[Platform]>) -> bool {
    platforms.is_empty()
}
