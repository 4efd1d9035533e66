//! The newest build of a repository, told by build time, with as few requests as can be.
//!
//! **Flow.** One `HEAD` on the anchor tag (`latest`, say). Unchanged, the answer is the last one. Changed, the new
//! digest is resolved and named; only when its commit tag cannot be told are the tags listed, and only those
//! that were never seen cost a `HEAD`; only digests never seen are resolved.
//!
//! **Guarantees.** A failure changes nothing but what was learned: the cache keeps each answered tag, so the
//! next attempt goes on where this one stopped. An older build that moves the anchor back is not the newest.
//!
//! **Assumptions.** A cache belongs to one question: ask with an empty one after the anchor, the platform or what is
//! wanted was changed.
//!
//! **Caveats.** A tag that moved behind the anchor's back is seen when [`Question::thorough`] is asked.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use mercurious_core::image::{Digest, Platform, Release, Repository, Tag};
use serde::{Deserialize, Serialize};

use crate::{Keychain, RegistryClient, RegistryError};

/// Looks and resolutions under way at a time; the host's own limit stands above it.
const AT_A_TIME: usize = 16;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Where.
    pub repository: &'a Repository,
    /// A tag that moves with every build; where there is none, tags are listed each time.
    pub anchor: Option<&'a Tag>,
    /// Whether tags are looked at even if the anchor did not move, and known tags again: the slow safety net.
    pub thorough: bool,
    /// What the image must run on.
    pub platform: &'a Platform,
    /// With whose rights.
    pub keychain: &'a Keychain,
}

/// What was learned of a repository. Owned by the caller, who may keep it over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewestCache {
    /// The digest that the anchor had when everything below was complete; `None` while it is not.
    pub anchor: Option<Digest>,
    /// What each tag was last seen to be.
    pub tags: BTreeMap<Tag, Digest>,
    /// What is known of each digest.
    pub digests: BTreeMap<Digest, Known>,
}

/// What is known of one digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Known {
    /// It can be deployed. Its tag is the one it was resolved under.
    Release(Box<Release>),
    /// It cannot run here, ever; why.
    Unusable(String),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The release with the latest credible build time, with its best tag; of those without a time none is
    /// newer than another, so then it is what the anchor points to.
    pub newest: Option<Release>,
    /// Tags that were wanted and could be deployed.
    pub considered: usize,
    /// Wanted tags of images that have no credible build time.
    pub undated: BTreeSet<Tag>,
    /// Wanted tags of what cannot run here, with the reason.
    pub unusable: BTreeMap<Tag, String>,
    /// Whether anything was found to differ from the cache.
    pub changed: bool,
}

impl RegistryClient {
    /// The newest build among the tags that `wanted` picks. Signatures and attestations are never picked.
    pub async fn newest(
        &self,
        question: Question<'_>,
        wanted: impl Fn(&Tag) -> bool,
        cache: &mut NewestCache,
    ) -> Result<Answer, RegistryError> {
        let wanted = |tag: &Tag| !is_referrer_tag(tag) && wanted(tag);
        let before = cache.clone();
        let anchored = match question.anchor {
            Some(anchor) => self.look_at_anchor(question, anchor).await?,
            None => None,
        };
        let unmoved = anchored.is_some() && anchored == cache.anchor;
        if !unmoved || question.thorough {
            cache.anchor = None;
            if let Some(anchor) = question.anchor {
                match &anchored {
                    Some(digest) => cache.tags.insert(anchor.clone(), digest.clone()),
                    None => cache.tags.remove(anchor),
                };
            }
            let named = match &anchored {
                // From a cache that was complete one step leads to the next complete one.
                Some(digest) if !question.thorough && before.anchor.is_some() => {
                    self.follow_anchor(question, digest, &wanted, cache).await?
                }
                _ => false,
            };
            if !named {
                self.catch_up(question, &wanted, cache).await?;
            }
            cache.anchor.clone_from(&anchored);
        }
        let mut answer = choose(anchored.as_ref(), question.anchor, &wanted, cache);
        answer.changed = *cache != before;
        Ok(answer)
    }

