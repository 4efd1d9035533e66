//! Whatever is sent: nothing panics, nobody speaks for others, and who proves nothing is not heard.

use http::Request;
use mercurious_webhooks::Sender;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::support::{Hooks, SECRET, digest, signature};

/// Headers that senders have, and what may stand in them.
fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let names = prop::sample::select(vec![
        "x-github-event",
        "x-github-delivery",
        "x-gitlab-event",
        "x-gitea-event",
        "x-forgejo-event",
        "content-type",
        "ce-specversion",
        "ce-type",
        "ce-source",
        "ce-id",
        "idempotency-key",
    ]);
    let values = prop_oneof![
        prop::sample::select(vec![
            "package",
            "Pipeline Hook",
            "1.0",
            "harbor.artifact.pushed",
            "dev.cdevents.artifact.published.0.2.0",
            "urn:aws:ecr:eu-west-3:1:repository/app",
            "application/cloudevents+json",
            "application/cloudevents-batch+json",
            "application/x-www-form-urlencoded",
            "application/vnd.docker.distribution.events.v2+json",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,40}",
    ];
    prop::collection::vec((names.prop_map(str::to_owned), values), 0..6)
}

/// JSON out of the words that senders use, and bytes that are none.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "action",
        "published",
        "package",
        "name",
        "namespace",
        "owner",
        "login",
        "package_version",
        "container_metadata",
        "tag",
        "digest",
        "package_url",
        "repository",
        "repo_name",
        "push_data",
        "type",
        "PUSH_ARTIFACT",
        "event_data",
        "resources",
        "resource_url",
        "docker_url",
        "updated_tags",
        "events",
        "target",
        "mediaType",
        "push",
        "request",
        "host",
        "detail",
        "detail-type",
        "ECR Image Action",
        "action-type",
        "PUSH",
        "result",
        "SUCCESS",
        "account",
        "region",
        "message",
        "data",
        "INSERT",
        "image",
        "subject",
        "id",
        "source",
        "specversion",
        "object_attributes",
        "status",
        "success",
        "created",
        "container",
        "html_url",
        "repository-name",
        "image-tag",
        "ghcr.io/strangers/app:v1",
        "ghcr.io/team/app:v1",
        "https://git.lan/x",
        "pkg:oci/app?repository_url=ghcr.io/strangers/app",
        "eyJhY3Rpb24iOiJJTlNFUlQifQ==",
        "",
    ]);
    let leaf = prop_oneof![
        word.clone().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::from(digest())),
        Just(serde_json::Value::Null),
    ];
    let tree = leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map(word.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    });
    prop_oneof![
        3 => tree.prop_map(|tree| tree.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..400),
    ]
}

fn senders() -> impl Strategy<Value = Sender> {
    let with_secret: Vec<Sender> =
        Sender::ALL.into_iter().filter(|sender| *sender != Sender::GitHubActions).collect();
    prop::sample::select(with_secret)
}

fn proof(sender: Sender) -> &'static str {
    if sender == Sender::Gcr { "path" } else { sender.proofs()[0].as_str() }
}

fn request(
    sender: Sender,
    headers: &[(String, String)],
    body: &[u8],
    proven: bool,
) -> Request<axum::body::Body> {
    let in_path = proof(sender) == "path";
    let path =
        if in_path && proven { format!("/hooks/it/{SECRET}") } else { "/hooks/it".to_owned() };
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if proven {
        let signature = {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
            let hash = ring::hmac::sign(&key, body);
            hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        request = request
            .header("authorization", SECRET)
            .header("x-hub-signature-256", format!("sha256={signature}"));
    } else {
        request = request
            .header("authorization", "Bearer guess")
            .header("x-hub-signature-256", format!("sha256={}", signature("something else")));
    }
    request.body(body.to_vec().into()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn strangers_are_never_heard(sender in senders(), headers in headers(), body in bodies()) {
        let hooks = Hooks::of(sender.as_str(), &format!(", proof: {}", proof(sender)));
        let (status, _) = Runtime::new().unwrap().block_on(hooks.send(request(sender, &headers, &body, false)));
        prop_assert!(matches!(status.as_u16(), 401 | 403), "{status}");
        prop_assert!(hooks.heard().is_empty());
    }

    #[test]
    fn nothing_panics_and_nobody_speaks_for_others(
        sender in senders(), headers in headers(), body in bodies(),
    ) {
        let hooks = Hooks::of(sender.as_str(), &format!(", proof: {}", proof(sender)));
        let (status, _) = Runtime::new().unwrap().block_on(hooks.send(request(sender, &headers, &body, true)));
        prop_assert!(matches!(status.as_u16(), 200 | 202 | 400), "{status}");
        let heard = hooks.heard();
        prop_assert_eq!(status == 202, !heard.is_empty());
        prop_assert!(heard.len() <= 64);
        prop_assert!(heard.iter().all(|hint| !hint.contains("strangers")), "{:?}", heard);
    }
}
