use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{Version, range::Operator};

/// The longest range that is read, in bytes: Masterminds/semver v3.5.0 refuses longer ones.
const MAXIMUM_LENGTH: usize = 512;

/// The most alternatives that a range may have, as in Masterminds/semver v3.5.0.
const MAXIMUM_ALTERNATIVES: usize = 32;

/// White space as RE2 understands it.
const SPACE: &str = r"[\t\n\f\r ]*";

const OPERATOR: &str = r"(?<operator>!=|>=|<=|=>|=<|~>|[=<>~^])?";

/// A version whose parts may be `x`, `X` or `*`. The bar within a part is a slip of the original grammar that
/// decides how `1||2.0 - 3.0` is read, so it is kept; a part that contains it is refused as a number later.
const VERSION: &str = r"(?<version>v?(?<major>[0-9xX*|]+)(?:\.(?<minor>[0-9xX*|]+))?(?:\.(?<patch>[0-9xX*|]+))?(?<prerelease>-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)";

/// `a - b`, with the white space around it.
static HYPHEN: LazyLock<Regex> = LazyLock::new(|| {
    let (from, to) = (rename(VERSION, "from"), rename(VERSION, "to"));
    compile(&format!(r"{SPACE}{from}[\t\n\f\r ]+-[\t\n\f\r ]+{to}{SPACE}"))
});

/// One comparator, taken apart.
static COMPARATOR: LazyLock<Regex> =
    LazyLock::new(|| compile(&format!("{OPERATOR}{SPACE}{VERSION}")));

/// Comparators separated by white space or commas.
static ALTERNATIVE: LazyLock<Regex> = LazyLock::new(|| {
    let comparator = |name: &str| rename(&format!("{OPERATOR}{SPACE}{VERSION}{SPACE}"), name);
    let (first, next) = (comparator("first"), comparator("next"));
    compile(&format!(r"^{SPACE}{first}(?:(?:[\t\n\f\r ]+|,{SPACE}){next})*$"))
});

/// Gives every group of a fragment a name of its own, so that the fragment can stand in a pattern twice.
fn rename(fragment: &str, prefix: &str) -> String {
    fragment.replace("(?<", &format!("(?<{prefix}_"))
}

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant that the tests compile")
}

/// Why a text is not a range.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RangeError {
    /// Too long.
    #[error("the range is {length} characters long; at most {MAXIMUM_LENGTH} are read")]
    TooLong {
        /// In bytes.
        length: usize,
    },
    /// Too many alternatives.
    #[error("the range has {count} alternatives; at most {MAXIMUM_ALTERNATIVES} are read")]
    TooManyAlternatives {
        /// How many there are.
        count: usize,
    },
    /// An alternative that is not a list of comparators.
    #[error(
        "`{part}` is not a range of versions: expected comparators as `>=1.2.0 <2.0.0`, `1.x`, `^1.2` or `1.2 - 2.0`, alternatives separated by `||`"
    )]
    Malformed {
        /// The alternative as it was understood.
        part: String,
    },
    /// A range with a hyphen that has no separator before it.
    #[error(
        "`{part}` cannot be read: in front of `a - b` only ` || ` or `, ` may stand, with its space"
    )]
    HyphenInTheMiddle {
        /// The range.
        part: String,
    },
    /// A comparator whose version is none.
    #[error("`{part}` names no version")]
    Version {
        /// The comparator.
        part: String,
    },
}

/// One comparator of a range.
#[derive(Clone, Debug)]
pub(super) struct Comparator {
    pub(super) operator: Operator,
    /// Parts that were left out, or written `x`, are zero.
    pub(super) version: Version,
    pub(super) precision: Precision,
}

/// Which part of a comparator's version is the last that is written as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// `*`
    Any,
    /// `1`, `1.x`, `1.x.3`
    Major,
    /// `1.2`, `1.2.x`
    Minor,
    /// `1.2.3`
    Patch,
}

