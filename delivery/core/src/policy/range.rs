use std::fmt;

use super::{
    Version,
    range_grammar::{self, Comparator, Precision, RangeError},
};

/// A range of versions in the grammar of Masterminds/semver v3.5.0, which Flux uses.
///
/// Not Cargo's grammar: `1.2.3` means just that, `1.2` means `~1.2`, alternatives are separated by `||`, and
/// pre-releases take part only in an alternative that names one.
#[derive(Clone, Debug)]
pub struct Range {
    text: String,
    alternatives: Vec<Alternative>,
}

/// Comparators of which all must hold.
#[derive(Clone, Debug)]
struct Alternative {
    comparators: Vec<Comparator>,
    /// Whether any comparator names a pre-release: then, and only then, pre-releases take part.
    prereleases: bool,
}

impl Range {
    /// Reads a range; spaces around it do not count.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let alternatives = range_grammar::parse(text)?
            .into_iter()
            .map(|comparators| Alternative {
                prereleases: comparators.iter().any(|one| one.version.is_prerelease()),
                comparators,
            })
            .collect();
        Ok(Self { text: text.to_owned(), alternatives })
    }

    /// Whether a version lies in the range.
    pub fn contains(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|alternative| {
            (alternative.prereleases || !version.is_prerelease())
                && alternative.comparators.iter().all(|comparator| comparator.admits(version))
        })
    }

    /// Whether pre-releases can take part at all.
    pub fn admits_prereleases(&self) -> bool {
        self.alternatives.iter().any(|alternative| alternative.prereleases)
    }
}

impl PartialEq for Range {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Range {}

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// What a comparator asks of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `=`, or nothing
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`, `=>`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`, `=<`
    LessOrEqual,
    /// `~`, `~>`
    Tilde,
    /// `^`
    Caret,
}

impl Comparator {
    /// Whether the version satisfies it; whether pre-releases take part is the alternative's affair.
    fn admits(&self, version: &Version) -> bool {
        let bound = &self.version;
        let rank = version.precedence(bound);
        let same_major = version.major == bound.major;
        let same_minor = same_major && version.minor == bound.minor;
        match (self.operator, self.precision) {
            (Operator::Equal, Precision::Patch) => rank.is_eq(),
            (Operator::Equal | Operator::Tilde, _) => rank.is_ge() && self.tilde(version),

            (Operator::NotEqual, Precision::Major) => !same_major,
            (Operator::NotEqual, Precision::Minor) => {
                !same_minor || version.prerelease != bound.prerelease
            }
            (Operator::NotEqual, _) => rank.is_ne(),

            // `>11` begins at 12.0.0, `>11.1` at 11.2.0.
            (Operator::Greater, Precision::Major) => version.major > bound.major,
            (Operator::Greater, Precision::Minor) => {
                (version.major, version.minor) > (bound.major, bound.minor)
            }
            (Operator::Greater, _) => rank.is_gt(),

            (Operator::GreaterOrEqual, _) => rank.is_ge(),
            (Operator::Less, _) => rank.is_lt(),

            // `<=2` ends before 3.0.0, `<=2.1` before 2.2.0.
            (Operator::LessOrEqual, Precision::Patch) => rank.is_le(),
            (Operator::LessOrEqual, Precision::Major) => version.major <= bound.major,
            (Operator::LessOrEqual, _) => {
                (version.major, version.minor) <= (bound.major, bound.minor)
            }

            (Operator::Caret, precision) => rank.is_ge() && self.caret(version, precision),
        }
    }

    /// The upper end of `~`: the next minor version, or the next major one where no minor part is written.
    fn tilde(&self, version: &Version) -> bool {
        let bound = &self.version;
        let zero = (bound.major, bound.minor, bound.patch) == (0, 0, 0);
        if zero && matches!(self.precision, Precision::Any | Precision::Patch) {
            // `~0.0.0` has no upper end in Masterminds' grammar, and `*` is read as it.
            return true;
        }
        version.major == bound.major
            && (self.precision == Precision::Major || version.minor == bound.minor)
    }

    /// The upper end of `^`: the first part that is not zero stays.
    fn caret(&self, version: &Version, precision: Precision) -> bool {
        let bound = &self.version;
        if version.major != bound.major {
            return false;
        }
        if bound.major > 0 || precision == Precision::Major {
            return true;
        }
        version.minor == bound.minor
            && (bound.minor > 0 || precision == Precision::Minor || version.patch == bound.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted<'a>(range: &str, versions: &[&'a str]) -> Vec<&'a str> {
        let range = Range::parse(range).unwrap();
        versions
            .iter()
            .copied()
            .filter(|version| range.contains(&Version::of_tag(version).unwrap()))
            .collect()
    }

    #[test]
    fn a_range_admits_what_masterminds_admits() {
        let versions = [
            "0.0.3", "0.0.4", "0.2.3", "0.2.9", "0.3.0", "1.1.9", "1.2.0", "1.2.3", "1.3.0",
            "2.0.0",
        ];
        for (range, expected) in [
            ("1.2", &["1.2.0", "1.2.3"][..]),
            ("1.2.3", &["1.2.3"]),
            ("^0.2.3", &["0.2.3", "0.2.9"]),
            ("^0.0.3", &["0.0.3"]),
            (">1", &["2.0.0"]),
            ("<=1.2", &["0.0.3", "0.0.4", "0.2.3", "0.2.9", "0.3.0", "1.1.9", "1.2.0", "1.2.3"]),
            ("1.1 - 1.2.0", &["1.1.9", "1.2.0"]),
            ("~1.2.1 || 2.x", &["1.2.3", "2.0.0"]),
            (">=1.2.0, !=1.2.3 <2", &["1.2.0", "1.3.0"]),
            // These two surprise, and are so upstream.
            ("^*", &[]),
            ("!=*", &versions),
        ] {
            assert_eq!(admitted(range, &versions), expected, "{range}");
        }
        assert_eq!(admitted("*", &versions), versions);
    }

    #[test]
    fn prereleases_take_part_only_where_one_is_named() {
        let versions = ["1.0.0-rc.1", "1.0.0", "1.1.0-rc.1"];
        assert_eq!(admitted(">=0.1.0", &versions), ["1.0.0"]);
        assert_eq!(admitted(">=0.1.0-0", &versions), versions);
        assert_eq!(admitted("1.1.0-rc.1 || 1.0.0", &versions), ["1.0.0", "1.1.0-rc.1"]);
        assert!(!Range::parse(">=0.1.0").unwrap().admits_prereleases());
    }
}
