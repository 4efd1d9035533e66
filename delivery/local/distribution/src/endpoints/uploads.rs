use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, HeaderName, Request, StatusCode, Uri, header};
use mercurious_core::image::Digest;
use tokio::sync::OwnedMutexGuard;

use super::{Answer, CONTENT_DIGEST, body, on_disk, query, respond};
use crate::{
    distribution::Inner,
    name::RepositoryName,
    refusal::{Refusal, received},
    route,
    storage::{Session, UploadId},
};

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// `POST …/blobs/uploads/`: mounts a blob, takes one whole, or opens an upload.
pub(super) async fn start(
    inner: Arc<Inner>,
    name: RepositoryName,
    request: Request<Body>,
) -> Answer {
    let uri = request.uri();
    if query(uri, "digest-algorithm").any(|algorithm| algorithm != "sha256") {
        return Err(Refusal::Algorithm);
    }
    // A mount with faulty arguments is an upload, says the specification.
    if let Some(digest) = query(uri, "mount").next().and_then(|text| text.parse::<Digest>().ok()) {
        let from = query(uri, "from").next().map(|from| from.parse::<RepositoryName>());
        if let Ok(from) = from.transpose() {
            let (inner, into, wanted) = (Arc::clone(&inner), name.clone(), digest.clone());
            if on_disk(move || Ok(inner.storage.mount(&into, &wanted, from.as_ref())?)).await? {
                return Ok(created(&name, &digest));
            }
        }
    }
    let digest = expected(uri)?;
    if digest.is_some() {
        refuse_too_large(&inner, request.headers(), 0)?;
    }
    let (id, session) = {
        let (inner, name) = (Arc::clone(&inner), name.clone());
        on_disk(move || inner.uploads.start(&name, inner.storage.now())).await?
    };
    let Some(digest) = digest else {
        return Ok(progress(StatusCode::ACCEPTED, &name, &id, 0));
    };
    let session = session.lock_owned().await;
    let sent = receive(&inner, session, request.into_body()).await;
    match sent {
        Ok(session) => complete(inner, name, session, digest).await,
        Err(refusal) => {
            // Nobody was told its name: it cannot be gone on with.
            if let Some(session) = inner.uploads.find(&name, &id) {
                let mut session = session.lock_owned().await;
                on_disk(move || Ok(inner.uploads.end(&mut session)?)).await?;
            }
            Err(refusal)
        }
    }
}

/// `GET …/blobs/uploads/<id>`
pub(super) async fn status(inner: Arc<Inner>, name: RepositoryName, id: UploadId) -> Answer {
    let session = open(&inner, &name, &id).await?;
    Ok(progress(StatusCode::NO_CONTENT, &name, &id, session.size()))
}

/// `PATCH …/blobs/uploads/<id>`
pub(super) async fn append(
    inner: Arc<Inner>,
    name: RepositoryName,
    id: UploadId,
    request: Request<Body>,
) -> Answer {
    let session = open(&inner, &name, &id).await?;
    let session = receive_chunk(&inner, &name, &id, session, request).await?;
    Ok(progress(StatusCode::ACCEPTED, &name, &id, session.size()))
}

/// `PUT …/blobs/uploads/<id>?digest=…`
pub(super) async fn finish(
    inner: Arc<Inner>,
    name: RepositoryName,
    id: UploadId,
    request: Request<Body>,
) -> Answer {
    let digest = expected(request.uri())?.ok_or(Refusal::DigestMissing)?;
    let session = open(&inner, &name, &id).await?;
    let session = receive_chunk(&inner, &name, &id, session, request).await?;
    complete(inner, name, session, digest).await
}

/// `DELETE …/blobs/uploads/<id>`
pub(super) async fn cancel(inner: Arc<Inner>, name: RepositoryName, id: UploadId) -> Answer {
    let mut session = open(&inner, &name, &id).await?;
    on_disk(move || Ok(inner.uploads.end(&mut session)?)).await?;
    Ok(respond(StatusCode::NO_CONTENT, Vec::new(), Body::empty()))
}

