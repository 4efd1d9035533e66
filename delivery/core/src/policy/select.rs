use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{NothingMatches, Order, Policy, SelectError, Version};
use crate::resources::SortOrder;

/// The tag that a policy chooses, and why the others are not chosen. Printed as it is by `mercurious policy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// The tag chosen; none where nothing qualifies, which is an error of the policy: see [`Selection::chosen`].
    pub latest: Option<String>,
    /// Every tag, in the order given.
    pub tags: Vec<TagVerdict>,
    #[serde(skip)]
    nothing: Option<NothingMatches>,
}

/// What a policy makes of one tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TagVerdict {
    /// The tag.
    pub tag: String,
    /// The key by which it is ordered; none where the filter leaves it out.
    pub key: Option<String>,
    /// Whether it could have been chosen.
    pub matched: bool,
    /// In words.
    pub reason: String,
}

impl Selection {
    /// The tag chosen, or what was asked for and how much was there.
    pub fn chosen(&self) -> Result<&str, NothingMatches> {
        match (&self.latest, &self.nothing) {
            (Some(tag), _) => Ok(tag),
            (None, Some(nothing)) => Err(nothing.clone()),
            (None, None) => Err(NothingMatches { tags: 0, matching: 0, asked: String::new() }),
        }
    }
}

/// A tag that takes part, and its key.
struct Entry<'t> {
    tag: &'t str,
    key: String,
}

impl Policy {
    /// Chooses among the tags of a registry; the answer does not depend on the order in which they are given.
    ///
    /// Of several tags with one key the bytewise smallest stands for all; of equal versions the one with the largest
    /// key is chosen, of equal numbers the one with the smallest: so does Flux, which lists tags from the largest to
    /// the smallest, wherever its answer is the same each time.
    pub fn select(&self, tags: &[String]) -> Result<Selection, SelectError> {
        self.select_among(tags, &self.entries(tags))
    }

    /// Chooses among tags as somebody lists them: of equal ones the first is chosen. With a filter the order is
    /// that of [`Policy::select`].
    pub fn select_as_given(&self, tags: &[String]) -> Result<Selection, SelectError> {
        if self.filter.is_some() {
            return self.select(tags);
        }
        let mut seen = BTreeSet::new();
        let entries: Vec<Entry<'_>> = tags
            .iter()
            .filter_map(|tag| Some(Entry { tag, key: self.key(tag)? }))
            .filter(|entry| seen.insert(entry.tag))
            .collect();
        self.select_among(tags, &entries)
    }

    fn select_among(
        &self,
        tags: &[String],
        entries: &[Entry<'_>],
    ) -> Result<Selection, SelectError> {
        let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let latest = self.order.latest(&keys)?.map(|index| &entries[index]);
        let verdict = |tag: &String| {
            let key = self.key(tag);
            let (matched, reason) = match &key {
                None => (false, self.why_left_out(tag)),
                Some(key) => self.judge(tag, key, latest),
            };
            TagVerdict { tag: tag.clone(), key, matched, reason }
        };
        Ok(Selection {
            latest: latest.map(|entry| entry.tag.to_owned()),
            tags: tags.iter().map(verdict).collect(),
            nothing: latest.is_none().then(|| self.nothing_matches(tags)),
        })
    }

    /// The tags that take part with their keys, each key once, from the largest key to the smallest.
    fn entries<'t>(&self, tags: &'t [String]) -> Vec<Entry<'t>> {
        let keyed = tags.iter().filter_map(|tag| Some((self.key(tag)?, tag.as_str())));
        let mut entries = BTreeMap::new();
        for (key, tag) in keyed {
            let kept = entries.entry(key).or_insert(tag);
            *kept = tag.min(*kept);
        }
        entries.into_iter().rev().map(|(key, tag)| Entry { tag, key }).collect()
    }

    fn why_left_out(&self, tag: &str) -> String {
        match (&self.order, &self.filter) {
            (Order::Digest(followed), _) => format!("is not the tag `{followed}` that is followed"),
            (_, Some(filter)) => format!("does not match the filter `{}`", filter.pattern()),
            (_, None) => format!("`{tag}` does not take part"),
        }
    }

    /// Whether a tag that passed the filter qualifies, and why it is or is not chosen.
    fn judge(&self, tag: &str, key: &str, latest: Option<&Entry<'_>>) -> (bool, String) {
        if let Order::Semver(range) = &self.order {
            let version = match Version::of_tag(key) {
                Ok(version) => version,
                Err(error) => return (false, format!("`{key}` cannot be read: {error}")),
            };
            if !range.contains(&version) {
                let reason = if version.is_prerelease() && !range.admits_prereleases() {
                    format!("pre-release; the range `{range}` names none")
                } else {
                    format!("outside the range `{range}`")
                };
                return (false, reason);
            }
        }
        let Some(latest) = latest else { return (true, "cannot be ordered".to_owned()) };
        if tag == latest.tag {
            return (true, format!("chosen: {}", self.distinction()));
        }
        if key == latest.key {
            return (true, format!("has the key `{key}` too, for which `{}` stands", latest.tag));
        }
        (true, self.why_behind(key, latest))
    }

    fn distinction(&self) -> &'static str {
        match &self.order {
            Order::Newest => "built last",
            Order::Semver(_) => "highest version",
            Order::Alphabetical(SortOrder::Asc) => "last in the alphabet",
            Order::Alphabetical(SortOrder::Desc) => "first in the alphabet",
            Order::Numerical(SortOrder::Asc) => "largest number",
            Order::Numerical(SortOrder::Desc) => "smallest number",
            Order::Digest(_) => "the tag that is followed",
        }
    }

    fn why_behind(&self, key: &str, latest: &Entry<'_>) -> String {
        let best = if latest.key == latest.tag {
            latest.key.clone()
        } else {
            format!("{} ({})", latest.key, latest.tag)
        };
        match self.order.compare(key, &latest.key) {
            Some(order) if order.is_eq() => {
                return format!("ranks the same as {best}, which is taken");
            }
            Some(_) => {}
            None => return format!("`{best}` is taken"),
        }
        let relation = match &self.order {
            Order::Semver(_) => "higher",
            Order::Alphabetical(SortOrder::Asc) => "later in the alphabet",
            Order::Alphabetical(SortOrder::Desc) => "earlier in the alphabet",
            Order::Numerical(SortOrder::Asc) => "larger",
            Order::Numerical(SortOrder::Desc) => "smaller",
            Order::Newest | Order::Digest(_) => "taken",
        };
        format!("{best} is {relation}")
    }
}
