use std::{cmp::Ordering, fmt};

use super::{Range, Version, number};
use crate::{image::Tag, resources::SortOrder};

/// By what the newest is told from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The release that was built last. Tags alone do not tell.
    Newest,
    /// The highest version in a range.
    Semver(Range),
    /// Bytewise: `asc` takes the last, `desc` the first.
    Alphabetical(SortOrder),
    /// By value: `asc` takes the largest, `desc` the smallest.
    Numerical(SortOrder),
    /// One tag is followed; what it points at is the newest.
    Digest(Tag),
}

/// Why no tag can be chosen, whatever matches.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SelectError {
    /// One key is not a number, which fails the whole policy, as in Flux.
    #[error(
        "`{key}` is not a number: a numerical order needs every key to be one; let `filterTags.extract` take the number out of the tag, or `filterTags.pattern` leave the tag out"
    )]
    NotANumber {
        /// The first key that is none.
        key: String,
    },
    /// The order is that of build times.
    #[error(
        "tags do not say when their images were built: look at the images to order them by time"
    )]
    NeedsBuildTimes,
}

impl Order {
    /// What the order is called in policies, decisions and output.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Semver(_) => "semver",
            Self::Alphabetical(_) => "alphabetical",
            Self::Numerical(_) => "numerical",
            Self::Digest(_) => "digest",
        }
    }

    /// The position of the newest among keys, or nothing where none qualifies.
    ///
    /// Where two rank the same, the result depends on their order as it does in Flux: the first of equal versions
    /// wins, the last of equal numbers.
    pub fn latest<S: AsRef<str>>(&self, keys: &[S]) -> Result<Option<usize>, SelectError> {
        let keys = || keys.iter().map(AsRef::as_ref).enumerate();
        match self {
            Self::Newest => Err(SelectError::NeedsBuildTimes),
            Self::Digest(tag) => Ok(keys().position(|(_, key)| key == tag.as_str())),
            Self::Alphabetical(SortOrder::Asc) => {
                Ok(keys().max_by_key(|(_, key)| *key).map(|(index, _)| index))
            }
            Self::Alphabetical(SortOrder::Desc) => {
                Ok(keys().min_by_key(|(_, key)| *key).map(|(index, _)| index))
            }
            Self::Numerical(direction) => latest_number(keys(), *direction),
            Self::Semver(range) => Ok(latest_version(keys(), range)),
        }
    }

    /// How a key stands to another; nothing where the order cannot tell.
    pub(super) fn compare(&self, left: &str, right: &str) -> Option<Ordering> {
        let directed = |order: Ordering, direction: SortOrder| match direction {
            SortOrder::Asc => order,
            SortOrder::Desc => order.reverse(),
        };
        match self {
            Self::Newest | Self::Digest(_) => None,
            Self::Semver(_) => {
                let (left, right) = (Version::of_tag(left).ok()?, Version::of_tag(right).ok()?);
                Some(left.precedence(&right))
            }
            Self::Alphabetical(direction) => Some(directed(left.cmp(right), *direction)),
            Self::Numerical(direction) => {
                let order = number::parse(left)?.partial_cmp(&number::parse(right)?)?;
                Some(directed(order, *direction))
            }
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => formatter.write_str("the image that was built last"),
            Self::Semver(range) => write!(formatter, "the highest version in the range `{range}`"),
            Self::Alphabetical(SortOrder::Asc) => formatter.write_str("the last in the alphabet"),
            Self::Alphabetical(SortOrder::Desc) => formatter.write_str("the first in the alphabet"),
            Self::Numerical(SortOrder::Asc) => formatter.write_str("the largest number"),
            Self::Numerical(SortOrder::Desc) => formatter.write_str("the smallest number"),
            Self::Digest(tag) => write!(formatter, "what the tag `{tag}` points at"),
        }
    }
}

fn latest_version<'a>(
    keys: impl Iterator<Item = (usize, &'a str)>,
    range: &Range,
) -> Option<usize> {
    let mut latest: Option<(usize, Version)> = None;
    for (index, key) in keys {
        let Ok(version) = Version::of_tag(key) else { continue };
        let is_higher =
            latest.as_ref().is_none_or(|(_, highest)| version.precedence(highest).is_gt());
        if is_higher && range.contains(&version) {
            latest = Some((index, version));
        }
    }
    latest.map(|(index, _)| index)
}

fn latest_number<'a>(
    keys: impl Iterator<Item = (usize, &'a str)>,
    direction: SortOrder,
) -> Result<Option<usize>, SelectError> {
    let mut latest: Option<(usize, f64)> = None;
    for (index, key) in keys {
        let value =
            number::parse(key).ok_or_else(|| SelectError::NotANumber { key: key.to_owned() })?;
        let is_behind = latest.is_some_and(|(_, best)| match direction {
            SortOrder::Asc => value < best,
            SortOrder::Desc => value > best,
        });
        if !is_behind {
            latest = Some((index, value));
        }
    }
    Ok(latest.map(|(index, _)| index))
}
