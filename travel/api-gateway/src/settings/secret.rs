use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// An address that may hold a password. It is shown without.
#[derive(Clone)]
pub struct SecretUrl(SecretString);

impl SecretUrl {
    /// Takes an address as it is.
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// The whole address, for the client that connects to it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Takes the address and its password out of a text, such as another library's error.
    pub fn redact(&self, text: &str) -> String {
        let whole = self.expose();
        let mut text = text.replace(whole, &self.to_string());
        for secret in self.secrets() {
            text = text.replace(&secret, "…");
        }
        text
    }

    /// The user and the password, as they are written and as they are meant.
    fn secrets(&self) -> Vec<String> {
        let rest = self.expose().split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let Some((login, _)) = authority.rsplit_once('@') else { return Vec::new() };
        let password = login.split_once(':').map_or("", |(_, password)| password);
        let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
        [password.to_owned(), decoded.into_owned()]
            .into_iter()
            .filter(|secret| !secret.is_empty())
            .collect()
    }
}

impl fmt::Display for SecretUrl {
    /// The scheme and the hosts; neither user nor password nor options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.expose().split_once("://") else {
            return f.write_str("…");
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        write!(f, "{scheme}://{hosts}")
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The origin of a site's address, as browsers send it.
pub(super) fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    web.then(|| url.origin().ascii_serialization())
}
