//! `WWW-Authenticate`: RFC 9110 §11.6.1, where a comma separates both challenges and parameters.

/// One challenge: how a registry wants to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// `bearer`, `basic`, in lower case.
    pub scheme: String,
    /// Names in lower case; of a name given twice the first value counts.
    pub parameters: Vec<(String, String)>,
    /// What stands instead of parameters for some schemes (`Negotiate YII…`).
    pub token: Option<String>,
}

impl Challenge {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// More than this many challenges or parameters in one header is nonsense; the rest is dropped.
const MANY: usize = 32;

/// The challenges of one header value, in order. Total: what cannot be read ends the list.
pub fn parse_challenges(header: &str) -> Vec<Challenge> {
    let mut reader = Reader { rest: header };
    let mut challenges: Vec<Challenge> = Vec::new();
    while challenges.len() <= MANY {
        reader.skip_separators();
        let Some(word) = reader.token() else { break };
        let before_blanks = reader.rest;
        reader.skip_blanks();
        if reader.rest.starts_with('=')
            && let Some(current) = challenges.last_mut()
            && let Some(value) = reader.value()
        {
            if current.parameters.len() < MANY && current.parameter(word).is_none() {
                current.parameters.push((word.to_ascii_lowercase(), value));
            }
            continue;
        }
        if reader.rest.starts_with('=') {
            break; // a parameter of no scheme, or one with no value
        }
        let mut challenge = Challenge { scheme: word.to_ascii_lowercase(), ..Challenge::default() };
        // Only after a blank can a token68 follow; a name with `=` and a value behind it is a parameter.
        if before_blanks.len() != reader.rest.len() {
            challenge.token = reader.token68();
        }
        challenges.push(challenge);
    }
    challenges.truncate(MANY);
    challenges
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn skip_separators(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
    }

    fn token(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|letter| !is_token(letter)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    /// `=` and then a token or a quoted string. Lenient: an unquoted value ends at a comma or blank, as some
    /// registries send URLs without quotes.
    fn value(&mut self) -> Option<String> {
        let mut ahead = Reader { rest: self.rest.strip_prefix('=')? };
        ahead.skip_blanks();
        let value = if let Some(inside) = ahead.rest.strip_prefix('"') {
            ahead.rest = inside;
            ahead.quoted()?
        } else {
            let end = ahead.rest.find([',', ' ', '\t']).unwrap_or(ahead.rest.len());
            let (value, rest) = ahead.rest.split_at(end);
            ahead.rest = rest;
            if value.is_empty() || value.starts_with('=') {
                return None;
            }
            value.to_owned()
        };
        self.rest = ahead.rest;
        Some(value)
    }

    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut letters = self.rest.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(letters.next()?.1),
                other => value.push(other),
            }
        }
        None
    }

    /// A token68 stands alone up to a comma or the end: `abc==`, not `realm="x"`.
    fn token68(&mut self) -> Option<String> {
        let end = self.rest.find([',', ' ', '\t']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let core = word.trim_end_matches('=');
        let valid = !core.is_empty()
            && core
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "-._~+/".contains(letter));
        let alone = rest.trim_start_matches([' ', '\t']);
        if !valid || !(alone.is_empty() || alone.starts_with(',')) {
            return None;
        }
        self.rest = rest;
        Some(word.to_owned())
    }
}

fn is_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(challenge: &Challenge) -> Vec<(&str, &str)> {
        challenge.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    #[test]
    fn the_usual_bearer_challenge_is_read() {
        let challenges = parse_challenges(
            r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull""#,
        );
        assert_eq!(challenges.len(), 1);
        assert_eq!(challenges[0].scheme, "bearer");
        assert_eq!(
            parameters(&challenges[0]),
            [
                ("realm", "https://ghcr.io/token"),
                ("service", "ghcr.io"),
                ("scope", "repository:user/image:pull")
            ]
        );
    }

    #[test]
    fn several_schemes_in_one_header_are_told_apart() {
        let challenges = parse_challenges(
            r#"Bearer realm="https://codeberg.org/v2/token",service="container_registry",scope="*",Basic realm="https://codeberg.org/v2",charset="UTF-8", Negotiate, Digest abc=="#,
        );
        let schemes: Vec<_> = challenges.iter().map(|one| one.scheme.as_str()).collect();
        assert_eq!(schemes, ["bearer", "basic", "negotiate", "digest"]);
        assert_eq!(challenges[0].parameter("scope"), Some("*"));
        assert_eq!(challenges[1].parameter("realm"), Some("https://codeberg.org/v2"));
        assert_eq!(challenges[3].token.as_deref(), Some("abc=="));
    }

    #[test]
    fn quotes_commas_and_escapes_are_part_of_values() {
        let challenges =
            parse_challenges(r#"Basic realm="a, b=\"c\" \\", charset=UTF-8 , Bearer realm = x"#);
        assert_eq!(challenges[0].parameter("realm"), Some(r#"a, b="c" \"#));
        assert_eq!(challenges[0].parameter("charset"), Some("UTF-8"));
        assert_eq!(challenges[1].parameter("realm"), Some("x"));
    }

    #[test]
    fn a_scope_with_a_comma_stays_whole() {
        let challenges = parse_challenges(r#"bearer scope="repository:a/b:pull,push""#);
        assert_eq!(challenges[0].parameter("SCOPE"), Some("repository:a/b:pull,push"));
    }

    #[test]
    fn nonsense_ends_quietly() {
        for text in ["", ",,,", "=", "a=b", "\"", "Bearer realm=\"open", "Bearer =x", "é", "A \\"]
        {
            let _ = parse_challenges(text);
        }
        assert!(parse_challenges("realm=\"x\"").is_empty());
        assert!(parse_challenges(&"a,".repeat(10_000)).len() <= MANY);
    }
}
