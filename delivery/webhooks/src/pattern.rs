use std::{fmt, str::FromStr};

use mercurious_core::image::{Repository, RepositoryError};

/// Image repositories that a receiver may speak for: one, or all beneath a place as `ghcr.io/team/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryPattern {
    /// Just this one.
    One(Repository),
    /// All beneath.
    Beneath {
        /// The registry.
        host: String,
        /// What their paths begin with: empty, or ending in a slash.
        prefix: String,
    },
}

/// Why a text is no such pattern.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// Not a repository.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The registry is left out.
    #[error("`{0}` does not name a registry: write `docker.io/team/*` or `ghcr.io/team/*`")]
    NoRegistry(String),
    /// A star elsewhere.
    #[error("`{0}`: `*` stands only for all of the end, as in `ghcr.io/team/*`")]
    Star(String),
}

impl RepositoryPattern {
    /// The one repository that is meant, where it is one.
    pub fn one(&self) -> Option<&Repository> {
        match self {
            Self::One(repository) => Some(repository),
            Self::Beneath { .. } => None,
        }
    }

    /// Whether this repository is meant.
    pub fn fits(&self, repository: &Repository) -> bool {
        match self {
            Self::One(one) => one == repository,
            Self::Beneath { host, prefix } => {
                repository.host() == host && repository.path().starts_with(prefix)
            }
        }
    }

    /// The repository with this path that is meant, whatever its registry.
    pub(crate) fn with_path(&self, path: &str) -> Option<Repository> {
        match self {
            Self::One(one) => (one.path() == path).then(|| one.clone()),
            Self::Beneath { host, prefix } => {
                path.starts_with(prefix).then(|| format!("{host}/{path}").parse().ok()).flatten()
            }
        }
    }
}

impl FromStr for RepositoryPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(above) = text.strip_suffix("/*") else {
            if text.contains('*') {
                return Err(PatternError::Star(text.to_owned()));
            }
            return Ok(Self::One(text.parse()?));
        };
        if above.contains('*') {
            return Err(PatternError::Star(text.to_owned()));
        }
        let host = above.split('/').next().unwrap_or_default();
        if !host.contains(['.', ':']) && host != "localhost" {
            return Err(PatternError::NoRegistry(text.to_owned()));
        }
        // Some repository beneath shows whether the place makes sense.
        let some: Repository = format!("{above}/x/x").parse()?;
        let prefix = some.path().strip_suffix("x/x").unwrap_or_default().to_owned();
        Ok(Self::Beneath { host: some.host().to_owned(), prefix })
    }
}

impl fmt::Display for RepositoryPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(repository) => repository.fmt(formatter),
            Self::Beneath { host, prefix } => write!(formatter, "{host}/{prefix}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_one_repository_or_all_beneath_a_place() {
        let fits = |pattern: &str, repository: &str| {
            let pattern: RepositoryPattern = pattern.parse().unwrap();
            assert_eq!(pattern.to_string().parse::<RepositoryPattern>().unwrap(), pattern);
            pattern.fits(&repository.parse().unwrap())
        };
        assert!(fits("ghcr.io/team/app", "ghcr.io/team/app"));
        assert!(fits("team/app", "docker.io/team/app"));
        assert!(!fits("ghcr.io/team/app", "ghcr.io/team/app/more"));
        assert!(fits("ghcr.io/team/*", "ghcr.io/team/a/b"));
        assert!(!fits("ghcr.io/team/*", "ghcr.io/teams/a"));
        assert!(!fits("ghcr.io/team/*", "quay.io/team/a"));
        assert!(fits("docker.io/team/*", "team/app"));
        assert!(fits("127.0.0.1:5000/*", "127.0.0.1:5000/a"));
    }

    #[test]
    fn a_pattern_that_means_nothing_says_what_to_write() {
        let message = |text: &str| text.parse::<RepositoryPattern>().unwrap_err().to_string();
        assert!(message("team/*").contains("docker.io/team/*"));
        assert!(message("*").contains("only for all of the end"));
        assert!(message("ghcr.io/*/app").contains("only for all of the end"));
        assert!(message("ghcr.io/*/*").contains("only for all of the end"));
        assert!(message("https://ghcr.io/a").contains("remove `https://`"));
        assert!(message("ghcr.io/Team/*").contains("lower-case"));
    }
}
