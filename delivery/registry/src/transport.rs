//! Sends requests: turns, deadlines, redirects, retries, limits on what is read. Knows nothing of credentials.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder, Retryable as _};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use mercurious_runtime::Clock;
use url::Url;

use crate::{
    RegistryError,
    answer_text::message_of,
    hosts::{is_private, origin, same_origin},
    limiter::Limiter,
    request::{Answer, Redirects, Refusal, Reply, Request, Want},
    retry_after,
    settings::{Retries, Timeouts},
    spent::Ledger,
};

/// Of a refusal no more is read than this.
const MOST_OF_A_REFUSAL: u64 = 64 * 1024;
const MOST_REDIRECTS: usize = 5;
/// GHCR asks for waits of microseconds, which only bring the next refusal.
const LEAST_RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) http: reqwest::Client,
    pub(crate) limiter: Limiter,
    pub(crate) ledger: Ledger,
    pub(crate) timeouts: Timeouts,
    pub(crate) retries: Retries,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Transport {
    /// Sends a request until it is answered, refused for good, or the tries are spent.
    pub(crate) async fn send(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
    ) -> Result<Reply, RegistryError> {
        if request.once {
            return self.exchange(request, authorization).await;
        }
        self.with_retries(&request.what, || self.exchange(request, authorization)).await
    }

    /// Runs an action again after failures that may pass.
    pub(crate) async fn with_retries<T, F, Fut>(
        &self,
        what: &str,
        action: F,
    ) -> Result<T, RegistryError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, RegistryError>>,
    {
        let backoff = ExponentialBuilder::new()
            .with_min_delay(self.retries.first_wait)
            .with_max_delay(self.retries.longest_wait)
            .with_max_times(self.retries.most)
            .with_jitter();
        action
            .retry(backoff.build())
            .sleep(tokio::time::sleep)
            .when(RegistryError::is_retryable)
            // The limiter has noted what the registry asked for; here it is only asked whether that is too long.
            .adjust(|error, wait| {
                let asked = error.retry_after().unwrap_or_default();
                if asked > self.limiter.longest_wait() {
                    return None;
                }
                wait.map(|wait| wait.max(asked))
            })
            .notify(|error, wait| {
                self.ledger.retry();
                tracing::debug!(
                    registry.what = what,
                    error = %error,
                    wait_ms = wait.as_millis() as u64,
                    "registry request failed; trying again"
                );
            })
            .await
    }

    async fn exchange(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
    ) -> Result<Reply, RegistryError> {
        let mut url = request.url.clone();
        let mut authorization = authorization;
        for _ in 0..=MOST_REDIRECTS {
            let response = self.once(request, &url, authorization).await?;
            if !response.status().is_redirection()
                || response.status() == StatusCode::NOT_MODIFIED
                || !response.headers().contains_key(header::LOCATION)
            {
                return self.read(request, url, response).await;
            }
            let target = redirect_target(request, &url, &response)?;
            if !same_origin(&url, &target) {
                authorization = None;
            }
            url = target;
        }
        Err(RegistryError::Redirect {
            what: request.what.clone(),
            target: origin(&url),
            reason: "there are too many one after the other",
        })
    }

    async fn once(
        &self,
        request: &Request,
        url: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Result<reqwest::Response, RegistryError> {
        let host = authority(url);
        let steady = !is_private(url);
        let _turn =
            self.limiter.admit(&host, steady).await.map_err(|wait| RegistryError::RateLimited {
                host: host.clone(),
                retry_after: Some(wait),
                message: String::new(),
            })?;
        let mut builder =
            self.http.request(request.method.clone(), url.clone()).headers(request.headers.clone());
        if let Some(authorization) = authorization {
            builder = builder.header(header::AUTHORIZATION, authorization.clone());
        }
        let length = request.body.length();
        match request.body.open().await? {
            Some(body) => builder = builder.header(header::CONTENT_LENGTH, length).body(body),
            // `POST` and `PUT` without a length are refused by some servers (411).
            None if request.method != Method::GET && request.method != Method::HEAD => {
                builder = builder.header(header::CONTENT_LENGTH, 0);
            }
            None => {}
        }
        self.ledger.request(&request.method, request.for_token);
        // The headers of an upload's answer come after its last byte.
        let patience = if length == 0 {
            self.timeouts.headers
        } else {
            self.timeouts.headers + self.timeouts.transfer(length)
        };
        let response = tokio::time::timeout(patience, builder.send())
            .await
            .map_err(|_| timed_out(request, &host, patience))?
            .map_err(|error| failure(&request.what, &host, self.timeouts.connect, &error))?;
        self.ledger.answer(&host, response.headers());
        Ok(response)
    }

    async fn read(
        &self,
        request: &Request,
        url: Url,
        mut response: reqwest::Response,
    ) -> Result<Reply, RegistryError> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        if status.is_client_error() || status.is_server_error() {
            let body = if request.method == Method::HEAD {
                Bytes::new()
            } else {
                self.start_of(response).await
            };
            return self.refused(request, &url, status, headers, &body);
        }
        let (body, stream) = match request.want {
            Want::Headers => (Bytes::new(), None),
            Want::Stream => (Bytes::new(), Some(response)),
            Want::Body { limit } => (self.whole(request, &url, response, limit).await?, None),
        };
        Ok(Reply::Good(Box::new(Answer { status, headers, url, body, stream })))
    }

    fn refused(
        &self,
        request: &Request,
        url: &Url,
        status: StatusCode,
        headers: HeaderMap,
        body: &[u8],
    ) -> Result<Reply, RegistryError> {
        let text = String::from_utf8_lossy(body);
        let message = message_of(body);
        let host = authority(url);
        let retry_after = headers
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after::from_header(value, self.clock.now()))
            .or_else(|| retry_after::from_body(&text));
        let limited = status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::FORBIDDEN
                && text.to_ascii_lowercase().contains("secondary rate limit"));
        if limited {
            let wait = retry_after.map(|wait| wait.max(LEAST_RETRY_AFTER));
            self.limiter.close(&host, wait.unwrap_or(LEAST_RETRY_AFTER));
            return Err(RegistryError::RateLimited { host, retry_after: wait, message });
        }
        if matches!(status.as_u16(), 408 | 499 | 500 | 502 | 503 | 504 | 522) {
            if let Some(wait) = retry_after {
                self.limiter.close(&host, wait);
            }
            return Err(RegistryError::Unavailable {
                what: request.what.clone(),
                status: status.as_u16(),
                message,
                retry_after,
            });
        }
        Ok(Reply::Refused(Refusal { status, headers, message }))
    }

    /// As much of a refusal's body as is quick to have: it only makes the message better.
    async fn start_of(&self, mut response: reqwest::Response) -> Bytes {
        let mut body = BytesMut::new();
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() as u64 >= MOST_OF_A_REFUSAL {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(self.timeouts.headers, reading).await;
        body.truncate(MOST_OF_A_REFUSAL as usize);
        body.freeze()
    }

    async fn whole(
        &self,
        request: &Request,
        url: &Url,
        mut response: reqwest::Response,
        limit: u64,
    ) -> Result<Bytes, RegistryError> {
        let too_long = || RegistryError::BadAnswer {
            what: request.what.clone(),
            problem: format!("it is longer than {limit} bytes"),
        };
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(too_long());
        }
        let host = authority(url);
        let reading = async {
            let mut body = BytesMut::new();
            while let Some(chunk) = response
                .chunk()
                .await
                .map_err(|error| failure(&request.what, &host, self.timeouts.idle, &error))?
            {
                if (body.len() + chunk.len()) as u64 > limit {
                    return Err(too_long());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body.freeze())
        };
        tokio::time::timeout(self.timeouts.whole, reading)
            .await
            .map_err(|_| timed_out(request, &host, self.timeouts.whole))?
    }
}

