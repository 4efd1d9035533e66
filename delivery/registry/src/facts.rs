//! When an image was built and from what, by the rules of `registries.md` §1.5.
//!
//! Labels are inherited from the base image unless overwritten, annotations are not; every distortion makes a
//! time earlier than the truth. So annotations are believed first, and of the rest the latest time counts.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use mercurious_core::image::{Commit, Repository, Tag};

const CREATED: &str = "org.opencontainers.image.created";
const REVISION: &str = "org.opencontainers.image.revision";
const SOURCE: &str = "org.opencontainers.image.source";

/// 2000-01-01: no image is older; reproducible builds say 1970, some 1980.
const EARLIEST: i64 = 946_684_800;
/// How far a builder's clock may be ahead of ours.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

type Texts = HashMap<String, String>;

/// What an image says of itself, from most to least believed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Claims<'a> {
    /// Of the index, its entry for the platform, and the platform's manifest.
    pub(crate) annotations: [Option<&'a Texts>; 3],
    pub(crate) labels: Option<&'a Texts>,
    /// `created` of the configuration.
    pub(crate) created: Option<&'a str>,
}

impl Claims<'_> {
    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations
            .iter()
            .flatten()
            .find_map(|texts| texts.get(key))
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    fn label(&self, key: &str) -> Option<&str> {
        self.labels.and_then(|texts| texts.get(key)).map(String::as_str)
    }

    pub(crate) fn built_at(&self, now: Timestamp) -> Option<Timestamp> {
        let annotated = self
            .annotations
            .iter()
            .flatten()
            .filter_map(|texts| texts.get(CREATED))
            .find_map(|text| credible(text, now));
        annotated.or_else(|| {
            [self.label(CREATED), self.created]
                .into_iter()
                .flatten()
                .filter_map(|text| credible(text, now))
                .max()
        })
    }

    /// The commit: as the tag names it (CI's own word), else an annotation, else a label that is not the
    /// base image's.
    pub(crate) fn commit(&self, repository: &Repository, tag: Option<&Tag>) -> Option<Commit> {
        let own_label = self.label(SOURCE).is_some_and(|source| is_source_of(source, repository));
        let said = self
            .annotation(REVISION)
            .or_else(|| if own_label { self.label(REVISION) } else { None })
            .and_then(|text| text.trim().parse::<Commit>().ok());
        match (tag.and_then(commit_of_tag), said) {
            // A tag may hold the first digits only.
            (Some(tagged), Some(said)) if said.as_str().starts_with(tagged.as_str()) => Some(said),
            (Some(tagged), _) => Some(tagged),
            (None, said) => said,
        }
    }

    pub(crate) fn source(&self, repository: &Repository) -> Option<String> {
        self.annotation(SOURCE)
            .or_else(|| self.label(SOURCE).filter(|source| is_source_of(source, repository)))
            .map(str::to_owned)
    }
}

/// The commit in a tag of the form `sha-<hex>`.
pub(crate) fn commit_of_tag(tag: &Tag) -> Option<Commit> {
    let hex = tag.as_str().strip_prefix("sha-")?;
    let lower = !hex.bytes().any(|byte| byte.is_ascii_uppercase());
    hex.parse().ok().filter(|_| lower)
}

fn credible(text: &str, now: Timestamp) -> Option<Timestamp> {
    let at: Timestamp = text.trim().parse().ok()?;
    let latest = now.checked_add(SKEW).unwrap_or(now);
    (at.as_second() >= EARLIEST && at <= latest).then_some(at)
}

