//! How long a registry asks to wait: in the header (seconds or a date), or in GHCR's body (a Go duration).

use std::time::Duration;

use jiff::Timestamp;

/// No longer wait is believed: a date in the year 9999 must not close a registry until the next restart.
const LONGEST: Duration = Duration::from_hours(24);

/// The wait that a `Retry-After` header asks for.
pub(crate) fn from_header(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0)
            .then(|| Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    let wait = at.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO).min(LONGEST))
}

/// The wait named in a body: `toomanyrequests: retry-after: 333.939671ms, allowed: 44000/minute`.
pub(crate) fn from_body(body: &str) -> Option<Duration> {
    const MARK: &str = "retry-after:";
    let lower = body.to_ascii_lowercase();
    let rest = lower[lower.find(MARK)? + MARK.len()..].trim_start();
    let end = rest
        .find(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '.' | 'µ' | 'μ')))
        .unwrap_or(rest.len());
    go_duration(&rest[..end])
}

/// Go's `time.Duration` as text: `1m2.5s`, `880.092µs`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))
            .unwrap_or(rest.len());
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest
            .find(|letter: char| letter.is_ascii_digit() || letter == '.')
            .unwrap_or(rest.len());
        total += amount
            * match &rest[..unit] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" | "" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    total.is_finite().then(|| Duration::from_secs_f64(total.min(LONGEST.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_seconds_or_dates() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        assert_eq!(from_header("120", now), Some(Duration::from_mins(2)));
        assert_eq!(
            from_header("Sun, 06 Nov 1994 08:49:37 GMT", now),
            Some(Duration::from_secs(37))
        );
        assert_eq!(from_header("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(from_header("Thu, 30 Dec 9999 00:00:00 GMT", now), Some(LONGEST));
        assert_eq!(from_header("soon", now), None);
        assert_eq!(from_header("-1", now), None);
        assert_eq!(from_header("1e300", now), Some(Duration::from_hours(24)));
    }

    #[test]
    fn ghcr_says_it_in_the_body() {
        let millis = |text: &str| from_body(text).map(|wait| wait.as_micros());
        assert_eq!(
            millis("toomanyrequests: retry-after: 333.939671ms, allowed: 44000/minute"),
            Some(333_939)
        );
        assert_eq!(millis("toomanyrequests: retry-after: 880.092µs, allowed: 1/minute"), Some(880));
        assert_eq!(millis("Retry-After: 1m2.5s"), Some(62_500_000));
        assert_eq!(millis("retry-after: soon"), None);
        assert_eq!(millis("retry-after:"), None);
        assert_eq!(millis("slow down"), None);
    }
}
