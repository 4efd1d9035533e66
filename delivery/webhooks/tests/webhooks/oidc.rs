//! Tokens of identity providers, with keys from a server of the test's own.

use std::sync::{
    Arc,
    atomic::{AtomicU16, AtomicU32, Ordering},
};

use axum::{Router, http::StatusCode, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mercurious_runtime::{Clock as _, SystemClock, Tasks};
use mercurious_webhooks::serve;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{rs256, support::Hooks};

const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// An issuer that publishes keys and counts how often it is asked.
struct Issuer {
    pair: EcdsaKeyPair,
    url: String,
    asked: Arc<AtomicU32>,
    status: Arc<AtomicU16>,
    _tasks: Tasks,
}

impl Issuer {
    async fn start() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        let keys = json!({ "keys": [
            { "kty": "oct-of-tomorrow", "kid": "strange" },
            { "kty": "EC", "crv": "P-256", "kid": "ec", "use": "sig", "alg": "ES256", "x": x, "y": y },
            { "kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": rs256::MODULUS, "e": "AQAB" },
        ]});
        let (asked, status) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU16::new(200)));
        let (count, now) = (Arc::clone(&asked), Arc::clone(&status));
        let answer = async move || {
            count.fetch_add(1, Ordering::SeqCst);
            (StatusCode::from_u16(now.load(Ordering::SeqCst)).unwrap(), keys.to_string())
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let tasks = Tasks::new();
        let (router, stopping) = (Router::new().route("/jwks", get(answer)), tasks.stopping());
        tasks.spawn("issuer", async move { serve(listener, router, stopping).await.unwrap() });
        Self { pair, url, asked, status, _tasks: tasks }
    }

    fn hooks(&self, rest: &str) -> Hooks {
        let keys = &self.url;
        Hooks::of("github-actions", &format!(", audience: mercurious, keys: '{keys}', {rest}"))
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let [header, claims] =
            [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

const MAIN: &str = "claims: { repository: team/app, ref: refs/heads/main }";

fn header() -> Value {
    json!({"alg": "ES256", "typ": "JWT", "kid": "ec"})
}

fn claims() -> Value {
    let now = SystemClock.now().as_second();
    json!({
        "iss": ISSUER, "aud": "mercurious", "sub": "repo:team/app:ref:refs/heads/main",
        "repository": "team/app", "ref": "refs/heads/main", "repository_visibility": "private",
        "jti": "1", "iat": now, "nbf": now - 300, "exp": now + 300,
    })
}

async fn send(hooks: &Hooks, token: &str) -> u16 {
    let authorization = format!("Bearer {token}");
    let body = r#"{"image":"ghcr.io/team/app:v1"}"#;
    let (status, _) = hooks.post("/hooks/it", &[("authorization", &authorization)], body).await;
    status.as_u16()
}

fn install_tls() {
    // A second provider cannot be installed; the first is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[tokio::test]
async fn a_workflows_own_token_is_taken() {
    install_tls();
    let issuer = Issuer::start().await;
    let hooks = issuer.hooks(MAIN);
    assert_eq!(send(&hooks, &issuer.sign(&header(), &claims())).await, 202);
    assert_eq!(send(&hooks, &rs256::token()).await, 202);
    assert_eq!(hooks.heard(), ["ghcr.io/team/app:v1", "ghcr.io/team/app:v1"]);
    // The keys are kept.
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_of_anything_else_is_refused() {
    install_tls();
    let issuer = Issuer::start().await;
    let hooks = issuer.hooks(MAIN);
    let now = SystemClock.now().as_second();
    for (claim, value) in [
        ("iss", json!("https://token.actions.githubusercontent.com.evil.example")),
        ("aud", json!("sts.amazonaws.com")),
        ("aud", json!(null)),
        ("repository", json!("team/other")),
        ("repository", json!(["team/app"])),
        ("ref", json!("refs/heads/main-2")),
        ("exp", json!(now - 3600)),
        ("exp", json!("never")),
        ("exp", json!(null)),
        ("nbf", json!(now + 3600)),
        ("iat", json!(now + 3600)),
    ] {
        let mut claims = claims();
        claims[claim] = value;
        assert_eq!(send(&hooks, &issuer.sign(&header(), &claims)).await, 401, "{claims}");
    }
    for header in [
        json!({"alg": "none", "kid": "ec"}),
        json!({"alg": "HS256", "kid": "ec"}),
        json!({"alg": "RS256", "kid": "ec"}),
        json!({"alg": "ES256", "kid": "rsa"}),
        json!({"alg": "ES256", "kid": "other"}),
        json!({"alg": "ES256"}),
    ] {
        assert_eq!(send(&hooks, &issuer.sign(&header, &claims())).await, 401, "{header}");
    }
    let good = issuer.sign(&header(), &claims());
    let other = Issuer::start().await.sign(&header(), &claims());
    let unsigned = good.rsplit_once('.').unwrap().0;
    let changed = rs256::token().replacen("eyJ", "eyK", 1);
    for token in ["", "a.b.c", &other, unsigned, &format!("{unsigned}."), &changed, &good[1..]] {
        assert_eq!(send(&hooks, token).await, 401, "{token}");
    }
    assert_eq!(hooks.heard(), [""; 0]);
    assert_eq!(send(&hooks, &good).await, 202);
    // Strangers' ids do not make the issuer be asked again and again.
    assert!(issuer.asked.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn a_star_lets_any_tag_through_and_no_branch() {
    install_tls();
    let issuer = Issuer::start().await;
    let hooks = issuer.hooks("claims: { repository: team/app, ref: 'refs/tags/*' }");
    let mut claims = claims();
    assert_eq!(send(&hooks, &issuer.sign(&header(), &claims)).await, 401);
    claims["ref"] = "refs/tags/v1.2.3".into();
    assert_eq!(send(&hooks, &issuer.sign(&header(), &claims)).await, 202);
}

#[tokio::test]
async fn google_vouches_for_a_service_account_whose_address_is_verified() {
    install_tls();
    let issuer = Issuer::start().await;
    let keys = &issuer.url;
    let hooks = Hooks::of(
        "gcr",
        &format!(
            ", audience: 'https://hooks.lan/', keys: '{keys}', claims: {{ email: push@project.iam.gserviceaccount.com }}"
        ),
    );
    let now = SystemClock.now().as_second();
    let claims = |email: &str, verified: bool| {
        json!({
            "iss": "https://accounts.google.com", "aud": "https://hooks.lan/", "azp": "113774264463038321964",
            "email": email, "email_verified": verified, "sub": "113774264463038321964",
            "iat": now, "exp": now + 3600,
        })
    };
    let body = r#"{"action":"INSERT","tag":"us-docker.pkg.dev/project/repository/app:v1"}"#;
    for (email, verified, status) in [
        ("push@project.iam.gserviceaccount.com", true, StatusCode::ACCEPTED),
        ("push@project.iam.gserviceaccount.com", false, StatusCode::UNAUTHORIZED),
        ("other@project.iam.gserviceaccount.com", true, StatusCode::UNAUTHORIZED),
    ] {
        let token = format!("Bearer {}", issuer.sign(&header(), &claims(email, verified)));
        let (answered, _) = hooks.post("/hooks/it", &[("authorization", &token)], body).await;
        assert_eq!(answered, status, "{email} {verified}");
    }
    assert_eq!(hooks.heard(), ["us-docker.pkg.dev/project/repository/app:v1"]);
}

#[tokio::test]
async fn a_sender_is_asked_to_come_again_while_no_keys_are_at_hand() {
    install_tls();
    let issuer = Issuer::start().await;
    issuer.status.store(500, Ordering::SeqCst);
    let hooks = issuer.hooks(MAIN);
    let token = issuer.sign(&header(), &claims());
    assert_eq!(send(&hooks, &token).await, 503);
    assert_eq!(send(&hooks, &token).await, 503);
    // It is left in peace for a while.
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1);
    assert_eq!(hooks.heard(), [""; 0]);
}
