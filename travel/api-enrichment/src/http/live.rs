//! The network itself.

use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use reqwest::header::RETRY_AFTER;
use secrecy::ExposeSecret as _;

use super::{Answer, Http, HttpError, MAX_ANSWER, Question};

/// How long one waits.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the whole answer.
    pub total: Duration,
}

/// Asks over the network.
#[derive(Debug, Clone)]
pub struct LiveHttp {
    client: reqwest::Client,
}

impl LiveHttp {
    /// With these timeouts. A redirect is not followed: no source of ours sends one, and a secret would go along.
    pub fn new(timeouts: Timeouts) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.total)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(2)
            .user_agent(concat!("mercurious-enrichment/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }
}

#[async_trait]
impl Http for LiveHttp {
    async fn ask(&self, question: &Question) -> Result<Answer, HttpError> {
        let host = || question.host().to_owned();
        let failed = |error: reqwest::Error| {
            if error.is_timeout() {
                HttpError::Timeout { host: host() }
            } else {
                HttpError::Connection { host: host(), source: error.without_url() }
            }
        };
        let mut request = match &question.body {
            Some(body) => self
                .client
                .post(question.url.clone())
                .header("content-type", "application/json")
                .body(body.clone()),
            None => self.client.get(question.url.clone()),
        };
        for (name, value) in &question.headers {
            request = request.header(*name, value);
        }
        if let Some((name, secret)) = &question.secret {
            // A key that cannot be a header is a wrong key: the server says so.
            let mut value = reqwest::header::HeaderValue::from_str(secret.expose_secret())
                .unwrap_or_else(|_| reqwest::header::HeaderValue::from_static("unusable"));
            value.set_sensitive(true);
            request = request.header(*name, value);
        }
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let retry_after = (response.headers().get(RETRY_AFTER))
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(HttpError::TooLarge { host: host() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body: body.freeze(), retry_after })
    }
}
