//! Durations as Kubernetes and Go write them: `30s`, `1m0s`, `1h30m`, `250ms`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time that is written as Go writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

/// Why a text is not a duration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{text}` is not a duration: expected numbers with the units ms, s, m or h, as 90s or 1m30s"
)]
pub struct SpanError {
    text: String,
}

impl Span {
    /// A whole number of seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || SpanError { text: text.chars().take(80).collect() };
        let mut rest = text;
        let mut total = 0.0_f64;
        if rest.is_empty() {
            return Err(error());
        }
        while !rest.is_empty() {
            let digits =
                rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
            let number: f64 = rest[..digits].parse().map_err(|_| error())?;
            rest = &rest[digits..];
            let unit = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let seconds = match &rest[..unit] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(error()),
            };
            rest = &rest[unit..];
            total += number * seconds;
        }
        Duration::try_from_secs_f64(total).map(Self).map_err(|_| error())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if !millis.is_multiple_of(1000) {
            return if millis < 1000 {
                write!(formatter, "{millis}ms")
            } else {
                write!(formatter, "{}s", millis as f64 / 1000.0)
            };
        }
        let seconds = self.0.as_secs();
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if hours > 0 {
            write!(formatter, "{hours}h")?;
        }
        if minutes > 0 {
            write!(formatter, "{minutes}m")?;
        }
        if rest > 0 || seconds == 0 {
            write!(formatter, "{rest}s")?;
        }
        Ok(())
    }
}

crate::image::schema_of_string!(Span);

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read_and_written() {
        for (text, millis, shown) in [
            ("1m0s", 60_000, "1m"),
            ("90s", 90_000, "1m30s"),
            ("250ms", 250, "250ms"),
            ("1.5s", 1500, "1.5s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.0, Duration::from_millis(millis), "{text}");
            assert_eq!(span.to_string(), shown);
        }
        for bad in ["", "5", "s", "1d", "-1s", "1 s", "1..2s", "9e99h"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
