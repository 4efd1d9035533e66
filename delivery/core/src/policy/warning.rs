use std::fmt;

/// Something about a policy that is allowed and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyWarning {
    /// The pattern matches within a tag, so that more tags take part than it seems.
    NotAnchored {
        /// The pattern.
        pattern: String,
        /// `^` is missing.
        start: bool,
        /// `$` is missing.
        end: bool,
    },
    /// The alphabet was asked for over commit hashes, and build times are used in its stead.
    HashesByTime {
        /// The pattern.
        pattern: String,
    },
    /// The alphabet is used over commit hashes because an annotation says so.
    HashesByAlphabet {
        /// The pattern.
        pattern: String,
    },
    /// No key of the filter can be a version of three parts.
    NeverVersions {
        /// The pattern.
        pattern: String,
    },
    /// The keys of the filter are commit hashes, which are no numbers.
    NeverNumbers {
        /// The pattern.
        pattern: String,
    },
    /// The template names a group that the pattern does not have: nothing is inserted for it.
    UnknownGroup {
        /// The group.
        name: String,
    },
    /// Every tag gets the same key, so that only one of them is ever seen.
    ConstantKey {
        /// The template.
        extract: String,
    },
}

impl PolicyWarning {
    /// A stable code for output, metrics and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnchored { .. } => "NotAnchored",
            Self::HashesByTime { .. } => "HashesByTime",
            Self::HashesByAlphabet { .. } => "HashesByAlphabet",
            Self::NeverVersions { .. } => "NeverVersions",
            Self::NeverNumbers { .. } => "NeverNumbers",
            Self::UnknownGroup { .. } => "UnknownGroup",
            Self::ConstantKey { .. } => "ConstantKey",
        }
    }
}

impl fmt::Display for PolicyWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnchored { pattern, start, end } => {
                let missing = match (start, end) {
                    (true, true) => "`^` and `$`",
                    (true, false) => "`^`",
                    _ => "`$`",
                };
                write!(
                    formatter,
                    "filterTags.pattern `{pattern}` has no {missing}: it also takes tags that only contain a match; anchor it"
                )
            }
            Self::HashesByTime { pattern } => write!(
                formatter,
                "the tags of `{pattern}` are commit hashes, whose alphabet says nothing about time: the image that was built last is chosen instead; the annotation mercurious.dev/order says `newest` to confirm this, or `alphabetical` to insist on the alphabet"
            ),
            Self::HashesByAlphabet { pattern } => write!(
                formatter,
                "the tags of `{pattern}` are commit hashes, whose alphabet says nothing about time: the image chosen is not the one that was built last; set the annotation mercurious.dev/order to `newest` for that"
            ),
            Self::NeverVersions { pattern } => write!(
                formatter,
                "no tag of `{pattern}` has a key that is a version of three parts: a semver policy will never choose one; order by time with the annotation mercurious.dev/order: newest, or let the pattern take versions"
            ),
            Self::NeverNumbers { pattern } => write!(
                formatter,
                "the tags of `{pattern}` are commit hashes, which are not numbers: a numerical policy fails on them; order by time with the annotation mercurious.dev/order: newest"
            ),
            Self::UnknownGroup { name } => write!(
                formatter,
                "filterTags.extract names the group `{name}`, which the pattern does not have: nothing is inserted; write `${{1}}x` where a letter, a digit or `_` follows the number of a group"
            ),
            Self::ConstantKey { extract } => write!(
                formatter,
                "filterTags.extract `{extract}` gives every tag the same key: only one of them is ever considered; insert a group of the pattern, as `$1`"
            ),
        }
    }
}
