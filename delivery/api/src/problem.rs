use axum::{
    extract::rejection::{PathRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use mercurious_engine::AskError;
use serde::{Deserialize, Serialize};

/// An error as RFC 9457 writes it, with a stable code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// `about:blank`: the code tells the kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A stable code.
    pub code: String,
    /// What happened and what to do.
    pub detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
        }
    }
}

impl Problem {
    /// The time was up; what was waited for goes on.
    pub(crate) fn late(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "still-waiting", detail)
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-such-path", rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "query", rejection.body_text())
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let (status, code) = match &error {
            AskError::NoAutoDeploy { .. } => (StatusCode::NOT_FOUND, "no-auto-deploy"),
            AskError::Ambiguous { .. } => (StatusCode::BAD_REQUEST, "ambiguous-name"),
            AskError::NoRelease { .. } => (StatusCode::NOT_FOUND, "no-release"),
            AskError::ForeignRepository { .. } => (StatusCode::BAD_REQUEST, "foreign-repository"),
            AskError::Look(_) => (StatusCode::BAD_GATEWAY, "look-failed"),
            AskError::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "store-failed"),
            AskError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        };
        let mut detail = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            detail = format!("{detail}: {cause}");
        }
        Self::new(status, code, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
