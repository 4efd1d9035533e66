use std::{collections::BTreeMap, path::PathBuf};

use async_trait::async_trait;
use mercurious_adapters::chain;
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

    /// The certificate authority under `ca.crt` of a Secret.
    pub(crate) fn certificate_authority(&self, name: &ObjectName) -> Result<Vec<u8>, SecretError> {
        let secret = self.secret(name)?;
        match secret.data.get("ca.crt").or_else(|| secret.data.get("caFile")) {
            Some(value) => Ok(value.expose().to_vec()),
            None => Err(SecretError::Kind { name: name.clone(), kind: secret.kind.clone() }),
        }
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

    async fn certificate_authority(&self, place: &Place) -> Result<Option<Vec<u8>>, LookError> {
        let Some(name) = &place.certificate_secret else { return Ok(None) };
        self.certificate_authority(name)
            .map(Some)
            .map_err(|error| wrong(place, "certSecretRef", &error))
    }
}

fn wrong(place: &Place, field: &str, error: &SecretError) -> LookError {
    LookError::Failed {
        message: format!("ImageRepository {}: spec.{field}: {}", place.name, chain(error)),
        retryable: false,
    }
}
