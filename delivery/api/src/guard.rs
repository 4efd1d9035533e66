use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::Problem;

/// Refuses foreign hosts and origins, and changes without the token.
pub(crate) async fn guard(
    State(token): State<Arc<SecretString>>,
    request: Request,
    next: Next,
) -> Response {
    match refusal(&token, request.method(), request.uri(), request.headers()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn refusal(
    token: &SecretString,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Option<Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host =
        uri.authority().map(ToString::to_string).or_else(|| text(header::HOST).map(str::to_owned));
    if !host.is_some_and(|host| is_local(&host)) {
        let detail = "the Host of the request is not this machine; use localhost or 127.0.0.1";
        return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, "foreign-host", detail));
    }
    if let Some(origin) = text(header::ORIGIN) {
        let local = origin.split_once("://").is_some_and(|(_, host)| is_local(host));
        if !local {
            let detail = "requests from other web sites are refused";
            return Some(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", detail));
        }
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let given = text(header::AUTHORIZATION)
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
        .map(|(_, token)| token.trim_start())
        .unwrap_or_default();
    if same(given.as_bytes(), token.expose_secret().as_bytes()) {
        return None;
    }
    let detail = "changing calls need `Authorization: Bearer` with the token in the file `token` of the data directory";
    Some(Problem::new(StatusCode::UNAUTHORIZED, "token", detail))
}

fn is_local(authority: &str) -> bool {
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Compares without telling by its time where the difference is.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(method: &Method, pairs: &[(&str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        refusal(&SecretString::from("t0ken"), method, &Uri::from_static("/api/v1/x"), &headers)
            .map(|problem| problem.code)
    }

    #[test]
    fn only_this_machine_may_read_and_only_the_token_may_change() {
        let (get, post) = (Method::GET, Method::POST);
        assert_eq!(code(&get, &[("host", "localhost:1")]), None);
        assert_eq!(code(&get, &[("host", "[::1]:1")]), None);
        assert_eq!(code(&get, &[]).as_deref(), Some("foreign-host"));
        assert_eq!(code(&get, &[("host", "evil.example")]).as_deref(), Some("foreign-host"));
        assert_eq!(
            code(&get, &[("host", "127.0.0.1.evil.example")]).as_deref(),
            Some("foreign-host")
        );
        let origin = [("host", "127.0.0.1"), ("origin", "https://evil.example")];
        assert_eq!(code(&get, &origin).as_deref(), Some("foreign-origin"));
        assert_eq!(code(&post, &[("host", "127.0.0.1")]).as_deref(), Some("token"));
        assert_eq!(
            code(&post, &[("host", "127.0.0.1"), ("authorization", "Bearer t0keX")]).as_deref(),
            Some("token")
        );
        // The scheme's name is case-insensitive (RFC 9110 §11.1).
        for good in ["Bearer t0ken", "bearer t0ken"] {
            assert_eq!(code(&post, &[("host", "127.0.0.1"), ("authorization", good)]), None);
        }
    }
}
