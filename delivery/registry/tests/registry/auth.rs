use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use mercurious_core::image::Digest;
use mercurious_registry::{Keychain, RegistryError};

use crate::{
    liar::{Asked, Liar, Told},
    support::{client, repository},
};

/// A registry with a token service. `issue` says what a request for a token gets; `accept` says which
/// authorizations are good.
fn with_tokens(
    issue: impl Fn(&Asked) -> Told + Send + Sync + 'static,
    accept: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> Liar {
    Liar::new(move |asked| {
        if asked.path() == "/token" {
            return issue(asked);
        }
        if accept(asked.header("authorization")) {
            return Told::ok("").header("docker-content-digest", Digest::of(b"x"));
        }
        let host = asked.header("host");
        let challenge = format!(
            r#"Bearer realm="http://{host}/token",service="svc",scope="repository:team/app:pull",error="x""#
        );
        Told::new(401).header("www-authenticate", challenge)
    })
}

fn keychain(auths: &serde_json::Value) -> Keychain {
    let bytes = serde_json::json!({ "auths": auths }).to_string();
    Keychain::anonymous().with_docker_config_json("secret app/pull", bytes.as_bytes()).unwrap()
}

/// `Basic` of `name:word`.
fn basic(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!("Basic {}", STANDARD.encode(text))
}

#[tokio::test]
async fn a_token_is_used_until_it_is_refused() {
    let generation = Arc::new(AtomicUsize::new(1));
    let (issued, accepted) = (generation.clone(), generation.clone());
    let liar = with_tokens(
        move |_| Told::json(format!(r#"{{"token":"t{}"}}"#, issued.load(Ordering::SeqCst))),
        move |auth| auth == format!("Bearer t{}", accepted.load(Ordering::SeqCst)),
    );
    let (client, repository) = (client(), repository(&liar));
    client.head(&repository, "latest", &Keychain::anonymous()).await.unwrap();
    assert_eq!(
        liar.lines(),
        [
            "HEAD /v2/team/app/manifests/latest",
            "GET /token?service=svc&scope=repository%3Ateam%2Fapp%3Apull",
            "HEAD /v2/team/app/manifests/latest"
        ]
    );
    liar.forget();
    for _ in 0..5 {
        client.head(&repository, "latest", &Keychain::anonymous()).await.unwrap();
    }
    assert_eq!(liar.lines(), vec!["HEAD /v2/team/app/manifests/latest"; 5]);
    // Expired: refreshed once, then used again.
    generation.store(2, Ordering::SeqCst);
    liar.forget();
    client.head(&repository, "latest", &Keychain::anonymous()).await.unwrap();
    client.head(&repository, "latest", &Keychain::anonymous()).await.unwrap();
    let kinds: Vec<_> = liar.asked().iter().map(|asked| asked.method.clone()).collect();
    assert_eq!(kinds, ["HEAD", "GET", "HEAD", "HEAD"]);
}

#[tokio::test]
async fn the_next_repository_of_a_known_registry_spares_the_first_refusal() {
    let liar = with_tokens(|_| Told::json(r#"{"access_token":"t"}"#), |auth| auth == "Bearer t");
    let client = client();
    client.head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap();
    liar.forget();
    let other = format!("{}/team/other", liar.host).parse().unwrap();
    client.head(&other, "latest", &Keychain::anonymous()).await.unwrap();
    assert_eq!(
        liar.lines(),
        [
            "GET /token?service=svc&scope=repository%3Ateam%2Fother%3Apull",
            "HEAD /v2/team/other/manifests/latest"
        ]
    );
}

/// Lets time pass without the passing of time: real sockets are asked before and after.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_token_with_an_end_is_replaced_before_it() {
    let liar =
        with_tokens(|_| Told::json(r#"{"token":"t","expires_in":100}"#), |auth| auth == "Bearer t");
    let (client, repository) = (client(), repository(&liar));
    client.head(&repository, "latest", &Keychain::anonymous()).await.unwrap();
    liar.forget();
    pass(50).await;
    client.head(&repository, "latest", &Keychain::anonymous()).await.unwrap();
    assert_eq!(liar.asked().len(), 1);
    pass(45).await;
    client.head(&repository, "latest", &Keychain::anonymous()).await.unwrap();
    assert_eq!(client.spent().token, 2);
    assert_eq!(liar.asked().len(), 3);
}

#[tokio::test]
async fn many_at_once_get_one_token() {
    let liar = with_tokens(|_| Told::json(r#"{"token":"t"}"#), |auth| auth == "Bearer t");
    let (client, repository) = (client(), repository(&liar));
    let keychain = Keychain::anonymous();
    let looks = (0..12).map(|_| client.head(&repository, "latest", &keychain));
    for look in futures::future::join_all(looks).await {
        look.unwrap();
    }
    assert_eq!(client.spent().token, 1);
}

#[tokio::test]
async fn r38_a_rotated_secret_beside_the_old_one_works() {
    let new = basic("robot:new");
    let liar = with_tokens(
        move |asked| {
            if asked.header("authorization") == new {
                Told::json(r#"{"token":"good"}"#)
            } else {
                Told::new(401).body(r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#)
            }
        },
        |auth| auth == "Bearer good",
    );
    let keychain = keychain(&serde_json::json!({
        format!("{}/team/app", liar.host): {"username": "robot", "password": "old"},
        format!("{}/team", liar.host): {"username": "robot", "password": "new"},
    }));
    let (client, repository) = (client(), repository(&liar));
    client.head(&repository, "latest", &keychain).await.unwrap();
    assert_eq!(client.spent().token, 2);
    client.head(&repository, "latest", &keychain).await.unwrap();
    assert_eq!(client.spent().token, 2, "what worked is remembered");
}

#[tokio::test]
async fn an_expired_credential_does_not_break_a_public_image() {
    let liar = with_tokens(
        |asked| match asked.header("authorization") {
            "" => Told::json(r#"{"token":"public"}"#),
            _ => Told::new(403).body("denied"),
        },
        |auth| auth == "Bearer public",
    );
    let keychain =
        keychain(&serde_json::json!({liar.host.clone(): {"username": "u", "password": "expired"}}));
    client().head(&repository(&liar), "latest", &keychain).await.unwrap();
}

#[tokio::test]
async fn r46_a_refusal_tells_each_source_tried_and_no_secret() {
    let liar = with_tokens(
        |asked| match asked.header("authorization") {
            "" => Told::json(r#"{"token":"small"}"#),
            _ => Told::new(401).body("bad credentials"),
        },
        |_| false,
    );
    let keychain =
        keychain(&serde_json::json!({liar.host.clone(): {"username": "u", "password": "hunter2"}}));
    let error = client().head(&repository(&liar), "latest", &keychain).await.unwrap_err();
    let RegistryError::Denied { attempts, .. } = &error else { panic!("{error:?}") };
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert!(attempts[0].credential.starts_with("secret app/pull"), "{attempts:?}");
    assert!(attempts[0].outcome.contains("bad credentials"), "{attempts:?}");
    assert_eq!(attempts[1].credential, "anonymous");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_basic_registry_is_greeted_with_basic_from_then_on() {
    let good = basic("u:p");
    let liar = Liar::new(move |asked| {
        if asked.header("authorization") == good {
            Told::ok("").header("docker-content-digest", Digest::of(b"x"))
        } else {
            Told::new(401).header("www-authenticate", "Basic realm=\"r\"")
        }
    });
    let keychain = keychain(&serde_json::json!({liar.host.clone(): {"auth": "dTpw"}}));
    let (client, repository) = (client(), repository(&liar));
    client.head(&repository, "latest", &keychain).await.unwrap();
    client.head(&repository, "latest", &keychain).await.unwrap();
    assert_eq!(client.spent().total(), 3);
    // Another keychain does not profit from this one's session.
    let error = client.head(&repository, "latest", &Keychain::anonymous()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn an_identity_token_is_posted_and_falls_back_where_oauth_is_unknown() {
    for known in [true, false] {
        let liar = with_tokens(
            move |asked| match (asked.method.as_str(), known) {
                ("POST", true) => {
                    let form = String::from_utf8(asked.body.clone()).unwrap();
                    assert!(form.contains("grant_type=refresh_token"), "{form}");
                    assert!(form.contains("refresh_token=refresh-me"), "{form}");
                    assert!(!asked.target.contains("refresh-me"));
                    Told::json(r#"{"access_token":"t"}"#)
                }
                ("POST", false) => Told::new(404),
                _ if asked.header("authorization") == basic("<token>:refresh-me") => {
                    Told::json(r#"{"token":"t"}"#)
                }
                _ => Told::new(401),
            },
            |auth| auth == "Bearer t",
        );
        let keychain =
            keychain(&serde_json::json!({liar.host.clone(): {"identitytoken": "refresh-me"}}));
        client().head(&repository(&liar), "latest", &keychain).await.unwrap();
    }
}

#[tokio::test]
async fn a_registry_token_needs_no_exchange() {
    let liar = with_tokens(|_| Told::new(500), |auth| auth == "Bearer direct");
    let keychain = keychain(&serde_json::json!({liar.host.clone(): {"registrytoken": "direct"}}));
    client().head(&repository(&liar), "latest", &keychain).await.unwrap();
}

#[tokio::test]
async fn credentials_never_go_to_a_private_realm() {
    let inner = Liar::new(|_| Told::json(r#"{"token":"t"}"#));
    // The same machine by another name: not the registry's own address.
    let port = inner.host.rsplit_once(':').unwrap().1.to_owned();
    for realm in [
        format!("http://localhost:{port}/token"),
        format!("http://127.0.0.2:{port}/token"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://10.0.0.1/token".to_owned(),
        "gopher://x/".to_owned(),
    ] {
        let liar = Liar::new(move |_| {
            Told::new(401).header("www-authenticate", format!("Bearer realm=\"{realm}\""))
        });
        let keychain =
            keychain(&serde_json::json!({liar.host.clone(): {"username": "u", "password": "p"}}));
        let error = client().head(&repository(&liar), "latest", &keychain).await.unwrap_err();
        assert!(matches!(error, RegistryError::Realm { .. }), "{error:?}");
    }
    assert!(inner.asked().is_empty());
}

#[tokio::test]
async fn a_token_service_that_talks_nonsense_is_told() {
    for (told, category) in [
        (Told::ok("<html>"), "bad-answer"),
        (Told::json("{}"), "bad-answer"),
        (Told::json(r#"{"token":""}"#), "bad-answer"),
        (Told::json(r#"{"token":"a\nb"}"#), "bad-answer"),
        (Told::ok(vec![b' '; 100_000]), "bad-answer"),
        (Told::new(503), "unavailable"),
        (Told::new(302).header("location", "http://example.org/"), "unsafe"),
    ] {
        let liar = with_tokens(move |_| told.clone(), |_| false);
        let error =
            client().head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap_err();
        assert_eq!(error.category(), category, "{error:?}");
    }
}

#[tokio::test]
async fn a_registry_that_hides_what_is_private_is_asked_again_with_credentials() {
    let good = basic("u:p");
    let liar = Liar::new(move |asked| {
        if asked.header("authorization") == good {
            return Told::ok("").header("docker-content-digest", Digest::of(b"x"));
        }
        match asked.path() {
            "/v2/" => Told::new(401).header("www-authenticate", "Basic realm=\"r\""),
            _ => Told::new(404),
        }
    });
    let keychain = keychain(&serde_json::json!({liar.host.clone(): {"auth": "dTpw"}}));
    client().head(&repository(&liar), "latest", &keychain).await.unwrap();
    let error =
        client().head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
}

#[tokio::test]
async fn looking_for_what_is_not_there_yet_costs_one_request_each() {
    let liar = Liar::new(|asked| {
        if asked.path() == "/token" {
            return Told::json(r#"{"token":"t"}"#);
        }
        if asked.header("authorization") == "Bearer t" {
            return Told::new(404);
        }
        let host = asked.header("host");
        Told::new(401).header("www-authenticate", format!("Bearer realm=\"http://{host}/token\""))
    });
    let keychain = keychain(&serde_json::json!({liar.host.clone(): {"auth": "dTpw"}}));
    let (client, repository) = (client(), repository(&liar));
    for _ in 0..4 {
        assert!(client.head(&repository, "sha-1", &keychain).await.unwrap_err().is_not_found());
    }
    assert_eq!(client.spent().total(), 3 + 3);
}

#[tokio::test]
async fn a_registry_that_wants_another_scope_gets_it() {
    let liar = Liar::new(|asked| {
        let host = asked.header("host");
        if asked.path() == "/token" {
            let wide = asked.target.contains("scope=special");
            return Told::json(format!(r#"{{"token":"{}"}}"#, if wide { "wide" } else { "small" }));
        }
        if asked.header("authorization") == "Bearer wide" {
            return Told::ok("").header("docker-content-digest", Digest::of(b"x"));
        }
        Told::new(401).header(
            "www-authenticate",
            format!("Bearer realm=\"http://{host}/token\",scope=\"special\""),
        )
    });
    client().head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap();
}

#[tokio::test]
async fn basic_is_used_where_the_bearer_realm_is_unfit() {
    let good = basic("u:p");
    let liar = Liar::new(move |asked| {
        if asked.header("authorization") == good {
            Told::ok("").header("docker-content-digest", Digest::of(b"x"))
        } else {
            Told::new(401)
                .header("www-authenticate", r#"Bearer realm="not a url",scope="*",Basic realm="r""#)
        }
    });
    let keychain = keychain(&serde_json::json!({liar.host.clone(): {"auth": "dTpw"}}));
    client().head(&repository(&liar), "latest", &keychain).await.unwrap();
}
