use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use mercurious_core::image::{Digest, Repository};
use url::Url;

use crate::{
    Keychain, RegistryClient, RegistryError,
    hosts::{Endpoint, is_private, origin, same_origin},
    request::{Answer, Body, Redirects, Request},
    session::Actions,
};

/// GHCR refuses more than 4.00 MiB in one `PATCH`.
const CHUNK: u64 = 4 * 1024 * 1024;
/// A registry that asks for larger chunks than this is not served.
const LARGEST_CHUNK: u64 = 512 * 1024 * 1024;
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Where a blob's bytes are.
#[derive(Clone, Debug)]
pub enum BlobSource {
    /// In memory.
    Bytes(Bytes),
    /// In a file, whole; it is read while it is sent.
    File(PathBuf),
}

/// A blob to push.
#[derive(Clone, Debug)]
pub struct BlobToPush {
    /// Its digest; the registry refuses other bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Where it is.
    pub source: BlobSource,
}

/// How a blob got to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushedBlob {
    /// It was there already.
    Present,
    /// The registry took it from another of its repositories.
    Mounted,
    /// In one request.
    Sent,
    /// In chunks, as the registry would not take it in one request.
    SentInChunks,
}

impl BlobToPush {
    /// A blob in memory.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
        Self { digest, size, source: BlobSource::Bytes(bytes) }
    }

    fn part(&self, offset: u64, length: u64) -> Body {
        match &self.source {
            BlobSource::Bytes(bytes) => {
                let end = (offset + length).min(bytes.len() as u64) as usize;
                Body::Bytes(bytes.slice((offset as usize).min(end)..end))
            }
            BlobSource::File(path) => Body::File { path: Arc::new(path.clone()), offset, length },
        }
    }
}

/// The parts of one push that do not change.
struct Upload<'a> {
    client: &'a RegistryClient,
    repository: &'a Repository,
    endpoint: Endpoint,
    keychain: &'a Keychain,
    blob: &'a BlobToPush,
    what: String,
}

/// What a registry answers to the wish to upload.
enum Started {
    Mounted,
    At { location: Url, least_chunk: Option<u64> },
}

