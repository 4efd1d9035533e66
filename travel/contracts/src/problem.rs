//! Errors as RFC 9457 writes them, and what is wrong with single fields.

use serde::{Deserialize, Serialize};

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Where it is, such as `fixed[2].end`; empty is the whole body.
    pub field: String,
    /// What kind of fault it is.
    pub code: FieldCode,
    /// What is wrong, for people.
    pub message: String,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FieldCode {
    /// It is not there and must be.
    Required,
    /// It is of the wrong kind, such as a text where a number belongs, or cannot be read.
    Malformed,
    /// There is no such field.
    Unknown,
    /// A number or date outside its limits.
    OutOfRange,
    /// A text or list that is too long.
    TooLong,
    /// A text or list that is empty.
    Empty,
    /// It ends before it starts.
    EndsBeforeStart,
    /// It is there twice.
    Duplicate,
    /// It does not go together with another field.
    Conflict,
}

/// An error of the HTTP interface, `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `about:blank`: the code tells the kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A stable code for programs, such as `invalid_request`.
    pub code: String,
    /// What happened and what to do.
    pub detail: String,
    /// Every wrong field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Which places an ambiguous name may mean; ask again with a `place_id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<crate::facts::Candidate>,
}

impl Problem {
    /// A problem with nothing but its kind and its detail.
    pub fn new(status: u16, title: &str, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: title.to_owned(),
            status,
            code: code.to_owned(),
            detail: detail.into(),
            errors: Vec::new(),
            candidates: Vec::new(),
        }
    }
}
