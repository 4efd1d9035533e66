use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use k8s_openapi::{
    ByteString,
    api::core::v1::{Secret, ServiceAccount},
};
use kube::{Client, api::Api};
use mercurious_adapters::{Credentials, Wiring, WiringError, chain};
use mercurious_core::resources::ObjectName;
use mercurious_engine::{Place, ports::LookError};
use mercurious_registry::{CredentialsError, Keychain};
use tokio::time::Instant;

use crate::{ClusterWorkloads, workloads::bounded};

/// One look asks several times in a moment, and reads its Secrets once.
const ONE_LOOK: Duration = Duration::from_secs(2);
/// Many workloads share a ServiceAccount; what it names is read again after this.
const ACCOUNT: Duration = Duration::from_mins(1);

/// Registry credentials as the kubelet finds them.
///
/// # Flow
/// In this order: the ImageRepository's `secretRef` and its `serviceAccountName`'s pull secrets; then, for each
/// workload that follows the repository, the pod template's `imagePullSecrets` and those of its ServiceAccount. Every
/// match is tried; anonymous comes last.
///
/// # Guarantees
/// Secrets are read when a look is due and forgotten after it: none is listed, watched or cached. Which Secrets a
/// ServiceAccount names is known for a minute.
#[derive(Clone)]
pub struct ClusterCredentials {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    workloads: ClusterWorkloads,
    /// The workloads that follow a repository.
    followers: Mutex<BTreeMap<ObjectName, Vec<ObjectName>>>,
    looks: Known<Keychain>,
    wirings: Known<Wiring>,
    accounts: Known<Vec<ObjectName>>,
}

/// Why a Secret gives no credentials. Its content is never part of the message.
#[derive(Debug, thiserror::Error)]
enum SecretError {
    #[error("there is no Secret {name}; create it, or correct the reference")]
    Missing { name: ObjectName },
    #[error("Secret {name} cannot be read: {message}")]
    Unreadable { name: ObjectName, message: String },
    #[error(
        "Secret {name} is of type {kind} and has no `{wanted}`; make it with `kubectl create secret {make}`"
    )]
    Kind { name: ObjectName, kind: String, wanted: &'static str, make: &'static str },
    #[error("Secret {name}")]
    Wiring { name: ObjectName, source: WiringError },
    #[error("Secret {name}")]
    Content { name: ObjectName, source: CredentialsError },
}

