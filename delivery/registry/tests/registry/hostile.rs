//! A registry that means harm: what it says costs bounded time and memory, leads nowhere else, and reaches no terminal raw.

use mercurious_registry::{Keychain, RegistryError};
use tokio::time::Duration;

use crate::{
    liar::{Liar, Told},
    support::{client, repository},
};

async fn head(told: Told) -> RegistryError {
    let liar = Liar::new(move |_| told.clone());
    client().head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap_err()
}

#[tokio::test]
async fn no_wait_that_is_asked_for_is_longer_than_a_day() {
    for value in [
        "Thu, 30 Dec 9999 00:00:00 GMT",
        "99999999999999999999999999999999999999",
        "1e308",
        "86401",
    ] {
        let error = head(Told::new(429).header("retry-after", value)).await;
        assert!(matches!(error, RegistryError::RateLimited { .. }), "{value}: {error:?}");
        let wait = error.retry_after().unwrap();
        assert!(wait <= Duration::from_hours(24), "{value}: {wait:?}");
        assert!(wait > Duration::from_hours(23), "{value}: {wait:?}");
    }
}

#[tokio::test]
async fn a_wait_that_is_nonsense_is_no_wait() {
    for value in ["-1", "NaN", "inf", "-inf", "soon", "", "0x10", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        let liar = Liar::new(move |_| Told::new(429).header("retry-after", value));
        let client = client();
        let error =
            client.head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap_err();
        assert!(matches!(error, RegistryError::RateLimited { .. }), "{value}: {error:?}");
        let wait = error.retry_after().unwrap_or_default();
        assert!(wait <= Duration::from_secs(1), "{value}: {wait:?}");
        // A breath is all that is taken between the tries.
        assert_eq!(liar.asked().len(), 3, "{value}");
    }
}

#[tokio::test]
async fn headers_without_end_are_a_broken_connection() {
    let mut many = Told::new(200);
    for number in 0..5000 {
        many = many.header(&format!("x-{number}"), "y");
    }
    let long = Told::new(200).header("x", "y".repeat(4 << 20));
    for told in [many, long] {
        let error = head(told).await;
        assert_eq!(error.category(), "connection", "{error:?}");
    }
}

#[tokio::test]
async fn challenges_without_end_are_read_up_to_a_bound() {
    let parameters: String = (0..5000).map(|number| format!("p{number}=v,")).collect();
    for challenge in [
        "a,".repeat(20_000),
        format!("Bearer {parameters}realm=\"https://example.org\""),
        format!("Bearer realm=\"{}", "\\\"".repeat(20_000)),
        format!("Bearer realm=\"https://example.org/{}", "x".repeat(40_000)),
    ] {
        let error = head(Told::new(401).header("www-authenticate", &challenge)).await;
        assert!(error.to_string().len() < 2000, "{error}");
        assert!(!error.is_retryable(), "{error:?}");
    }
}

#[tokio::test]
async fn a_realm_on_a_private_address_is_refused_in_every_spelling() {
    for realm in [
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://2852039166/",
        "https://0xa9fea9fe/",
        "https://169.254.43518/",
        "https://169.254.169.254./",
        "https://LOCALHOST./",
        "https://①⑥⑨.254.169.254/",
    ] {
        let challenge = format!("Bearer realm=\"{realm}\"");
        let liar =
            Liar::new(move |_| Told::new(401).header("www-authenticate", &challenge).body("no"));
        let error =
            client().head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap_err();
        // Letters beyond ASCII do not even reach the reader of challenges.
        let is_ascii = realm.is_ascii();
        assert!(!is_ascii || matches!(error, RegistryError::Realm { .. }), "{realm}: {error:?}");
        assert!(!error.is_retryable(), "{realm}: {error:?}");
        // Nothing but the registry itself was asked, and twice at most.
        assert!(liar.asked().len() <= 2, "{:?}", liar.lines());
    }
}

#[tokio::test]
async fn odd_names_of_tags_are_left_out() {
    let names = serde_json::json!([
        "good",
        "",
        ".hidden",
        "-dash",
        "a/b",
        "../../etc/passwd",
        "a b",
        "a\u{1b}[31m",
        "a\nb",
        "é",
        "a:b",
        "a@b",
        "a%2fb",
        "\u{0}",
        "x".repeat(129),
        "x".repeat(1 << 20),
        "GOOD_2",
    ]);
    let body = serde_json::json!({"tags": names}).to_string();
    let liar = Liar::new(move |_| Told::json(&body));
    let tags = client().tags(&repository(&liar), &Keychain::anonymous()).await.unwrap();
    assert_eq!(tags.iter().map(ToString::to_string).collect::<Vec<_>>(), ["GOOD_2", "good"]);
}

#[tokio::test]
async fn words_of_a_registry_are_one_short_line() {
    let long = "\u{1b}[31mred\r\n\u{7}".repeat(5000);
    for (status, body) in [
        (400, long.clone()),
        (400, serde_json::json!({"errors": [{"code": long, "message": long}]}).to_string()),
        (503, long.clone()),
        (429, long),
        (400, "[".repeat(60_000)),
        (400, format!("<!DOCTYPE html>{}", "<p>".repeat(20_000))),
    ] {
        let liar = Liar::new(move |_| Told::new(status).body(body.clone()));
        let error = client()
            .manifest(&repository(&liar), "latest", &Keychain::anonymous())
            .await
            .unwrap_err();
        let said = error.to_string();
        assert!(!said.contains(char::is_control), "{said:?}");
        assert!(said.len() < 1000, "{} bytes", said.len());
    }
}
