use std::fmt::Write as _;

use super::go_syntax::SyntaxError;

/// A place in a pattern.
pub(super) struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    /// The text from an earlier position until here.
    pub(super) fn since(&self, begin: usize) -> &'a str {
        &self.text[begin..self.position]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.position += character.len_utf8();
        Some(character)
    }

    pub(super) fn take_if(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.take();
        }
        found
    }

    /// Moves on by so many bytes, which end at a character's end.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.position += bytes;
    }

    /// `{n}`, `{n,}` or `{n,m}`; nothing else is a repetition, and nothing is taken then.
    pub(super) fn take_repeat(&mut self) -> Option<(u32, Option<u32>)> {
        let (inside, _) = self.rest().strip_prefix('{')?.split_once('}')?;
        let number = |text: &str| {
            let plain = !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && (text == "0" || !text.starts_with('0'));
            // What does not fit is too large in any case.
            plain.then(|| text.parse().unwrap_or(u32::MAX))
        };
        let bounds = match inside.split_once(',') {
            None => {
                let count = number(inside)?;
                (count, Some(count))
            }
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        self.skip(inside.len() + 2);
        Some(bounds)
    }
}

/// Writes a character so that it means itself, within a class and outside of it.
pub(super) fn write_literal(output: &mut String, character: char) {
    if character.is_alphanumeric() {
        output.push(character);
    } else {
        // Writing to a string cannot fail.
        let _ = write!(output, r"\x{{{:X}}}", u32::from(character));
    }
}

/// Reads `[...]` and writes a class of the `regex` crate, brackets included.
pub(super) fn bracket(cursor: &mut Cursor<'_>) -> Result<String, SyntaxError> {
    cursor.take();
    let mut class = String::from("[");
    if cursor.take_if('^') {
        class.push('^');
    }
    let mut first = true;
    while first || cursor.peek() != Some(']') {
        first = false;
        if let Some(named) = named_class(cursor)? {
            class.push_str(named);
        } else if let Some(escaped) = escaped_class(cursor)? {
            class.push_str(&escaped);
        } else {
            character_or_range(cursor, &mut class)?;
        }
    }
    cursor.take();
    class.push(']');
    Ok(class)
}

/// `[:alpha:]` and its like, within a class.
fn named_class<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a str>, SyntaxError> {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
        "space", "upper", "word", "xdigit",
    ];
    let Some(inside) = cursor.rest().strip_prefix("[:") else { return Ok(None) };
    let Some(end) = inside.find(":]") else { return Ok(None) };
    let name = &inside[..end];
    let whole = &cursor.rest()[..end + 4];
    if NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        cursor.skip(whole.len());
        Ok(Some(whole))
    } else {
        Err(SyntaxError::CharacterRange(whole.to_owned()))
    }
}

fn character_or_range(cursor: &mut Cursor<'_>, class: &mut String) -> Result<(), SyntaxError> {
    let begin = cursor.position();
    let low = class_character(cursor)?;
    let rest = cursor.rest();
    // `[a-]` is `a` or `-`.
    let high = if rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]") {
        cursor.take();
        class_character(cursor)?
    } else {
        low
    };
    if high < low {
        return Err(SyntaxError::CharacterRange(cursor.since(begin).to_owned()));
    }
    write_literal(class, low);
    if high != low {
        class.push('-');
        write_literal(class, high);
    }
    Ok(())
}

fn class_character(cursor: &mut Cursor<'_>) -> Result<char, SyntaxError> {
    match cursor.peek() {
        None => Err(SyntaxError::Bracket),
        Some('\\') => escaped_character(cursor),
        Some(character) => {
            cursor.take();
            Ok(character)
        }
    }
}

/// `\d`, `\pL` and their like, written as the content of a class; nothing is taken if there is none.
///
/// The classes of Perl are ASCII in Go, whatever the text.
pub(super) fn escaped_class(cursor: &mut Cursor<'_>) -> Result<Option<String>, SyntaxError> {
    let perl = match cursor.rest().get(..2) {
        Some(r"\d") => "0-9",
        Some(r"\D") => "[^0-9]",
        Some(r"\s") => r"\t\n\f\r\x20",
        Some(r"\S") => r"[^\t\n\f\r\x20]",
        Some(r"\w") => "0-9A-Za-z_",
        Some(r"\W") => "[^0-9A-Za-z_]",
        Some(r"\p" | r"\P") => return unicode_class(cursor).map(Some),
        _ => return Ok(None),
    };
    cursor.skip(2);
    Ok(Some(perl.to_owned()))
}

/// `\pL`, `\p{Greek}`, `\P{^Lu}`: general categories and scripts, nothing else.
fn unicode_class(cursor: &mut Cursor<'_>) -> Result<String, SyntaxError> {
    let begin = cursor.position();
    let mut negated = cursor.rest().starts_with(r"\P");
    cursor.skip(2);
    let name = if cursor.peek() == Some('{') {
        let rest = cursor.rest();
        let Some(end) = rest.find('}') else {
            return Err(SyntaxError::CharacterRange(cursor.since(begin).to_owned()));
        };
        cursor.skip(end + 1);
        &rest[1..end]
    } else {
        let rest = cursor.rest();
        cursor.take();
        &rest[..rest.len() - cursor.rest().len()]
    };
    let name = name.strip_prefix('^').inspect(|_| negated = !negated).unwrap_or(name);
    let plain = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b' ');
    let escape = if negated { r"\P" } else { r"\p" };
    ["gc", "sc"]
        .into_iter()
        .map(|property| format!("{escape}{{{property}={name}}}"))
        .find(|class| name.bytes().all(plain) && regex_syntax::parse(class).is_ok())
        .ok_or_else(|| SyntaxError::CharacterRange(cursor.since(begin).to_owned()))
}

/// Reads an escape that stands for one character.
pub(super) fn escaped_character(cursor: &mut Cursor<'_>) -> Result<char, SyntaxError> {
    let begin = cursor.position();
    cursor.take();
    read_escaped(cursor).ok_or_else(|| SyntaxError::Escape(cursor.since(begin).to_owned()))
}

fn read_escaped(cursor: &mut Cursor<'_>) -> Option<char> {
    let octal = |cursor: &Cursor<'_>| cursor.peek().and_then(|next| next.to_digit(8));
    match cursor.take()? {
        digit @ '0'..='7' => {
            let mut value = digit.to_digit(8)?;
            if digit != '0' && octal(cursor).is_none() {
                // A reference back.
                return None;
            }
            for _ in 0..2 {
                let Some(next) = octal(cursor) else { break };
                cursor.take();
                value = value * 8 + next;
            }
            char::from_u32(value)
        }
        'x' if cursor.take_if('{') => {
            let mut value = 0_u32;
            let mut digits = 0;
            loop {
                match cursor.take()? {
                    '}' if digits > 0 => return char::from_u32(value),
                    digit => value = value.checked_mul(16)?.checked_add(digit.to_digit(16)?)?,
                }
                digits += 1;
            }
        }
        'x' => {
            let high = cursor.take()?.to_digit(16)?;
            let low = cursor.take()?.to_digit(16)?;
            char::from_u32(high * 16 + low)
        }
        'a' => Some('\u{7}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        other => (other.is_ascii() && !other.is_ascii_alphanumeric()).then_some(other),
    }
}
