use http::{HeaderMap, HeaderName, HeaderValue};
use mercurious_core::image::ImageReference;
use mercurious_webhooks::{Sender, fuzzing::read};

use crate::text::{assert_fit_to_print, assert_short};

/// A sender on the first line, headers below, a body after an empty line: what is read of it is images that can be asked
/// for, or one line that says why not.
pub fn webhook(data: &[u8]) {
    let end = data.windows(2).position(|window| window == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &b""[..]),
    };
    let Ok(head) = std::str::from_utf8(head) else { return };
    let mut lines = head.lines();
    let Some(Ok(sender)) = lines.next().map(str::parse::<Sender>) else { return };
    let headers: HeaderMap = lines
        .filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
        })
        .collect();
    let reading = match read(sender, &headers, body) {
        Ok(reading) => reading,
        Err(message) => return assert_fit_to_print(&message),
    };
    assert_eq!(Ok(&reading), read(sender, &headers, body).as_ref());
    if let Some(reason) = &reading.reason {
        assert!(reading.hints.is_empty(), "{reading:?}");
        assert_fit_to_print(reason);
    }
    // Whoever sends much says little more than that.
    let longest = reading.id.as_ref().map_or(0, String::len);
    assert!(longest <= data.len() + 64 * (reading.hints.len() + 1), "an id of {longest} bytes");
    for hint in &reading.hints {
        let text = hint.to_string();
        assert_short(&text);
        let reference: ImageReference = text.parse().unwrap_or_else(|error| {
            panic!("{text} is no reference: {error}");
        });
        assert_eq!(reference.repository(), &hint.repository, "{text}");
        assert_eq!(reference.digest(), hint.digest.as_ref(), "{text}");
    }
}
