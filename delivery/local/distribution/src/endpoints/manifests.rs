use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, HeaderName, Method, Request, StatusCode, header};
use mercurious_core::image::Tag;

use super::{Answer, body, has_already, naming, on_disk, query, respond};
use crate::{
    distribution::{Inner, Push},
    manifest::MANIFEST_LIMIT,
    name::{Reference, RepositoryName},
    refusal::Refusal,
    storage::NewManifest,
};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");

/// A manifest is answered as it was pushed, whatever the client says it accepts.
pub(super) async fn get(
    inner: Arc<Inner>,
    name: RepositoryName,
    reference: Reference,
    method: &Method,
    headers: &HeaderMap,
) -> Answer {
    let bodiless = *method == Method::HEAD;
    let (found, bytes) = on_disk(move || {
        let found = inner.storage.manifest(&name, &reference)?.ok_or(Refusal::ManifestUnknown)?;
        let bytes = if bodiless { None } else { inner.storage.content(&found.digest)? };
        Ok((found, bytes))
    })
    .await?;
    let mut fields = naming(&found.digest);
    if has_already(headers, &found.digest) {
        return Ok(respond(StatusCode::NOT_MODIFIED, fields, Body::empty()));
    }
    fields.push((header::CONTENT_TYPE, found.media_type));
    fields.push((header::CONTENT_LENGTH, found.size.to_string()));
    match bytes {
        Some(bytes) => Ok(respond(StatusCode::OK, fields, Body::from(bytes))),
        None if bodiless => Ok(respond(StatusCode::OK, fields, Body::empty())),
        None => Err(Refusal::ManifestUnknown),
    }
}

pub(super) async fn put(
    inner: Arc<Inner>,
    repository: RepositoryName,
    reference: Reference,
    request: Request<Body>,
) -> Answer {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or("(not text)").to_owned());
    let tags = query(request.uri(), "tag")
        .map(|tag| tag.parse::<Tag>().map_err(Refusal::Tag))
        .collect::<Result<Vec<_>, _>>()?;
    let body = {
        let _turn = body::turn(&inner).await?;
        let too_large = || Refusal::ManifestTooLarge { limit: MANIFEST_LIMIT };
        body::gather(&inner, request.into_body(), MANIFEST_LIMIT, too_large).await?
    };
    let new = NewManifest { repository, reference, tags, content_type, body };
    on_disk(move || {
        let accepted = inner.storage.add_manifest(&new)?;
        announce(&inner, &new, &accepted);
        let NewManifest { repository, reference, tags, .. } = new;
        let digest = accepted.digest;
        let mut headers = naming(&digest);
        headers.push((header::LOCATION, format!("/v2/{repository}/manifests/{digest}")));
        if let Some(subject) = accepted.subject {
            headers.push((SUBJECT, subject.to_string()));
        }
        let mut response = respond(StatusCode::CREATED, headers, Body::empty());
        if matches!(reference, Reference::Digest(_)) {
            for tag in tags {
                if let Ok(value) = tag.as_str().parse() {
                    response.headers_mut().append(TAG, value);
                }
            }
        }
        Ok(response)
    })
    .await
}

fn announce(inner: &Inner, new: &NewManifest, accepted: &crate::storage::Accepted) {
    let references = match &new.reference {
        Reference::Digest(_) if !new.tags.is_empty() => {
            new.tags.iter().cloned().map(Reference::Tag).collect()
        }
        reference => vec![reference.clone()],
    };
    for reference in references {
        tracing::info!(
            image.repository = %new.repository,
            image.reference = %reference,
            image.digest = %accepted.digest,
            "manifest pushed"
        );
        // An error means that nobody listens, which is fine: polling finds it.
        let _ = inner.pushes.send(Push {
            repository: new.repository.clone(),
            reference,
            digest: accepted.digest.clone(),
            media_type: accepted.media_type.to_owned(),
        });
    }
}

pub(super) async fn delete(
    inner: Arc<Inner>,
    name: RepositoryName,
    reference: Reference,
) -> Answer {
    let there = on_disk(move || {
        Ok(match reference {
            Reference::Tag(tag) => inner.storage.remove_tag(&name, &tag)?,
            Reference::Digest(digest) => inner.storage.remove_manifest(&name, &digest)?,
        })
    })
    .await?;
    if there {
        Ok(respond(StatusCode::ACCEPTED, Vec::new(), Body::empty()))
    } else {
        Err(Refusal::ManifestUnknown)
    }
}