fn timed_out(request: &Request, host: &str, after: Duration) -> RegistryError {
    RegistryError::Timeout { what: request.what.clone(), host: host.to_owned(), after }
}

fn redirect_target(
    request: &Request,
    from: &Url,
    response: &reqwest::Response,
) -> Result<Url, RegistryError> {
    let refused = |target: &str, reason| RegistryError::Redirect {
        what: request.what.clone(),
        target: target.to_owned(),
        reason,
    };
    let target = response
        .headers()
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| from.join(value).ok())
        .ok_or_else(|| refused("nowhere", "the location is not a URL"))?;
    let name = origin(&target);
    if !matches!(target.scheme(), "http" | "https") {
        return Err(refused(&name, "it is not HTTP"));
    }
    if request.redirects == Redirects::Never {
        return Err(refused(&name, "this request is never redirected"));
    }
    if same_origin(from, &target) {
        return Ok(target);
    }
    if request.redirects != Redirects::Elsewhere {
        return Err(refused(&name, "only blobs may come from another host"));
    }
    // A registry that is itself private may keep its blobs at a private address; a public one may not send us
    // into our own network.
    let own_ground = is_private(&request.url);
    if target.scheme() == "http" && !own_ground {
        return Err(refused(&name, "it leaves TLS"));
    }
    if is_private(&target) && !own_ground {
        return Err(refused(&name, "it leads into a private network"));
    }
    Ok(target)
}

