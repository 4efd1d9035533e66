//! What was sent, and what it says.

use http::HeaderMap;
use mercurious_core::image::{Digest, Repository, Tag};
use mercurious_core::printable::printable;
use serde_json::Value;

/// What was sent, its proof checked.
pub(crate) struct Notice<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// What it says of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) repository: Repository,
    pub(crate) tag: Option<Tag>,
    pub(crate) digest: Option<Digest>,
    /// The sender may know its registry by another name than others do.
    pub(crate) host_is_hearsay: bool,
}

/// What it says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Of these images.
    Images(Vec<Told>),
    /// Something was built; of what images, the receiver knows.
    All,
    /// Nothing that matters, and why.
    Nothing(String),
}

/// A delivery as read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// What tells it from every other, where the sender says that.
    pub(crate) id: Option<String>,
    pub(crate) news: News,
}

/// Why something is not what that sender writes: said to the sender.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the body is not JSON: {0}")]
    Json(String),
    #[error("`{0}` is missing, or no text")]
    Missing(String),
    #[error("`{0}` is missing, or no list")]
    NoList(String),
    #[error("the header {0} is missing")]
    NoHeader(&'static str),
    #[error("`{place}`: {problem}")]
    Repository { place: String, problem: String },
    #[error("`{0}` is not base64")]
    Base64(&'static str),
    #[error("the form has no field `payload`")]
    NoPayload,
    #[error("which image is meant? say it as `{{\"image\": \"ghcr.io/team/app:tag\"}}`")]
    NoImage,
}

impl Told {
    /// An image by the name that its sender gives it; tags and digests that do not parse are left out.
    pub(crate) fn new(
        place: &str,
        repository: &str,
        tag: Option<&str>,
        digest: Option<&str>,
    ) -> Result<Self, Malformed> {
        // Owners keep their capitals in some senders' names; registries have none.
        let repository = repository.to_ascii_lowercase().parse().map_err(
            |error: mercurious_core::image::RepositoryError| Malformed::Repository {
                place: place.to_owned(),
                problem: error.to_string(),
            },
        )?;
        let digest = digest.and_then(|text| text.parse().ok());
        let of_tag = tag.and_then(|text| text.parse().ok());
        Ok(Self {
            repository,
            digest: digest.or(of_tag),
            tag: tag.and_then(|text| text.parse().ok()),
            host_is_hearsay: false,
        })
    }

    /// An image as `host/path[:tag][@digest]`.
    pub(crate) fn of_reference(place: &str, text: &str) -> Result<Self, Malformed> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (name, None),
        };
        Self::new(place, repository, tag, digest)
    }

    pub(crate) fn by_hearsay(self) -> Self {
        Self { host_is_hearsay: true, ..self }
    }
}

impl Delivery {
    pub(crate) fn new(id: Option<impl Into<String>>, news: News) -> Self {
        Self { id: id.map(Into::into), news }
    }

    pub(crate) fn image(id: Option<impl Into<String>>, told: Told) -> Self {
        Self::new(id, News::Images(vec![told]))
    }

    pub(crate) fn nothing(why: impl Into<String>) -> Self {
        Self { id: None, news: News::Nothing(why.into()) }
    }

    /// Something of a kind that says nothing of images.
    pub(crate) fn other(what: &str, kind: &str) -> Self {
        Self::nothing(format!("{what} `{}` says nothing of a new image", printable(kind)))
    }
}

impl Notice<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn needed_header(&self, name: &'static str) -> Result<&str, Malformed> {
        self.header(name).ok_or(Malformed::NoHeader(name))
    }

    pub(crate) fn json(&self) -> Result<Body, Malformed> {
        Body::of(self.body)
    }

    pub(crate) fn content_type(&self) -> &str {
        let whole = self.header("content-type").unwrap_or_default();
        whole.split(';').next().unwrap_or_default().trim()
    }
}

/// JSON that a stranger wrote.
pub(crate) struct Body(Value);

impl Body {
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(bytes)
            .map(Self)
            .map_err(|error| Malformed::Json(printable(&error.to_string())))
    }

    pub(crate) fn within(value: &Value) -> Self {
        Self(value.clone())
    }

    pub(crate) fn at(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// The text there, if there is one that is not empty.
    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.at(pointer)?.as_str().filter(|text| !text.is_empty())
    }

    pub(crate) fn needed(&self, pointer: &str) -> Result<&str, Malformed> {
        self.text(pointer).ok_or_else(|| Malformed::Missing(dotted(pointer)))
    }

    pub(crate) fn list(&self, pointer: &str) -> Result<Vec<Self>, Malformed> {
        let list = self.at(pointer).and_then(Value::as_array);
        let list = list.ok_or_else(|| Malformed::NoList(dotted(pointer)))?;
        Ok(list.iter().map(Self::within).collect())
    }
}

/// `/a/b` as people write it.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
