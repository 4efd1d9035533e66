use std::sync::Arc;

use axum::body::Body;
use http::{HeaderName, StatusCode, Uri, header};
use mercurious_core::image::Digest;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{Answer, on_disk, query, respond};
use crate::{distribution::Inner, manifest::OCI_INDEX, name::RepositoryName, refusal::Refusal};

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

pub(super) async fn catalog(inner: Arc<Inner>, uri: &Uri) -> Answer {
    let names = on_disk(move || Ok(inner.storage.repositories()?)).await?;
    let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.sort_unstable();
    let page = Page::cut(names, uri)?;
    let body = json!({"repositories": page.entries}).to_string();
    Ok(respond(StatusCode::OK, page.headers("/v2/_catalog"), Body::from(body)))
}

pub(super) async fn tags(inner: Arc<Inner>, name: RepositoryName, uri: &Uri) -> Answer {
    let (tags, name) = on_disk(move || {
        if !inner.storage.has_repository(&name) {
            return Err(Refusal::NameUnknown);
        }
        Ok((inner.storage.tag_names(&name)?, name))
    })
    .await?;
    let page = Page::cut(tags, uri)?;
    let body = json!({"name": name.as_str(), "tags": page.entries}).to_string();
    let path = format!("/v2/{name}/tags/list");
    Ok(respond(StatusCode::OK, page.headers(&path), Body::from(body)))
}

/// One page of a list in ASCII order.
struct Page {
    entries: Vec<String>,
    /// The page's size and last entry, if another page follows.
    next: Option<(usize, String)>,
}

impl Page {
    /// Takes what `?last=` and `?n=` ask for. No `n` means all; entries are small and few on one machine.
    fn cut(mut entries: Vec<String>, uri: &Uri) -> Result<Self, Refusal> {
        if let Some(last) = query(uri, "last").next() {
            entries.retain(|entry| *entry > last);
        }
        let Some(value) = query(uri, "n").next() else {
            return Ok(Self { entries, next: None });
        };
        let size: usize = value.parse().map_err(|_| Refusal::PageSize { value })?;
        let more = entries.len() > size;
        entries.truncate(size);
        let next = entries.last().filter(|_| more).map(|last| (size, last.clone()));
        Ok(Self { entries, next })
    }

    fn headers(&self, path: &str) -> Vec<(HeaderName, String)> {
        let mut headers = vec![(header::CONTENT_TYPE, "application/json".to_owned())];
        if let Some((size, last)) = &self.next {
            let last = utf8_percent_encode(last, NON_ALPHANUMERIC);
            headers.push((header::LINK, format!("<{path}?n={size}&last={last}>; rel=\"next\"")));
        }
        headers
    }
}

/// An index of the manifests whose subject this is: empty where there are none, also for unknown digests.
pub(super) async fn referrers(
    inner: Arc<Inner>,
    name: RepositoryName,
    digest: Digest,
    uri: &Uri,
) -> Answer {
    let mut found = on_disk(move || Ok(inner.storage.referrers(&name, &digest)?)).await?;
    let mut headers = vec![(header::CONTENT_TYPE, OCI_INDEX.to_owned())];
    let wanted: Vec<String> = query(uri, "artifactType").collect();
    if !wanted.is_empty() {
        found.retain(|one| one.artifact_type.as_ref().is_some_and(|kind| wanted.contains(kind)));
        headers.push((FILTERS_APPLIED, "artifactType".to_owned()));
    }
    let body = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found});
    Ok(respond(StatusCode::OK, headers, Body::from(body.to_string())))
}
