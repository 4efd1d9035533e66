use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use mercurious_core::image::{Commit, Digest, Repository, Tag};

use crate::{
    Keychain, RegistryClient, RegistryError,
    answer_text::{errors_of, looks_like_html},
    media_types::{ACCEPT_MANIFESTS, is_manifest},
    request::{Answer, Redirects, Request, Want},
    session::Actions,
};

/// The distribution specification has registries take manifests of at least this size.
pub(crate) const MOST_OF_A_MANIFEST: u64 = 4 * 1024 * 1024;

/// What one look at a tag or digest shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The digest: of the index, where there is one.
    pub digest: Digest,
    /// The media type without parameters, where the registry names it.
    pub media_type: Option<String>,
    /// The manifest's own size in bytes, where the registry names it.
    pub size: Option<u64>,
}

/// A manifest or index as it lies in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of `bytes`, computed here.
    pub digest: Digest,
    /// The media type without parameters.
    pub media_type: String,
    /// The exact bytes.
    pub bytes: Bytes,
}

/// A tag or a digest.
enum Reference {
    Tag(Tag),
    Digest(Digest),
}

impl Reference {
    fn parse(text: &str) -> Result<Self, RegistryError> {
        let refused = || RegistryError::Reference { reference: text.chars().take(140).collect() };
        if text.contains(':') {
            text.parse().map(Self::Digest).map_err(|_| refused())
        } else {
            text.parse().map(Self::Tag).map_err(|_| refused())
        }
    }

    fn name(&self, repository: &Repository) -> String {
        match self {
            Self::Tag(tag) => format!("{repository}:{tag}"),
            Self::Digest(digest) => format!("{repository}@{digest}"),
        }
    }

    fn locator(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Digest(digest) => digest.as_str(),
        }
    }

    fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Tag(_) => None,
            Self::Digest(digest) => Some(digest),
        }
    }
}

impl RegistryClient {
    /// The digest that a tag or digest has now: one `HEAD`, once the way in is known.
    ///
    /// Where the registry leaves out `Docker-Content-Digest`, the manifest is fetched and hashed.
    pub async fn head(
        &self,
        repository: &Repository,
        reference: &str,
        keychain: &Keychain,
    ) -> Result<Head, RegistryError> {
        let reference = Reference::parse(reference)?;
        let request = self.manifest_request(Method::HEAD, repository, &reference)?;
        let endpoint = self.endpoint(repository)?;
        let sent = self.send(repository, &endpoint, &Actions::Pull, keychain, &request).await;
        let digest = match &sent {
            Ok(answer) if answer.status == StatusCode::OK => answer
                .header("docker-content-digest")
                .and_then(|value| value.trim().parse::<Digest>().ok()),
            // 405 and 501: a registry, or something before it, that does not know HEAD.
            Err(RegistryError::Refused { status: 400 | 405 | 501, .. }) | Ok(_) => None,
            Err(_) => return Err(into_error(sent)),
        };
        let Some(digest) = digest else {
            let manifest = self.fetch_manifest(repository, &reference, keychain).await?;
            return Ok(Head {
                digest: manifest.digest,
                size: Some(manifest.bytes.len() as u64),
                media_type: Some(manifest.media_type),
            });
        };
        verify(&request.what, reference.digest(), &digest)?;
        let answer = sent.ok();
        Ok(Head {
            digest,
            media_type: answer.as_ref().and_then(Answer::media_type),
            size: answer
                .as_ref()
                .and_then(|answer| answer.header("content-length"))
                .and_then(|length| length.parse().ok()),
        })
    }

    /// The manifest or index under a tag or digest. Only bytes that hash to the digest asked for are given.
    pub async fn manifest(
        &self,
        repository: &Repository,
        reference: &str,
        keychain: &Keychain,
    ) -> Result<Manifest, RegistryError> {
        self.fetch_manifest(repository, &Reference::parse(reference)?, keychain).await
    }

