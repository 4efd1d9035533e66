use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use mercurious_core::{
    image::{Digest, Release, Tag},
    policy::{Order, Policy},
};

use super::{Look, Seen};
use crate::{
    Place,
    ports::{ImageSource, LookError},
};

/// Tags are listed at least this often, whatever the anchor says.
pub const SAFETY_NET: Duration = Duration::from_mins(10);

/// So many questions are open at once within one look.
const CONCURRENCY: usize = 16;

/// Who has more questions than this waits for its turn.
const MANY: usize = 64;

/// How much a look may assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookDepth {
    /// The usual poll: one HEAD where nothing changed.
    Poll,
    /// Somebody says that these tags moved, or that everything should be looked at again.
    Full {
        /// The tags that are said to have moved.
        moved: BTreeSet<Tag>,
    },
}

/// Looks at a repository for these policies, knowing what was seen before.
pub async fn look(
    source: &dyn ImageSource,
    place: &Place,
    policies: &[Arc<Policy>],
    before: &Seen,
    depth: LookDepth,
    now: Timestamp,
) -> Result<Look, LookError> {
    Round::new(source, place, policies, before).look(depth, now).await
}

/// What tells one set of policies from another.
pub(crate) fn described(policies: &[Arc<Policy>]) -> String {
    policies.iter().map(|policy| policy.describe()).collect::<Vec<_>>().join("; ")
}

/// One look at a repository for these policies.
pub(crate) struct Round<'a> {
    source: &'a dyn ImageSource,
    place: &'a Place,
    policies: &'a [Arc<Policy>],
    before: &'a Seen,
    seen: Seen,
    /// Tags that must be asked again even though their digest is known.
    moved: BTreeSet<Tag>,
}

/// A look before tags are asked for their digests.
struct Begun {
    listed: bool,
    unknown: BTreeSet<Tag>,
}

impl<'a> Round<'a> {
    /// Knowing what was seen before.
    pub(crate) fn new(
        source: &'a dyn ImageSource,
        place: &'a Place,
        policies: &'a [Arc<Policy>],
        before: &'a Seen,
    ) -> Self {
        let mut seen = before.clone();
        seen.passed_over.hold_for(&described(policies));
        Self { source, place, policies, before, seen, moved: BTreeSet::new() }
    }

    /// Looks, however much there is to learn.
    pub(crate) async fn look(
        mut self,
        depth: LookDepth,
        now: Timestamp,
    ) -> Result<Look, LookError> {
        let begun = self.begin(depth, now).await?;
        self.end(begun).await
    }

    /// The same, unless much is to be learned: then `None`, and whoever looks waits for its turn
    /// ([`ImageSource::turn`]).
    pub(crate) async fn glance(
        mut self,
        depth: LookDepth,
        now: Timestamp,
    ) -> Result<Option<Look>, LookError> {
        let begun = self.begin(depth, now).await?;
        if begun.unknown.len() > MANY {
            return Ok(None);
        }
        self.end(begun).await.map(Some)
    }

    async fn begin(&mut self, depth: LookDepth, now: Timestamp) -> Result<Begun, LookError> {
        let full = depth != LookDepth::Poll;
        if let LookDepth::Full { moved } = depth {
            self.seen.unusable.clear();
            self.moved = moved;
        }
        let anchors_changed = self.ask_anchors(full).await?;
        let listed = self.needs_list(full, anchors_changed, now).await?;
        if listed {
            self.list(now).await?;
        }
        Ok(Begun { listed, unknown: self.unknown(full) })
    }

    async fn end(mut self, Begun { listed, unknown }: Begun) -> Result<Look, LookError> {
        self.ask(unknown).await?;
        self.resolve().await?;
        let mut seen = self.seen;
        seen.complete = true;
        seen.prune();
        let changed = seen.differs_from(self.before);
        Ok(Look { seen, changed, listed })
    }

