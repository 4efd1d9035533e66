use std::{io::SeekFrom, sync::Arc};

use axum::{body::Body, response::Response};
use http::{HeaderMap, Method, StatusCode, header};
use mercurious_core::image::Digest;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::{Answer, has_already, naming, on_disk, respond};
use crate::{distribution::Inner, name::RepositoryName, refusal::Refusal};

/// How much is read of a file at a time, in bytes.
const CHUNK: usize = 256 * 1024;

pub(super) async fn get(
    inner: Arc<Inner>,
    name: RepositoryName,
    digest: Digest,
    method: &Method,
    headers: &HeaderMap,
) -> Answer {
    let (found, digest) = {
        let inner = Arc::clone(&inner);
        on_disk(move || Ok((inner.storage.blob(&name, &digest)?, digest))).await?
    };
    let size = found.ok_or(Refusal::BlobUnknown)?;
    if has_already(headers, &digest) {
        return Ok(respond(StatusCode::NOT_MODIFIED, naming(&digest), Body::empty()));
    }
    let range = wanted(headers, &digest, size)?;
    let mut fields = naming(&digest);
    fields.push((header::CONTENT_TYPE, "application/octet-stream".to_owned()));
    fields.push((header::ACCEPT_RANGES, "bytes".to_owned()));
    let (status, start, length) = match range {
        Some((start, end)) => {
            fields.push((header::CONTENT_RANGE, format!("bytes {start}-{end}/{size}")));
            (StatusCode::PARTIAL_CONTENT, start, end - start + 1)
        }
        None => (StatusCode::OK, 0, size),
    };
    fields.push((header::CONTENT_LENGTH, length.to_string()));
    if *method == Method::HEAD {
        return Ok(respond(status, fields, Body::empty()));
    }
    let path = inner.storage.content_path(&digest);
    let Ok(mut file) = tokio::fs::File::open(&path).await else {
        // Removed since it was seen.
        return Err(Refusal::BlobUnknown);
    };
    if start > 0 {
        file.seek(SeekFrom::Start(start)).await.map_err(|error| {
            tracing::error!(error = %error, blob.digest = %digest, "blob cannot be read");
            Refusal::Internal
        })?;
    }
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(length), CHUNK));
    Ok(respond(status, fields, body))
}

/// The one range of bytes that is asked for, both ends inclusive. Several ranges, or a unit that is not bytes, are
/// answered with the whole, as HTTP allows.
fn wanted(headers: &HeaderMap, digest: &Digest, size: u64) -> Result<Option<(u64, u64)>, Refusal> {
    let Some(text) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    if let Some(version) = headers.get(header::IF_RANGE)
        && version.to_str().unwrap_or_default().trim_matches('"') != digest.as_str()
    {
        return Ok(None);
    }
    let Some((first, last)) =
        text.trim().strip_prefix("bytes=").and_then(|one| one.split_once('-'))
    else {
        return Ok(None);
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(size.saturating_sub(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, size.saturating_sub(1)),
        (Err(_), Ok(0)) if first.is_empty() => return Err(Refusal::RangeUnsatisfiable { size }),
        (Err(_), Ok(last)) if first.is_empty() => {
            (size.saturating_sub(last), size.saturating_sub(1))
        }
        _ => return Ok(None),
    };
    if range.0 >= size {
        return Err(Refusal::RangeUnsatisfiable { size });
    }
    Ok(Some(range))
}

pub(super) async fn delete(inner: Arc<Inner>, name: RepositoryName, digest: Digest) -> Answer {
    if on_disk(move || Ok(inner.storage.remove_blob(&name, &digest)?)).await? {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    } else {
        Err(Refusal::BlobUnknown)
    }
}
