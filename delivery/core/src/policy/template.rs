use std::{fmt, sync::LazyLock};

use regex::{Captures, Regex};

use super::Pattern;

/// The longest template that is read, in bytes.
const MAXIMUM_LENGTH: usize = 256;

/// The most groups that a template may insert: it bounds how long a key can become.
const MAXIMUM_GROUPS: usize = 16;

/// What Go takes for the name of a group in a template.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"^(?:\{[\p{L}\p{Nd}_]+\}|[\p{L}\p{Nd}_]+)"));
/// The same for a template without letters beyond ASCII: those of all scripts take a hundred kilobytes.
static ASCII_NAME: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"^(?:\{[0-9A-Za-z_]+\}|[0-9A-Za-z_]+)"));

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant that the tests compile")
}

/// A template of Go's `Regexp.Expand`: `$1`, `${1}`, `$name`, `${name}`, `$$`.
///
/// A name is as long as it can be (`$1x` is the group `1x`), an unknown group is empty, and a `$` that begins
/// nothing means itself.
#[derive(Clone, Debug)]
pub(super) struct Template {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// The groups that a reference can mean, the first that took part in the match counts.
    Groups(Vec<usize>),
    /// A group that the pattern does not have.
    Unknown(String),
}

/// Why a text is not a template.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    /// Too long.
    #[error("the template is {length} characters long; at most {MAXIMUM_LENGTH} are read")]
    TooLong {
        /// In bytes.
        length: usize,
    },
    /// Too many groups.
    #[error("the template inserts {count} groups; at most {MAXIMUM_GROUPS} are inserted")]
    TooManyGroups {
        /// How many.
        count: usize,
    },
}

impl Template {
    /// Reads a template over the groups of a pattern.
    pub(super) fn parse(text: &str, pattern: &Pattern) -> Result<Self, TemplateError> {
        if text.len() > MAXIMUM_LENGTH {
            return Err(TemplateError::TooLong { length: text.len() });
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        let name = if text.is_ascii() { &ASCII_NAME } else { &NAME };
        while let Some((before, after)) = rest.split_once('$') {
            literal.push_str(before);
            rest = after;
            if let Some(found) = name.find(after) {
                let name = found.as_str().trim_matches(['{', '}']);
                rest = &after[found.end()..];
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(reference(name, pattern.names()));
            } else {
                rest = after.strip_prefix('$').unwrap_or(rest);
                literal.push('$');
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        let count = pieces.iter().filter(|piece| matches!(piece, Piece::Groups(_))).count();
        if count > MAXIMUM_GROUPS {
            return Err(TemplateError::TooManyGroups { count });
        }
        Ok(Self { text: text.to_owned(), pieces })
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Fills the template with a match.
    pub(super) fn expand(&self, found: &Captures<'_>) -> String {
        let mut key = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => key.push_str(text),
                Piece::Groups(numbers) => {
                    let group = numbers.iter().find_map(|number| found.get(*number));
                    key.push_str(group.map_or("", |group| group.as_str()));
                }
                Piece::Unknown(_) => {}
            }
        }
        key
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A name of digits without a leading zero is a number, any other may be borne by several groups.
fn reference(name: &str, names: &[Option<String>]) -> Piece {
    let is_number =
        name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    let groups: Vec<usize> = if is_number {
        name.parse().into_iter().filter(|number| *number < names.len()).collect()
    } else {
        let bears = |(number, own): (usize, &Option<String>)| {
            (own.as_deref() == Some(name)).then_some(number)
        };
        names.iter().enumerate().filter_map(bears).collect()
    };
    if groups.is_empty() { Piece::Unknown(name.to_owned()) } else { Piece::Groups(groups) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(pattern: &str, template: &str, text: &str) -> String {
        let pattern = Pattern::parse(pattern).unwrap();
        let template = Template::parse(template, &pattern).unwrap();
        template.expand(&pattern.captures(text).unwrap())
    }

    #[test]
    fn templates_are_filled_as_go_fills_them() {
        let pattern = "(?P<a>x)(?P<b>y)?(z)";
        for (template, expected) in [
            ("$0", "xz"),
            ("$1", "x"),
            ("$1x", ""),
            ("${1}x", "xx"),
            ("$2-$b", "-"),
            ("$a$3", "xz"),
            ("$$1", "$1"),
            ("$", "$"),
            ("$$$", "$$"),
            ("${", "${"),
            ("${}", "${}"),
            ("${a-b}", "${a-b}"),
            ("${a", "${a"),
            ("$é", ""),
            ("é$1", "éx"),
            ("$01", ""),
            ("$99999999999999999999", ""),
            ("-$-", "-$-"),
        ] {
            assert_eq!(expand(pattern, template, "xz"), expected, "{template}");
        }
        assert_eq!(expand("(?P<a>x)?(?P<a>y)", "$a", "y"), "y");
    }

    #[test]
    fn keys_stay_bounded() {
        let pattern = Pattern::parse("a").unwrap();
        let error = Template::parse(&"$0".repeat(17), &pattern).unwrap_err();
        assert_eq!(error, TemplateError::TooManyGroups { count: 17 });
        assert!(Template::parse(&"x".repeat(257), &pattern).is_err());
    }
}