    /// Asks the tags that tell whether anything is new. Says whether any of them moved.
    async fn ask_anchors(&mut self, full: bool) -> Result<bool, LookError> {
        let mut anchors: BTreeSet<Tag> = BTreeSet::new();
        for policy in self.policies {
            match &policy.order {
                Order::Digest(tag) => {
                    anchors.insert(tag.clone());
                }
                _ if full || !self.seen.no_latest => {
                    anchors.insert(latest());
                }
                _ => {}
            }
        }
        let mut changed = false;
        for tag in anchors {
            let digest = self.source.head(self.place, tag.as_str()).await?;
            changed |= self.seen.anchors.get(&tag) != digest.as_ref();
            if let Some(digest) = digest {
                if self.seen.tags.contains_key(&tag) || self.is_followed(&tag) {
                    self.seen.tags.insert(tag.clone(), Some(digest.clone()));
                }
                if tag == latest() {
                    self.seen.no_latest = false;
                }
                self.moved.remove(&tag);
                self.seen.anchors.insert(tag, digest);
            } else {
                if tag == latest() {
                    self.seen.no_latest = true;
                }
                self.seen.anchors.remove(&tag);
                self.seen.tags.remove(&tag);
            }
        }
        Ok(changed)
    }

    fn is_followed(&self, tag: &Tag) -> bool {
        self.policies.iter().any(|policy| matches!(&policy.order, Order::Digest(own) if own == tag))
    }

    /// Whether tags must be listed: where their names tell what is the newest, or where somebody shows them, no digest
    /// tells whether there is a new one. A commit's own tag, asked by name, saves the listing.
    async fn needs_list(
        &mut self,
        full: bool,
        moved: bool,
        now: Timestamp,
    ) -> Result<bool, LookError> {
        let by_name =
            |policy: &Arc<Policy>| !matches!(policy.order, Order::Newest | Order::Digest(_));
        let only_shown = self.policies.is_empty();
        if only_shown || self.policies.iter().any(by_name) {
            return Ok(true);
        }
        let shown = self.place.shown;
        let follows_one = |policy: &Arc<Policy>| matches!(policy.order, Order::Digest(_));
        if !shown && self.policies.iter().all(follows_one) {
            return Ok(false);
        }
        let stale = self
            .seen
            .listed_at
            .is_none_or(|at| now.duration_since(at).unsigned_abs() >= SAFETY_NET);
        if full || stale || self.seen.no_latest {
            return Ok(true);
        }
        if !moved {
            return Ok(false);
        }
        Ok(shown || !self.name_the_newest().await?)
    }

    /// Tries to learn the commit tag of the release behind `latest` with one HEAD. Says whether it worked.
    async fn name_the_newest(&mut self) -> Result<bool, LookError> {
        let Some(digest) = self.seen.anchors.get(&latest()).cloned() else {
            return Ok(false);
        };
        self.resolve_one(&digest, None).await?;
        let Some(commit) =
            self.seen.releases.get(&digest).and_then(|release| release.commit.clone())
        else {
            return Ok(false);
        };
        let Ok(tag) = format!("sha-{commit}").parse::<Tag>() else {
            return Ok(false);
        };
        let wanted = self
            .policies
            .iter()
            .filter(|policy| matches!(policy.order, Order::Newest))
            .all(|policy| policy.takes_part(&tag));
        if !wanted || self.source.head(self.place, tag.as_str()).await? != Some(digest.clone()) {
            return Ok(false);
        }
        self.seen.tags.insert(tag, Some(digest));
        Ok(true)
    }

    async fn list(&mut self, now: Timestamp) -> Result<(), LookError> {
        let excluded = Exclusions::new(&self.place.exclusions)?;
        let listed = self.source.tags(self.place).await?;
        let mut known = std::mem::take(&mut self.seen.tags);
        for tag in listed {
            // It came after the first look: from the next poll on it tells whether anything is new.
            self.seen.no_latest &= tag != latest();
            if !excluded.covers(&tag) {
                let digest = known.remove(&tag).flatten();
                let digest = digest.or_else(|| self.seen.anchors.get(&tag).cloned());
                self.seen.tags.insert(tag, digest);
            }
        }
        self.seen.passed_over.keep_only(self.seen.tags.keys());
        self.seen.listed_at = Some(now);
        Ok(())
    }

    /// Each tag that a policy may choose and whose digest is not known or in doubt.
    fn unknown(&self, full: bool) -> BTreeSet<Tag> {
        let mut unknown: BTreeSet<Tag> =
            self.moved.iter().filter(|tag| self.seen.tags.contains_key(*tag)).cloned().collect();
        for policy in self.policies {
            match &policy.order {
                Order::Digest(_) => {}
                Order::Newest => unknown.extend(
                    self.seen
                        .tags
                        .iter()
                        .filter(|(tag, digest)| {
                            digest.is_none()
                                && policy.takes_part(tag)
                                && !self.seen.passed_over.contains(tag)
                        })
                        .map(|(tag, _)| tag.clone()),
                ),
                _ => {
                    let selected = selected_tag(policy, &self.seen);
                    unknown.extend(selected.filter(|tag| {
                        full || self.seen.tags.get(tag).is_some_and(Option::is_none)
                    }));
                }
            }
        }
        unknown
    }

