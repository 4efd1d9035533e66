use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use mercurious_contracts::problem::{FieldError, Problem};

use crate::{service::AcceptError, store::StoreError};

/// Why a request is not answered as it was meant.
#[derive(Debug)]
pub struct Fault {
    status: StatusCode,
    problem: Box<Problem>,
    retry_after: Option<u64>,
}

impl Fault {
    /// A fault with its stable code and what to do about it.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        let problem = Box::new(Problem::new(status.as_u16(), title, code, detail));
        Self { status, problem, retry_after: None }
    }

    /// With every wrong field.
    #[must_use]
    pub fn with_fields(mut self, errors: Vec<FieldError>) -> Self {
        self.problem.errors = errors;
        self
    }

    /// With the seconds after which it is worth to ask again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// There is no such thing, or there is no more.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }

    /// The path or a header cannot be read.
    pub(super) fn bad(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// Something that is needed does not answer.
    pub(super) fn unavailable(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(2)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        if let StoreError::Unreadable { .. } = error {
            tracing::error!(error = %error, "what is stored cannot be read");
            let detail = "what is stored cannot be read; tell whoever runs this service";
            return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
        }
        tracing::warn!(error = %error, "the store does not answer");
        Self::unavailable("the store does not answer; ask again in a moment")
    }
}

impl From<AcceptError> for Fault {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::OtherRequest => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "this Idempotency-Key came before with another request; take a new one",
            ),
            AcceptError::Underway => Self::new(
                StatusCode::CONFLICT,
                "idempotency_key_underway",
                "a request with this Idempotency-Key is being accepted; ask again in a moment",
            )
            .retry_after(1),
            AcceptError::TooLarge(error) => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("the request is too large to be passed on: {error}"),
            ),
            AcceptError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.problem).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

pub(super) async fn no_route() -> Fault {
    Fault::not_found("address; /openapi.json lists those that there are")
}

pub(super) async fn no_method() -> Fault {
    let detail = "this address does not take that method; the header Allow lists those it takes";
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
