//! What each path and method answers.

mod blobs;
mod body;
mod listings;
mod manifests;
mod uploads;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use mercurious_core::image::Digest;
use tracing::Instrument;

use crate::{distribution::Inner, guard, refusal::Refusal, route::Route};

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

type Answer = Result<Response, Refusal>;

pub(crate) async fn answer(State(inner): State<Arc<Inner>>, request: Request<Body>) -> Response {
    let span = tracing::debug_span!(
        "registry request",
        http.method = %request.method(),
        url.path = request.uri().path()
    );
    let mut response = async {
        let answer =
            match guard::admit(&inner.settings.allowed_hosts, request.uri(), request.headers()) {
                Ok(()) => route(inner, request).await,
                Err(refusal) => Err(refusal),
            };
        answer.unwrap_or_else(|refusal| {
            if refusal.status().is_server_error() {
                let cause = std::error::Error::source(&refusal).map(chain);
                tracing::error!(error = %refusal, error.cause = cause, "registry request failed");
            } else {
                tracing::debug!(error = %refusal, "registry request refused");
            }
            refusal.into_response()
        })
    }
    .instrument(span)
    .await;
    response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    response
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

async fn route(inner: Arc<Inner>, request: Request<Body>) -> Answer {
    let (kind, route) = Route::parse(request.uri().path());
    inner.requests.record(request.method(), kind);
    let route = route?;
    let method = request.method().clone();
    let reads = matches!(method, Method::GET | Method::HEAD);
    match route {
        Route::Base if reads => Ok(json(StatusCode::OK, "{}".to_owned())),
        Route::Base => Err(Refusal::Method { allowed: "GET, HEAD" }),
        Route::Catalog if reads => listings::catalog(inner, request.uri()).await,
        Route::Tags(name) if reads => listings::tags(inner, name, request.uri()).await,
        Route::Referrers(name, digest) if reads => {
            listings::referrers(inner, name, digest, request.uri()).await
        }
        Route::Catalog | Route::Tags(_) | Route::Referrers(..) => {
            Err(Refusal::Method { allowed: "GET, HEAD" })
        }
        Route::Manifest(name, reference) => match method {
            Method::GET | Method::HEAD => {
                manifests::get(inner, name, reference, &method, request.headers()).await
            }
            Method::PUT => manifests::put(inner, name, reference, request).await,
            Method::DELETE => manifests::delete(inner, name, reference).await,
            _ => Err(Refusal::Method { allowed: "GET, HEAD, PUT, DELETE" }),
        },
        Route::Blob(name, digest) => match method {
            Method::GET | Method::HEAD => {
                blobs::get(inner, name, digest, &method, request.headers()).await
            }
            Method::DELETE => blobs::delete(inner, name, digest).await,
            _ => Err(Refusal::Method { allowed: "GET, HEAD, DELETE" }),
        },
        Route::Uploads(name) => match method {
            Method::POST => uploads::start(inner, name, request).await,
            _ => Err(Refusal::Method { allowed: "POST" }),
        },
        Route::Upload(name, id) => match method {
            Method::GET | Method::HEAD => uploads::status(inner, name, id).await,
            Method::PATCH => uploads::append(inner, name, id, request).await,
            Method::PUT => uploads::finish(inner, name, id, request).await,
            Method::DELETE => uploads::cancel(inner, name, id).await,
            _ => Err(Refusal::Method { allowed: "GET, HEAD, PATCH, PUT, DELETE" }),
        },
    }
}

/// Runs work with files on a thread for it. It goes on to its end even if the client leaves.
async fn on_disk<T, F>(work: F) -> Result<T, Refusal>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Refusal> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|failure| {
        tracing::error!(error = %failure, "registry's disk work did not end");
        Err(Refusal::Internal)
    })
}

fn respond(status: StatusCode, headers: Vec<(HeaderName, String)>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        // Values are digests, numbers and parsed names; a media type is one of four.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn json(status: StatusCode, body: String) -> Response {
    let headers = vec![(header::CONTENT_TYPE, "application/json".to_owned())];
    respond(status, headers, Body::from(body))
}

/// One value of a query, decoded. A `+` stands for itself: media types have it, and no value here has a space.
fn query<'a>(uri: &'a http::Uri, key: &str) -> impl Iterator<Item = String> + use<'a> {
    let key = key.to_owned();
    uri.query().unwrap_or_default().split('&').filter_map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == key)
            .then(|| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
    })
}

/// Whether the client says that it has this content already.
fn has_already(headers: &HeaderMap, digest: &Digest) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().unwrap_or_default().split(',').any(|tag| {
            let tag = tag.trim();
            let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
            tag == "*" || tag == digest.as_str()
        })
    })
}

/// The headers that name content.
fn naming(digest: &Digest) -> Vec<(HeaderName, String)> {
    vec![(CONTENT_DIGEST, digest.to_string()), (header::ETAG, format!("\"{digest}\""))]
}
