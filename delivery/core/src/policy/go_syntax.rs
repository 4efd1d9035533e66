use super::go_class::{self, Cursor};

/// The most copies that nested repetitions may ask for, as in Go.
const MAXIMUM_REPEAT: u32 = 1000;

/// A pattern of Go, rewritten in the syntax of the `regex` crate.
pub(super) struct Rewritten {
    pub(super) pattern: String,
    /// The names of the groups by number, that of the whole match included.
    pub(super) names: Vec<Option<String>>,
}

/// Why Go refuses a pattern.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SyntaxError {
    /// `(` without `)`
    #[error("a parenthesis is not closed")]
    Unclosed,
    /// `)` without `(`
    #[error("a parenthesis is closed that was not opened")]
    Unopened,
    /// `*` with nothing before it
    #[error("`{0}` has nothing to repeat")]
    NothingToRepeat(String),
    /// `a**`
    #[error("`{0}` repeats a repetition")]
    RepeatedRepeat(String),
    /// `a{1001}`
    #[error("`{0}` repeats more than {MAXIMUM_REPEAT} times, or from more to fewer")]
    RepeatSize(String),
    /// `(?!…)`, `(?x)`
    #[error("`{0}` has no meaning: look-around and references back do not exist")]
    Group(String),
    /// `(?P<n`
    #[error(
        "`{0}` is not the name of a group: expected `(?P<name>…)` with letters, digits and `_`"
    )]
    GroupName(String),
    /// `\C`, `\y`, a backslash at the end
    #[error("`{0}` is not an escape")]
    Escape(String),
    /// `[z-a]`, `[[:word]`
    #[error("`{0}` is not a range of characters")]
    CharacterRange(String),
    /// `[a`
    #[error("a bracket is not closed")]
    Bracket,
}

/// Flags that change how what follows is read, until the group ends.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
    swap_greed: bool,
}

struct Group {
    /// Where it begins in the output.
    start: usize,
    /// The flags to restore at its end.
    flags: Flags,
    /// The repetitions seen outside of it.
    copies: u32,
}

/// The last thing that can be repeated.
struct Atom {
    start: usize,
    /// The most copies that nested repetitions ask of anything in it.
    copies: u32,
}

struct Rewriter<'a> {
    cursor: Cursor<'a>,
    output: String,
    names: Vec<Option<String>>,
    flags: Flags,
    groups: Vec<Group>,
    /// The most copies asked of anything in the group at work.
    copies: u32,
    atom: Option<Atom>,
    /// Whether the token before was a repetition.
    repeated: bool,
}

/// Rewrites a pattern of Go for the `regex` crate, or says why Go refuses it.
///
/// Flags are resolved here: every literal, class, anchor and repetition is written out so that it needs none.
pub(super) fn rewrite(pattern: &str) -> Result<Rewritten, SyntaxError> {
    let mut rewriter = Rewriter {
        cursor: Cursor::new(pattern),
        output: String::new(),
        names: vec![None],
        flags: Flags::default(),
        groups: Vec::new(),
        copies: 1,
        atom: None,
        repeated: false,
    };
    while let Some(character) = rewriter.cursor.peek() {
        let is_repeat = rewriter.token(character)?;
        rewriter.repeated = is_repeat;
    }
    if rewriter.groups.is_empty() {
        Ok(Rewritten { pattern: rewriter.output, names: rewriter.names })
    } else {
        Err(SyntaxError::Unclosed)
    }
}

