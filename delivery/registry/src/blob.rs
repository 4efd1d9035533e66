use std::{io::Write as _, path::Path, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use http::{Method, StatusCode};
use mercurious_core::image::{Digest, Repository};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::{
    BlobDescriptor, Keychain, RegistryClient, RegistryError,
    request::{Redirects, Request, Want},
    session::Actions,
    transport::{authority, failure},
};

/// A blob on its way: pieces that together have the size and digest that were asked for, or an error.
///
/// Do not use the pieces before the end: [`BlobReader::next`] gives `Ok(None)` only after the digest was right.
#[derive(Debug)]
pub struct BlobReader {
    response: reqwest::Response,
    hash: Sha256,
    blob: BlobDescriptor,
    what: String,
    host: String,
    read: u64,
    idle: Duration,
    deadline: Instant,
    allowed: Duration,
    done: bool,
}

impl BlobReader {
    /// The next piece; `None` at the end, after size and digest were found right.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        if self.done {
            return Ok(None);
        }
        let until = self.deadline.min(Instant::now() + self.idle);
        let chunk = tokio::time::timeout_at(until, self.response.chunk())
            .await
            .map_err(|_| RegistryError::Timeout {
                what: self.what.clone(),
                host: self.host.clone(),
                after: if until == self.deadline { self.allowed } else { self.idle },
            })?
            .map_err(|error| failure(&self.what, &self.host, self.idle, &error))?;
        if let Some(chunk) = chunk {
            self.read += chunk.len() as u64;
            if self.read > self.blob.size {
                return Err(self.bad(format!("it is longer than {} bytes", self.blob.size)));
            }
            self.hash.update(&chunk);
            Ok(Some(chunk))
        } else {
            self.done = true;
            self.finish().map(|()| None)
        }
    }

    /// The pieces as a stream, for `tokio_util::io::StreamReader` and the like.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, RegistryError>> + Send {
        stream::try_unfold(self, |mut reader| async move {
            Ok(reader.next().await?.map(|chunk| (chunk, reader)))
        })
    }

    fn finish(&mut self) -> Result<(), RegistryError> {
        if self.read != self.blob.size {
            // A broken connection, most often: worth another try.
            return Err(RegistryError::Connection {
                what: self.what.clone(),
                host: self.host.clone(),
                problem: format!("{} of {} bytes came", self.read, self.blob.size),
            });
        }
        let actual = Digest::from_sha256(&std::mem::take(&mut self.hash).finalize().into());
        if actual != self.blob.digest {
            return Err(RegistryError::DigestMismatch {
                what: self.what.clone(),
                expected: self.blob.digest.clone(),
                actual,
            });
        }
        Ok(())
    }

    fn bad(&self, problem: String) -> RegistryError {
        RegistryError::BadAnswer { what: self.what.clone(), problem }
    }
}

impl RegistryClient {
    /// Opens a blob. Redirects to where the registry keeps its blobs are followed without authorization.
    pub async fn blob(
        &self,
        repository: &Repository,
        blob: &BlobDescriptor,
        keychain: &Keychain,
    ) -> Result<BlobReader, RegistryError> {
        self.open_blob(repository, blob, keychain, false).await
    }

    /// `once` leaves trying again to a caller who does so for the whole transfer.
    async fn open_blob(
        &self,
        repository: &Repository,
        blob: &BlobDescriptor,
        keychain: &Keychain,
        once: bool,
    ) -> Result<BlobReader, RegistryError> {
        let endpoint = self.endpoint(repository)?;
        let what = format!("the blob {} of {repository}", blob.digest.short());
        let url = endpoint.url(&format!("{}/blobs/{}", repository.path(), blob.digest));
        let mut request = Request::new(Method::GET, url, what.clone())
            .want(Want::Stream)
            .redirects(Redirects::Elsewhere);
        request.once = once;
        let answer = self.send(repository, &endpoint, &Actions::Pull, keychain, &request).await?;
        let bad = |problem: String| RegistryError::BadAnswer { what: what.clone(), problem };
        let response = match answer.stream {
            Some(response) if answer.status == StatusCode::OK => response,
            _ => return Err(bad(format!("the status is {}", answer.status))),
        };
        if response.content_length().is_some_and(|length| length > blob.size) {
            return Err(bad(format!("it is longer than {} bytes", blob.size)));
        }
        let timeouts = &self.transport().timeouts;
        let allowed = timeouts.transfer(blob.size);
        Ok(BlobReader {
            response,
            hash: Sha256::new(),
            blob: blob.clone(),
            host: authority(&answer.url),
            what,
            read: 0,
            idle: timeouts.idle,
            deadline: Instant::now() + allowed,
            allowed,
            done: false,
        })
    }

    /// A small blob in memory. The caller has looked at `blob.size`.
    pub async fn blob_bytes(
        &self,
        repository: &Repository,
        blob: &BlobDescriptor,
        keychain: &Keychain,
    ) -> Result<Bytes, RegistryError> {
        let what = blob.digest.short();
        self.transport()
            .with_retries(what, || async {
                let mut reader = self.open_blob(repository, blob, keychain, true).await?;
                let mut bytes = BytesMut::new();
                while let Some(chunk) = reader.next().await? {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(bytes.freeze())
            })
            .await
    }

    /// Downloads a blob into a file, which appears under its name only when it is whole and right. The
    /// directory must exist; the file is durable on return.
    pub async fn blob_to_file(
        &self,
        repository: &Repository,
        blob: &BlobDescriptor,
        path: &Path,
        keychain: &Keychain,
    ) -> Result<(), RegistryError> {
        let what = blob.digest.short();
        self.transport()
            .with_retries(what, || async {
                let mut reader = self.open_blob(repository, blob, keychain, true).await?;
                let directory = directory_of(path).to_owned();
                let mut file =
                    blocking(path, move || tempfile::NamedTempFile::new_in(directory)).await?;
                let mut pieces = BytesMut::new();
                loop {
                    let chunk = reader.next().await?;
                    let last = chunk.is_none();
                    pieces.extend_from_slice(chunk.as_deref().unwrap_or_default());
                    // Each trip to the blocking pool writes much at a time.
                    if pieces.len() >= 1024 * 1024 || last {
                        let bytes = pieces.split().freeze();
                        file =
                            blocking(path, move || file.write_all(&bytes).map(|()| file)).await?;
                    }
                    if last {
                        break;
                    }
                }
                let target = path.to_owned();
                blocking(path, move || {
                    file.as_file().sync_all()?;
                    file.persist(&target).map_err(|error| error.error)?;
                    std::fs::File::open(directory_of(&target))?.sync_all()
                })
                .await
            })
            .await
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    act: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, RegistryError> {
    let done = tokio::task::spawn_blocking(act)
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)));
    done.map_err(|source| RegistryError::File { path: path.to_owned(), source: Arc::new(source) })
}
