use std::sync::Arc;

use axum::body::Body;
use bytes::BytesMut;
use http_body_util::BodyExt;
use tokio::sync::{OwnedMutexGuard, SemaphorePermit};

use super::on_disk;
use crate::{distribution::Inner, refusal::Refusal, storage::Session};

/// How much is gathered before it is hashed and written, in bytes.
const CHUNK: usize = 256 * 1024;

/// Waits for a turn to receive a body.
pub(super) async fn turn(inner: &Inner) -> Result<SemaphorePermit<'_>, Refusal> {
    match tokio::time::timeout(inner.settings.idle_timeout, inner.receiving.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => Err(Refusal::TooManyUploads),
    }
}

async fn next(inner: &Inner, body: &mut Body) -> Result<Option<bytes::Bytes>, Refusal> {
    loop {
        let frame = tokio::time::timeout(inner.settings.idle_timeout, body.frame())
            .await
            .map_err(|_| Refusal::BodyIdle)?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(Refusal::BodyBroken(error)),
            // Trailers say nothing here.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Receives a whole body that must be small.
pub(super) async fn gather(
    inner: &Inner,
    mut body: Body,
    limit: usize,
    too_large: impl Fn() -> Refusal,
) -> Result<Vec<u8>, Refusal> {
    let mut gathered = Vec::new();
    while let Some(data) = next(inner, &mut body).await? {
        if gathered.len() + data.len() > limit {
            return Err(too_large());
        }
        gathered.extend_from_slice(&data);
    }
    Ok(gathered)
}

/// Receives a body of any size into an upload, a chunk at a time.
///
/// What arrived before a body broke off counts, so that the client can go on from there. The session's lock travels
/// with each write: a client that leaves in the middle of one never leaves file and hash in disagreement.
pub(super) async fn receive(
    inner: &Arc<Inner>,
    mut session: OwnedMutexGuard<Session>,
    mut body: Body,
) -> Result<OwnedMutexGuard<Session>, Refusal> {
    let mut buffer = BytesMut::with_capacity(CHUNK);
    loop {
        let data = match next(inner, &mut body).await {
            Ok(Some(data)) => data,
            Ok(None) => return write(inner, session, buffer).await.map(|(session, _)| session),
            Err(refusal) => {
                write(inner, session, buffer).await?;
                return Err(refusal);
            }
        };
        let size = session.size() + (buffer.len() + data.len()) as u64;
        if let Some(limit) = inner.settings.blob_limit.filter(|limit| size > *limit) {
            let inner = Arc::clone(inner);
            return on_disk(move || {
                inner.uploads.end(&mut session)?;
                Err(Refusal::BlobTooLarge { limit })
            })
            .await;
        }
        // Never more than two chunks: what does not fit is written before it is kept.
        if buffer.len() + data.len() > CHUNK {
            (session, buffer) = write(inner, session, buffer).await?;
        }
        buffer.extend_from_slice(&data);
    }
}

async fn write(
    inner: &Arc<Inner>,
    mut session: OwnedMutexGuard<Session>,
    mut buffer: BytesMut,
) -> Result<(OwnedMutexGuard<Session>, BytesMut), Refusal> {
    if buffer.is_empty() {
        return Ok((session, buffer));
    }
    let inner = Arc::clone(inner);
    on_disk(move || {
        if let Err(error) = session.append(&buffer, inner.storage.now()) {
            // Clients take this as final: the space is wanted back. The fault that matters is the first.
            let _ = inner.uploads.end(&mut session);
            return Err(Refusal::Storage(error));
        }
        buffer.clear();
        Ok((session, buffer))
    })
    .await
}
