//! Texts that a stranger wrote, made fit for a message: control characters must not reach a terminal.

use std::fmt::{self, Write as _};

/// A text on one line, its control characters escaped.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'text>(pub &'text str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                formatter.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// The same as owned text, cut after 300 characters.
pub fn printable(text: &str) -> String {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", Printable(&text[..end])),
        None => Printable(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_short_line_without_control_characters() {
        assert_eq!(printable("é\u{1b}[31m\n\u{85}"), r"é\u{1b}[31m\n\u{85}");
        assert_eq!(printable(&"é".repeat(300)), "é".repeat(300));
        assert_eq!(printable(&"é".repeat(301)), format!("{}…", "é".repeat(300)));
        assert_eq!(printable(""), "");
    }
}