/// `host:port`, the port only where it is not the scheme's own: what limits and messages go by.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What went wrong below HTTP.
pub(crate) fn failure(
    what: &str,
    host: &str,
    connect: Duration,
    error: &reqwest::Error,
) -> RegistryError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut innermost = String::new();
    while let Some(one) = cause {
        if let Some(problem) = tls_problem(one) {
            return RegistryError::Tls { host: host.to_owned(), problem };
        }
        // reqwest's own message holds the URL, and a URL may hold a signature.
        if !one.is::<reqwest::Error>() {
            innermost = one.to_string();
        }
        cause = one.source();
    }
    if error.is_timeout() {
        return RegistryError::Timeout {
            what: what.to_owned(),
            host: host.to_owned(),
            after: connect,
        };
    }
    if innermost.is_empty() {
        "it broke".clone_into(&mut innermost);
    }
    RegistryError::Connection { what: what.to_owned(), host: host.to_owned(), problem: innermost }
}

fn tls_problem(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls.to_string());
    }
    // An io::Error's source is its content's source, so the content itself must be asked for; it may be one more.
    tls_problem(error.downcast_ref::<std::io::Error>()?.get_ref()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_out_of_a_registry_for_blobs_alone_and_never_into_a_private_network() {
        let target = |from: &str, redirects: Redirects, location: &str| {
            let from: Url = from.parse().unwrap();
            let request = Request::new(Method::GET, from.clone(), "it").redirects(redirects);
            let answer = http::Response::builder()
                .status(307)
                .header(header::LOCATION, location)
                .body(Vec::new())
                .unwrap();
            redirect_target(&request, &from, &answer.into())
        };
        let (public, private) = ("https://ghcr.io/v2/a", "http://10.0.0.7:5000/v2/a");
        for (from, redirects, location) in [
            (public, Redirects::SameOrigin, "/v2/b"),
            (public, Redirects::SameOrigin, "https://GHCR.io:443/v2/b"),
            (public, Redirects::Elsewhere, "https://cdn.example.org/b"),
            (private, Redirects::Elsewhere, "http://10.0.0.8/b"),
        ] {
            assert!(target(from, redirects, location).is_ok(), "{from} {location}");
        }
        for (from, redirects, location) in [
            (public, Redirects::Never, "/v2/b"),
            (public, Redirects::SameOrigin, "https://cdn.example.org/b"),
            (public, Redirects::SameOrigin, "https://ghcr.io:444/b"),
            (public, Redirects::SameOrigin, "http://ghcr.io/b"),
            (public, Redirects::SameOrigin, "//example.org/b"),
            (public, Redirects::Elsewhere, "http://cdn.example.org/b"),
            (public, Redirects::Elsewhere, "https://169.254.169.254/latest"),
            (public, Redirects::Elsewhere, "https://[::ffff:10.0.0.1]/b"),
            (public, Redirects::Elsewhere, "https://localhost/b"),
            (public, Redirects::Elsewhere, "file:///etc/passwd"),
            (public, Redirects::Elsewhere, "javascript:1"),
            (public, Redirects::Elsewhere, "https://"),
        ] {
            assert!(target(from, redirects, location).is_err(), "{from} {location}");
        }
    }
}
