use std::{cmp::Ordering, fmt};

use super::{Order, TagFilter, shape};
use crate::{
    decide::Comparison,
    image::{Release, Tag},
};

/// The rule that says which tag or release of a repository is the newest.
///
/// Read from an ImagePolicy by [`Policy::from_resource`], or put together by [`Policy::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// By what the newest is told from the others.
    pub order: Order,
    /// Which tags take part; all of them where there is none.
    pub filter: Option<TagFilter>,
    /// The order was taken in the stead of the alphabet, which says nothing about commit hashes.
    pub(super) by_default: bool,
}

/// No tag qualifies: an error of the policy, never a reason to stay quiet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of {tags} tags qualifies ({matching} pass the filter): the policy asks for {asked}")]
pub struct NothingMatches {
    /// How many tags there were.
    pub tags: usize,
    /// How many of them passed the filter.
    pub matching: usize,
    /// What was asked for.
    pub asked: String,
}

impl Policy {
    /// A policy of these parts.
    pub fn new(order: Order, filter: Option<TagFilter>) -> Self {
        Self { order, filter, by_default: false }
    }

    /// Whether the order was taken in the stead of the alphabet, which says nothing about commit hashes.
    pub fn is_by_default(&self) -> bool {
        self.by_default
    }

    /// The policy in words.
    pub fn describe(&self) -> String {
        self.to_string()
    }

    /// The one tag that the policy can ever choose, where it names one literally: no list of tags is needed then.
    pub fn only_tag(&self) -> Option<String> {
        match &self.order {
            Order::Digest(tag) => Some(tag.to_string()),
            _ => self.filter.as_ref().and_then(shape::only_tag),
        }
    }

    /// Whether a tag passes the filter. Where the order reads tags, it may still leave the tag out.
    pub fn takes_part(&self, tag: &Tag) -> bool {
        self.passes(tag.as_str())
    }

    fn passes(&self, tag: &str) -> bool {
        match &self.order {
            Order::Digest(followed) => followed.as_str() == tag,
            _ => self.filter.as_ref().is_none_or(|filter| filter.pattern().is_match(tag)),
        }
    }

    /// The tags that pass the filter, in the order given.
    pub fn matching<'t>(&self, tags: &'t [String]) -> Vec<&'t str> {
        tags.iter().map(String::as_str).filter(|tag| self.passes(tag)).collect()
    }

    /// The error for a repository in which nothing qualifies.
    pub fn nothing_matches(&self, tags: &[String]) -> NothingMatches {
        NothingMatches {
            tags: tags.len(),
            matching: self.matching(tags).len(),
            asked: self.describe(),
        }
    }

    /// The key by which a tag is ordered; none where it does not take part.
    pub(super) fn key(&self, tag: &str) -> Option<String> {
        match (&self.order, &self.filter) {
            (Order::Digest(_), _) => self.passes(tag).then(|| tag.to_owned()),
            (_, Some(filter)) => filter.key(tag),
            (_, None) => Some(tag.to_owned()),
        }
    }

    /// How a release stands to another.
    ///
    /// Where the order cannot tell two images apart, their build times do. Where those are unknown too, another
    /// image under the same tag counts as newer: a tag that moved is a change.
    pub fn compare(&self, candidate: &Release, other: &Release) -> Comparison {
        if candidate.digest == other.digest {
            return Comparison::Same;
        }
        let by_time = by_time(candidate, other);
        if matches!(self.order, Order::Newest | Order::Digest(_)) {
            return by_time;
        }
        let key = |release: &Release| self.key(release.tag.as_ref()?.as_str());
        let Some((own, others)) = key(candidate).zip(key(other)) else {
            return Comparison::Unknown;
        };
        match self.order.compare(&own, &others) {
            None => Comparison::Unknown,
            Some(Ordering::Greater) => Comparison::Newer,
            Some(Ordering::Less) => Comparison::Older,
            Some(Ordering::Equal) if by_time != Comparison::Unknown => by_time,
            Some(Ordering::Equal) if candidate.tag == other.tag => Comparison::Newer,
            // As `select` chooses between equals.
            Some(Ordering::Equal) => {
                let is_taken = match self.order {
                    _ if own == others => candidate.tag < other.tag,
                    Order::Semver(_) => own > others,
                    _ => own < others,
                };
                if is_taken { Comparison::Newer } else { Comparison::Older }
            }
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.order)?;
        if let (Some(filter), false) = (&self.filter, matches!(self.order, Order::Digest(_))) {
            write!(formatter, " of the tags that match `{}`", filter.pattern())?;
            if let (Some(extract), false) = (filter.extract(), self.order == Order::Newest) {
                write!(formatter, ", by the key `{extract}`")?;
            }
        }
        if self.by_default {
            formatter.write_str(
                " (in the stead of the alphabet, which says nothing about the time of commit hashes)",
            )?;
        }
        Ok(())
    }
}

fn by_time(candidate: &Release, other: &Release) -> Comparison {
    match candidate.built_at.zip(other.built_at).map(|(candidate, other)| candidate.cmp(&other)) {
        Some(Ordering::Greater) => Comparison::Newer,
        Some(Ordering::Less) => Comparison::Older,
        Some(Ordering::Equal) | None => Comparison::Unknown,
    }
}
