//! Grammars of single values.

use std::str::FromStr;

use mercurious_core::{
    duration::Span,
    image::{ImageReference, ReferenceError, Repository},
};

use super::shape::Leaf;
use crate::objects::decode;

/// The largest 32-bit number that Kubernetes' own fields hold.
const MOST: i64 = i32::MAX as i64;

pub(super) const NAME: Leaf = Leaf::Parsed(name);
pub(super) const LABEL_NAME: Leaf = Leaf::Parsed(label_name);
pub(super) const PORT_NAME: Leaf = Leaf::Parsed(port_name);
pub(super) const TEXTS: Leaf = Leaf::List(0, &Leaf::Text);
pub(super) const PROGRAM: Leaf = Leaf::List(1, &Leaf::Text);
pub(super) const PORT_NUMBER: Leaf = Leaf::Integer(1, 65535);
pub(super) const NUMBER: Leaf = Leaf::Integer(0, MOST);
pub(super) const COUNT: Leaf = Leaf::Integer(1, MOST);
pub(super) const MODE: Leaf = Leaf::Integer(0, 0o777);
pub(super) const DURATION: Leaf = Leaf::Parsed(parses::<Span>);
pub(super) const TIME_LIMIT: Leaf = Leaf::Parsed(time_limit);
pub(super) const IMAGE: Leaf = Leaf::Parsed(image);
pub(super) const REPOSITORY: Leaf = Leaf::Parsed(parses::<Repository>);
pub(super) const HOST: Leaf = Leaf::Parsed(host);
pub(super) const PATH: Leaf = Leaf::Parsed(absolute);
pub(super) const INNER_PATH: Leaf = Leaf::Parsed(relative);
pub(super) const VARIABLE: Leaf = Leaf::Parsed(variable);
pub(super) const PREFIX: Leaf = Leaf::Parsed(prefix);
pub(super) const KEY: Leaf = Leaf::Parsed(key);
pub(super) const LABELS: Leaf = Leaf::Map(0, label_key, &Leaf::Parsed(label_value));
pub(super) const SELECTOR: Leaf = Leaf::Map(1, label_key, &Leaf::Parsed(label_value));
pub(super) const ANNOTATIONS: Leaf = Leaf::Map(0, label_key, &Leaf::Text);
pub(super) const QUANTITIES: Leaf = Leaf::Map(0, label_key, &Leaf::Quantity);
pub(super) const KEYED_TEXTS: Leaf = Leaf::Map(0, key, &Leaf::Text);
pub(super) const KEYED_BASE64: Leaf = Leaf::Map(0, key, &Leaf::Hidden(base64));
pub(super) const SECRET_TEXTS: Leaf = Leaf::Map(0, secret_key, &Leaf::Text);
pub(super) const SECRET_BASE64: Leaf = Leaf::Map(0, secret_key, &Leaf::Hidden(base64));

/// What a message may repeat of a value.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    shown
}

/// `text` is not what was `expected`, unless it is `valid`.
fn expect(valid: bool, text: &str, expected: &str) -> Result<(), String> {
    if valid { Ok(()) } else { Err(format!("`{}` is not {expected}", shown(text))) }
}

fn parses<T: FromStr<Err: std::error::Error>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(drop).map_err(|error| error.to_string())
}