/// Reads a range: alternatives of which one must hold, each a list of comparators of which all must hold.
pub(super) fn parse(text: &str) -> Result<Vec<Vec<Comparator>>, RangeError> {
    if text.len() > MAXIMUM_LENGTH {
        return Err(RangeError::TooLong { length: text.len() });
    }
    let rewritten = without_hyphens(text);
    let alternatives: Vec<&str> = rewritten.split("||").collect();
    if alternatives.len() > MAXIMUM_ALTERNATIVES {
        return Err(RangeError::TooManyAlternatives { count: alternatives.len() });
    }
    alternatives
        .into_iter()
        .map(|alternative| {
            if !ALTERNATIVE.is_match(alternative) {
                return Err(malformed(text, alternative, rewritten != text));
            }
            COMPARATOR.captures_iter(alternative).map(|found| comparator(&found)).collect()
        })
        .collect()
}

/// Rewrites `a - b` as two comparators. The white space around it goes too, and nothing replaces what went in
/// front: Masterminds' grammar therefore refuses `>1 2.0 - 3.0`, and so does this.
fn without_hyphens(text: &str) -> String {
    let mut rewritten = text.to_owned();
    for found in HYPHEN.captures_iter(text) {
        let pair = format!(">= {}, <= {} ", &found["from_version"], &found["to_version"]);
        rewritten = rewritten.replacen(&found[0], &pair, 1);
    }
    rewritten
}

fn malformed(text: &str, alternative: &str, has_hyphen: bool) -> RangeError {
    if has_hyphen {
        RangeError::HyphenInTheMiddle { part: text.to_owned() }
    } else {
        RangeError::Malformed { part: alternative.trim().to_owned() }
    }
}

fn comparator(found: &Captures<'_>) -> Result<Comparator, RangeError> {
    let part = |name: &str| found.name(name).map(|part| part.as_str());
    let is_open = |part: Option<&str>| matches!(part, None | Some("x" | "X" | "*"));
    let (major, minor) = (part("major").unwrap_or_default(), part("minor").unwrap_or_default());
    let prerelease = part("prerelease").unwrap_or_default();

    let (precision, version) = if is_open(Some(major)) {
        (Precision::Any, format!("0.0.0{prerelease}"))
    } else if is_open(part("minor")) {
        (Precision::Major, format!("{major}.0.0{prerelease}"))
    } else if is_open(part("patch")) {
        (Precision::Minor, format!("{major}.{minor}.0{prerelease}"))
    } else {
        (Precision::Patch, found["version"].to_owned())
    };
    let version = Version::coerce(&version)
        .map_err(|_| RangeError::Version { part: found[0].trim().to_owned() })?;

    let operator = match part("operator") {
        Some("!=") => Operator::NotEqual,
        Some(">") => Operator::Greater,
        Some(">=" | "=>") => Operator::GreaterOrEqual,
        Some("<") => Operator::Less,
        Some("<=" | "=<") => Operator::LessOrEqual,
        Some("~" | "~>") => Operator::Tilde,
        Some("^") => Operator::Caret,
        _ => Operator::Equal,
    };
    Ok(Comparator { operator, version, precision })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_masterminds_refuses_is_refused() {
        for bad in [
            "",
            " ",
            "1.0.0p",
            "1x",
            "x1",
            "-1",
            "a",
            "*-*",
            "||",
            "1 ||",
            "^",
            ">1 <",
            "==1.2.3",
            "1.2.3.4",
            "1.2.3 -2.3.4",
            ">=1<2",
            "1|2",
            "1.2.3-01",
            ">1 2.0 - 3.0",
            "99999999999999999999.0.0",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for good in ["1 || 2.0 - 3.0", ">1, 2.0 - 3.0", " >= 1 , < 2 ", "=>v1", "~> 1.x-0"] {
            assert!(parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn bounds_are_those_of_the_original() {
        assert_eq!(parse(&"1".repeat(513)).unwrap_err(), RangeError::TooLong { length: 513 });
        let many = |count| vec!["1"; count].join(" || ");
        assert!(parse(&many(32)).is_ok());
        assert_eq!(parse(&many(33)).unwrap_err(), RangeError::TooManyAlternatives { count: 33 });
    }

    #[test]
    fn the_message_says_what_is_wrong() {
        assert_eq!(
            parse(">1 2.0 - 3.0").unwrap_err().to_string(),
            "`>1 2.0 - 3.0` cannot be read: in front of `a - b` only ` || ` or `, ` may stand, with its space"
        );
        assert_eq!(parse("=1.2.3-01").unwrap_err().to_string(), "`=1.2.3-01` names no version");
    }
}
