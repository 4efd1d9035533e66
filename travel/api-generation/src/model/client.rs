//! A server with the interface of OpenAI's chat completions.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use mercurious_runtime::{Breaker, BreakerLimit};
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use super::{Prompt, answer};

/// Which server, and as whom.
#[derive(Debug)]
pub struct ModelSettings {
    /// Where the interface begins, such as `https://api.openai.com/v1`.
    pub base_url: Url,
    /// The key, where the server wants one.
    pub key: Option<SecretString>,
    /// The model's name.
    pub model: String,
    /// Bounds.
    pub limits: Limits,
}

/// Bounds of asking a model.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// For all tries of one question.
    pub budget: Duration,
    /// How often a question is asked in all.
    pub tries: u32,
    /// The wait before the second try; twice as long before each next.
    pub pause: Duration,
    /// The most tokens of one answer.
    pub tokens: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            budget: Duration::from_secs(45),
            tries: 3,
            pause: Duration::from_millis(500),
            tokens: 4_000,
        }
    }
}

/// How an answer's form is asked for; servers know more or less of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// By a JSON schema.
    Schema,
    /// As JSON.
    Json,
    /// In words only.
    Plain,
}

impl Format {
    fn of(number: u8) -> Self {
        match number {
            0 => Self::Schema,
            1 => Self::Json,
            _ => Self::Plain,
        }
    }
}

/// Why there is no answer. None of these holds the key or the prompt.
#[derive(Debug, Error)]
pub enum ClientError {
    /// It took too long.
    #[error("the model's server did not answer in time")]
    Timeout,
    /// No connection, or a broken one.
    #[error("the connection to the model's server failed")]
    Connection(#[source] reqwest::Error),
    /// More than is read.
    #[error("the model's server answers with more than {MAX_ANSWER} bytes")]
    TooLarge,
    /// It said no.
    #[error("the model's server answered with the status {status} ({code})")]
    Status {
        /// The status.
        status: u16,
        /// The error's code, as far as it is one.
        code: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// There is no money left.
    #[error("the model's account has no quota left ({code})")]
    Quota {
        /// The error's code.
        code: String,
    },
    /// It failed too often lately.
    #[error("the model's server failed too often lately; it is asked again later")]
    Resting,
    /// It answered, and the answer is of no use.
    #[error(transparent)]
    Answer(#[from] answer::AnswerError),
}

impl ClientError {
    /// Whether the same question may work in a moment.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout | Self::Connection(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 409 | 429 | 500..=599),
            _ => false,
        }
    }
}

const MAX_ANSWER: usize = 1024 * 1024;
const BREAKER: BreakerLimit = BreakerLimit { failures: 5, rest: Duration::from_secs(60) };
/// Codes that mean: no more money, waiting does not help.
const QUOTA: [&str; 5] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
];

/// Asks a model.
pub struct Client {
    http: reqwest::Client,
    settings: ModelSettings,
    endpoint: Url,
    format: AtomicU8,
    breaker: Mutex<Breaker>,
    asked: AtomicU64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("model", &self.settings.model).finish_non_exhaustive()
    }
}

