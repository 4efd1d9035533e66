//! Limits, failures that pass, failures that stay.

use std::sync::atomic::{AtomicUsize, Ordering};

use mercurious_core::image::Digest;
use mercurious_registry::{Keychain, RegistryError};
use tokio::time::{Duration, Instant};

use crate::{
    liar::{Liar, Told},
    support::{client, repository},
};

/// Answers with these in turn, the last one for ever.
fn in_turn(told: Vec<Told>) -> Liar {
    let next = AtomicUsize::new(0);
    Liar::new(move |_| {
        let at = next.fetch_add(1, Ordering::Relaxed).min(told.len() - 1);
        told[at].clone()
    })
}

fn good() -> Told {
    Told::ok("").header("docker-content-digest", Digest::of(b"x"))
}

#[tokio::test]
async fn failures_that_pass_are_waited_out() {
    for status in [408, 499, 500, 502, 503, 504, 522] {
        let liar = in_turn(vec![Told::new(status), good()]);
        let client = client();
        client.head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap();
        assert_eq!((client.spent().head, client.spent().retried), (2, 1), "{status}");
    }
}

#[tokio::test]
async fn tries_are_bounded_and_the_last_error_is_told() {
    let liar = in_turn(vec![Told::new(502)]);
    let error =
        client().head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unavailable { status: 502, .. }), "{error:?}");
    assert!(error.is_retryable());
    assert_eq!(liar.asked().len(), 3);
}

#[tokio::test]
async fn a_broken_connection_is_tried_again() {
    let manifest =
        Told::ok(r#"{"schemaVersion":2}"#).header("content-type", crate::images::MANIFEST);
    let liar = in_turn(vec![manifest.clone().cut_after(4), manifest]);
    let client = client();
    client.manifest(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap();
    assert_eq!(client.spent().get, 2);
}

#[tokio::test]
async fn other_refusals_are_told_at_once() {
    let liar = in_turn(vec![Told::new(400).body("what?")]);
    let error =
        client().manifest(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Refused { status: 400, .. }), "{error:?}");
    assert!(error.to_string().contains("what?"));
    assert_eq!(liar.asked().len(), 1);
}

#[tokio::test]
async fn a_short_wait_is_waited_and_has_a_floor() {
    // GHCR's own words; the wait that it asks for is below one second, where only the next refusal waits.
    let told =
        Told::new(429).body("toomanyrequests: retry-after: 333.939671ms, allowed: 44000/minute");
    let liar = in_turn(vec![told, Told::ok(r#"{"tags":[]}"#)]);
    let started = Instant::now();
    client().tags(&repository(&liar), &Keychain::anonymous()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_long_wait_is_told_instead_of_waited_and_holds_for_everybody() {
    let liar = in_turn(vec![Told::new(429).header("retry-after", 600).body("slow down")]);
    let (client, repository) = (client(), repository(&liar));
    for _ in 0..3 {
        let error = client.head(&repository, "latest", &Keychain::anonymous()).await.unwrap_err();
        assert!(matches!(error, RegistryError::RateLimited { .. }), "{error:?}");
        assert!(error.retry_after().unwrap() > Duration::from_secs(590));
    }
    assert_eq!(liar.asked().len(), 1, "a closed registry is left alone");
}

#[tokio::test]
async fn a_date_says_how_long_too() {
    // The test's clock stands at midnight.
    let liar = in_turn(vec![Told::new(429).header("retry-after", "Fri, 02 Jan 2026 00:10:00 GMT")]);
    let error =
        client().head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_mins(10)));
}

#[tokio::test]
async fn a_secondary_rate_limit_is_no_question_of_access() {
    let limited =
        Told::new(403).body("You have exceeded a secondary rate limit").header("retry-after", 900);
    let liar = in_turn(vec![limited]);
    let error = client().tags(&repository(&liar), &Keychain::anonymous()).await.unwrap_err();
    assert!(matches!(error, RegistryError::RateLimited { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_left_is_known() {
    let liar = in_turn(vec![
        good().header("ratelimit-limit", "100;w=21600").header("ratelimit-remaining", "42;w=21600"),
    ]);
    let client = client();
    client.head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap();
    let limits = client.rate_limits();
    let limit = limits[&liar.host];
    assert_eq!((limit.limit, limit.remaining), (Some(100), 42));
    assert_eq!(limit.window, Some(Duration::from_hours(6)));
}