/// Whether a source repository's URL is that of this image: its path begins the image's (one source, several
/// images), or ends in the image's own name.
fn is_source_of(source: &str, repository: &Repository) -> bool {
    let bare = source.split_once("://").map_or(source, |(_, rest)| rest);
    let bare = bare.split(['?', '#']).next().unwrap_or(bare).trim_end_matches('/');
    let bare = bare.strip_suffix(".git").unwrap_or(bare);
    // `git@github.com:team/app` has its path behind the colon.
    let Some((_, path)) = bare.split_once(['/', ':']) else { return false };
    let path = path.to_ascii_lowercase();
    let begins = repository
        .path()
        .strip_prefix(path.as_str())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    begins || path.rsplit('/').next() == Some(repository.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<const N: usize>(pairs: [(&str, &str); N]) -> Texts {
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn now() -> Timestamp {
        "2026-01-02T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn annotations_come_before_the_later_of_label_and_configuration() {
        let annotated = texts([(CREATED, "2025-01-01T00:00:00Z")]);
        let labelled = texts([(CREATED, "2025-06-01T00:00:00Z")]);
        let mut claims = Claims {
            annotations: [None, None, Some(&annotated)],
            labels: Some(&labelled),
            created: Some("2025-07-01T00:00:00+02:00"),
        };
        assert_eq!(claims.built_at(now()).unwrap().to_string(), "2025-01-01T00:00:00Z");
        claims.annotations = [None; 3];
        assert_eq!(claims.built_at(now()).unwrap().to_string(), "2025-06-30T22:00:00Z");
    }

    #[test]
    fn incredible_times_are_no_times() {
        for created in [
            "1970-01-01T00:00:00Z",
            "1980-01-01T00:00:01Z",
            "0001-01-01T00:00:00Z",
            "2026-01-02T01:00:00Z",
            "yesterday",
            "",
        ] {
            let claims = Claims { created: Some(created), ..Claims::default() };
            assert_eq!(claims.built_at(now()), None, "{created}");
        }
        let skewed = Claims { created: Some("2026-01-02T00:05:00Z"), ..Claims::default() };
        assert!(skewed.built_at(now()).is_some());
        let epoch = texts([(CREATED, "1970-01-01T00:00:00Z")]);
        let fallen_back = Claims {
            annotations: [Some(&epoch), None, None],
            created: Some("2025-01-01T00:00:00Z"),
            ..Claims::default()
        };
        assert!(fallen_back.built_at(now()).is_some());
    }

    #[test]
    fn a_base_images_revision_is_not_taken_for_ours() {
        let repository: Repository = "ghcr.io/team/app".parse().unwrap();
        let revision = "0123456789abcdef0123456789abcdef01234567";
        for (source, ours) in [
            ("https://github.com/team/app", true),
            ("https://github.com/Team/App.git", true),
            ("git@github.com:team/app.git", true),
            ("https://github.com/team/", true),
            ("https://github.com/team/base", false),
            ("https://github.com/nodejs/docker-node", false),
            ("nonsense", false),
            ("", false),
        ] {
            let labels = texts([(REVISION, revision), (SOURCE, source)]);
            let claims = Claims { labels: Some(&labels), ..Claims::default() };
            assert_eq!(claims.commit(&repository, None).is_some(), ours, "{source}");
        }
        let unsourced = texts([(REVISION, revision)]);
        let label = Claims { labels: Some(&unsourced), ..Claims::default() };
        assert_eq!(label.commit(&repository, None), None);
        let annotation =
            Claims { annotations: [Some(&unsourced), None, None], ..Claims::default() };
        assert_eq!(annotation.commit(&repository, None).unwrap().as_str(), revision);
    }

    #[test]
    fn a_commit_tag_names_the_commit() {
        let repository: Repository = "ghcr.io/team/app".parse().unwrap();
        let commit = |tag: &str, claims: Claims<'_>| {
            claims.commit(&repository, Some(&tag.parse().unwrap())).map(|one| one.to_string())
        };
        let said = texts([(REVISION, "0123456789abcdef0123456789abcdef01234567")]);
        let claims = Claims { annotations: [Some(&said), None, None], ..Claims::default() };
        assert_eq!(commit("sha-fffffff", claims).as_deref(), Some("fffffff"));
        assert_eq!(
            commit("sha-0123456", claims).as_deref(),
            Some("0123456789abcdef0123456789abcdef01234567")
        );
        assert_eq!(commit("sha-012345", Claims::default()), None);
        assert_eq!(commit("sha256-0123456", Claims::default()), None);
        assert_eq!(commit("latest", Claims::default()), None);
    }
}
