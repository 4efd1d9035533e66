use std::sync::{Arc, Mutex};

use axum::{Router, body::Body};
use http::{Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt as _;
use mercurious_runtime::{SystemClock, Tasks};
use mercurious_webhooks::{Hint, SecretReader, SecretSource, Settings, Webhooks};
use ring::hmac;
use secrecy::SecretString;
use serde_json::Value;
use tower::ServiceExt as _;

/// What every receiver here shares with its sender.
pub(crate) const SECRET: &str = "correct-horse-battery-staple";

/// `SECRET` is the secret, `SHORT` a short one, `ODD` one that no path can hold.
pub(crate) struct Variables;

impl SecretReader for Variables {
    fn read(&self, source: &SecretSource) -> Result<SecretString, String> {
        let SecretSource::Variable(name) = source else { return Err("no files here".into()) };
        match name.as_str() {
            "SECRET" => Ok(format!("{SECRET}\n").into()),
            "SHORT" => Ok("hunter2".into()),
            "ODD" => Ok("correct horse/battery?staple".into()),
            _ => Err("it is not set".into()),
        }
    }
}

/// Receivers with somebody who listens.
pub(crate) struct Hooks {
    pub(crate) webhooks: Webhooks,
    pub(crate) router: Router,
    heard: Arc<Mutex<Vec<Hint>>>,
    _tasks: Tasks,
}

impl Hooks {
    pub(crate) fn new(yaml: &str) -> Self {
        let receivers = Settings::from_yaml(yaml).unwrap().receivers(&Variables).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (ears, tasks) = (Arc::clone(&heard), Tasks::new());
        let ears = Arc::new(move |hint: &Hint| ears.lock().unwrap().push(hint.clone()));
        let webhooks = Webhooks::new(receivers, ears, Arc::new(SystemClock), &tasks);
        let router = webhooks.router();
        Self { webhooks, router, heard, _tasks: tasks }
    }

    /// One receiver named `it`, of this type, for `ghcr.io/team/*` and what else is named.
    pub(crate) fn of(sender: &str, rest: &str) -> Self {
        let repositories = if sender == "gitlab" {
            "[registry.gitlab.com/team/app, ghcr.io/team/app]"
        } else {
            "[ghcr.io/team/*, docker.io/team/*, quay.io/team/*, harbor.lan/team/*, \
             registry.lan:5000/team/*, git.lan/team/*, team.azurecr.io/*, \
             123456789012.dkr.ecr.eu-west-3.amazonaws.com/*, us-docker.pkg.dev/project/*]"
        };
        let secret = if rest.contains("audience") { "" } else { "secret: { env: SECRET }, " };
        Self::new(&format!(
            "receivers: [{{ name: it, type: {sender}, {secret}repositories: {repositories}{rest} }}]"
        ))
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let problem = status.is_client_error() || status.is_server_error();
        if problem && status != StatusCode::METHOD_NOT_ALLOWED {
            assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
        }
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> (StatusCode, Value) {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// All that was heard until now, and no more of it afterwards.
    pub(crate) fn heard(&self) -> Vec<String> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        heard.iter().map(ToString::to_string).collect()
    }
}

/// The hex of a body's keyed hash.
pub(crate) fn signature(body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Some digest.
pub(crate) fn digest() -> String {
    format!("sha256:{}", "ab".repeat(32))
}
