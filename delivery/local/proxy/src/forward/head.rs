use std::net::SocketAddr;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header,
    request::Parts, uri::PathAndQuery,
};

use super::RequestBody;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// A request that the proxy does not forward, and the reason for its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRequest {
    #[error("the request must have exactly one Host field")]
    Host,
    #[error("the request's Host field is no host")]
    HostText,
    #[error("Transfer-Encoding can only be chunked here")]
    TransferEncoding,
    #[error("CONNECT is not possible here")]
    Connect,
    #[error("the request's target must be a path")]
    Target,
}

impl BadRequest {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::TransferEncoding => StatusCode::NOT_IMPLEMENTED,
            Self::Host | Self::HostText | Self::Target => StatusCode::BAD_REQUEST,
        }
    }
}

/// A request's head as instances get it.
#[derive(Debug)]
pub(super) struct Head {
    method: Method,
    target: Uri,
    headers: HeaderMap,
    upgrade: bool,
}

impl Head {
    /// Rewrites a client's head: the target becomes a path, fields for this connection alone go (RFC 9110, 7.6.1), and who
    /// asks is said by the proxy alone, whatever the client says.
    pub(super) fn new(
        parts: Parts,
        body: &RequestBody,
        client: SocketAddr,
        own: SocketAddr,
    ) -> Result<Self, BadRequest> {
        let Parts { method, uri, version, mut headers, .. } = parts;
        if method == Method::CONNECT {
            return Err(BadRequest::Connect);
        }
        check_transfer_encoding(&headers)?;
        let host = host(&uri, version, &headers, own)?;
        let target = target(&method, uri)?;
        let upgrade = take_upgrade(version, &headers);
        let trailers = names_token(&headers, &header::TE, "trailers");

        strip_connection_fields(&mut headers);
        let had_length = headers.remove(header::CONTENT_LENGTH).is_some();
        headers.remove(header::EXPECT);
        strip_claims(&mut headers);

        if let Some(protocol) = &upgrade {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, protocol.clone());
        }
        if trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        // Lengths are said anew from what was read, so that both sides cannot differ about where the request ends.
        match http_body::Body::size_hint(body).exact() {
            Some(length) if length > 0 || had_length => {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
            _ => {}
        }
        insert_claims(&mut headers, &host, client);
        headers.insert(header::HOST, host);
        Ok(Self { method, target, headers, upgrade: upgrade.is_some() })
    }

    pub(super) fn host(&self) -> &str {
        self.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn path(&self) -> &str {
        self.target.path()
    }

    pub(super) fn wants_upgrade(&self) -> bool {
        self.upgrade
    }

    /// Nothing changes by sending it, so sending it again does no harm.
    pub(super) fn is_safe(&self) -> bool {
        self.method.is_safe() && !self.upgrade
    }

    /// Sending it twice has the same effect as once.
    pub(super) fn is_idempotent(&self) -> bool {
        self.method.is_idempotent() && !self.upgrade
    }

    pub(super) fn request(&self, body: RequestBody) -> Request<RequestBody> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        request.headers_mut().clone_from(&self.headers);
        request
    }
}

/// Drops the fields of an instance's answer that are for its connection alone; keeps those of an agreed upgrade.
pub(super) fn clean_answer(headers: &mut HeaderMap, upgraded: bool) {
    let protocol = headers.get(header::UPGRADE).filter(|_| upgraded).cloned();
    strip_connection_fields(headers);
    if let Some(protocol) = protocol {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
}

fn check_transfer_encoding(headers: &HeaderMap) -> Result<(), BadRequest> {
    let mut values = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(BadRequest::TransferEncoding),
    }
}

fn host(
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
    own: SocketAddr,
) -> Result<HeaderValue, BadRequest> {
    let mut fields = headers.get_all(header::HOST).iter();
    let field = match (fields.next(), fields.next()) {
        (_, Some(_)) => return Err(BadRequest::Host),
        (field, None) => field,
    };
    // A target with a host overrules the field (RFC 9112, 3.2.2); HTTP/2 has the target's alone.
    let host = match (uri.authority(), field) {
        (Some(authority), _) => HeaderValue::from_str(authority.as_str()),
        (None, Some(field)) => return checked(field.clone()),
        (None, None) if version <= Version::HTTP_10 => HeaderValue::from_str(&own.to_string()),
        (None, None) => return Err(BadRequest::Host),
    };
    host.map_err(|_| BadRequest::HostText).and_then(checked)
}

/// The host is quoted in a field of our own and compared with routes, so only what a host can be passes.
fn checked(host: HeaderValue) -> Result<HeaderValue, BadRequest> {
    let is_host = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'[' | b']' | b'%')
    };
    if host.as_bytes().iter().all(is_host) { Ok(host) } else { Err(BadRequest::HostText) }
}

fn target(method: &Method, uri: Uri) -> Result<Uri, BadRequest> {
    if uri.scheme().is_none() && uri.authority().is_none() {
        let is_path =
            uri.path().starts_with('/') || (method == Method::OPTIONS && uri.path() == "*");
        return if is_path { Ok(uri) } else { Err(BadRequest::Target) };
    }
    let path = uri.into_parts().path_and_query.unwrap_or(PathAndQuery::from_static("/"));
    Ok(Uri::from(path))
}

fn take_upgrade(version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = version == Version::HTTP_11 && names_token(headers, &header::CONNECTION, "upgrade");
    let protocol = headers.get(header::UPGRADE).filter(|_| asked)?;
    // Going over to HTTP/2 concerns this connection alone, and is deprecated (RFC 9113, 3.1).
    if protocol.as_bytes().eq_ignore_ascii_case(b"h2c") { None } else { Some(protocol.clone()) }
}

fn names_token(headers: &HeaderMap, field: &HeaderName, token: &str) -> bool {
    headers
        .get_all(field)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|named| named.trim().eq_ignore_ascii_case(token))
}

fn strip_connection_fields(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            // What says where a message ends or goes is not for a client to take out.
            .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    for name in [
        &KEEP_ALIVE,
        &PROXY_CONNECTION,
        &header::PROXY_AUTHENTICATE,
        &header::PROXY_AUTHORIZATION,
        &header::TE,
        &header::TRANSFER_ENCODING,
        &header::UPGRADE,
    ] {
        headers.remove(name);
    }
}

fn strip_claims(headers: &mut HeaderMap) {
    let claims: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-forwarded-")).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
    headers.remove(REAL_IP);
    headers.remove(header::FORWARDED);
}

fn insert_claims(headers: &mut HeaderMap, host: &HeaderValue, client: SocketAddr) {
    let address = client.ip().to_canonical();
    let quoted = if address.is_ipv6() { format!("\"[{address}]\"") } else { address.to_string() };
    let forwarded =
        format!("for={quoted};host=\"{}\";proto=http", host.to_str().unwrap_or_default());
    // Digits, dots, colons, and a host that was checked: always a field's value.
    if let Ok(forwarded) = HeaderValue::try_from(forwarded) {
        headers.insert(header::FORWARDED, forwarded);
    }
    if let Ok(address) = HeaderValue::try_from(address.to_string()) {
        headers.insert(FORWARDED_FOR, address);
    }
    headers.insert(FORWARDED_HOST, host.clone());
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
}
