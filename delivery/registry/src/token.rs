//! Token services: where they may be, and the exchange of a credential for a token.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Method, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::{
    Challenge, RegistryError,
    credentials::Credential,
    hosts::{Endpoint, is_private},
    request::{Body, Redirects, Reply, Request, Want},
    transport::Transport,
};

const MOST_BYTES: u64 = 64 * 1024;
/// Told to OAuth2 services, which want a name.
const CLIENT_ID: &str = "mercurious";

/// A bearer token as a header, and how long it lasts where the service says so.
pub(crate) struct Token {
    pub(crate) header: HeaderValue,
    pub(crate) lasts: Option<Duration>,
}

pub(crate) enum TokenReply {
    Token(Token),
    /// The credential was refused, in words fit for an attempt's outcome.
    Refused(String),
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Option<SecretString>,
    #[serde(default)]
    access_token: Option<SecretString>,
    #[serde(default)]
    expires_in: Option<f64>,
}

/// The realm of a bearer challenge, if credentials may be sent there.
///
/// `https` only (`http` for a registry that is itself plain), and no private address unless it is the
/// registry's own: a registry must not make us speak to our own network.
pub(crate) fn realm(challenge: &Challenge, endpoint: &Endpoint) -> Result<Url, RegistryError> {
    let text = challenge.parameter("realm").unwrap_or_default();
    let refused = |reason| RegistryError::Realm {
        host: endpoint.host.clone(),
        realm: text.chars().filter(|letter| !letter.is_control()).take(120).collect(),
        reason,
    };
    let url = Url::parse(text).map_err(|_| refused("it is not a URL"))?;
    match url.scheme() {
        "https" => {}
        "http" if endpoint.is_plain() => {}
        _ => return Err(refused("it is not https")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it holds a name or password"));
    }
    if is_private(&url) && url.host() != endpoint.base.host() {
        return Err(refused("it is a private address"));
    }
    Ok(url)
}

/// Asks for a token, with a credential or anonymously.
pub(crate) async fn fetch(
    transport: &Transport,
    realm: &Url,
    service: Option<&str>,
    scopes: &[String],
    credential: Option<&Credential>,
    what: &str,
) -> Result<TokenReply, RegistryError> {
    if let Some(Credential::IdentityToken(identity)) = credential {
        let request = oauth(realm, service, scopes, identity, what);
        match transport.send(&request, None).await? {
            Reply::Refused(refusal) if refusal.status == StatusCode::NOT_FOUND => {}
            reply => return read(reply, what),
        }
    }
    let mut url = realm.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = service {
            query.append_pair("service", service);
        }
        for scope in scopes {
            query.append_pair("scope", scope);
        }
    }
    let mut request = Request::new(Method::GET, url, format!("a token for {what}"))
        .want(Want::Body { limit: MOST_BYTES })
        .redirects(Redirects::SameOrigin);
    request.for_token = true;
    let authorization = match credential {
        Some(Credential::Basic { username, password }) => Some(basic(username, password)),
        // Docker's own way where OAuth2 is not known (404 above).
        Some(Credential::IdentityToken(token)) => Some(basic("<token>", token)),
        Some(Credential::RegistryToken(_)) | None => None,
    };
    read(transport.send(&request, authorization.as_ref()).await?, what)
}

fn oauth(
    realm: &Url,
    service: Option<&str>,
    scopes: &[String],
    identity: &SecretString,
    what: &str,
) -> Request {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "refresh_token")
        .append_pair("service", service.unwrap_or_default())
        .append_pair("client_id", CLIENT_ID)
        .append_pair("scope", &scopes.join(" "))
        .append_pair("refresh_token", identity.expose_secret())
        .finish();
    let mut request = Request::new(Method::POST, realm.clone(), format!("a token for {what}"))
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .body(Body::Bytes(form.into()))
        .want(Want::Body { limit: MOST_BYTES });
    request.for_token = true;
    request
}

fn read(reply: Reply, what: &str) -> Result<TokenReply, RegistryError> {
    let answer = match reply {
        Reply::Good(answer) => *answer,
        Reply::Refused(refusal) => {
            return Ok(TokenReply::Refused(format!("no token: {}", refusal.outcome())));
        }
    };
    let bad = |problem: &str| RegistryError::BadAnswer {
        what: format!("a token for {what}"),
        problem: problem.to_owned(),
    };
    let parsed: Answer = serde_json::from_slice(&answer.body)
        .map_err(|_| bad("it is not the JSON of a token service"))?;
    let token = parsed
        .token
        .filter(|token| !token.expose_secret().is_empty())
        .or(parsed.access_token)
        .filter(|token| !token.expose_secret().is_empty())
        .ok_or_else(|| bad("it holds no token"))?;
    // Used up a little before its end. Without `expires_in` it is kept until a 401: to take the absent value
    // for 60 s, as the token specification says, would double the requests of a steady poll.
    let lasts = parsed
        .expires_in
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
        .map(|seconds| Duration::from_secs_f64((seconds * 0.9).min(86_400.0)));
    let header = bearer(&token).ok_or_else(|| bad("its token cannot stand in a header"))?;
    Ok(TokenReply::Token(Token { header, lasts }))
}

pub(crate) fn bearer(token: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(crate) fn basic(username: &str, password: &SecretString) -> HeaderValue {
    let encoded = STANDARD.encode(format!("{username}:{}", password.expose_secret()));
    let mut value = HeaderValue::from_str(&format!("Basic {encoded}"))
        .unwrap_or_else(|_| unreachable!("base64 is always a header value"));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hosts::Hosts, parse_challenges};

    fn check(host: &str, realm_text: &str) -> Result<Url, RegistryError> {
        let challenge = parse_challenges(&format!("Bearer realm=\"{realm_text}\"")).remove(0);
        realm(&challenge, &Hosts::default().endpoint(host).unwrap())
    }

    #[test]
    fn credentials_go_only_to_decent_realms() {
        for (host, realm) in [
            ("ghcr.io", "https://ghcr.io/token"),
            ("docker.io", "https://auth.docker.io/token"),
            ("127.0.0.1:5000", "http://127.0.0.1:5001/token"),
            ("10.0.0.7:5000", "https://10.0.0.7/token"),
        ] {
            assert!(check(host, realm).is_ok(), "{host} {realm}");
        }
        for (host, realm) in [
            ("ghcr.io", "http://ghcr.io/token"),
            ("ghcr.io", "https://169.254.169.254/latest"),
            ("ghcr.io", "https://localhost/token"),
            ("ghcr.io", "https://user:pass@example.org/"),
            ("ghcr.io", "https://[::ffff:127.0.0.1]/"),
            ("ghcr.io", "file:///etc/passwd"),
            ("ghcr.io", "Registry"),
            ("127.0.0.1:5000", "http://10.0.0.1/token"),
        ] {
            assert!(check(host, realm).is_err(), "{host} {realm}");
        }
    }
}
