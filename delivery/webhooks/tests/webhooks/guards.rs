//! What strangers send, and what senders send wrong.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use mercurious_webhooks::{Sender, Settings};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::support::{Hooks, SECRET, Variables, signature};

const IMAGE: &str = r#"{"image":"ghcr.io/team/app:v1"}"#;

async fn signed(hooks: &Hooks, body: &str, id: Option<&str>) -> (StatusCode, serde_json::Value) {
    let signature = format!("sha256={}", signature(body));
    let mut headers = vec![("x-signature", signature.as_str())];
    headers.extend(id.map(|id| ("idempotency-key", id)));
    hooks.post("/hooks/it", &headers, body.to_owned()).await
}

#[tokio::test]
async fn a_wrong_proof_is_refused_with_no_detail() {
    let wrong = "wrong-horse-battery-staple";
    for sender in Sender::ALL {
        for proof in sender.proofs().iter().filter(|proof| proof.as_str() != "oidc") {
            let hooks = Hooks::of(sender.as_str(), &format!(", proof: {proof}"));
            let path = if proof.as_str() == "path" {
                format!("/hooks/it/{wrong}")
            } else {
                "/hooks/it".into()
            };
            let sent = [
                vec![],
                vec![("x-signature", "sha256=00"), ("x-hub-signature-256", "sha256=00")],
                vec![("authorization", wrong), ("x-gitlab-token", wrong), ("x-api-key", wrong)],
            ];
            for headers in sent {
                let (status, answer) = hooks.post(&path, &headers, IMAGE).await;
                let status = status.as_u16();
                assert!(matches!(status, 401 | 403), "{sender} {proof}: {status} {answer}");
                assert_eq!(answer["detail"], "the sender did not prove who it is");
                assert!(!answer.to_string().contains("horse"), "{answer}");
            }
            assert_eq!(hooks.heard(), [""; 0]);
        }
    }
}

#[tokio::test]
async fn a_body_that_was_changed_is_refused() {
    let hooks = Hooks::of("generic-hmac", "");
    let signature = format!("sha256={}", signature(IMAGE));
    let changed = IMAGE.replace("v1", "v2");
    let (status, _) = hooks.post("/hooks/it", &[("x-signature", &signature)], changed).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(hooks.heard(), [""; 0]);
}

#[tokio::test]
async fn a_delivery_that_comes_again_is_heard_once() {
    let hooks = Hooks::of("generic-hmac", "");
    assert_eq!(signed(&hooks, IMAGE, Some("1")).await.0, StatusCode::ACCEPTED);
    let (status, answer) = signed(&hooks, IMAGE, Some("1")).await;
    assert_eq!((status, &answer["outcome"]), (StatusCode::OK, &json!("duplicate")));
    assert_eq!(hooks.heard().len(), 1);
    assert_eq!(signed(&hooks, IMAGE, Some("2")).await.0, StatusCode::ACCEPTED);
    assert_eq!(hooks.heard().len(), 1);
}

