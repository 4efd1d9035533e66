use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use mercurious_core::image::Repository;
use sha2::{Digest as _, Sha256};

use super::{
    credential::{Credential, CredentialsError},
    docker_config::{DockerConfig, Match},
    helper,
    matching::Pattern,
};

/// A configuration file longer than this is not one.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The sources of credentials for a look, in the order in which they are tried. Cheap to clone.
///
/// Secrets are parsed once, when given. Files are read each time a registry asks anew, so that a login made
/// meanwhile counts; in between, what the registry accepted is used again without reading anything.
#[derive(Clone, Default)]
pub struct Keychain {
    sources: Arc<Vec<Source>>,
    fingerprint: Fingerprint,
}

/// Tells keychains of different content apart, without holding the content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u8; 32]);

#[derive(Clone, Debug)]
enum Source {
    Secret { origin: String, config: DockerConfig },
    File(PathBuf),
    One { origin: String, pattern: Option<Pattern>, credential: Credential },
}

/// One credential to try.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// What messages call it.
    pub(crate) name: String,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Ready(Credential),
    Broken(CredentialsError),
    Helper { name: String, server: String },
}

impl Keychain {
    /// No credentials.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// The files of a person's login: Docker's `config.json` and Podman's `auth.json`, in this order. Files
    /// that do not exist are passed over. The caller names the places, as only a program's settings read the
    /// environment.
    pub fn of_files(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        paths.into_iter().fold(Self::anonymous(), Self::with_file)
    }

    /// Adds a Docker or Podman configuration file, with its credential helpers.
    #[must_use]
    pub fn with_file(self, path: PathBuf) -> Self {
        let mark = [b"file\0".as_slice(), path.as_os_str().as_encoded_bytes()].concat();
        self.and(Source::File(path), &mark)
    }

    /// Adds the bytes under `.dockerconfigjson` of a `kubernetes.io/dockerconfigjson` secret. `origin` is
    /// what messages call it: `secret flux-system/ghcr-auth`.
    pub fn with_docker_config_json(
        self,
        origin: impl Into<String>,
        bytes: &[u8],
    ) -> Result<Self, CredentialsError> {
        let origin = origin.into();
        let config = DockerConfig::parse(&origin, bytes)?;
        if config.names_helpers() {
            return Err(CredentialsError::HelperInSecret { origin });
        }
        Ok(self.and(Source::Secret { origin, config }, bytes))
    }

    /// Adds the bytes under `.dockercfg` of a legacy `kubernetes.io/dockercfg` secret.
    pub fn with_docker_cfg(
        self,
        origin: impl Into<String>,
        bytes: &[u8],
    ) -> Result<Self, CredentialsError> {
        let origin = origin.into();
        let config = DockerConfig::parse_legacy(&origin, bytes)?;
        Ok(self.and(Source::Secret { origin, config }, bytes))
    }

    /// Adds one credential for a host, or a path in it (`ghcr.io/team`), or for everything.
    #[must_use]
    pub fn with_credential(
        self,
        origin: impl Into<String>,
        place: Option<&str>,
        credential: Credential,
    ) -> Self {
        use secrecy::ExposeSecret as _;
        let (kind, name, secret) = match &credential {
            Credential::Basic { username, password } => ("basic", username.as_str(), password),
            Credential::IdentityToken(token) => ("identity", "", token),
            Credential::RegistryToken(token) => ("registry", "", token),
        };
        let mark = [kind, place.unwrap_or("*"), name, secret.expose_secret()].join("\0");
        let pattern = place.map(Pattern::parse);
        self.and(Source::One { origin: origin.into(), pattern, credential }, mark.as_bytes())
    }

    /// All sources of this, then those of the other.
    #[must_use]
    pub fn then(self, other: &Self) -> Self {
        let mut sources = (*self.sources).clone();
        sources.extend(other.sources.iter().cloned());
        let mark = other.fingerprint.0;
        Self { sources: Arc::new(sources), fingerprint: self.fingerprint.with(&mark) }
    }