/// The digest that an upload is to have. Of several any may be checked: the first is.
fn expected(uri: &Uri) -> Result<Option<Digest>, Refusal> {
    query(uri, "digest").next().map(|text| route::digest(&text)).transpose()
}

/// The upload, once no other request is sending to it.
async fn open(
    inner: &Inner,
    name: &RepositoryName,
    id: &UploadId,
) -> Result<OwnedMutexGuard<Session>, Refusal> {
    let session = inner.uploads.find(name, id).ok_or(Refusal::UploadUnknown)?;
    let session = tokio::time::timeout(inner.settings.idle_timeout, session.lock_owned())
        .await
        .map_err(|_| Refusal::UploadBusy)?;
    if session.is_over() { Err(Refusal::UploadUnknown) } else { Ok(session) }
}

async fn receive(
    inner: &Arc<Inner>,
    session: OwnedMutexGuard<Session>,
    sent: Body,
) -> Result<OwnedMutexGuard<Session>, Refusal> {
    let _turn = body::turn(inner).await?;
    body::receive(inner, session, sent).await
}

async fn receive_chunk(
    inner: &Arc<Inner>,
    name: &RepositoryName,
    id: &UploadId,
    session: OwnedMutexGuard<Session>,
    request: Request<Body>,
) -> Result<OwnedMutexGuard<Session>, Refusal> {
    let before = session.size();
    let headers = request.headers();
    let stated = match headers.get(header::CONTENT_RANGE) {
        None => None,
        Some(text) => {
            let refusal = || Refusal::OutOfOrder { location: location(name, id), size: before };
            let (first, last) = text.to_str().ok().and_then(range).ok_or_else(refusal)?;
            if first != before {
                return Err(refusal());
            }
            Some(last - first + 1)
        }
    };
    let length = content_length(headers);
    if let (Some(stated), Some(length)) = (stated, length)
        && stated != length
    {
        return Err(Refusal::ChunkLength);
    }
    refuse_too_large(inner, headers, before)?;
    let session = receive(inner, session, request.into_body()).await?;
    if stated.is_some_and(|stated| session.size() - before != stated) {
        return Err(Refusal::ChunkLength);
    }
    Ok(session)
}

/// `<first>-<last>`, both inclusive, as the specification has it; `bytes ` before and `/<size>` behind are borne.
fn range(text: &str) -> Option<(u64, u64)> {
    let text = text.trim();
    let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches([' ', '=']));
    let text = text.split_once('/').map_or(text, |(range, _)| range);
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < u64::MAX).then_some((first, last))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Says so before the bytes are sent.
fn refuse_too_large(inner: &Inner, headers: &HeaderMap, before: u64) -> Result<(), Refusal> {
    match (inner.settings.blob_limit, content_length(headers)) {
        (Some(limit), Some(length)) if before.saturating_add(length) > limit => {
            Err(Refusal::BlobTooLarge { limit })
        }
        _ => Ok(()),
    }
}

async fn complete(
    inner: Arc<Inner>,
    name: RepositoryName,
    mut session: OwnedMutexGuard<Session>,
    digest: Digest,
) -> Answer {
    on_disk(move || {
        inner.storage.finish(&inner.uploads, &name, &mut session, &digest)?;
        Ok(created(&name, &digest))
    })
    .await
}

fn location(name: &RepositoryName, id: &UploadId) -> String {
    format!("/v2/{name}/blobs/uploads/{id}")
}

fn created(name: &RepositoryName, digest: &Digest) -> axum::response::Response {
    let headers = vec![
        (header::LOCATION, format!("/v2/{name}/blobs/{digest}")),
        (CONTENT_DIGEST, digest.to_string()),
    ];
    respond(StatusCode::CREATED, headers, Body::empty())
}

fn progress(
    status: StatusCode,
    name: &RepositoryName,
    id: &UploadId,
    size: u64,
) -> axum::response::Response {
    let headers = vec![
        (header::LOCATION, location(name, id)),
        (header::RANGE, received(size)),
        (UPLOAD_ID, id.to_string()),
    ];
    respond(status, headers, Body::empty())
}
