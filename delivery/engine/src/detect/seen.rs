use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    pub releases: BTreeMap<Digest, Arc<Release>>,
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
    /// Tags that were left out when this was cut short.
    #[serde(default, skip_serializing_if = "PassedOver::is_empty")]
    pub passed_over: PassedOver,
}

impl Seen {
    /// Forgets digests that no tag and no anchor names any more.
    pub(super) fn prune(&mut self) {
        let named: BTreeSet<Digest> =
            self.tags.values().flatten().chain(self.anchors.values()).cloned().collect();
        self.releases.retain(|digest, _| named.contains(digest));
        self.unusable.retain(|digest, _| named.contains(digest));
    }

    /// Whether a policy may choose differently: not for the time of a listing, nor for other words about a digest
    /// that still cannot be deployed, which name the tag that happened to lead to it.
    pub fn differs_from(&self, before: &Self) -> bool {
        let Self {
            tags,
            releases,
            unusable,
            anchors,
            no_latest,
            complete,
            passed_over,
            listed_at: _,
        } = self;
        !(tags == &before.tags
            && releases == &before.releases
            && unusable.keys().eq(before.unusable.keys())
            && anchors == &before.anchors
            && no_latest == &before.no_latest
            && complete == &before.complete
            && passed_over == &before.passed_over)
    }

    /// What a later process needs of it: so many of the newest releases, and what is anchored. Of the other tags that
    /// were asked only that they were is remembered, so that they are not asked again.
    ///
    /// A home that has little room for its state keeps this.
    #[must_use]
    pub fn cut(&self, releases: usize, policies: &str) -> Self {
        let mut newest: Vec<&Arc<Release>> = self.releases.values().collect();
        newest.sort_by_key(|release| std::cmp::Reverse((release.built_at, &release.digest)));
        let kept: BTreeSet<&Digest> = newest
            .into_iter()
            .take(releases)
            .map(|release| &release.digest)
            .chain(self.anchors.values())
            .collect();
        let mut passed_over = self.passed_over.clone();
        passed_over.hold_for(policies);
        let mut tags = BTreeMap::new();
        for (tag, digest) in &self.tags {
            match digest {
                Some(known) if kept.contains(known) => {
                    tags.insert(tag.clone(), digest.clone());
                }
                Some(_) => {
                    passed_over.insert(tag, policies);
                }
                None => {}
            }
        }
        let mut cut = Self { tags, passed_over, ..self.clone() };
        cut.prune();
        cut
    }

    /// How many tags there are, those of which only a mark is kept among them.
    pub fn count(&self) -> usize {
        let named = self.tags.keys().filter(|tag| !self.passed_over.contains(tag)).count();
        named + self.passed_over.tags.len()
    }

    /// Whether all is known of this digest that can be.
    pub(super) fn knows(&self, digest: &Digest) -> bool {
        self.releases.contains_key(digest) || self.unusable.contains_key(digest)
    }
}

/// Tags that were asked and are older than what is remembered, as short marks: a thousand take 5 kB.
///
/// Two tags have the same mark once in 2^40: a new tag whose `latest` moved is found all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// The policies that they were asked for: another policy may choose among them.
    policies: String,
    /// In order.
    #[serde(default, rename = "marks", with = "marks")]
    tags: Vec<Mark>,
}

impl PassedOver {
    fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Forgets everything unless it holds for these policies.
    pub(super) fn hold_for(&mut self, policies: &str) {
        if self.policies != policies {
            self.policies.clear();
            self.tags.clear();
        }
    }

    /// Forgets those that are not among all tags that there are.
    pub(super) fn keep_only<'a>(&mut self, tags: impl Iterator<Item = &'a Tag>) {
        if self.tags.is_empty() {
            return;
        }
        let there: BTreeSet<Mark> = tags.map(mark).collect();
        self.tags.retain(|mark| there.contains(mark));
    }

    fn insert(&mut self, tag: &Tag, policies: &str) {
        policies.clone_into(&mut self.policies);
        let mark = mark(tag);
        if let Err(place) = self.tags.binary_search(&mark) {
            self.tags.insert(place, mark);
        }
    }

    pub(super) fn contains(&self, tag: &Tag) -> bool {
        !self.tags.is_empty() && self.tags.binary_search(&mark(tag)).is_ok()
    }
}

/// The first 40 bits of a tag's FNV-1a hash.
type Mark = [u8; 5];

fn mark(tag: &Tag) -> Mark {
    let hash = tag.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let [first @ .., _, _, _] = hash.to_be_bytes();
    first
}

/// Ten hexadecimal digits a mark, in one string.
mod marks {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use super::Mark;

    pub(super) fn serialize<S: Serializer>(
        marks: &[Mark],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text: String = marks.as_flattened().iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Mark>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut marks = text
            .as_bytes()
            .chunks(2 * size_of::<Mark>())
            .map(|digits| {
                std::str::from_utf8(digits)
                    .ok()
                    .filter(|digits| digits.len() == 2 * size_of::<Mark>())
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                    .map(|bits| {
                        let [_, _, _, mark @ ..] = bits.to_be_bytes();
                        mark
                    })
                    .ok_or_else(|| D::Error::custom("not a list of marks"))
            })
            .collect::<Result<Vec<Mark>, _>>()?;
        // They are looked for in order.
        marks.sort_unstable();
        Ok(marks)
    }
}

/// What a look brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// All that is known now.
    pub seen: Seen,
    /// Whether a policy may choose differently now.
    pub changed: bool,
    /// Whether the tags were listed, so that all are known.
    pub listed: bool,
}

/// A map keyed by digest is a list of releases in JSON: the key is in the value.
mod releases {
    use std::{collections::BTreeMap, sync::Arc};

    use mercurious_core::image::{Digest, Release};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        releases: &BTreeMap<Digest, Arc<Release>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(releases.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Digest, Arc<Release>>, D::Error> {
        let list = Vec::<Arc<Release>>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|release| (release.digest.clone(), release)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_passed_over_is_known_after_it_was_written_and_read() {
        let tags: Vec<Tag> =
            (0..500).map(|number| format!("sha-{number:07x}").parse().unwrap()).collect();
        let mut passed_over = PassedOver::default();
        for tag in &tags[..250] {
            passed_over.insert(tag, "the newest");
        }
        let written = serde_json::to_value(&passed_over).unwrap();
        assert_eq!(written["marks"].as_str().map(str::len), Some(250 * 10));
        let read: PassedOver = serde_json::from_value(written).unwrap();
        assert_eq!(read, passed_over);
        assert!(tags[..250].iter().all(|tag| read.contains(tag)));
        assert!(!tags[250..].iter().any(|tag| read.contains(tag)));
        for damaged in ["0123456789abc", "012345678g", "0123456789é"] {
            let damaged = serde_json::json!({ "policies": "", "marks": damaged });
            assert!(serde_json::from_value::<PassedOver>(damaged).is_err());
        }
    }
}
