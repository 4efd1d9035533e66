//! What every request passes: measuring, and the rate limit.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::time::Instant;

use super::{App, Fault};
use crate::limits::Verdict;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Counts and times each answer.
pub(super) async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let response = next.run(request).await;
    let (status, route) = (response.status(), route.as_deref().unwrap_or("none"));
    let took = began.elapsed();
    app.metrics.answer(&method, route, status.as_u16(), took);
    tracing::debug!(
        http.method = %method,
        http.route = route,
        http.status = status.as_u16(),
        duration_ms = took.as_millis() as u64,
        "answered",
    );
    response
}

/// Lets through who does not ask too fast.
pub(super) async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let client = client(peer, request.headers(), app.settings.proxies);
    match app.limits.take(&client).await {
        Verdict::Allowed => next.run(request).await,
        Verdict::Wait(time) => {
            app.metrics.limited.inc();
            let seconds = time.as_millis().div_ceil(1000) as u64;
            Fault::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                "requests come too fast; the header Retry-After says when to go on",
            )
            .retry_after(seconds)
            .into_response()
        }
    }
}

/// Who asks, as far as is known: an address, of IPv6 the network.
fn client(peer: Option<IpAddr>, headers: &HeaderMap, proxies: usize) -> String {
    let forwarded = || {
        let entries: Vec<&str> = (headers.get_all(FORWARDED_FOR).iter())
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        let entry = entries.len().checked_sub(proxies)?;
        entries.get(entry)?.trim().parse::<IpAddr>().ok()
    };
    let address = if proxies > 0 { forwarded().or(peer) } else { peer };
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, forwarded: &[&str], proxies: usize) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        client(Some(peer.parse().unwrap()), &headers, proxies)
    }

    #[test]
    fn a_client_cannot_choose_its_address() {
        assert_eq!(of("192.0.2.1", &["198.51.100.7"], 0), "192.0.2.1");
        assert_eq!(of("192.0.2.1", &["forged, 198.51.100.7"], 1), "198.51.100.7");
        assert_eq!(of("192.0.2.1", &["10.0.0.1, 198.51.100.7", "192.0.2.9"], 2), "198.51.100.7");
        assert_eq!(of("192.0.2.1", &["no address"], 1), "192.0.2.1");
        assert_eq!(of("192.0.2.1", &[], 1), "192.0.2.1");
    }

    #[test]
    fn one_network_of_ipv6_is_one_client() {
        assert_eq!(of("2001:db8:1:2:3::4", &[], 0), of("2001:db8:1:2:ffff::1", &[], 0));
        assert_eq!(of("::ffff:192.0.2.1", &[], 0), "192.0.2.1");
    }
}