impl RegistryClient {
    /// Whether the registry has a blob.
    pub async fn has_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        keychain: &Keychain,
    ) -> Result<bool, RegistryError> {
        self.has_blob_for(repository, digest, &Actions::Pull, keychain).await
    }

    async fn has_blob_for(
        &self,
        repository: &Repository,
        digest: &Digest,
        actions: &Actions,
        keychain: &Keychain,
    ) -> Result<bool, RegistryError> {
        let endpoint = self.endpoint(repository)?;
        let url = endpoint.url(&format!("{}/blobs/{digest}", repository.path()));
        let what = format!("the blob {} of {repository}", digest.short());
        let request = Request::new(Method::HEAD, url, what).redirects(Redirects::Elsewhere);
        match self.send(repository, &endpoint, actions, keychain, &request).await {
            Ok(answer) => Ok(answer.status == StatusCode::OK),
            // To ask is only to spare the upload: what cannot be asked is uploaded.
            Err(
                RegistryError::NotFound { .. }
                | RegistryError::Refused { .. }
                | RegistryError::Redirect { .. },
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts a blob into a repository, in the cheapest way that the registry takes.
    ///
    /// `mount_from` names another repository of the same registry that may have it.
    pub async fn push_blob(
        &self,
        repository: &Repository,
        blob: &BlobToPush,
        mount_from: Option<&Repository>,
        keychain: &Keychain,
    ) -> Result<PushedBlob, RegistryError> {
        let upload = Upload {
            client: self,
            repository,
            endpoint: self.endpoint(repository)?,
            keychain,
            blob,
            what: format!("the blob {} for {repository}", blob.digest.short()),
        };
        let present =
            self.has_blob_for(repository, &blob.digest, &Actions::PullAndPush, keychain).await?;
        if present {
            return Ok(PushedBlob::Present);
        }
        let from = mount_from
            .filter(|from| from.host() == repository.host() && from.path() != repository.path());
        if let Some(from) = from
            && upload.mount(from).await?
        {
            return Ok(PushedBlob::Mounted);
        }
        // A failed upload is begun anew: its session may be gone, or hold bytes that did arrive.
        self.transport().with_retries(&upload.what, || upload.send()).await
    }
}

impl Upload<'_> {
    /// Asks the registry to take the blob from another repository. `false` where it would not.
    async fn mount(&self, from: &Repository) -> Result<bool, RegistryError> {
        let actions = Actions::PushMounting(from.path().to_owned());
        match self.start(Some(from), &actions).await {
            Ok(Started::Mounted) => Ok(true),
            Ok(Started::At { location, .. }) => {
                self.cancel(location).await;
                Ok(false)
            }
            // The right to read the other repository may be missing.
            Err(RegistryError::Denied { .. } | RegistryError::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn send(&self) -> Result<PushedBlob, RegistryError> {
        let (location, least_chunk) = match self.start(None, &Actions::PullAndPush).await? {
            Started::Mounted => return Ok(PushedBlob::Mounted),
            Started::At { location, least_chunk } => (location, least_chunk),
        };
        match self.put_whole(location).await {
            Ok(()) => Ok(PushedBlob::Sent),
            // Too much for one request; nothing is known of the session then, so another is begun.
            Err(RegistryError::Refused { status: 413 | 416, .. }) if self.blob.size > 0 => {
                let Started::At { location, least_chunk: again } =
                    self.start(None, &Actions::PullAndPush).await?
                else {
                    return Ok(PushedBlob::Mounted);
                };
                self.put_chunks(location, again.or(least_chunk)).await?;
                Ok(PushedBlob::SentInChunks)
            }
            Err(error) => Err(error),
        }
    }

    async fn start(
        &self,
        from: Option<&Repository>,
        actions: &Actions,
    ) -> Result<Started, RegistryError> {
        let mut url = self.endpoint.url(&format!("{}/blobs/uploads/", self.repository.path()));
        if let Some(from) = from {
            url.query_pairs_mut()
                .append_pair("mount", self.blob.digest.as_str())
                .append_pair("from", from.path());
        }
        let mut request = Request::new(Method::POST, url, self.what.clone());
        // An upload is tried again as a whole; a mount has only this request.
        request.once = from.is_none();
        let answer = self
            .client
            .send(self.repository, &self.endpoint, actions, self.keychain, &request)
            .await?;
        match answer.status {
            StatusCode::CREATED => Ok(Started::Mounted),
            StatusCode::ACCEPTED => Ok(Started::At {
                location: self.location(&answer)?,
                least_chunk: answer
                    .header("oci-chunk-min-length")
                    .and_then(|length| length.trim().parse().ok()),
            }),
            status => Err(self.bad(format!("an upload was begun with the status {status}"))),
        }
    }

    /// Where to go on, with the query that the registry put there. It may be at another host of the
    /// registry's choice, which then sees the bytes but not our authorization.
    fn location(&self, answer: &Answer) -> Result<Url, RegistryError> {
        let target = answer
            .header("location")
            .and_then(|location| answer.url.join(location).ok())
            .ok_or_else(|| self.bad("it names no place to upload to".to_owned()))?;
        let refused = |reason| RegistryError::Redirect {
            what: self.what.clone(),
            target: origin(&target),
            reason,
        };
        if same_origin(&target, &self.endpoint.base) {
            return Ok(target);
        }
        // Registries behind a proxy often name themselves without TLS or port.
        if target.host() == self.endpoint.base.host() {
            let mut corrected = self.endpoint.base.clone();
            corrected.set_path(target.path());
            corrected.set_query(target.query());
            return Ok(corrected);
        }
        if target.scheme() != "https" && !is_private(&self.endpoint.base) {
            return Err(refused("it leaves TLS"));
        }
        if is_private(&target) && !is_private(&self.endpoint.base) {
            return Err(refused("it leads into a private network"));
        }
        Ok(target)
    }

    async fn put_whole(&self, location: Url) -> Result<(), RegistryError> {
        let request = Request::new(Method::PUT, self.with_digest(location), self.what.clone())
            .header(header::CONTENT_TYPE, OCTETS)
            .body(self.blob.part(0, self.blob.size))
            .once();
        self.finish(request).await
    }

    async fn put_chunks(&self, start: Url, least: Option<u64>) -> Result<(), RegistryError> {
        let chunk = CHUNK.max(least.unwrap_or(0));
        if chunk > LARGEST_CHUNK {
            return Err(self.bad(format!("it asks for chunks of at least {chunk} bytes")));
        }
        let mut location = start;
        let mut offset = 0;
        while offset < self.blob.size {
            let length = chunk.min(self.blob.size - offset);
            let range = format!("{offset}-{}", offset + length - 1);
            let range = HeaderValue::from_str(&range)
                .map_err(|_| self.bad("the range cannot stand in a header".to_owned()))?;
            let request = Request::new(Method::PATCH, location, self.what.clone())
                .header(header::CONTENT_TYPE, OCTETS)
                .header(header::CONTENT_RANGE, range)
                .body(self.blob.part(offset, length))
                .once();
            // `Range` of the answer is not looked at: ECR's is stale after the first chunk.
            let answer = self.go_on(&request).await?;
            if !matches!(answer.status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
                return Err(
                    self.bad(format!("a chunk was taken with the status {}", answer.status))
                );
            }
            location = self.location(&answer)?;
            offset += length;
        }
        let request =
            Request::new(Method::PUT, self.with_digest(location), self.what.clone()).once();
        self.finish(request).await
    }

    async fn finish(&self, request: Request) -> Result<(), RegistryError> {
        let answer = self.go_on(&request).await?;
        if !matches!(answer.status, StatusCode::CREATED | StatusCode::NO_CONTENT | StatusCode::OK) {
            return Err(self.bad(format!("the upload ended with the status {}", answer.status)));
        }
        let name = HeaderName::from_static("docker-content-digest");
        let stored = answer.headers.get(name).and_then(|value| value.to_str().ok());
        match stored.and_then(|digest| digest.parse::<Digest>().ok()) {
            Some(actual) if actual != self.blob.digest => Err(RegistryError::DigestMismatch {
                what: self.what.clone(),
                expected: self.blob.digest.clone(),
                actual,
            }),
            _ => Ok(()),
        }
    }

    /// Sends what belongs to an upload under way: authorized at the registry, bare elsewhere.
    async fn go_on(&self, request: &Request) -> Result<Answer, RegistryError> {
        if same_origin(&request.url, &self.endpoint.base) {
            return self
                .client
                .send(
                    self.repository,
                    &self.endpoint,
                    &Actions::PullAndPush,
                    self.keychain,
                    request,
                )
                .await;
        }
        match self.client.transport().send(request, None).await? {
            crate::request::Reply::Good(answer) => Ok(*answer),
            crate::request::Reply::Refused(refusal) => Err(refusal.into_error(&self.what)),
        }
    }

    /// Tells the registry that an upload will not be gone on with. It would expire by itself too.
    async fn cancel(&self, location: Url) {
        let request = Request::new(Method::DELETE, location, self.what.clone()).once();
        if let Err(error) = self.go_on(&request).await {
            tracing::debug!(error = %error, "unused upload was not cancelled");
        }
    }

    fn with_digest(&self, mut location: Url) -> Url {
        location.query_pairs_mut().append_pair("digest", self.blob.digest.as_str());
        location
    }

    fn bad(&self, problem: String) -> RegistryError {
        RegistryError::BadAnswer { what: self.what.clone(), problem }
    }
}
