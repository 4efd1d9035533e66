use serde::{Deserialize, Serialize};

use crate::duration::Span;

/// A question whose answer a rollout needs. Exactly one of `http` and `logs` is set.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckSpec {
    /// What it is called in decisions.
    pub name: String,
    /// Ask a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCheck>,
    /// Read what the new replicas log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<LogsCheck>,
    /// Time between two questions.
    #[serde(default = "one_second")]
    pub period: Span,
    /// So many failures in a row are a definite no.
    #[serde(default = "three")]
    pub failure_threshold: u32,
}

fn one_second() -> Span {
    Span::seconds(1)
}

fn three() -> u32 {
    3
}

/// Ask a URL.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpCheck {
    /// `http://` or `https://`; on one machine `http://NAME.NAMESPACE.svc/` names a Service.
    pub url: String,
    /// The expected status; any 2xx where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// A text that the body must contain, with `{{ release.commit }}`, `{{ release.tag }}` and
    /// `{{ release.digest }}` filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// How long one answer may take.
    #[serde(default = "five_seconds")]
    pub timeout: Span,
}

fn five_seconds() -> Span {
    Span::seconds(5)
}

/// Read what the new replicas log.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogsCheck {
    /// A regular expression that no line may match.
    pub deny: String,
}
