use std::{path::PathBuf, pin::Pin, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use url::Url;

use crate::RegistryError;

/// One request as it can be sent any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// What messages call the thing asked for.
    pub(crate) what: String,
    pub(crate) want: Want,
    pub(crate) redirects: Redirects,
    /// Sent once only: the caller knows better how to go on after a failure.
    pub(crate) once: bool,
    /// Counted as a request to a token service.
    pub(crate) for_token: bool,
}

/// What is to be read of a good answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// The headers are all.
    Headers,
    /// The whole body, at most so many bytes.
    Body { limit: u64 },
    /// The body is left to the caller.
    Stream,
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirects {
    /// None: for what changes something.
    Never,
    /// Inside the registry.
    SameOrigin,
    /// To where the registry keeps its blobs; never with our authorization.
    Elsewhere,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Empty,
    Bytes(Bytes),
    /// Part of a file.
    File {
        path: Arc<PathBuf>,
        offset: u64,
        length: u64,
    },
}

impl Body {
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    /// The body to send; opens the file anew, so that it can be done again.
    pub(crate) async fn open(&self) -> Result<Option<reqwest::Body>, RegistryError> {
        match self {
            Self::Empty => Ok(None),
            Self::Bytes(bytes) => Ok(Some(bytes.clone().into())),
            Self::File { path, offset, length } => {
                let failed = |error| RegistryError::File {
                    path: path.as_ref().clone(),
                    source: Arc::new(error),
                };
                let mut file = tokio::fs::File::open(path.as_ref()).await.map_err(failed)?;
                file.seek(std::io::SeekFrom::Start(*offset)).await.map_err(failed)?;
                Ok(Some(reqwest::Body::wrap_stream(chunks(file, *length))))
            }
        }
    }
}

fn chunks(
    file: tokio::fs::File,
    length: u64,
) -> Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send + Sync>> {
    Box::pin(stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut chunk = BytesMut::zeroed(left.min(128 * 1024) as usize);
        let read = file.read(&mut chunk).await?;
        if read == 0 {
            return Err(std::io::Error::new(
                std::io::ErrorKind::UnexpectedEof,
                "the file became shorter while it was sent",
            ));
        }
        chunk.truncate(read);
        Ok(Some((chunk.freeze(), (file, left - read as u64))))
    }))
}

impl Request {
    pub(crate) fn new(method: Method, url: Url, what: impl Into<String>) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::Empty,
            what: what.into(),
            want: Want::Headers,
            redirects: Redirects::Never,
            once: false,
            for_token: false,
        }
    }

    pub(crate) fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn want(mut self, want: Want) -> Self {
        self.want = want;
        self
    }

    pub(crate) fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }
}

/// A good answer: status 1xx to 3xx that is not a redirect to follow.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Where it came from, redirects followed.
    pub(crate) url: Url,
    /// Empty unless wanted.
    pub(crate) body: Bytes,
    /// The rest of the answer, where it is wanted as a stream.
    pub(crate) stream: Option<reqwest::Response>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type in lower case, without its parameters.
    pub(crate) fn media_type(&self) -> Option<String> {
        let text = self.header("content-type")?;
        let media_type = text.split(';').next().unwrap_or(text).trim().to_ascii_lowercase();
        (!media_type.is_empty()).then_some(media_type)
    }
}

/// A refusal that trying again does not change by itself.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The registry's own words, short and clean.
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn is_about_access(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }

    /// What an attempt came to: `401 Unauthorized (UNAUTHORIZED: …)`.
    pub(crate) fn outcome(&self) -> String {
        if self.message.is_empty() {
            self.status.to_string()
        } else {
            format!("{} ({})", self.status, self.message)
        }
    }

    pub(crate) fn into_error(self, what: &str) -> RegistryError {
        let what = what.to_owned();
        if self.status == StatusCode::NOT_FOUND {
            return RegistryError::NotFound { what, message: self.message };
        }
        RegistryError::Refused { what, status: self.status.as_u16(), message: self.message }
    }
}

#[derive(Debug)]
pub(crate) enum Reply {
    Good(Box<Answer>),
    Refused(Refusal),
}