    async fn look_at_anchor(
        &self,
        question: Question<'_>,
        anchor: &Tag,
    ) -> Result<Option<Digest>, RegistryError> {
        match self.head(question.repository, anchor.as_str(), question.keychain).await {
            Ok(head) => Ok(Some(head.digest)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The cheap way after the anchor moved: resolve it, and find its commit tag by name. `false` where that
    /// does not tell its tag.
    async fn follow_anchor(
        &self,
        question: Question<'_>,
        digest: &Digest,
        wanted: &impl Fn(&Tag) -> bool,
        cache: &mut NewestCache,
    ) -> Result<bool, RegistryError> {
        let named_before = cache
            .tags
            .iter()
            .any(|(tag, known)| known == digest && question.anchor != Some(tag) && wanted(tag));
        if named_before && cache.digests.contains_key(digest) {
            return Ok(true); // moved to an image that is known
        }
        let known = self.learn(question, digest, question.anchor).await?;
        cache.digests.insert(digest.clone(), known.clone());
        let Known::Release(release) = known else { return Ok(false) };
        let Some(commit) = release.commit else { return Ok(false) };
        let named = self
            .name_commit(question.repository, digest, &commit, question.keychain)
            .await?
            .filter(|tag| wanted(tag));
        let Some(tag) = named else { return Ok(false) };
        cache.tags.insert(tag, digest.clone());
        Ok(true)
    }

    /// The dear way: list, look at tags never seen, resolve digests never seen.
    async fn catch_up(
        &self,
        question: Question<'_>,
        wanted: &impl Fn(&Tag) -> bool,
        cache: &mut NewestCache,
    ) -> Result<(), RegistryError> {
        let listed: BTreeSet<Tag> = self
            .tags(question.repository, question.keychain)
            .await?
            .into_iter()
            .filter(|tag| wanted(tag) || question.anchor == Some(tag))
            .collect();
        // The anchor was looked at already, and may have been pushed after the list was made.
        cache.tags.retain(|tag, _| question.anchor == Some(tag) || listed.contains(tag));
        let unseen: Vec<&Tag> = listed
            .iter()
            .filter(|tag| Some(*tag) != question.anchor)
            .filter(|tag| question.thorough || !cache.tags.contains_key(*tag))
            .collect();
        let mut looks = stream::iter(unseen)
            .map(|tag| async move {
                (tag, self.head(question.repository, tag.as_str(), question.keychain).await)
            })
            .buffer_unordered(AT_A_TIME);
        while let Some((tag, look)) = looks.next().await {
            match look {
                Ok(head) => {
                    cache.tags.insert(tag.clone(), head.digest);
                }
                // Deleted since it was listed.
                Err(error) if error.is_not_found() => {
                    cache.tags.remove(tag);
                }
                Err(error) => return Err(error),
            }
        }
        drop(looks);
        let present: BTreeSet<Digest> = cache.tags.values().cloned().collect();
        cache.digests.retain(|digest, _| present.contains(digest));
        let unknown: BTreeMap<&Digest, &Tag> = cache
            .tags
            .iter()
            .filter(|(_, digest)| !cache.digests.contains_key(*digest))
            .map(|(tag, digest)| (digest, tag))
            .collect();
        let mut lessons = stream::iter(unknown)
            .map(|(digest, tag)| async move {
                (digest.clone(), self.learn(question, digest, Some(tag)).await)
            })
            .buffer_unordered(AT_A_TIME);
        let mut learned = Vec::new();
        let mut failed = None;
        while let Some((digest, lesson)) = lessons.next().await {
            match lesson {
                Ok(known) => learned.push((digest, known)),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        drop(lessons);
        cache.digests.extend(learned);
        failed.map_or(Ok(()), Err)
    }

    async fn learn(
        &self,
        question: Question<'_>,
        digest: &Digest,
        tag: Option<&Tag>,
    ) -> Result<Known, RegistryError> {
        let resolved = self
            .resolve(question.repository, digest, tag, question.platform, question.keychain)
            .await;
        match resolved {
            Ok(resolved) => Ok(Known::Release(Box::new(resolved.release))),
            Err(error) if error.is_unusable_image() => Ok(Known::Unusable(error.to_string())),
            Err(error) => Err(error),
        }
    }
}

/// Pure: the newest of what the cache holds.
fn choose(
    anchored: Option<&Digest>,
    anchor: Option<&Tag>,
    wanted: &impl Fn(&Tag) -> bool,
    cache: &NewestCache,
) -> Answer {
    let mut answer = Answer {
        newest: None,
        considered: 0,
        undated: BTreeSet::new(),
        unusable: BTreeMap::new(),
        changed: false,
    };
    let mut pointed_at = None;
    for (tag, digest) in cache.tags.iter().filter(|(tag, _)| wanted(tag)) {
        let release = match cache.digests.get(digest) {
            Some(Known::Release(release)) => release,
            Some(Known::Unusable(reason)) => {
                answer.unusable.insert(tag.clone(), reason.clone());
                continue;
            }
            None => continue,
        };
        answer.considered += 1;
        let release = Release { tag: Some(tag.clone()), ..(**release).clone() };
        if release.built_at.is_none() {
            answer.undated.insert(tag.clone());
            if Some(digest) == anchored {
                pointed_at = Some(better(pointed_at, release, anchor));
            }
            continue;
        }
        answer.newest = Some(better(answer.newest, release, anchor));
    }
    if answer.newest.is_none() {
        answer.newest = pointed_at;
    }
    answer
}

/// The later build; of the same image the tag that says most, which is not the anchor.
fn better(best: Option<Release>, next: Release, anchor: Option<&Tag>) -> Release {
    let rank = |release: &Release| {
        let named_by_anchor = release.tag.as_ref() == anchor;
        (release.built_at, release.digest.clone(), !named_by_anchor, release.tag.clone())
    };
    match best {
        Some(best) if rank(&best) >= rank(&next) => best,
        _ => next,
    }
}

/// `sha256-<hex>`, with or without an ending: signatures, attestations and other referrers.
fn is_referrer_tag(tag: &Tag) -> bool {
    tag.as_str().strip_prefix("sha256-").is_some_and(|rest| {
        rest.len() >= 64 && rest.as_bytes()[..64].iter().all(u8::is_ascii_hexdigit)
    })
}