    /// The commit tag (`sha-` and the commit) of a digest, if the registry has it and it means the same
    /// image: proof that this image was built from this commit. One `HEAD`.
    pub async fn name_commit(
        &self,
        repository: &Repository,
        digest: &Digest,
        commit: &Commit,
        keychain: &Keychain,
    ) -> Result<Option<Tag>, RegistryError> {
        let text = format!("sha-{commit}");
        let tag: Tag =
            text.parse().map_err(|_| RegistryError::Reference { reference: text.clone() })?;
        match self.head(repository, tag.as_str(), keychain).await {
            Ok(head) => Ok((head.digest == *digest).then_some(tag)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn fetch_manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
        keychain: &Keychain,
    ) -> Result<Manifest, RegistryError> {
        let request = self
            .manifest_request(Method::GET, repository, reference)?
            .want(Want::Body { limit: MOST_OF_A_MANIFEST });
        let endpoint = self.endpoint(repository)?;
        let answer = self.send(repository, &endpoint, &Actions::Pull, keychain, &request).await?;
        let manifest = read_manifest(&request.what, &answer)?;
        verify(&request.what, reference.digest(), &manifest.digest)?;
        Ok(manifest)
    }

    fn manifest_request(
        &self,
        method: Method,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<Request, RegistryError> {
        let path = format!("{}/manifests/{}", repository.path(), reference.locator());
        let url = self.endpoint(repository)?.url(&path);
        Ok(Request::new(method, url, reference.name(repository))
            .header(header::ACCEPT, HeaderValue::from_static(ACCEPT_MANIFESTS))
            .redirects(Redirects::SameOrigin))
    }
}

fn into_error(sent: Result<Answer, RegistryError>) -> RegistryError {
    match sent {
        Err(error) => error,
        Ok(_) => unreachable!("asked for errors only"),
    }
}

fn verify(what: &str, expected: Option<&Digest>, actual: &Digest) -> Result<(), RegistryError> {
    match expected {
        Some(expected) if expected != actual => Err(RegistryError::DigestMismatch {
            what: what.to_owned(),
            expected: expected.clone(),
            actual: actual.clone(),
        }),
        _ => Ok(()),
    }
}

/// A manifest, if the answer is one: some registries send pages and errors under status 200.
fn read_manifest(what: &str, answer: &Answer) -> Result<Manifest, RegistryError> {
    let bad = |problem: String| RegistryError::BadAnswer { what: what.to_owned(), problem };
    if answer.status != StatusCode::OK {
        return Err(bad(format!("the status is {}", answer.status)));
    }
    let text = std::str::from_utf8(&answer.body)
        .map_err(|_| bad("it is not text, so it is no manifest".to_owned()))?;
    if looks_like_html(text) {
        return Err(bad("it is an HTML page, not a manifest".to_owned()));
    }
    if let Some(message) = errors_of(&answer.body) {
        return Err(bad(format!("it is an error under status 200 ({message})")));
    }
    let own: OwnType = serde_json::from_slice(&answer.body)
        .map_err(|_| bad("it is not the JSON of a manifest".to_owned()))?;
    let sent = answer.media_type();
    let media_type = match (sent, own.media_type) {
        (Some(sent), Some(own)) if is_manifest(&sent) && sent != own => {
            return Err(bad(format!("it is sent as `{sent}` but says that it is `{own}`")));
        }
        (Some(sent), _) if sent == "text/html" => {
            return Err(bad("it is sent as an HTML page".to_owned()));
        }
        // A registry that calls every answer `application/json` is believed less than the manifest.
        (Some(sent), Some(own)) => {
            if is_manifest(&sent) {
                sent
            } else {
                own
            }
        }
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => return Err(bad("nothing says what it is".to_owned())),
    };
    Ok(Manifest { digest: Digest::of(&answer.body), media_type, bytes: answer.body.clone() })
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnType {
    #[serde(default)]
    media_type: Option<String>,
}
