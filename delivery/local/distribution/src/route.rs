use mercurious_core::image::Digest;
use percent_encoding::percent_decode_str;

use crate::{
    name::{Reference, RepositoryName},
    refusal::Refusal,
    requests::RequestKind,
    storage::UploadId,
};

/// What a path below `/v2/` means.
///
/// A repository's name may have any number of parts, some of them called `manifests` or `blobs`; so a path is read
/// from its end, where the specification's words stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Base,
    Catalog,
    Manifest(RepositoryName, Reference),
    Blob(RepositoryName, Digest),
    Uploads(RepositoryName),
    Upload(RepositoryName, UploadId),
    Tags(RepositoryName),
    Referrers(RepositoryName, Digest),
}

impl Route {
    /// Reads the path of a request's URI, with its leading `/v2`. The kind is known even where the path is refused.
    pub(crate) fn parse(path: &str) -> (RequestKind, Result<Self, Refusal>) {
        let Ok(path) = percent_decode_str(path).decode_utf8() else {
            return (RequestKind::Unknown, Err(Refusal::NoSuchPath));
        };
        let Some(tail) = path.strip_prefix("/v2") else {
            return (RequestKind::Unknown, Err(Refusal::NoSuchPath));
        };
        match tail {
            "" | "/" => return (RequestKind::Base, Ok(Self::Base)),
            "/_catalog" => return (RequestKind::Catalog, Ok(Self::Catalog)),
            _ => {}
        }
        let Some(tail) = tail.strip_prefix('/') else {
            return (RequestKind::Unknown, Err(Refusal::NoSuchPath));
        };
        // The slash at the end belongs to the start of an upload; clients differ in sending it.
        if let Some(name) =
            tail.strip_suffix("/blobs/uploads/").or_else(|| tail.strip_suffix("/blobs/uploads"))
        {
            return (RequestKind::Upload, repository(name).map(Self::Uploads));
        }
        let Some((before, last)) = tail.rsplit_once('/') else {
            return (RequestKind::Unknown, Err(Refusal::NoSuchPath));
        };
        let Some((name, word)) = before.rsplit_once('/') else {
            return (RequestKind::Unknown, Err(Refusal::NoSuchPath));
        };
        match word {
            "tags" if last == "list" => (RequestKind::Tags, repository(name).map(Self::Tags)),
            "manifests" => (RequestKind::Manifest, manifest(name, last)),
            "blobs" => (
                RequestKind::Blob,
                repository(name).and_then(|name| Ok(Self::Blob(name, digest(last)?))),
            ),
            "referrers" => (
                RequestKind::Referrers,
                repository(name).and_then(|name| Ok(Self::Referrers(name, digest(last)?))),
            ),
            "uploads" => match name.strip_suffix("/blobs") {
                Some(name) => (RequestKind::Upload, upload(name, last)),
                None => (RequestKind::Unknown, Err(Refusal::NoSuchPath)),
            },
            _ => (RequestKind::Unknown, Err(Refusal::NoSuchPath)),
        }
    }
}

fn repository(name: &str) -> Result<RepositoryName, Refusal> {
    name.parse().map_err(Refusal::Name)
}

pub(crate) fn digest(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(Refusal::Digest)
}

fn manifest(name: &str, reference: &str) -> Result<Route, Refusal> {
    let name = repository(name)?;
    // No tag has a colon and every digest does.
    let reference = if reference.contains(':') {
        Reference::Digest(digest(reference)?)
    } else {
        Reference::Tag(reference.parse().map_err(Refusal::Tag)?)
    };
    Ok(Route::Manifest(name, reference))
}

fn upload(name: &str, id: &str) -> Result<Route, Refusal> {
    let name = repository(name)?;
    let id = id.parse().map_err(|_| Refusal::UploadUnknown)?;
    Ok(Route::Upload(name, id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PART: &str = "(manifests|blobs|uploads|tags|list|referrers|[a-z0-9]{1,8}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2})";

    fn name() -> impl Strategy<Value = RepositoryName> {
        prop::collection::vec(PART, 1..5).prop_map(|parts| parts.join("/").parse().unwrap())
    }

    fn digest() -> impl Strategy<Value = Digest> {
        "[0-9a-f]{64}".prop_map(|hex| format!("sha256:{hex}").parse().unwrap())
    }

    fn route() -> impl Strategy<Value = (String, Route)> {
        let reference = prop_oneof![
            digest().prop_map(Reference::Digest),
            "(list|uploads|manifests|[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20})"
                .prop_map(|tag| Reference::Tag(tag.parse().unwrap())),
        ];
        let id = "[0-9a-f]{32}".prop_map(|id| id.parse::<UploadId>().unwrap());
        prop_oneof![
            (name(), reference)
                .prop_map(|(n, r)| (format!("{n}/manifests/{r}"), Route::Manifest(n, r))),
            (name(), digest()).prop_map(|(n, d)| (format!("{n}/blobs/{d}"), Route::Blob(n, d))),
            (name(), digest())
                .prop_map(|(n, d)| (format!("{n}/referrers/{d}"), Route::Referrers(n, d))),
            name().prop_map(|n| (format!("{n}/tags/list"), Route::Tags(n))),
            name().prop_map(|n| (format!("{n}/blobs/uploads/"), Route::Uploads(n))),
            (name(), id)
                .prop_map(|(n, id)| (format!("{n}/blobs/uploads/{id}"), Route::Upload(n, id))),
        ]
    }

    proptest! {
        #[test]
        fn every_route_is_read_back_whatever_the_repository_is_called((tail, route) in route()) {
            prop_assert_eq!(Route::parse(&format!("/v2/{tail}")).1.unwrap(), route.clone());
            let encoded = tail.replace(':', "%3A").replace('-', "%2d");
            prop_assert_eq!(Route::parse(&format!("/v2/{encoded}")).1.unwrap(), route);
        }

        #[test]
        fn no_text_panics_or_yields_a_name_outside_the_grammar(path in "/v2(/(\\PC{0,6}|\\.\\.|%2e%2e|%2F|%00|manifests|blobs|uploads|tags|list|a)){0,8}") {
            let names = match Route::parse(&path).1 {
                Ok(Route::Manifest(name, _) | Route::Blob(name, _) | Route::Uploads(name)
                    | Route::Upload(name, _) | Route::Tags(name) | Route::Referrers(name, _)) => name,
                Ok(Route::Base | Route::Catalog) | Err(_) => return Ok(()),
            };
            prop_assert!(names.as_str().split('/').all(|part| part.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit()) && !part.contains("..")));
        }
    }

    #[test]
    fn paths_out_of_the_directory_are_refused() {
        for path in [
            "/v2/../manifests/latest",
            "/v2/a/../../b/manifests/latest",
            "/v2/%2e%2e/%2e%2e/manifests/latest",
            "/v2/a%2f..%2fb/manifests/latest",
            "/v2//etc/manifests/latest",
            "/v2/_uploads/manifests/latest",
            "/v2/a/manifests/..",
            "/v2/a/manifests/%2e%2e",
            "/v2/a/blobs/uploads/..",
            "/v2/a/blobs/uploads/%2e%2e%2f%2e%2e",
            "/v2/a/blobs/sha256:..",
            "/v2/a%00/manifests/latest",
            "/v2/A/manifests/latest",
        ] {
            assert!(Route::parse(path).1.is_err(), "{path}");
        }
    }
}