    fn and(self, source: Source, mark: &[u8]) -> Self {
        let mut sources = Arc::unwrap_or_clone(self.sources);
        sources.push(source);
        Self { sources: Arc::new(sources), fingerprint: self.fingerprint.with(mark) }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What to try for a repository, in order. Reads files; runs no helper yet.
    pub(crate) async fn candidates(&self, repository: &Repository) -> Vec<Candidate> {
        let mut found = Vec::new();
        for source in self.sources.iter() {
            match source {
                Source::Secret { origin, config } => {
                    found.extend(named(origin, config.matches(repository)));
                }
                Source::File(path) => {
                    let origin = path.display().to_string();
                    match read(path).await {
                        Ok(Some(config)) => {
                            found.extend(named(&origin, config.matches(repository)));
                        }
                        Ok(None) => {}
                        Err(error) => {
                            found.push(Candidate { name: origin, way: Way::Broken(error) });
                        }
                    }
                }
                Source::One { origin, pattern, credential } => {
                    if pattern.as_ref().is_none_or(|pattern| pattern.matches(repository)) {
                        found.push(Candidate {
                            name: origin.clone(),
                            way: Way::Ready(credential.clone()),
                        });
                    }
                }
            }
        }
        found
    }
}

impl Candidate {
    /// The credential itself; `None` where a helper holds none.
    pub(crate) async fn obtain(&self) -> Result<Option<Credential>, CredentialsError> {
        match &self.way {
            Way::Ready(credential) => Ok(Some(credential.clone())),
            Way::Broken(error) => Err(error.clone()),
            Way::Helper { name, server } => helper::ask(name, server).await,
        }
    }
}

impl Fingerprint {
    fn with(self, mark: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(mark);
        Self(hash.finalize().into())
    }
}

fn named(origin: &str, matches: Vec<Match>) -> impl Iterator<Item = Candidate> {
    matches.into_iter().map(move |found| match found {
        Match::Ready { key, credential } => {
            Candidate { name: format!("{origin} (`{key}`)"), way: Way::Ready(credential) }
        }
        Match::Broken { key, error } => {
            Candidate { name: format!("{origin} (`{key}`)"), way: Way::Broken(error) }
        }
        Match::Helper { name, server } => Candidate {
            name: format!("{origin} (docker-credential-{name})"),
            way: Way::Helper { name, server },
        },
    })
}

async fn read(path: &Path) -> Result<Option<DockerConfig>, CredentialsError> {
    let unreadable =
        |problem: String| CredentialsError::Unreadable { path: path.to_owned(), problem };
    match tokio::fs::metadata(path).await {
        Ok(file) if file.len() > MOST_BYTES => {
            return Err(unreadable("it is far too long for a configuration".to_owned()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let bytes = tokio::fs::read(path).await.map_err(|error| unreadable(error.to_string()))?;
    DockerConfig::parse(&path.display().to_string(), &bytes).map(Some)
}

impl fmt::Debug for Keychain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = self.sources.iter().map(|source| match source {
            Source::Secret { origin, .. } | Source::One { origin, .. } => origin.clone(),
            Source::File(path) => path.display().to_string(),
        });
        formatter.debug_list().entries(origins).finish()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    async fn passwords(keychain: &Keychain, repository: &str) -> Vec<String> {
        let mut found = Vec::new();
        for candidate in keychain.candidates(&repository.parse().unwrap()).await {
            match candidate.obtain().await {
                Ok(Some(Credential::Basic { username, password })) => {
                    found.push(format!("{username}:{}", password.expose_secret()));
                }
                Ok(Some(Credential::IdentityToken(token))) => {
                    found.push(format!("identity {}", token.expose_secret()));
                }
                Ok(Some(Credential::RegistryToken(token))) => {
                    found.push(format!("registry {}", token.expose_secret()));
                }
                Ok(None) => {}
                Err(error) => found.push(format!("error {error}")),
            }
        }
        found
    }

    #[tokio::test]
    async fn all_matches_are_given_most_specific_first() {
        // dTpw = u:p, padded and unpadded; the second is `user2:pass` without its padding.
        let bytes = br#"{"auths":{
            "ghcr.io":{"auth":"dTpw"},
            "https://ghcr.io/v2/team":{"auth":"dXNlcjI6cGFzcw"},
            "*.io":{"username":"w","password":"x"},
            "ghcr.io/team/app":{"identitytoken":"refresh"},
            "ghcr.io/other":{"username":"n","password":"o"},
            "quay.io":{"registrytoken":"direct"}}}"#;
        let keychain = Keychain::anonymous().with_docker_config_json("secret a/b", bytes).unwrap();
        assert_eq!(
            passwords(&keychain, "ghcr.io/team/app").await,
            ["identity refresh", "user2:pass", "u:p", "w:x"]
        );
        assert_eq!(passwords(&keychain, "quay.io/x").await, ["registry direct", "w:x"]);
        assert!(passwords(&keychain, "example.org/x").await.is_empty());
    }

    #[tokio::test]
    async fn the_legacy_secret_is_a_bare_map() {
        let keychain = Keychain::anonymous()
            .with_docker_cfg(
                "old",
                br#"{"https://index.docker.io/v1/":{"auth":"dTpw","email":"x"}}"#,
            )
            .unwrap();
        assert_eq!(passwords(&keychain, "alpine").await, ["u:p"]);
    }

    #[tokio::test]
    async fn a_broken_entry_is_told_apart_and_shows_nothing() {
        let keychain = Keychain::anonymous()
            .with_docker_config_json("s", br#"{"auths":{"h.io":{"auth":"c2VjcmV0"}}}"#)
            .unwrap();
        let found = passwords(&keychain, "h.io/a").await;
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("error") && found[0].contains("`h.io` of s"), "{found:?}");
        assert!(!found[0].contains("c2VjcmV0"));
        assert!(!format!("{keychain:?}").contains("c2VjcmV0"));
        let error = Keychain::anonymous()
            .with_docker_config_json("s", br#"{"auths":"hunter2"}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains('s') && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_helper_in_a_secret_is_refused_by_name() {
        for bytes in [
            br#"{"credsStore":"desktop"}"#.as_slice(),
            br#"{"auths":{},"credHelpers":{"gcr.io":"gcloud"}}"#,
        ] {
            let error = Keychain::anonymous().with_docker_config_json("s", bytes).unwrap_err();
            assert!(matches!(error, CredentialsError::HelperInSecret { .. }));
        }
    }

    #[tokio::test]
    async fn files_are_read_when_asked_and_may_be_absent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let keychain = Keychain::of_files([path.clone()]);
        assert!(passwords(&keychain, "h.io/a").await.is_empty());
        std::fs::write(&path, r#"{"auths":{"h.io":{"auth":"dTpw"}}}"#).unwrap();
        assert_eq!(passwords(&keychain, "h.io/a").await, ["u:p"]);
        std::fs::write(&path, "{").unwrap();
        assert!(passwords(&keychain, "h.io/a").await[0].starts_with("error"));
    }

    #[test]
    fn the_fingerprint_changes_with_the_content() {
        let of = |text: &str| {
            Keychain::anonymous()
                .with_docker_config_json("s", text.as_bytes())
                .unwrap()
                .fingerprint()
        };
        assert_eq!(of("{}"), of("{}"));
        assert_ne!(of("{}"), of("{ }"));
        assert_ne!(of("{}"), Keychain::anonymous().fingerprint());
    }
}
