//! What a registry says in words, made fit for one line of a log.

use serde::Deserialize;

#[derive(Deserialize)]
struct Errors {
    errors: Vec<OneError>,
}

#[derive(Deserialize)]
struct OneError {
    #[serde(default)]
    code: Option<serde_json::Value>,
    #[serde(default)]
    message: Option<String>,
}

const LONGEST: usize = 240;

/// The errors of the distribution specification's JSON, else the text, else a word for what it is.
pub(crate) fn message_of(body: &[u8]) -> String {
    if let Some(text) = errors_of(body) {
        return text;
    }
    let text = String::from_utf8_lossy(body);
    if looks_like_html(&text) {
        return "an HTML page".to_owned();
    }
    clean(&text)
}

/// The errors in a body, if it is the specification's error document.
pub(crate) fn errors_of(body: &[u8]) -> Option<String> {
    let errors: Errors = serde_json::from_slice(body).ok()?;
    let words: Vec<String> = errors
        .errors
        .iter()
        .take(5)
        .map(|error| {
            let code = match &error.code {
                Some(serde_json::Value::String(code)) => code.as_str(),
                _ => "",
            };
            match error.message.as_deref().unwrap_or("") {
                "" => code.to_owned(),
                message if code.is_empty() => message.to_owned(),
                message => format!("{code}: {message}"),
            }
        })
        .collect();
    Some(clean(&words.join("; ")))
}

pub(crate) fn looks_like_html(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(20).collect::<String>().to_ascii_lowercase();
    start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<?xml")
}

fn clean(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_become_one_clean_line() {
        assert_eq!(
            message_of(
                br#"{"errors":[{"code":"DENIED","message":"requested\naccess"},{"code":"X"}]}"#
            ),
            "DENIED: requested access; X"
        );
        assert_eq!(message_of(b"<!DOCTYPE html><html>"), "an HTML page");
        assert_eq!(message_of(b" plain \x1b[31m text\n"), "plain [31m text");
        assert_eq!(message_of("é".repeat(1000).as_bytes()).chars().count(), LONGEST + 1);
        assert_eq!(message_of(b""), "");
        assert_eq!(message_of(b"{\"errors\":[]}"), "");
    }
}
