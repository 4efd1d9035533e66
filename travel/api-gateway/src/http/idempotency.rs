//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).
//!
//! A key belongs to whoever sends the same `Authorization`. Only digests are kept. A key is kept for a day.

use axum::http::{HeaderMap, HeaderName, header};
use mercurious_contracts::request::TripRequest;
use sha2::{Digest as _, Sha256};

use super::Fault;
use crate::store::IdempotencyKey;

const NAME: HeaderName = HeaderName::from_static("idempotency-key");
/// Characters of a key at most.
const LONGEST: usize = 255;

/// The key of a request, if it has one.
pub(super) fn key(
    headers: &HeaderMap,
    request: &TripRequest,
) -> Result<Option<IdempotencyKey>, Fault> {
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bad = |detail: &str| Err(Fault::bad("bad_idempotency_key", detail));
    if values.next().is_some() {
        return bad("there is more than one Idempotency-Key");
    }
    let Ok(text) = value.to_str() else {
        return bad("the Idempotency-Key holds characters other than visible ASCII");
    };
    // A structured field's text in quotes, or as most clients send it, without.
    let text = text.trim();
    let key = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    if key.is_empty() || key.len() > LONGEST {
        return bad("the Idempotency-Key must have 1 to 255 characters");
    }
    let whose = headers.get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    // The request as it was understood: spaces and the order of fields make no other request.
    let understood = serde_json::to_vec(request).unwrap_or_default();
    Ok(Some(IdempotencyKey {
        key: digest(&[whose, key.as_bytes()]),
        fingerprint: digest(&[&understood]),
    }))
}

/// The SHA-256 of some parts, in hexadecimal; where one ends and the next begins counts.
pub(super) fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
