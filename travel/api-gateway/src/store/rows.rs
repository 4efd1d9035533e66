//! How records are written in stores that keep text.

use bytes::Bytes;
use mercurious_messaging::{Headers, Outgoing};
use serde::{Serialize, de::DeserializeOwned};

use super::StoreError;

/// Writes a record.
pub(super) fn write<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| unreadable(what, &error))
}

/// Reads a record.
pub(super) fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable(what, &error))
}

pub(super) fn unreadable(what: &'static str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unreadable { what, detail: error.to_string() }
}

/// Writes headers. Ours are all text.
pub(super) fn write_headers(headers: &Headers) -> Result<String, StoreError> {
    let pairs: Vec<(&str, &str)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)))
        .collect();
    write("headers", &pairs)
}

/// A message from its parts.
pub(super) fn message(
    topic: String,
    key: String,
    headers: &str,
    payload: Vec<u8>,
) -> Result<Outgoing, StoreError> {
    let pairs: Vec<(String, String)> = read("headers", headers)?;
    let mut headers = Headers::new();
    for (name, value) in pairs {
        headers.set(&name, value);
    }
    Ok(Outgoing { topic, key, headers, payload: Bytes::from(payload) })
}
