//! `Prefer: wait=SECONDS` (RFC 7240): who asks for a trip waits for its end, if it is near, and is sent on to it.

use std::time::Duration;

use axum::http::HeaderMap;
use mercurious_contracts::JobId;
use tokio::time::{Instant, timeout_at};

use super::{App, Fault, events::Open};

/// Nobody waits longer.
const LONGEST: Duration = Duration::from_mins(1);

/// How long the caller would wait; an unreadable preference is none, as the RFC wants it.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut each = preferences.flat_map(|value| value.split([',', ';']));
    let seconds: u64 = each.find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("wait").then(|| value.parse().ok()).flatten()
    })?;
    (seconds > 0).then(|| Duration::from_secs(seconds).min(LONGEST))
}

/// Whether the job ended within this time. Where too many wait already, nobody else does.
pub(super) async fn ended(app: &App, job: JobId, patience: Duration) -> Result<bool, Fault> {
    let Some(_open) = Open::new(app) else { return Ok(false) };
    let until = Instant::now() + patience;
    // Followed before it is looked at, so that nothing falls between.
    let mut follow = app.jobs.hub.follow(job);
    loop {
        let record = app.jobs.store.job(job).await?.ok_or_else(|| Fault::not_found("job"))?;
        if record.status.is_terminal() {
            return Ok(true);
        }
        if timeout_at(until, follow.beyond(record.last_event)).await.is_err() {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preference_is_read_among_others_and_bounded() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", text.parse().unwrap());
            wait(&headers).map(|time| time.as_secs())
        };
        assert_eq!(read("wait=10"), Some(10));
        assert_eq!(read("respond-async, Wait = \"5\""), Some(5));
        assert_eq!(read("wait=99999"), Some(60));
        for nothing in ["wait", "wait=", "wait=-1", "wait=0", "waiting=5", "respond-async"] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}
