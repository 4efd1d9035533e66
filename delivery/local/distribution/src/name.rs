use std::{fmt, str::FromStr};

use mercurious_core::image::{Digest, Repository, Tag};

/// A repository's name inside this registry, as `team/app`: the path of a [`Repository`].
///
/// Its grammar leaves no room for `..`, an absolute path or a hidden file, so it is safe as a path on disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(String);

/// Why a text is not a repository name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{text}` is not a repository name: lower-case letters and digits, joined by `.`, `_`, `__` or `-`, in parts split by `/`, at most 255 in all"
)]
pub struct RepositoryNameError {
    text: String,
}

impl RepositoryName {
    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = RepositoryNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // With a host in front, the whole text is the path: nothing of it can be taken for a host.
        match format!("localhost/{text}").parse::<Repository>() {
            Ok(repository) if repository.path() == text => Ok(Self(text.to_owned())),
            _ => Err(RepositoryNameError { text: text.chars().take(300).collect() }),
        }
    }
}

impl From<&Repository> for RepositoryName {
    fn from(repository: &Repository) -> Self {
        Self(repository.path().to_owned())
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How a manifest is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// By a name that may move.
    Tag(Tag),
    /// By content.
    Digest(Digest),
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(formatter),
            Self::Digest(digest) => digest.fmt(formatter),
        }
    }
}
