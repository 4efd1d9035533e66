use std::{fmt, str::FromStr};

use super::{Digest, DigestError, Repository, RepositoryError, Tag, TagError};

/// A complete image reference: a repository with a tag, a digest, or both.
///
/// Without either it means the tag `latest`, as container engines read it; that is made explicit on parsing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

/// Why a text is not an image reference.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReferenceError {
    /// The repository part.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The tag part.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The digest part.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl ImageReference {
    /// `repository:tag`.
    pub fn tagged(repository: Repository, tag: Tag) -> Self {
        Self { repository, tag: Some(tag), digest: None }
    }

    /// `repository[:tag]@digest`: what the engine writes (invariant 1).
    pub fn pinned(repository: Repository, tag: Option<Tag>, digest: Digest) -> Self {
        Self { repository, tag, digest: Some(digest) }
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag, where the reference has one.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest, where the reference has one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What stands in the manifest's URL: the digest where there is one, else the tag.
    pub fn locator(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.to_string(),
            (None, None) => "latest".to_owned(),
        }
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            // The repository's parser has the message for this.
            text.parse::<Repository>()?;
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        let last_part = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match rest[last_part..].split_once(':') {
            Some((name, tag)) => (&rest[..last_part + name.len()], Some(tag.parse()?)),
            None => (rest, None),
        };
        let repository = repository.parse()?;
        let tag = match (tag, &digest) {
            (None, None) => Some("latest".parse()?),
            (tag, _) => tag,
        };
        Ok(Self { repository, tag, digest })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

super::serde_as_string!(ImageReference);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_parse_as_container_engines_read_them() {
        let digest = Digest::of(b"x");
        for (text, full) in [
            ("alpine".to_owned(), "docker.io/library/alpine:latest".to_owned()),
            ("ghcr.io/a/b:1.2".to_owned(), "ghcr.io/a/b:1.2".to_owned()),
            ("localhost:5000/a".to_owned(), "localhost:5000/a:latest".to_owned()),
            (format!("h.io/a@{digest}"), format!("h.io/a@{digest}")),
            (format!("h.io:80/a:t@{digest}"), format!("h.io:80/a:t@{digest}")),
        ] {
            assert_eq!(text.parse::<ImageReference>().unwrap().to_string(), full);
        }
    }

    #[test]
    fn r01_a_bare_tag_in_an_image_field_is_not_taken_for_a_qualified_reference() {
        let parsed: ImageReference = "sha-0a1b2c".parse().unwrap();
        assert_eq!(parsed.repository().to_string(), "docker.io/library/sha-0a1b2c");
        assert!("".parse::<ImageReference>().is_err());
        assert!("a:".parse::<ImageReference>().is_err());
        assert!("a@sha256:12".parse::<ImageReference>().is_err());
        assert!(
            "https://ghcr.io/a/b:1"
                .parse::<ImageReference>()
                .unwrap_err()
                .to_string()
                .contains("https")
        );
    }
}
