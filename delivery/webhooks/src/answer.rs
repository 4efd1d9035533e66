use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{counters::Outcome, notice::Malformed};

/// What a sender is told.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The engine looks.
    Accepted { repositories: usize },
    /// Nothing follows, and that is as it should be.
    Ignored(String),
    /// It came before.
    Duplicate,
    /// It speaks for others.
    Foreign,
    /// There is no such receiver.
    Unknown,
    /// The proof is wrong or missing.
    Refused { in_path: bool },
    /// The issuer's keys are not at hand.
    Unready,
    /// It is not what that sender writes.
    Malformed(Malformed),
    /// More bytes than anybody sends.
    TooLarge,
    /// Its body did not arrive.
    TooSlow,
    /// Too many.
    Limited { seconds: u64 },
}

impl Answer {
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Accepted { .. } => Outcome::Accepted,
            Self::Ignored(_) => Outcome::Ignored,
            Self::Duplicate => Outcome::Duplicate,
            Self::Foreign => Outcome::Foreign,
            Self::Unknown => Outcome::Unknown,
            Self::Refused { .. } => Outcome::Refused,
            Self::Unready => Outcome::Unready,
            Self::Malformed(_) => Outcome::Malformed,
            Self::TooLarge => Outcome::TooLarge,
            Self::TooSlow => Outcome::TooSlow,
            Self::Limited { .. } => Outcome::Limited,
        }
    }

    /// Status, code and detail of what went wrong. Nothing says what the right proof would be.
    fn problem(&self) -> Option<(StatusCode, &'static str, String)> {
        let (status, code, detail) = match self {
            Self::Accepted { .. } | Self::Ignored(_) | Self::Duplicate | Self::Foreign => {
                return None;
            }
            Self::Unknown => {
                (StatusCode::NOT_FOUND, "no-such-receiver", "nothing receives at this path".into())
            }
            Self::Refused { in_path } => {
                let status =
                    if *in_path { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
                (status, "not-authenticated", "the sender did not prove who it is".into())
            }
            Self::Unready => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no-keys",
                "the keys of the identity provider are not at hand; send it again".into(),
            ),
            Self::Malformed(malformed) => {
                (StatusCode::BAD_REQUEST, "malformed", malformed.to_string())
            }
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "no notification is larger than 1 MiB".into(),
            ),
            Self::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "too-slow", "the body did not arrive in time".into())
            }
            Self::Limited { .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many",
                "too many notifications; Retry-After says when the next is heard".into(),
            ),
        };
        Some((status, code, detail))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        if let Some((status, code, detail)) = self.problem() {
            let body = json!({
                "type": "about:blank",
                "title": status.canonical_reason().unwrap_or("Error"),
                "status": status.as_u16(),
                "code": code,
                "detail": detail,
            });
            let mut response = with_json(status, "application/problem+json", &body);
            let mut header = |name: HeaderName, value: HeaderValue| {
                response.headers_mut().insert(name, value);
            };
            match self {
                Self::Limited { seconds } => header(header::RETRY_AFTER, seconds.into()),
                Self::Unready => header(header::RETRY_AFTER, 5.into()),
                // What is left of the body is not read, so that nothing else can come behind it.
                Self::TooLarge | Self::TooSlow => {
                    header(header::CONNECTION, HeaderValue::from_static("close"));
                }
                _ => {}
            }
            return response;
        }
        let outcome = self.outcome().as_str();
        let (status, body) = match self {
            Self::Accepted { repositories } => {
                (StatusCode::ACCEPTED, json!({ "outcome": outcome, "repositories": repositories }))
            }
            Self::Ignored(reason) => {
                (StatusCode::OK, json!({ "outcome": outcome, "reason": reason }))
            }
            Self::Foreign => (
                StatusCode::OK,
                json!({ "outcome": outcome, "reason": "this receiver may not speak for that repository" }),
            ),
            _ => (StatusCode::OK, json!({ "outcome": outcome })),
        };
        with_json(status, "application/json", &body)
    }
}

fn with_json(status: StatusCode, kind: &'static str, body: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, kind)], format!("{body}\n")).into_response()
}