impl Client {
    /// A client; nothing is asked yet.
    pub fn new(settings: ModelSettings) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(settings.limits.connect)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(2)
            .user_agent(concat!("mercurious-generation/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let mut endpoint = settings.base_url.clone();
        let path = format!("{}/chat/completions", endpoint.path().trim_end_matches('/'));
        endpoint.set_path(&path);
        Ok(Self {
            http,
            settings,
            endpoint,
            format: AtomicU8::new(0),
            breaker: Mutex::new(Breaker::new()),
            asked: AtomicU64::new(0),
        })
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        &self.settings.model
    }

    /// How many questions were sent.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// The server's answer to `prompt`: what the model wrote.
    pub async fn ask(&self, prompt: &Prompt) -> Result<String, ClientError> {
        let limits = self.settings.limits;
        let deadline = Instant::now() + limits.budget;
        let (mut attempt, mut pause) = (1, limits.pause);
        loop {
            if !self.breaker().lets_through(Instant::now(), BREAKER) {
                return Err(ClientError::Resting);
            }
            let format = Format::of(self.format.load(Ordering::Relaxed));
            let outcome = match timeout_at(deadline, self.send(prompt, format)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(ClientError::Timeout),
            };
            match &outcome {
                Err(error) if error.is_transient() => {
                    self.breaker().failed(Instant::now(), BREAKER);
                }
                _ => self.breaker().succeeded(),
            }
            let error = match outcome {
                Ok(body) => return Ok(answer::content(&body)?),
                Err(error) => error,
            };
            // A server that does not know the form is asked in a simpler one from now on.
            if let ClientError::Status { status: 400 | 404 | 422, code, .. } = &error
                && format != Format::Plain
                && code != "model_not_found"
            {
                self.format.store(format as u8 + 1, Ordering::Relaxed);
                continue;
            }
            let asked = match &error {
                ClientError::Status { retry_after, .. } => *retry_after,
                _ => None,
            };
            let wait = asked.unwrap_or(pause).mul_f64(1.0 + fastrand::f64() / 4.0);
            if !error.is_transient() || attempt >= limits.tries || Instant::now() + wait >= deadline
            {
                return Err(error);
            }
            sleep(wait).await;
            pause *= 2;
            attempt += 1;
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, prompt: &Prompt, format: Format) -> Result<Vec<u8>, ClientError> {
        let failed = |error: reqwest::Error| {
            if error.is_timeout() {
                ClientError::Timeout
            } else {
                ClientError::Connection(error.without_url())
            }
        };
        self.asked.fetch_add(1, Ordering::Relaxed);
        let body = self.body(prompt, format).to_string();
        let mut request = self
            .http
            .post(self.endpoint.clone())
            .header("content-type", "application/json")
            .body(body);
        if let Some(key) = &self.settings.key {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
                .unwrap_or_else(|_| HeaderValue::from_static("unusable"));
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let retry_after = (response.headers().get(RETRY_AFTER))
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(ClientError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        if status == 200 {
            return Ok(body);
        }
        let code = error_code(&body);
        if QUOTA.contains(&code.as_str()) {
            return Err(ClientError::Quota { code });
        }
        Err(ClientError::Status { status, code, retry_after })
    }

    fn body(&self, prompt: &Prompt, format: Format) -> Value {
        let mut system = prompt.system.clone();
        if format != Format::Schema {
            system = format!("{system} The schema: {}", prompt.schema);
        }
        let mut body = json!({
            "model": self.settings.model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": prompt.data},
            ],
            "temperature": 0.3,
            "seed": 1,
            "max_completion_tokens": self.settings.limits.tokens,
        });
        match format {
            Format::Schema => {
                let schema = json!({"name": "trip_texts", "strict": true, "schema": prompt.schema});
                body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
            }
            Format::Json => body["response_format"] = json!({"type": "json_object"}),
            Format::Plain => {
                // The oldest servers know neither.
                body["max_tokens"] = body["max_completion_tokens"].take();
                if let Some(fields) = body.as_object_mut() {
                    fields.remove("max_completion_tokens");
                    fields.remove("seed");
                }
            }
        }
        body
    }
}

#[derive(Deserialize)]
struct Failure {
    error: Option<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    code: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The code of an error, or its type; only letters that codes have, for logs.
fn error_code(body: &[u8]) -> String {
    let detail = serde_json::from_slice::<Failure>(body).ok().and_then(|failure| failure.error);
    let code = detail.and_then(|detail| match detail.code {
        Some(Value::String(code)) => Some(code),
        _ => detail.kind,
    });
    let code = code.unwrap_or_else(|| "no code".to_owned());
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | ' ');
    code.chars().filter(plain).take(60).collect()
}
