use std::time::Duration;

use jiff::Timestamp;
use mercurious_registry::fuzzing::{next_page, retry_after_body, retry_after_header};

/// The longest wait that is ever believed.
const DAY: Duration = Duration::from_hours(24);

/// A `Retry-After` header, and the body that GHCR sends in its stead: no wait is longer than a day.
pub fn retry_after(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let now: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a constant");
    let from_header = retry_after_header(text, now);
    assert!(from_header.is_none_or(|wait| wait <= DAY), "{from_header:?}");
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse::<u64>().unwrap_or(u64::MAX).min(DAY.as_secs());
        assert_eq!(from_header, Some(Duration::from_secs(seconds)));
    }
    // A date that was accepted says the same an hour later, but for the hour.
    let later = retry_after_header(text, now + jiff::SignedDuration::from_hours(1));
    assert_eq!(later.is_some(), from_header.is_some());
    assert!(later <= from_header, "waiting makes the wait longer");

    let from_body = retry_after_body(text);
    assert!(from_body.is_none_or(|wait| wait <= DAY), "{from_body:?}");
    let framed =
        retry_after_body(&format!("toomanyrequests: Retry-After: {text}, allowed: 1/minute"));
    assert!(framed.is_none_or(|wait| wait <= DAY), "{framed:?}");
}

/// A `Link` header: the target is a piece of it, and neither what stands before nor after hides a next page.
pub fn link_header(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(target) = next_page(text) {
        assert!(text.contains(&format!("<{target}")) || text.contains(target), "{target}");
        assert!(!target.contains('>'), "{target}");
        assert_eq!(target, target.trim());
        let printed = format!("<{target}>; rel=\"next\"");
        assert_eq!(next_page(&printed), Some(target), "{printed}");
    }
    // The text as the target of a next link, and as words in a title before it.
    if !text.contains(['<', '>']) {
        let target = text.trim();
        for rel in ["rel=next", "rel=\"next\"", "REL=\"last Next\"", "title=\"a;b\"; rel=\"next\""]
        {
            let header = format!("</other>; rel=\"prev\", <{text}> ; {rel}");
            assert_eq!(next_page(&header), Some(target), "{header}");
        }
    }
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    let header = format!("</other>; title=\"{quoted}\"; rel=\"prev\", </page>; rel=\"next\"");
    assert_eq!(next_page(&header), Some("/page"), "{header}");
    let header = format!("</other>; title=\"{quoted}\"; rel=\"prev\"");
    assert_eq!(next_page(&header), None, "{header}");
}