impl Rewriter<'_> {
    /// Reads one token; says whether it is a repetition.
    fn token(&mut self, character: char) -> Result<bool, SyntaxError> {
        let begin = self.cursor.position();
        match character {
            '(' if self.cursor.rest().starts_with("(?") => self.special_group()?,
            '(' => {
                self.cursor.take();
                self.open(None);
            }
            ')' => {
                self.cursor.take();
                self.close()?;
            }
            '|' => {
                self.cursor.take();
                self.output.push('|');
                self.atom = None;
            }
            '^' => {
                self.cursor.take();
                self.push(if self.flags.multi_line { "(?m:^)" } else { r"\A" });
            }
            '$' => {
                self.cursor.take();
                self.push(if self.flags.multi_line { "(?m:$)" } else { r"\z" });
            }
            '.' => {
                self.cursor.take();
                self.push(if self.flags.dot_all { "(?s:.)" } else { "." });
            }
            '[' => {
                let class = go_class::bracket(&mut self.cursor)?;
                self.push_class(&class);
            }
            '*' | '+' | '?' => {
                self.cursor.take();
                self.repeat(begin, &character.to_string(), None)?;
                return Ok(true);
            }
            '{' => {
                if let Some(bounds) = self.cursor.take_repeat() {
                    let braces = self.cursor.since(begin);
                    self.repeat(begin, braces, Some(bounds))?;
                    return Ok(true);
                }
                self.cursor.take();
                self.literal('{');
            }
            '\\' => self.escape()?,
            other => {
                self.cursor.take();
                self.literal(other);
            }
        }
        Ok(false)
    }

    /// Writes something that can be repeated.
    fn push(&mut self, text: &str) {
        self.atom = Some(Atom { start: self.output.len(), copies: 1 });
        self.output.push_str(text);
    }

    fn literal(&mut self, character: char) {
        let mut text = String::new();
        go_class::write_literal(&mut text, character);
        if self.flags.ignore_case && character.is_alphabetic() {
            text = format!("(?i:{text})");
        }
        self.push(&text);
    }

    fn push_class(&mut self, class: &str) {
        if self.flags.ignore_case {
            self.push(&format!("(?i:{class})"));
        } else {
            self.push(class);
        }
    }

    fn open(&mut self, name: Option<String>) {
        self.names.push(name);
        self.open_with("(");
    }

    fn open_with(&mut self, opening: &str) {
        let start = self.output.len();
        self.groups.push(Group { start, flags: self.flags, copies: self.copies });
        self.output.push_str(opening);
        self.copies = 1;
        self.atom = None;
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        let group = self.groups.pop().ok_or(SyntaxError::Unopened)?;
        self.output.push(')');
        self.flags = group.flags;
        self.atom = Some(Atom { start: group.start, copies: self.copies });
        self.copies = self.copies.max(group.copies);
        Ok(())
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)`, `(?flags:`
    fn special_group(&mut self) -> Result<(), SyntaxError> {
        let rest = self.cursor.rest();
        let named = ["(?P<", "(?<"].into_iter().find(|opening| {
            // `(?<=` and `(?<!` look behind; Go asks for one more character before it reads a name.
            rest.strip_prefix(opening)
                .is_some_and(|name| !name.is_empty() && !name.starts_with(['=', '!']))
        });
        if let Some(opening) = named {
            let shown = || SyntaxError::GroupName(rest.chars().take(40).collect());
            let end = rest.find('>').ok_or_else(shown)?;
            let name = &rest[opening.len()..end];
            let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(word) {
                return Err(shown());
            }
            self.cursor.skip(end + 1);
            self.open(Some(name.to_owned()));
            return Ok(());
        }
        self.flag_group()
    }

    fn flag_group(&mut self) -> Result<(), SyntaxError> {
        let begin = self.cursor.position();
        self.cursor.skip("(?".len());
        let mut flags = self.flags;
        let mut value = true;
        let mut flags_after_sign = false;
        while let Some(character) = self.cursor.take() {
            match character {
                'i' => flags.ignore_case = value,
                'm' => flags.multi_line = value,
                's' => flags.dot_all = value,
                'U' => flags.swap_greed = value,
                '-' if value => {
                    value = false;
                    flags_after_sign = false;
                    continue;
                }
                ':' | ')' if value || flags_after_sign => {
                    if character == ':' {
                        self.open_with("(?:");
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            flags_after_sign = true;
        }
        Err(SyntaxError::Group(self.cursor.since(begin).to_owned()))
    }

    fn repeat(
        &mut self,
        begin: usize,
        operator: &str,
        bounds: Option<(u32, Option<u32>)>,
    ) -> Result<(), SyntaxError> {
        let lazy = self.cursor.take_if('?');
        let shown = || self.cursor.since(begin).to_owned();
        if let Some((least, most)) = bounds
            && (least > MAXIMUM_REPEAT
                || most.is_some_and(|most| most > MAXIMUM_REPEAT || most < least))
        {
            return Err(SyntaxError::RepeatSize(operator.to_owned()));
        }
        if self.repeated {
            return Err(SyntaxError::RepeatedRepeat(shown()));
        }
        let Some(atom) = &mut self.atom else {
            return Err(SyntaxError::NothingToRepeat(shown()));
        };
        if let Some((least, most)) = bounds {
            let copies = most.unwrap_or(least);
            let total = copies.max(1).saturating_mul(atom.copies);
            if (least >= 2 || copies >= 2) && total > MAXIMUM_REPEAT {
                return Err(SyntaxError::RepeatSize(operator.to_owned()));
            }
            atom.copies = if most == Some(0) { 1 } else { total };
        }
        self.copies = self.copies.max(atom.copies);
        self.output.insert_str(atom.start, "(?:");
        self.output.push(')');
        self.output.push_str(operator);
        if lazy != self.flags.swap_greed {
            self.output.push('?');
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let rest = self.cursor.rest();
        let assertion = match rest.get(1..2) {
            Some("A") => Some(r"\A"),
            Some("z") => Some(r"\z"),
            Some("b") => Some(r"(?-u:\b)"),
            Some("B") => Some(r"(?-u:\B)"),
            _ => None,
        };
        if let Some(assertion) = assertion {
            self.cursor.skip(2);
            self.push(assertion);
        } else if let Some(quoted) = rest.strip_prefix(r"\Q") {
            let (text, length) = match quoted.split_once(r"\E") {
                Some((text, _)) => (text, text.len() + 4),
                None => (quoted, quoted.len() + 2),
            };
            self.cursor.skip(length);
            for character in text.chars() {
                self.literal(character);
            }
        } else if let Some(class) = go_class::escaped_class(&mut self.cursor)? {
            self.push_class(&format!("[{class}]"));
        } else {
            let character = go_class::escaped_character(&mut self.cursor)?;
            self.literal(character);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Pattern;

    #[test]
    fn what_only_go_reads_as_text_is_text() {
        for (pattern, text) in [
            ("^x{$", "x{"),
            ("^{foo}$", "{foo}"),
            ("^a{,5}$", "a{,5}"),
            ("^a{1$", "a{1"),
            ("^a{01}$", "a{01}"),
            (r"^\Qa.b|c\E$", "a.b|c"),
            (r"^\141\x{61}\x61\07$", "aaa\u{7}"),
            ("^[a-f&&b]+$", "a&b"),
            ("^[[a]$", "["),
            ("^[]a]+$", "]a"),
            ("^[a~~b]+$", "a~b"),
            (r"^\<\>$", "<>"),
            ("^a(?i)*$", "aaa"),
            ("^a*(?i)?$", "aaa"),
            ("^(?P<1>a)(?P<1>b)$", "ab"),
            ("^(?U)a+?$", "aaa"),
        ] {
            assert!(Pattern::parse(pattern).unwrap().is_match(text), "{pattern} {text}");
        }
    }

    #[test]
    fn classes_are_ascii_as_in_go() {
        for (pattern, text) in
            [(r"^\d$", "٣"), (r"^\w$", "é"), (r"^\s$", "\u{a0}"), (r"é\b", "é"), ("^.$", "\n")]
        {
            assert!(!Pattern::parse(pattern).unwrap().is_match(text), "{pattern} {text}");
        }
        assert!(Pattern::parse(r"^\pL\p{Greek}\P{^Lu}[^\d]$").unwrap().is_match("éαAx"));
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for bad in [
            "(",
            ")",
            "[",
            "[]",
            "[a",
            "[z-a]",
            "[a--b]",
            "[[:word]]]x[",
            "[[:no:]]",
            "*",
            "a**",
            "a*+",
            "a{2}{3}",
            "a???",
            "|*",
            "(*)",
            "(?i)*",
            "a{1001}",
            "a{2,1}",
            "(a{100}){11}",
            "(?!x)",
            "(?=x)",
            "(?<=a)b",
            "(?x)a",
            "(?-)a",
            "(?i-)a",
            "(?P<>a)",
            "(?P<é>a)",
            "(?P<a",
            "(?P=a)",
            r"\C",
            r"\y",
            r"\8",
            r"\1",
            r"\",
            r"\x",
            r"\x{}",
            r"\x{110000}",
            r"\pQ",
            r"\p{Alphabetic}",
            r"\p{sc=Greek}",
            r"\E",
            r"\Z",
            r"\u0061",
            r"[\b]",
            r"[a-\d]",
        ] {
            assert!(rewrite(bad).is_err(), "{bad}");
        }
    }
}