fn time_limit(text: &str) -> Result<(), String> {
    match text.parse::<Span>() {
        Ok(span) if span.0.is_zero() => {
            Err("must be longer than 0s: nothing is done in no time".to_owned())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn image(text: &str) -> Result<(), String> {
    if text.contains("${") || text.contains("$(") || text.contains("{{") {
        return Err(format!("`{}` is a template: nothing is filled in here", shown(text)));
    }
    let reference: ImageReference =
        text.parse().map_err(|error: ReferenceError| error.to_string())?;
    // A tag alone where a whole reference belongs reads as a repository of Docker Hub, and pulls nothing.
    let is_bare = !text.contains(['/', ':', '@']);
    let hash = reference.repository().name().strip_prefix("sha-").unwrap_or_default();
    if is_bare && hash.len() >= 6 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let text = shown(text);
        return Err(format!("`{text}` is a tag alone: write registry/repository:{text}"));
    }
    Ok(())
}

fn is_name(text: &str, longest: usize) -> bool {
    let byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let part = |part: &str| {
        !part.is_empty() && !part.starts_with('-') && !part.ends_with('-') && part.bytes().all(byte)
    };
    text.len() <= longest && text.split('.').all(part)
}

fn name(text: &str) -> Result<(), String> {
    let expected = "a name: expected at most 253 lower-case letters, digits, `-` and `.`";
    expect(is_name(text, 253), text, expected)
}

fn label_name(text: &str) -> Result<(), String> {
    let expected = "a name: expected at most 63 lower-case letters, digits and `-`";
    expect(is_name(text, 63) && !text.contains('.'), text, expected)
}

fn port_name(text: &str) -> Result<(), String> {
    let has_letter = text.bytes().any(|byte| byte.is_ascii_lowercase());
    expect(
        is_name(text, 63) && !text.contains('.') && has_letter,
        text,
        "a port's name: expected at most 63 lower-case letters, digits and `-`, one letter at least",
    )
}

fn host(text: &str) -> Result<(), String> {
    let lower = text.to_ascii_lowercase();
    expect(
        is_name(lower.strip_prefix("*.").unwrap_or(&lower), 253),
        text,
        "a host: expected a name as shop.example.com or *.example.com, without scheme and port",
    )
}

fn absolute(text: &str) -> Result<(), String> {
    expect(
        text.starts_with('/') && !text.contains(char::is_control),
        text,
        "an absolute path: it starts with `/`",
    )
}

fn relative(text: &str) -> Result<(), String> {
    let leaves = text.starts_with('/') || text.split('/').any(|part| part == "..");
    expect(
        !leaves && !text.is_empty() && !text.contains(char::is_control),
        text,
        "a path in the volume: it has no `/` at the start and no `..`",
    )
}

fn variable(text: &str) -> Result<(), String> {
    expect(
        !text.is_empty() && prefix(text).is_ok(),
        text,
        "a variable's name: expected printable ASCII without `=`",
    )
}

fn prefix(text: &str) -> Result<(), String> {
    let valid = text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=');
    expect(valid, text, "a start of variables' names: expected printable ASCII without `=`")
}

fn key(text: &str) -> Result<(), String> {
    expect(is_key(text), text, "a key: expected letters, digits, `-`, `_` and `.`")
}

/// What stands where a Secret's key belongs may be its value.
fn secret_key(text: &str) -> Result<(), String> {
    let expected = || "not a key: expected letters, digits, `-`, `_` and `.`".to_owned();
    if is_key(text) { Ok(()) } else { Err(expected()) }
}

fn is_key(text: &str) -> bool {
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=253).contains(&text.len())
        && text.bytes().all(byte)
        && text != "."
        && !text.starts_with("..")
}

fn is_label(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric();
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.first().copied().is_some_and(word)
        && bytes.last().copied().is_some_and(word)
        && bytes.iter().all(|&byte| word(byte) || matches!(byte, b'-' | b'_' | b'.'))
}

fn label_key(text: &str) -> Result<(), String> {
    let valid = match text.split_once('/') {
        Some((prefix, rest)) => is_name(&prefix.to_ascii_lowercase(), 253) && is_label(rest),
        None => is_label(text),
    };
    let expected = "a key: expected letters, digits, `-`, `_` and `.`, with a host and `/` before them at most";
    expect(valid, text, expected)
}

fn label_value(text: &str) -> Result<(), String> {
    let expected = "a label's value: expected at most 63 letters, digits, `-`, `_` and `.`";
    expect(text.is_empty() || is_label(text), text, expected)
}

fn base64(text: &str) -> Result<(), &'static str> {
    decode(text)
        .map(drop)
        .ok_or("the value is not base64: encode it, or write it as it is under `stringData`")
}
