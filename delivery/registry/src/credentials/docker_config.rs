use std::collections::BTreeMap;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use mercurious_core::image::Repository;
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    credential::{Credential, CredentialsError},
    matching::{Pattern, server_of},
};

/// Padded or not: both are found in the wild.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A parsed `config.json`, `auth.json`, or secret of either type.
#[derive(Clone, Debug)]
pub(super) struct DockerConfig {
    entries: Vec<Entry>,
    helpers: BTreeMap<String, String>,
    store: Option<String>,
}

#[derive(Clone, Debug)]
struct Entry {
    key: String,
    pattern: Pattern,
    /// Empty entries are how Docker marks that the secret is in the store.
    credential: Result<Option<Credential>, CredentialsError>,
}

/// A credential that matches, or the way to get it.
#[derive(Clone, Debug)]
pub(super) enum Match {
    Ready { key: String, credential: Credential },
    Broken { key: String, error: CredentialsError },
    Helper { name: String, server: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    auths: Option<BTreeMap<String, RawEntry>>,
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct RawEntry {
    #[serde(default)]
    auth: Option<SecretString>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<SecretString>,
    #[serde(default)]
    identitytoken: Option<SecretString>,
    #[serde(default)]
    registrytoken: Option<SecretString>,
}

impl DockerConfig {
    /// `{"auths": {…}, "credHelpers": {…}, "credsStore": "…"}`.
    pub(super) fn parse(origin: &str, bytes: &[u8]) -> Result<Self, CredentialsError> {
        // serde_json's own message would quote the content.
        let file: File =
            serde_json::from_slice(bytes).map_err(|_| CredentialsError::Malformed {
                origin: origin.to_owned(),
                problem: "expected a JSON object with `auths`",
            })?;
        Ok(Self {
            entries: entries(origin, file.auths.unwrap_or_default()),
            helpers: file.cred_helpers.unwrap_or_default(),
            store: file.creds_store.filter(|name| !name.is_empty()),
        })
    }

    /// The bare map of the legacy `.dockercfg`.
    pub(super) fn parse_legacy(origin: &str, bytes: &[u8]) -> Result<Self, CredentialsError> {
        let auths = serde_json::from_slice(bytes).map_err(|_| CredentialsError::Malformed {
            origin: origin.to_owned(),
            problem: "expected a JSON object of hosts",
        })?;
        Ok(Self { entries: entries(origin, auths), helpers: BTreeMap::new(), store: None })
    }

    pub(super) fn names_helpers(&self) -> bool {
        !self.helpers.is_empty() || self.store.is_some()
    }

    /// All that matches, most specific first; a helper for the host comes before everything, as in Docker.
    pub(super) fn matches(&self, repository: &Repository) -> Vec<Match> {
        let server = server_of(repository.host());
        let host_helper = self
            .helpers
            .iter()
            .find(|(key, _)| Pattern::parse(key).matches(repository))
            .map(|(_, name)| name);
        let mut found: Vec<Match> = host_helper
            .into_iter()
            .map(|name| Match::Helper { name: name.clone(), server: server.to_owned() })
            .collect();
        for entry in self.entries.iter().filter(|entry| entry.pattern.matches(repository)) {
            match &entry.credential {
                Ok(Some(credential)) => found
                    .push(Match::Ready { key: entry.key.clone(), credential: credential.clone() }),
                Ok(None) => {}
                Err(error) => {
                    found.push(Match::Broken { key: entry.key.clone(), error: error.clone() });
                }
            }
        }
        if host_helper.is_none()
            && let Some(store) = &self.store
        {
            found.push(Match::Helper { name: store.clone(), server: server.to_owned() });
        }
        found
    }
}

fn entries(origin: &str, auths: BTreeMap<String, RawEntry>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = auths
        .into_iter()
        .map(|(key, raw)| Entry {
            pattern: Pattern::parse(&key),
            credential: credential(origin, &key, raw),
            key,
        })
        .collect();
    entries.sort_by(|one, other| {
        (other.pattern.specificity(), &other.key).cmp(&(one.pattern.specificity(), &one.key))
    });
    entries
}

fn credential(
    origin: &str,
    key: &str,
    raw: RawEntry,
) -> Result<Option<Credential>, CredentialsError> {
    use secrecy::ExposeSecret as _;
    let present = |secret: &SecretString| !secret.expose_secret().is_empty();
    if let Some(token) = raw.registrytoken.filter(present) {
        return Ok(Some(Credential::RegistryToken(token)));
    }
    if let Some(token) = raw.identitytoken.filter(present) {
        return Ok(Some(Credential::IdentityToken(token)));
    }
    // `auth` wins over name and password.
    if let Some(auth) = raw.auth.filter(present) {
        let refused = |problem| CredentialsError::Entry {
            origin: origin.to_owned(),
            key: key.to_owned(),
            problem,
        };
        let bytes = BASE64
            .decode(auth.expose_secret().trim())
            .map_err(|_| refused("`auth` is not base64"))?;
        let text = String::from_utf8(bytes).map_err(|_| refused("`auth` is not text"))?;
        let (username, password) =
            text.split_once(':').ok_or_else(|| refused("`auth` holds no `user:password`"))?;
        return Ok(Some(Credential::Basic {
            username: username.to_owned(),
            // Docker pads old files with NUL.
            password: SecretString::from(password.trim_matches('\0').to_owned()),
        }));
    }
    match (raw.username, raw.password) {
        (Some(username), Some(password)) if !username.is_empty() => {
            Ok(Some(Credential::Basic { username, password }))
        }
        _ => Ok(None),
    }
}
