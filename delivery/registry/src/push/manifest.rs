use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use mercurious_core::image::{Digest, Repository};

use crate::{
    Keychain, RegistryClient, RegistryError,
    request::{Body, Request},
    session::Actions,
};

impl RegistryClient {
    /// Puts a manifest or index under a tag, or under its own digest. What it names must be there already.
    pub async fn push_manifest(
        &self,
        repository: &Repository,
        reference: &str,
        bytes: Bytes,
        media_type: &str,
        keychain: &Keychain,
    ) -> Result<Digest, RegistryError> {
        let digest = Digest::of(&bytes);
        let by_digest = reference.parse::<Digest>().ok();
        if by_digest.is_none() && reference.parse::<mercurious_core::image::Tag>().is_err() {
            return Err(RegistryError::Reference {
                reference: reference.chars().take(140).collect(),
            });
        }
        let separator = if by_digest.is_some() { '@' } else { ':' };
        let what = format!("{repository}{separator}{reference}");
        let mismatch = |expected: Digest, actual: Digest| RegistryError::DigestMismatch {
            what: what.clone(),
            expected,
            actual,
        };
        if let Some(named) = by_digest.filter(|named| *named != digest) {
            return Err(mismatch(named, digest));
        }
        let content_type =
            HeaderValue::from_str(media_type).map_err(|_| RegistryError::BadAnswer {
                what: what.clone(),
                problem: "its media type cannot stand in a header".to_owned(),
            })?;
        let endpoint = self.endpoint(repository)?;
        let url = endpoint.url(&format!("{}/manifests/{reference}", repository.path()));
        let request = Request::new(Method::PUT, url, what.clone())
            .header(header::CONTENT_TYPE, content_type)
            .body(Body::Bytes(bytes));
        let answer =
            self.send(repository, &endpoint, &Actions::PullAndPush, keychain, &request).await?;
        if !matches!(
            answer.status,
            StatusCode::CREATED | StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT
        ) {
            return Err(RegistryError::BadAnswer {
                what,
                problem: format!("the manifest was taken with the status {}", answer.status),
            });
        }
        let stored = answer.header("docker-content-digest");
        match stored.and_then(|stored| stored.parse::<Digest>().ok()) {
            Some(actual) if actual != digest => Err(mismatch(digest, actual)),
            _ => Ok(digest),
        }
    }
}
