use std::collections::BTreeMap;

use jiff::Timestamp;
use mercurious_core::image::{Digest, Release, Tag};
use serde::{Deserialize, Serialize};

/// What is known of one repository from all looks so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The tags that there are, less the excluded ones, with the digest of those that were asked.
    #[serde(default)]
    pub tags: BTreeMap<Tag, Option<Digest>>,
    /// All that is known of a digest.
    #[serde(default, with = "releases")]
    pub releases: BTreeMap<Digest, Release>,
    /// Digests that cannot be deployed, and why.
    #[serde(default)]
    pub unusable: BTreeMap<Digest, String>,
    /// The digest of each tag that is asked on every look.
    #[serde(default)]
    pub anchors: BTreeMap<Tag, Digest>,
    /// Whether the repository has no tag `latest`, so that only a listing tells of something new.
    #[serde(default)]
    pub no_latest: bool,
    /// When the tags were last listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_at: Option<Timestamp>,
    /// Whether at least one look succeeded.
    #[serde(default)]
    pub complete: bool,
}

impl Seen {
    /// Forgets digests that no tag and no anchor names any more.
    pub(super) fn prune(&mut self) {
        let named: std::collections::BTreeSet<Digest> =
            self.tags.values().flatten().chain(self.anchors.values()).cloned().collect();
        self.releases.retain(|digest, _| named.contains(digest));
        self.unusable.retain(|digest, _| named.contains(digest));
    }

    /// Whether a policy may choose differently: not for the time of a listing, nor for other words about a digest
    /// that still cannot be deployed, which name the tag that happened to lead to it.
    pub(super) fn differs_from(&self, before: &Self) -> bool {
        let facts = |seen: &Self| Self {
            listed_at: None,
            unusable: seen.unusable.keys().map(|digest| (digest.clone(), String::new())).collect(),
            ..seen.clone()
        };
        facts(self) != facts(before)
    }

    /// Whether all is known of this digest that can be.
    pub(super) fn knows(&self, digest: &Digest) -> bool {
        self.releases.contains_key(digest) || self.unusable.contains_key(digest)
    }
}

/// What a look brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// All that is known now.
    pub seen: Seen,
    /// Whether a policy may choose differently now.
    pub changed: bool,
}

/// A map keyed by digest is a list of releases in JSON: the key is in the value.
mod releases {
    use std::collections::BTreeMap;

    use mercurious_core::image::{Digest, Release};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        releases: &BTreeMap<Digest, Release>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(releases.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Digest, Release>, D::Error> {
        let list = Vec::<Release>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|release| (release.digest.clone(), release)).collect())
    }
}
