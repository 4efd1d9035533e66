use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use mercurious_core::image::{Digest, DigestError, TagError};
use serde_json::{Value, json};

use crate::{name::RepositoryNameError, storage::StorageError};

/// Why a request is not answered as it asks, in the words of the specification's error bodies.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("nothing is served at this path")]
    NoSuchPath,
    #[error("this path does not take this method")]
    Method { allowed: &'static str },
    #[error("the request names no host")]
    NoHost,
    #[error(
        "this registry is reached as localhost or a loopback address, not as `{host}`; allow the name in its settings to use it"
    )]
    ForeignHost { host: String },
    #[error("this registry does not answer pages of other origins")]
    ForeignOrigin,
    #[error(transparent)]
    Name(RepositoryNameError),
    #[error("this registry has no such repository")]
    NameUnknown,
    #[error(transparent)]
    Tag(TagError),
    #[error(transparent)]
    Digest(DigestError),
    #[error("the content's digest is {actual}, not {expected}")]
    DigestMismatch { expected: Digest, actual: Digest },
    #[error("an upload ends with its digest in the query: ?digest=sha256:…")]
    DigestMissing,
    #[error("only the digest algorithm sha256 is taken")]
    Algorithm,
    #[error("this repository has no such blob")]
    BlobUnknown,
    #[error("the blob has {size} bytes: the asked range is outside of it")]
    RangeUnsatisfiable { size: u64 },
    #[error("this repository has no such manifest")]
    ManifestUnknown,
    #[error("not a manifest that this registry takes: {reason}")]
    ManifestInvalid { reason: String },
    #[error("a manifest has at most {limit} bytes")]
    ManifestTooLarge { limit: usize },
    #[error("the manifest names content that this repository does not have")]
    ManifestBlobUnknown { missing: Vec<Digest> },
    #[error("the manifest says that {digest} has {stated} bytes, but it has {actual}")]
    SizeMismatch { digest: Digest, stated: u64, actual: u64 },
    #[error("there is no such upload: it was never started, ended, or expired")]
    UploadUnknown,
    #[error("another request is still sending to this upload")]
    UploadBusy,
    #[error("the chunk does not start where the upload ends: {size} bytes are here")]
    OutOfOrder { location: String, size: u64 },
    #[error("the chunk's length is not the length that its Content-Range states")]
    ChunkLength,
    #[error("a blob has at most {limit} bytes here")]
    BlobTooLarge { limit: u64 },
    #[error("the request's body stopped arriving")]
    BodyIdle,
    #[error("the request's body broke off")]
    BodyBroken(#[source] axum::Error),
    #[error("as many uploads are open as this registry allows; end or cancel some, or wait")]
    TooManyUploads,
    #[error("`{value}` is not a number of entries")]
    PageSize { value: String },
    #[error("the registry's storage failed: {}", .0.summary())]
    Storage(#[from] StorageError),
    #[error("the registry failed inside; its log says more")]
    Internal,
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath
            | Self::NameUnknown
            | Self::BlobUnknown
            | Self::ManifestUnknown
            | Self::UploadUnknown => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::ForeignHost { .. } => StatusCode::MISDIRECTED_REQUEST,
            Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::NoHost
            | Self::Name(_)
            | Self::Tag(_)
            | Self::Digest(_)
            | Self::DigestMismatch { .. }
            | Self::DigestMissing
            | Self::Algorithm
            | Self::ManifestInvalid { .. }
            | Self::ManifestBlobUnknown { .. }
            | Self::SizeMismatch { .. }
            | Self::ChunkLength
            | Self::BodyBroken(_)
            | Self::PageSize { .. } => StatusCode::BAD_REQUEST,
            Self::RangeUnsatisfiable { .. } | Self::OutOfOrder { .. } => {
                StatusCode::RANGE_NOT_SATISFIABLE
            }
            Self::ManifestTooLarge { .. } | Self::BlobTooLarge { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::UploadBusy => StatusCode::CONFLICT,
            Self::BodyIdle => StatusCode::REQUEST_TIMEOUT,
            Self::TooManyUploads => StatusCode::TOO_MANY_REQUESTS,
            Self::Storage(_) | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The specification's code; `UNKNOWN` and `PAGINATION_NUMBER_INVALID` are those of the distribution project.
    fn code(&self) -> &'static str {
        match self {
            Self::NoSuchPath | Self::NameUnknown => "NAME_UNKNOWN",
            Self::Method { .. } | Self::Algorithm => "UNSUPPORTED",
            Self::NoHost | Self::ForeignHost { .. } | Self::ForeignOrigin => "DENIED",
            Self::Name(_) => "NAME_INVALID",
            Self::Tag(_) => "TAG_INVALID",
            Self::Digest(_) | Self::DigestMismatch { .. } | Self::DigestMissing => "DIGEST_INVALID",
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::ManifestInvalid { .. } | Self::ManifestTooLarge { .. } => "MANIFEST_INVALID",
            Self::ManifestBlobUnknown { .. } => "MANIFEST_BLOB_UNKNOWN",
            Self::SizeMismatch { .. } | Self::ChunkLength | Self::BlobTooLarge { .. } => {
                "SIZE_INVALID"
            }
            Self::UploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::RangeUnsatisfiable { .. }
            | Self::UploadBusy
            | Self::OutOfOrder { .. }
            | Self::BodyIdle
            | Self::BodyBroken(_) => "BLOB_UPLOAD_INVALID",
            Self::TooManyUploads => "TOOMANYREQUESTS",
            Self::PageSize { .. } => "PAGINATION_NUMBER_INVALID",
            Self::Storage(_) | Self::Internal => "UNKNOWN",
        }
    }

    fn errors(&self) -> Value {
        let error = |detail: Value| json!({"code": self.code(), "message": self.to_string(), "detail": detail});
        match self {
            Self::ManifestBlobUnknown { missing } => {
                missing.iter().map(|digest| error(json!({"digest": digest}))).collect()
            }
            Self::DigestMismatch { expected, actual } => {
                json!([error(json!({"digest": expected, "actual": actual}))])
            }
            Self::SizeMismatch { digest, .. } => json!([error(json!({"digest": digest}))]),
            _ => json!([error(Value::Null)]),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"errors": self.errors()}).to_string();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match &self {
            Self::Method { allowed } => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::RangeUnsatisfiable { size } => {
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
            }
            Self::OutOfOrder { location, size } => {
                if let Ok(value) = HeaderValue::from_str(location) {
                    headers.insert(header::LOCATION, value);
                }
                if let Ok(value) = HeaderValue::from_str(&received(*size)) {
                    headers.insert(header::RANGE, value);
                }
            }
            Self::TooManyUploads => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

/// The `Range` header that says how much of an upload is here: its last byte, inclusive.
///
/// `0-0` means nothing as well as one byte; the reference implementation has the same ambiguity and clients know it.
pub(crate) fn received(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}
