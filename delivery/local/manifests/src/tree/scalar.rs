/// A value without parts, as kubectl's YAML reader (YAML 1.1) takes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Boolean(bool),
    Integer(i64),
    /// A number that is not a 64-bit integer, as it was written.
    Number(String),
    Text(String),
}

impl Scalar {
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
        }
    }

    /// What a plain (unquoted) text means. `yes`, `on`, `0644` and `1_000` are what YAML 1.1 says they are, because
    /// kubectl says so too: a field that wants text then asks for quotes instead of reading something else than a
    /// cluster would.
    pub(crate) fn plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
                Self::Boolean(true)
            }
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n"
            | "N" => Self::Boolean(false),
            _ => Self::number(text).unwrap_or_else(|| Self::Text(text.to_owned())),
        }
    }

    /// The integer that a text spells, in any of YAML's bases.
    fn integer(text: &str) -> Option<i64> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (base, digits) = match digits.get(..2) {
            Some("0x") => (16, &digits[2..]),
            Some("0o") => (8, &digits[2..]),
            Some("0b") => (2, &digits[2..]),
            _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
            _ => (10, digits),
        };
        if !digits.starts_with(|character: char| character.is_digit(base)) {
            return None;
        }
        let digits: String = digits.chars().filter(|character| *character != '_').collect();
        if !digits.chars().all(|character| character.is_digit(base)) {
            return None;
        }
        let signed = if negative { format!("-{digits}") } else { digits };
        i64::from_str_radix(&signed, base).ok()
    }

    fn number(text: &str) -> Option<Self> {
        let first = text.bytes().next()?;
        if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
            return None;
        }
        if let Some(integer) = Self::integer(text) {
            return Some(Self::Integer(integer));
        }
        let special = text.trim_start_matches(['+', '-']);
        if matches!(special, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
            return Some(Self::Number(text.to_owned()));
        }
        let spelled = text.bytes().all(|byte| {
            byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E' | b'_')
        });
        let compact = text.replace('_', "");
        (spelled && compact.parse::<f64>().is_ok()).then(|| Self::Number(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_texts_mean_what_they_mean_to_kubectl() {
        let number = |text: &str| Scalar::Number(text.to_owned());
        for (text, scalar) in [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("yes", Scalar::Boolean(true)),
            ("Off", Scalar::Boolean(false)),
            ("8080", Scalar::Integer(8080)),
            ("-3", Scalar::Integer(-3)),
            ("0644", Scalar::Integer(0o644)),
            ("0o644", Scalar::Integer(0o644)),
            ("0x1F", Scalar::Integer(31)),
            ("1_000", Scalar::Integer(1000)),
            ("0", Scalar::Integer(0)),
            ("1.5", number("1.5")),
            ("1e3", number("1e3")),
            ("99999999999999999999", number("99999999999999999999")),
            (".inf", number(".inf")),
        ] {
            assert_eq!(Scalar::plain(text), scalar, "{text}");
        }
        for text in ["1m0s", "500m", "25%", "2025-08-11", "1.2.3", "-", "+", "0x", "é", ".", "_1"]
        {
            assert_eq!(Scalar::plain(text), Scalar::Text(text.to_owned()));
        }
    }
}