impl ClusterCredentials {
    /// Credentials of this cluster.
    pub fn new(client: Client, workloads: ClusterWorkloads) -> Self {
        let inner = Inner {
            client,
            workloads,
            followers: Mutex::default(),
            looks: Mutex::default(),
            wirings: Mutex::default(),
            accounts: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Says which workloads follow which repository.
    pub(crate) fn follow(&self, followers: BTreeMap<ObjectName, Vec<ObjectName>>) {
        *self.inner.followers.lock().unwrap_or_else(PoisonError::into_inner) = followers;
    }

    async fn secret(&self, name: &ObjectName) -> Result<Secret, SecretError> {
        let api: Api<Secret> = Api::namespaced(self.inner.client.clone(), &name.namespace);
        match bounded(api.get_opt(&name.name)).await {
            Ok(Some(secret)) => Ok(secret),
            Ok(None) => Err(SecretError::Missing { name: name.clone() }),
            Err(message) => Err(SecretError::Unreadable { name: name.clone(), message }),
        }
    }

    async fn wired(
        &self,
        name: &ObjectName,
        read: impl FnOnce(&dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Wiring, WiringError>,
    ) -> Result<Wiring, SecretError> {
        let data = self.secret(name).await?.data.unwrap_or_default();
        let get = |key: &str| data.get(key).map(|ByteString(value)| value.clone());
        read(&get).map_err(|source| SecretError::Wiring { name: name.clone(), source })
    }

    async fn with_secret(
        &self,
        keychain: Keychain,
        name: &ObjectName,
    ) -> Result<Keychain, SecretError> {
        let secret = self.secret(name).await?;
        let data = secret.data.unwrap_or_default();
        let origin = format!("Secret {name}");
        let content = |source| SecretError::Content { name: name.clone(), source };
        if let Some(ByteString(value)) = data.get(".dockerconfigjson") {
            return keychain.with_docker_config_json(origin, value).map_err(content);
        }
        if let Some(ByteString(value)) = data.get(".dockercfg") {
            return keychain.with_docker_cfg(origin, value).map_err(content);
        }
        Err(SecretError::Kind {
            name: name.clone(),
            kind: secret.type_.unwrap_or_else(|| "Opaque".to_owned()),
            wanted: ".dockerconfigjson",
            make: "docker-registry",
        })
    }

    async fn pull_secrets_of(&self, account: &ObjectName) -> Result<Vec<ObjectName>, String> {
        if let Some(names) = recent(&self.inner.accounts, account, ACCOUNT) {
            return Ok(names);
        }
        let api: Api<ServiceAccount> =
            Api::namespaced(self.inner.client.clone(), &account.namespace);
        let account_object = bounded(api.get_opt(&account.name)).await?;
        let references = account_object.and_then(|account| account.image_pull_secrets);
        let names: Vec<ObjectName> = references
            .unwrap_or_default()
            .into_iter()
            .filter(|reference| !reference.name.is_empty())
            .map(|reference| ObjectName::new(&account.namespace, reference.name))
            .collect();
        remember(&self.inner.accounts, account, names.clone());
        Ok(names)
    }

    /// What the kubelet would use for the workloads that follow this repository. The kubelet passes over what it
    /// cannot read, and so do we: the registry's answer says whether anything was missing.
    async fn of_workloads(&self, place: &Place, mut keychain: Keychain) -> Keychain {
        let followers = {
            let followers = self.inner.followers.lock().unwrap_or_else(PoisonError::into_inner);
            followers.get(&place.name).cloned().unwrap_or_default()
        };
        let mut names: Vec<ObjectName> = Vec::new();
        for workload in followers {
            let Ok(Some(facts)) = self.inner.workloads.facts(&workload).await else { continue };
            let own = |name: &String| ObjectName::new(&workload.namespace, name);
            names.extend(facts.pull_secrets.iter().map(own));
            let account = facts.service_account.as_deref().unwrap_or("default");
            let account = ObjectName::new(&workload.namespace, account);
            match self.pull_secrets_of(&account).await {
                Ok(found) => names.extend(found),
                Err(message) => {
                    tracing::debug!(account = %account, error = %message, "service account cannot be read");
                }
            }
        }
        names.sort();
        names.dedup();
        for name in &names {
            match self.with_secret(keychain.clone(), name).await {
                Ok(with) => keychain = with,
                Err(error) => {
                    tracing::debug!(secret.name = %name, error = %chain(&error), "pull secret cannot be used");
                }
            }
        }
        keychain
    }

    async fn find(&self, place: &Place) -> Result<Keychain, LookError> {
        let mut keychain = Keychain::anonymous();
        if let Some(name) = &place.secret {
            keychain = self
                .with_secret(keychain, name)
                .await
                .map_err(|error| wrong(place, "secretRef", &chain(&error)))?;
            // What is named for the repository is what is meant for it.
            return Ok(keychain);
        }
        if let Some(account) = &place.service_account {
            let names = self
                .pull_secrets_of(account)
                .await
                .map_err(|message| wrong(place, "serviceAccountName", &message))?;
            for name in &names {
                keychain = self
                    .with_secret(keychain, name)
                    .await
                    .map_err(|error| wrong(place, "serviceAccountName", &chain(&error)))?;
            }
        }
        Ok(self.of_workloads(place, keychain).await)
    }
}

#[async_trait]
impl Credentials for ClusterCredentials {
    async fn keychain(&self, place: &Place) -> Result<Keychain, LookError> {
        if let Some(keychain) = recent(&self.inner.looks, &place.name, ONE_LOOK) {
            return Ok(keychain);
        }
        let keychain = self.find(place).await?;
        remember(&self.inner.looks, &place.name, keychain.clone());
        Ok(keychain)
    }

    async fn wiring(&self, place: &Place) -> Result<Wiring, LookError> {
        if place.certificate_secret.is_none() && place.proxy_secret.is_none() {
            return Ok(Wiring::default());
        }
        if let Some(wiring) = recent(&self.inner.wirings, &place.name, ONE_LOOK) {
            return Ok(wiring);
        }
        let mut wiring = Wiring::default();
        if let Some(name) = &place.certificate_secret {
            let read = self.wired(name, |get| wiring.with_certificates(get)).await;
            wiring = read.map_err(|error| wrong(place, "certSecretRef", &chain(&error)))?;
        }
        if let Some(name) = &place.proxy_secret {
            let read = self.wired(name, |get| wiring.with_proxy(get)).await;
            wiring = read.map_err(|error| wrong(place, "proxySecretRef", &chain(&error)))?;
        }
        remember(&self.inner.wirings, &place.name, wiring.clone());
        Ok(wiring)
    }
}

type Known<T> = Mutex<BTreeMap<ObjectName, (Instant, T)>>;

/// What was read of this no longer ago; what is older is forgotten.
fn recent<T: Clone>(known: &Known<T>, name: &ObjectName, age: Duration) -> Option<T> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|_, (at, _)| at.elapsed() < age);
    known.get(name).map(|(_, found)| found.clone())
}

fn remember<T>(known: &Known<T>, name: &ObjectName, found: T) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known.insert(name.clone(), (Instant::now(), found));
}

fn wrong(place: &Place, field: &str, message: &str) -> LookError {
    LookError::Unprepared {
        message: format!("ImageRepository {}: spec.{field}: {message}", place.name),
    }
}
