use std::{collections::BTreeMap, path::PathBuf};

use async_trait::async_trait;
use mercurious_adapters::{Wiring, WiringError, chain};
use mercurious_core::resources::ObjectName;
use mercurious_engine::{Place, ports::LookError};
use mercurious_manifests::Secret;
use mercurious_registry::{CredentialsError, Keychain};

/// Registry credentials as one machine has them: the Secret that is named, then Docker's and Podman's files.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    secrets: BTreeMap<ObjectName, Secret>,
    files: Vec<PathBuf>,
}

/// Why a Secret gives no credentials. Its content is never part of the message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// It is not there.
    #[error("there is no Secret {name}; add it to the manifests")]
    Missing { name: ObjectName },
    /// It is of a type that holds no registry credentials.
    #[error(
        "Secret {name} is of type {kind} and has no `.dockerconfigjson`; make it with `kubectl create secret docker-registry`"
    )]
    Kind { name: ObjectName, kind: String },
    /// It says nothing about how a registry is reached.
    #[error("Secret {name}")]
    Wiring { name: ObjectName, source: WiringError },
    /// Its content cannot be read.
    #[error("Secret {name}")]
    Content { name: ObjectName, source: CredentialsError },
}

impl Credentials {
    /// Credentials from these Secrets and files.
    pub fn new(secrets: BTreeMap<ObjectName, Secret>, files: Vec<PathBuf>) -> Self {
        Self { secrets, files }
    }

    /// Every credential that may fit, these Secrets' first.
    pub(crate) fn keychain<'a>(
        &self,
        secrets: impl IntoIterator<Item = &'a ObjectName>,
    ) -> Result<Keychain, SecretError> {
        let mut keychain = Keychain::anonymous();
        for name in secrets {
            keychain = self.with_secret(keychain, name)?;
        }
        Ok(keychain.then(&Keychain::of_files(self.files.iter().cloned())))
    }

    fn wired(
        &self,
        name: &ObjectName,
        read: impl FnOnce(&dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Wiring, WiringError>,
    ) -> Result<Wiring, SecretError> {
        let secret = self.secret(name)?;
        let get = |key: &str| secret.data.get(key).map(|value| value.expose().to_vec());
        read(&get).map_err(|source| SecretError::Wiring { name: name.clone(), source })
    }

    fn secret(&self, name: &ObjectName) -> Result<&Secret, SecretError> {
        self.secrets.get(name).ok_or_else(|| SecretError::Missing { name: name.clone() })
    }

    fn with_secret(&self, keychain: Keychain, name: &ObjectName) -> Result<Keychain, SecretError> {
        let secret = self.secret(name)?;
        let origin = format!("Secret {name}");
        let content = |source| SecretError::Content { name: name.clone(), source };
        if let Some(value) = secret.data.get(".dockerconfigjson") {
            return keychain.with_docker_config_json(origin, value.expose()).map_err(content);
        }
        if let Some(value) = secret.data.get(".dockercfg") {
            return keychain.with_docker_cfg(origin, value.expose()).map_err(content);
        }
        Err(SecretError::Kind { name: name.clone(), kind: secret.kind.clone() })
    }
}

#[async_trait]
impl mercurious_adapters::Credentials for Credentials {
    async fn keychain(&self, place: &Place) -> Result<Keychain, LookError> {
        self.keychain(&place.secret).map_err(|error| wrong(place, "secretRef", &error))
    }

    async fn wiring(&self, place: &Place) -> Result<Wiring, LookError> {
        let mut wiring = Wiring::default();
        if let Some(name) = &place.certificate_secret {
            wiring = self
                .wired(name, |get| wiring.with_certificates(get))
                .map_err(|error| wrong(place, "certSecretRef", &error))?;
        }
        if let Some(name) = &place.proxy_secret {
            wiring = self
                .wired(name, |get| wiring.with_proxy(get))
                .map_err(|error| wrong(place, "proxySecretRef", &error))?;
        }
        Ok(wiring)
    }
}

fn wrong(place: &Place, field: &str, error: &SecretError) -> LookError {
    LookError::Unprepared {
        message: format!("ImageRepository {}: spec.{field}: {}", place.name, chain(error)),
    }
}
