//! What a sender's headers prove.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use ring::hmac;

use crate::{Sender, secret::Secret};

/// The headers that may hold a keyed hash of the body, as each sender calls them.
fn signature_headers(sender: Sender) -> &'static [&'static str] {
    match sender {
        Sender::GitHub => &["x-hub-signature-256"],
        Sender::Gitea => &["x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256"],
        _ => &["x-signature", "x-hub-signature-256"],
    }
}

/// Whether the body was signed with this secret. The first of the sender's headers that is there counts.
pub(crate) fn is_signed(sender: Sender, headers: &HeaderMap, secret: &Secret, body: &[u8]) -> bool {
    let names = signature_headers(sender);
    let Some(value) = names.iter().find_map(|name| headers.get(*name)) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let (algorithm, hex) = match value.split_once('=') {
        Some(("sha256", hex)) => (hmac::HMAC_SHA256, hex),
        Some(("sha512", hex)) => (hmac::HMAC_SHA512, hex),
        Some(_) => return false,
        // Gitea and Forgejo write the hash alone.
        None => (hmac::HMAC_SHA256, value),
    };
    let key = hmac::Key::new(algorithm, secret.bytes());
    unhex(hex).is_some_and(|hash| hmac::verify(&key, body, &hash).is_ok())
}

/// Whether a header holds the secret: GitLab's own, or `Authorization` as it stands, as a bearer's, or as a password;
/// or `X-Api-Key`, as API destinations have it.
pub(crate) fn is_in_header(sender: Sender, headers: &HeaderMap, secret: &Secret) -> bool {
    let held = |name: &str| headers.get(name).is_some_and(|value| secret.is(value.as_bytes()));
    if sender == Sender::GitLab && headers.contains_key("x-gitlab-token") {
        return held("x-gitlab-token");
    }
    if held("x-api-key") || held(AUTHORIZATION.as_str()) {
        return true;
    }
    let Some(value) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    match value.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => {
            secret.is(rest.trim().as_bytes())
        }
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("basic") => {
            let pair = STANDARD.decode(rest.trim()).unwrap_or_default();
            let colon = pair.iter().position(|&byte| byte == b':');
            colon.is_some_and(|colon| secret.is(&pair[colon + 1..]))
        }
        _ => false,
    }
}

/// The token of a bearer.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some((digit(high)? * 16 + digit(low)?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn signed(sender: Sender, header: &'static str, value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header, value.parse().unwrap());
        let secret = Secret::new(&SecretString::from("It's a Secret to Everybody"));
        is_signed(sender, &headers, &secret, b"Hello, World!")
    }

    #[test]
    fn the_example_of_githubs_documentation_is_signed() {
        let hash = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let own = "x-hub-signature-256";
        assert!(signed(Sender::GitHub, own, &format!("sha256={hash}")));
        assert!(signed(Sender::Gitea, "x-gitea-signature", hash));
        assert!(signed(Sender::Generic, "x-signature", &format!("sha256={hash}")));
        assert!(!signed(Sender::GitHub, "x-signature", &format!("sha256={hash}")));
        let off = hash.replacen('7', "8", 1);
        for wrong in
            ["", "sha256=", "sha256=zz", "sha256=7", &format!("sha1={hash}"), &hash[..62], &off]
        {
            assert!(!signed(Sender::GitHub, own, wrong), "{wrong}");
        }
    }

    #[test]
    fn a_header_holds_the_secret_in_each_of_the_ways_that_senders_have() {
        let secret = Secret::new(&SecretString::from("open sesame"));
        let held = |sender, name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            is_in_header(sender, &headers, &secret)
        };
        assert!(held(Sender::Harbor, "authorization", "open sesame"));
        assert!(held(Sender::Distribution, "authorization", "Bearer open sesame"));
        assert!(held(
            Sender::Ecr,
            "authorization",
            &format!("Basic {}", STANDARD.encode("a:open sesame"))
        ));
        assert!(held(Sender::Ecr, "x-api-key", "open sesame"));
        assert!(held(Sender::GitLab, "x-gitlab-token", "open sesame"));
        assert!(!held(Sender::Harbor, "x-gitlab-token", "open sesame"));
        for wrong in ["", "open", "Bearer open", "Basic !", "Basic b3Blbg==", "bearer"] {
            assert!(!held(Sender::Harbor, "authorization", wrong), "{wrong}");
        }
    }
}
