use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

use regex::{Captures, Regex, RegexBuilder};
use regex_syntax::hir::Hir;

use super::go_syntax::{self, SyntaxError};

/// The longest pattern that is read, in bytes.
const MAXIMUM_LENGTH: usize = 1024;

/// How large a compiled pattern may be, in bytes. `^.{1,1000}$` needs a quarter of it.
const MAXIMUM_COMPILED: usize = 4 << 20;

/// A regular expression of Go (RE2), not anchored by itself.
///
/// It is rewritten for the `regex` crate, which has the same power (no look-around, no references back, time
/// linear in the text) but reads braces, escapes and character classes differently.
///
/// The same text is compiled once, as long as somebody uses it: hundreds of policies have the same few patterns.
#[derive(Clone)]
pub struct Pattern(Arc<Compiled>);

struct Compiled {
    text: String,
    regex: Regex,
    /// The names of the groups by number, that of the whole match included.
    names: Vec<Option<String>>,
    shape: Hir,
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PatternError {
    /// Too long.
    #[error("the pattern is {length} characters long; at most {MAXIMUM_LENGTH} are read")]
    TooLong {
        /// In bytes.
        length: usize,
    },
    /// Go refuses it.
    #[error("`{pattern}` is not a regular expression of Go")]
    Syntax {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: SyntaxError,
    },
    /// It is too large once compiled.
    #[error("`{pattern}` repeats or nests too much")]
    TooLarge {
        /// The pattern.
        pattern: String,
    },
}

/// Patterns in use, by their text.
static KNOWN: LazyLock<Mutex<HashMap<String, Weak<Compiled>>>> = LazyLock::new(Mutex::default);

impl Compiled {
    fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAXIMUM_LENGTH {
            return Err(PatternError::TooLong { length: text.len() });
        }
        let rewritten = go_syntax::rewrite(text)
            .map_err(|source| PatternError::Syntax { pattern: text.to_owned(), source })?;
        let too_large = || PatternError::TooLarge { pattern: text.to_owned() };
        let compiled = RegexBuilder::new(&rewritten.pattern)
            .size_limit(MAXIMUM_COMPILED)
            .build()
            .map_err(|_| too_large())?;
        let shape = regex_syntax::parse(&rewritten.pattern).map_err(|_| too_large())?;
        Ok(Self { text: text.to_owned(), regex: compiled, names: rewritten.names, shape })
    }
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(text).and_then(Weak::upgrade) {
            return Ok(Self(found));
        }
        let compiled = Arc::new(Compiled::parse(text)?);
        known.retain(|_, found| found.strong_count() > 0);
        known.insert(text.to_owned(), Arc::downgrade(&compiled));
        Ok(Self(compiled))
    }

    /// Whether the pattern matches anywhere in the text.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.regex.is_match(text)
    }

    /// The first match and its groups.
    pub(super) fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.0.regex.captures(text)
    }

    /// The names of the groups by number; the first stands for the whole match.
    pub(super) fn names(&self) -> &[Option<String>] {
        &self.0.names
    }

    /// The structure of the pattern.
    pub(super) fn shape(&self) -> &Hir {
        &self.0.shape
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Pattern").field(&self.0.text).finish()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold() {
        assert_eq!(
            Pattern::parse(&"a".repeat(1025)).unwrap_err(),
            PatternError::TooLong { length: 1025 }
        );
        assert!(Pattern::parse("^.{1,1000}$").is_ok());
        let nested = format!("{}a{}", "(".repeat(500), ")".repeat(500));
        assert!(matches!(Pattern::parse(&nested), Err(PatternError::TooLarge { .. })));
        let wide = r"\pL{900}".repeat(20);
        assert!(matches!(Pattern::parse(&wide), Err(PatternError::TooLarge { .. })));
    }

    #[test]
    fn the_message_says_what_is_wrong() {
        let error = Pattern::parse("(?!x)a").unwrap_err();
        assert_eq!(error.to_string(), "`(?!x)a` is not a regular expression of Go");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "`(?!` has no meaning: look-around and references back do not exist");
    }
}