#[tokio::test]
async fn a_receiver_speaks_for_its_own_repositories_alone() {
    let hooks = Hooks::of("generic-hmac", "");
    let (status, answer) = signed(&hooks, r#"{"image":"ghcr.io/strangers/app:v1"}"#, None).await;
    assert_eq!((status, &answer["outcome"]), (StatusCode::OK, &json!("foreign")));
    assert_eq!(hooks.heard(), [""; 0]);
}

#[tokio::test]
async fn who_says_no_image_is_asked_for_one_where_repositories_are_open() {
    let hooks = Hooks::of("generic-hmac", "");
    let (status, answer) = signed(&hooks, "{}", None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["detail"].as_str().unwrap().contains("which image"), "{answer}");
}

#[tokio::test]
async fn a_body_larger_than_a_mebibyte_is_refused_announced_or_not() {
    let hooks = Hooks::of("generic-hmac", "");
    let large = "x".repeat((1 << 20) + 1);
    let (status, _) = hooks.post("/hooks/it", &[("content-length", "1048577")], "").await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, answer) = hooks.post("/hooks/it", &[], large.clone()).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer["code"], "too-large");
    // One byte less is read, and then its signature counts.
    assert_eq!(
        hooks.post("/hooks/it", &[], large[1..].to_owned()).await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_body_is_not_read_before_a_header_has_proven_its_sender() {
    let hooks = Hooks::of("harbor", "");
    let (status, _) = hooks.post("/hooks/it", &[("authorization", "no")], never()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_given_up() {
    let hooks = Hooks::of("generic-hmac", "");
    let (status, answer) = hooks.post("/hooks/it", &[], never()).await;
    assert_eq!((status, &answer["code"]), (StatusCode::REQUEST_TIMEOUT, &json!("too-slow")));
}

fn never() -> Body {
    Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>())
}

#[tokio::test]
async fn a_path_that_nobody_has_is_not_found_and_only_posts_are_heard() {
    let hooks = Hooks::of("generic-hmac", "");
    for path in ["/hooks/other", "/hooks/it/token", "/hooks", "/hook/00", "/", "/hooks/it/a/b"] {
        let (status, _) = hooks.post(path, &[], IMAGE).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
    let get = Request::get("/hooks/it").body(Body::empty()).unwrap();
    assert_eq!(hooks.send(get).await.0, StatusCode::METHOD_NOT_ALLOWED);
    // A receiver with its token in the path is not there without it.
    let hooks = Hooks::of("dockerhub", "");
    assert_eq!(hooks.post("/hooks/it", &[], IMAGE).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_path_that_flux_computes_is_answered_too() {
    let end = |name: &str, namespace: &str| -> String {
        let hash = Sha256::digest(format!("{SECRET}{name}{namespace}"));
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let receiver = |kind: &str| {
        format!(
            "{{ name: {kind}, namespace: flux-system, type: {kind}, secret: {{ env: SECRET }}, \
             repositories: [docker.io/team/*, ghcr.io/team/*] }}"
        )
    };
    let hooks =
        Hooks::new(&format!("receivers: [{}, {}]", receiver("dockerhub"), receiver("generic")));
    let body = r#"{"push_data":{"tag":"v1"},"repository":{"repo_name":"team/app"}}"#;
    let path = format!("/hook/{}", end("dockerhub", "flux-system"));
    assert_eq!(hooks.post(&path, &[], body).await.0, StatusCode::ACCEPTED);
    assert_eq!(hooks.heard(), ["docker.io/team/app:v1"]);
    // Who can sign must, there too.
    let path = format!("/hook/{}", end("generic", "flux-system"));
    assert_eq!(hooks.post(&path, &[], IMAGE).await.0, StatusCode::UNAUTHORIZED);
    let path = format!("/hook/{}", end("dockerhub", "other"));
    assert_eq!(hooks.post(&path, &[], body).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_limited_and_silences_nobody_else() {
    let one = |name: &str| {
        format!(
            "{{ name: {name}, type: generic, secret: {{ env: SECRET }}, repositories: [ghcr.io/team/*] }}"
        )
    };
    let hooks = Hooks::new(&format!("receivers: [{}, {}]", one("it"), one("other")));
    // Wrong ones first: they cost the receiver nothing.
    let mut statuses = Vec::new();
    for _ in 0..200 {
        statuses.push(hooks.post("/hooks/it", &[], IMAGE).await.0);
    }
    assert_eq!(statuses.first(), Some(&StatusCode::UNAUTHORIZED));
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
    let mut accepted = 0;
    while signed(&hooks, IMAGE, None).await.0 == StatusCode::ACCEPTED {
        accepted += 1;
        assert!(accepted < 1000);
    }
    assert_eq!(hooks.heard().len(), accepted);
    let signature = format!("sha256={}", signature(IMAGE));
    let headers = [("x-signature", signature.as_str())];
    assert_eq!(hooks.post("/hooks/other", &headers, IMAGE).await.0, StatusCode::ACCEPTED);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(signed(&hooks, IMAGE, None).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_became_of_each_is_counted_by_words_of_our_own() {
    let hooks = Hooks::of("generic-hmac", "");
    signed(&hooks, IMAGE, Some("1")).await;
    signed(&hooks, IMAGE, Some("1")).await;
    hooks.post("/hooks/it", &[], IMAGE).await;
    hooks.post("/hooks/a-stranger\"s-path", &[], IMAGE).await;
    hooks.post("/elsewhere", &[], IMAGE).await;
    let lines: Vec<String> = hooks
        .webhooks
        .metrics()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(Into::into)
        .collect();
    let line = |sender: &str, outcome: &str, count: u32| {
        format!("mercurious_webhooks_total{{sender=\"{sender}\",outcome=\"{outcome}\"}} {count}")
    };
    let wanted = [
        line("generic", "accepted", 1),
        line("generic", "duplicate", 1),
        line("generic", "refused", 1),
        line("none", "unknown", 2),
    ];
    assert_eq!(lines, wanted);
}

#[tokio::test]
async fn other_receivers_take_the_place_of_these_while_all_goes_on() {
    let hooks = Hooks::of("generic-hmac", "");
    let yaml = "receivers: [{ name: new, type: quay, secret: { env: SECRET }, repositories: [quay.io/team/*] }]";
    hooks.webhooks.replace(Settings::from_yaml(yaml).unwrap().receivers(&Variables).unwrap());
    assert_eq!(signed(&hooks, IMAGE, None).await.0, StatusCode::NOT_FOUND);
    let body = r#"{"docker_url":"quay.io/team/app","updated_tags":["v1"]}"#;
    let path = format!("/hooks/new/{SECRET}");
    assert_eq!(hooks.post(&path, &[], body).await.0, StatusCode::ACCEPTED);
}