    /// Asks for the digest of each of these.
    async fn ask(&mut self, unknown: BTreeSet<Tag>) -> Result<(), LookError> {
        let (source, place) = (self.source, self.place);
        let answers: Vec<(Tag, Option<Digest>)> = stream::iter(unknown)
            .map(|tag| async move {
                let digest = source.head(place, tag.as_str()).await?;
                Ok::<_, LookError>((tag, digest))
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        for (tag, digest) in answers {
            match digest {
                Some(digest) => {
                    self.seen.tags.insert(tag, Some(digest));
                }
                None => {
                    self.seen.tags.remove(&tag);
                }
            }
        }
        Ok(())
    }

    /// Resolves each distinct digest that a policy may choose, once for ever.
    async fn resolve(&mut self) -> Result<(), LookError> {
        let mut wanted: BTreeMap<Digest, Option<Tag>> = BTreeMap::new();
        for policy in self.policies {
            match &policy.order {
                Order::Newest => wanted.extend(
                    self.seen
                        .tags
                        .iter()
                        .filter(|(tag, _)| policy.takes_part(tag))
                        .filter_map(|(tag, digest)| Some((digest.clone()?, Some(tag.clone())))),
                ),
                Order::Digest(tag) => {
                    wanted.extend(
                        self.seen
                            .anchors
                            .get(tag)
                            .map(|digest| (digest.clone(), Some(tag.clone()))),
                    );
                }
                _ => {
                    let selected = selected_tag(policy, &self.seen);
                    wanted.extend(
                        selected
                            .and_then(|tag| Some((self.seen.tags.get(&tag)?.clone()?, Some(tag)))),
                    );
                }
            }
        }
        wanted.retain(|digest, _| !self.seen.knows(digest));
        let (source, place) = (self.source, self.place);
        let answers: Vec<(Digest, Result<Release, LookError>)> = stream::iter(wanted)
            .map(|(digest, tag)| async move {
                let answer = source.resolve(place, &digest, tag.as_ref()).await;
                (digest, answer)
            })
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        // What was learned is for ever, but an answer that may change makes the whole look fail.
        for (digest, answer) in answers {
            self.keep(digest, answer)?;
        }
        Ok(())
    }

    async fn resolve_one(&mut self, digest: &Digest, tag: Option<&Tag>) -> Result<(), LookError> {
        if self.seen.knows(digest) {
            return Ok(());
        }
        let answer = self.source.resolve(self.place, digest, tag).await;
        self.keep(digest.clone(), answer)
    }

    fn keep(
        &mut self,
        digest: Digest,
        answer: Result<Release, LookError>,
    ) -> Result<(), LookError> {
        match answer {
            Ok(release) => {
                self.seen.releases.insert(digest, Arc::new(release));
            }
            Err(error) if error.is_passing() => return Err(error),
            // One broken image must not blind us to all others: it is shown as what it is.
            Err(error) => {
                self.seen.unusable.insert(digest, error.to_string());
            }
        }
        Ok(())
    }
}

/// The tag that an order over tags alone selects.
pub(super) fn selected_tag(policy: &Policy, seen: &Seen) -> Option<Tag> {
    let tags: Vec<String> = seen.tags.keys().map(Tag::to_string).collect();
    policy.select(&tags).ok()?.latest?.parse().ok()
}

fn latest() -> Tag {
    "latest".parse().expect("a valid tag")
}

/// Tags that are dropped before any policy sees them.
struct Exclusions(Vec<mercurious_core::policy::TagFilter>);

impl Exclusions {
    fn new(patterns: &[String]) -> Result<Self, LookError> {
        patterns
            .iter()
            .map(|pattern| {
                mercurious_core::policy::TagFilter::new(pattern, "").map_err(|error| {
                    LookError::Failed {
                        message: format!("spec.exclusionList: `{pattern}`: {error}"),
                        retryable: false,
                    }
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn covers(&self, tag: &Tag) -> bool {
        self.0.iter().any(|filter| filter.key(tag.as_str()).is_some())
    }
}
