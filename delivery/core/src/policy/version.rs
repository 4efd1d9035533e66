use std::{cmp::Ordering, fmt};

/// The longest version that is read, in bytes: Masterminds/semver v3.5.0 refuses longer ones.
const MAXIMUM_LENGTH: usize = 256;

/// A semantic version, read as leniently as Flux reads tags: a leading `v`, leading zeros and missing parts are
/// accepted, and the text is kept as it was written.
///
/// Versions have no `Ord`: two that differ in build metadata alone are different texts of the same rank, which
/// [`Version::precedence`] says.
#[derive(Clone, Debug)]
pub struct Version {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) patch: u64,
    /// Empty for a release.
    pub(super) prerelease: String,
    original: String,
}

/// Why a text is not a version.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum VersionError {
    /// A tag must write all three parts.
    #[error("not a version of three parts")]
    Parts,
    /// Too long.
    #[error("longer than {MAXIMUM_LENGTH} characters")]
    TooLong,
    /// Something that no version contains.
    #[error("not a version")]
    Syntax,
    /// A part does not fit 64 bits.
    #[error("a part of the version is larger than 64 bits")]
    TooLarge,
    /// A number of the pre-release begins with a zero.
    #[error("a number in the pre-release begins with 0")]
    LeadingZero,
}

impl Version {
    /// Reads a tag: three parts at least must be separated by dots, as Flux demands.
    pub fn of_tag(text: &str) -> Result<Self, VersionError> {
        if text.bytes().filter(|byte| *byte == b'.').count() < 2 {
            return Err(VersionError::Parts);
        }
        Self::coerce(text)
    }

    /// Reads a version that may leave out its minor and patch parts.
    pub(super) fn coerce(text: &str) -> Result<Self, VersionError> {
        if text.len() > MAXIMUM_LENGTH {
            return Err(VersionError::TooLong);
        }
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        let major = take_number(&mut rest)?.ok_or(VersionError::Syntax)?;
        let minor = take_dotted_number(&mut rest)?;
        let patch = if minor.is_some() { take_dotted_number(&mut rest)? } else { None };

        let (core, build) = match rest.split_once('+') {
            Some((core, build)) => (core, Some(build)),
            None => (rest, None),
        };
        if build.is_some_and(|build| !are_identifiers(build)) {
            return Err(VersionError::Syntax);
        }
        let prerelease = match core.strip_prefix('-') {
            Some(prerelease) if are_identifiers(prerelease) => prerelease,
            None if core.is_empty() => "",
            _ => return Err(VersionError::Syntax),
        };
        let padded = |word: &str| word.len() > 1 && word.starts_with('0') && is_number(word);
        if prerelease.split('.').any(padded) {
            return Err(VersionError::LeadingZero);
        }
        Ok(Self {
            major,
            minor: minor.unwrap_or(0),
            patch: patch.unwrap_or(0),
            prerelease: prerelease.to_owned(),
            original: text.to_owned(),
        })
    }

    /// Whether it is a pre-release.
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }

    /// The rank among versions; build metadata does not count.
    pub fn precedence(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| self.is_prerelease().cmp(&other.is_prerelease()).reverse())
            .then_with(|| compare_prereleases(&self.prerelease, &other.prerelease))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.original)
    }
}

fn take_number(rest: &mut &str) -> Result<Option<u64>, VersionError> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Ok(None);
    }
    let number = rest[..digits].parse().map_err(|_| VersionError::TooLarge)?;
    *rest = &rest[digits..];
    Ok(Some(number))
}

fn take_dotted_number(rest: &mut &str) -> Result<Option<u64>, VersionError> {
    let Some(mut after) = rest.strip_prefix('.') else { return Ok(None) };
    let number = take_number(&mut after)?.ok_or(VersionError::Syntax)?;
    *rest = after;
    Ok(Some(number))
}

fn are_identifiers(text: &str) -> bool {
    text.split('.').all(|word| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Word by word: numbers by value and before other words, words bytewise, and fewer words before more.
fn compare_prereleases(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(left), Some(right)) => compare_words(left, right),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn compare_words(left: &str, right: &str) -> Ordering {
    // A number beyond 64 bits counts as a word, as in Go.
    match (left.parse::<u64>(), right.parse::<u64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => left.cmp(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_flux_reads_them() {
        for good in [
            "1.2.3",
            "v1.2.3",
            "2025.02.03-rc.1",
            "1.2-rc.1.0",
            "1.2.3-rc-1+build.007",
            "1.2.3+a.b",
            "18446744073709551615.0.0",
        ] {
            assert_eq!(Version::of_tag(good).unwrap().to_string(), good);
        }
        for (bad, why) in [
            ("", VersionError::Parts),
            ("1.2", VersionError::Parts),
            ("1.0.0.1", VersionError::Syntax),
            ("1.0.0p", VersionError::Syntax),
            ("b1.2.3", VersionError::Syntax),
            ("vv1.2.3", VersionError::Syntax),
            ("1.2.", VersionError::Syntax),
            ("1.2..", VersionError::Syntax),
            ("1.2.3-", VersionError::Syntax),
            ("1.2.3+", VersionError::Syntax),
            ("1.2.3-a..b", VersionError::Syntax),
            ("1.2.3-01", VersionError::LeadingZero),
            ("18446744073709551616.0.0", VersionError::TooLarge),
        ] {
            assert_eq!(Version::of_tag(bad).unwrap_err(), why, "{bad}");
        }
        assert_eq!(
            Version::of_tag(&format!("1.2.{}", "0".repeat(300))).unwrap_err(),
            VersionError::TooLong
        );
    }

    #[test]
    fn precedence_is_that_of_semver_org() {
        let ascending = [
            "1.0.0-1",
            "1.0.0-2.1",
            "1.0.0-10",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.2.0",
            "1.10.0",
        ];
        for (index, left) in ascending.iter().enumerate() {
            for (other, right) in ascending.iter().enumerate() {
                let found =
                    Version::of_tag(left).unwrap().precedence(&Version::of_tag(right).unwrap());
                assert_eq!(found, index.cmp(&other), "{left} {right}");
            }
        }
        let built = Version::of_tag("1.0.0+b").unwrap();
        assert_eq!(built.precedence(&Version::of_tag("v1.0.0+a").unwrap()), Ordering::Equal);
    }
}
