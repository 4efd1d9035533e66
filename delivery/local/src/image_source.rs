use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use mercurious_core::{
    image::{Digest, Platform, Release, Tag},
    resources::ObjectName,
};
use mercurious_engine::{
    Place,
    ports::{ImageSource, LookError},
};
use mercurious_registry::{Keychain, RegistryClient, RegistryClientBuilder, RegistryError};

use crate::Credentials;

/// The engine's questions to a registry, with the credentials that the manifests name.
pub struct OciImageSource {
    credentials: Credentials,
    platform: Platform,
    build: Box<dyn Fn() -> RegistryClientBuilder + Send + Sync>,
    /// One client per extra certificate authority; almost always just one in all.
    clients: Mutex<BTreeMap<Trust, RegistryClient>>,
}

/// The Secret with an extra certificate authority, and the host to which plain HTTP is allowed.
type Trust = (Option<ObjectName>, Option<String>);

impl std::fmt::Debug for OciImageSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("OciImageSource")
            .field("platform", &self.platform)
            .finish_non_exhaustive()
    }
}

impl OciImageSource {
    /// A source for images of this platform. `build` gives a client's settings, mirrors included.
    pub fn new(
        credentials: Credentials,
        platform: Platform,
        build: impl Fn() -> RegistryClientBuilder + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { credentials, platform, build: Box::new(build), clients: Mutex::default() })
    }

    /// A source that asks through one client, whatever a place says of certificates.
    pub fn of_client(
        credentials: Credentials,
        platform: Platform,
        client: RegistryClient,
    ) -> Arc<Self> {
        let source = Self::new(credentials, platform, RegistryClient::builder);
        source.clients.lock().unwrap_or_else(PoisonError::into_inner).insert((None, None), client);
        source
    }

    fn prepare(&self, place: &Place) -> Result<(RegistryClient, Keychain), LookError> {
        let wrong = |message: String| LookError::Failed { message, retryable: false };
        let keychain = self.credentials.keychain(&place.secret).map_err(|error| {
            wrong(format!("ImageRepository {}: spec.secretRef: {}", place.name, chain(&error)))
        })?;
        let key = (
            place.certificate_secret.clone(),
            place.insecure.then(|| place.repository.host().to_owned()),
        );
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok((client.clone(), keychain));
        }
        let mut builder = (self.build)();
        if let Some(name) = &place.certificate_secret {
            let authority = self.credentials.certificate_authority(name).map_err(|error| {
                wrong(format!(
                    "ImageRepository {}: spec.certSecretRef: {}",
                    place.name,
                    chain(&error)
                ))
            })?;
            builder = builder.extra_ca(authority);
        }
        if place.insecure {
            builder = builder.plain_http(place.repository.host());
        }
        let client = builder.build().map_err(|error| wrong(chain(&error)))?;
        clients.insert(key, client.clone());
        Ok((client, keychain))
    }
}

#[async_trait]
impl ImageSource for OciImageSource {
    async fn head(&self, place: &Place, reference: &str) -> Result<Option<Digest>, LookError> {
        let (client, keychain) = self.prepare(place)?;
        match client.head(&place.repository, reference, &keychain).await {
            Ok(head) => Ok(Some(head.digest)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(look_error(&error)),
        }
    }

    async fn resolve(
        &self,
        place: &Place,
        digest: &Digest,
        tag: Option<&Tag>,
    ) -> Result<Release, LookError> {
        let (client, keychain) = self.prepare(place)?;
        client
            .resolve(&place.repository, digest, tag, &self.platform, &keychain)
            .await
            .map(|resolved| resolved.release)
            .map_err(|error| look_error(&error))
    }

    async fn tags(&self, place: &Place) -> Result<Vec<Tag>, LookError> {
        let (client, keychain) = self.prepare(place)?;
        match client.tags(&place.repository, &keychain).await {
            Ok(tags) => Ok(tags),
            // A repository that nothing was pushed to yet has no tags.
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(look_error(&error)),
        }
    }
}

fn look_error(error: &RegistryError) -> LookError {
    let message = error.with_causes();
    if error.is_unusable_image() {
        LookError::Unusable { message }
    } else if error.is_not_found() {
        LookError::Gone { message }
    } else {
        LookError::Failed { message, retryable: error.is_retryable() }
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
