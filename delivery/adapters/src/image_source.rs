use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use mercurious_core::image::{Digest, Platform, Release, Tag};
use mercurious_engine::{
    Place,
    ports::{ImageSource, LookError},
};
use mercurious_registry::{Keychain, RegistryClient, RegistryClientBuilder, RegistryError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Credentials, chain};

/// The engine's questions to a registry, with the credentials of a home.
pub struct OciImageSource<C> {
    credentials: C,
    platform: Platform,
    build: Box<dyn Fn() -> RegistryClientBuilder + Send + Sync>,
    /// One client per wiring; almost always just one in all.
    clients: Mutex<BTreeMap<Wired, RegistryClient>>,
    turns: Arc<Semaphore>,
}

/// What tells a wiring from others, and the host to which plain HTTP is allowed.
type Wired = (Option<Digest>, Option<String>);

/// Secrets that change leave clients behind: so many are kept.
const CLIENTS: usize = 64;
/// So many repositories are learned from the beginning at a time.
const TURNS: usize = 4;

impl<C> fmt::Debug for OciImageSource<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OciImageSource")
            .field("platform", &self.platform)
            .finish_non_exhaustive()
    }
}

impl<C: Credentials> OciImageSource<C> {
    /// A source for images of this platform. `build` gives a client's settings, mirrors included.
    pub fn new(
        credentials: C,
        platform: Platform,
        build: impl Fn() -> RegistryClientBuilder + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            credentials,
            platform,
            build: Box::new(build),
            clients: Mutex::default(),
            turns: Arc::new(Semaphore::new(TURNS)),
        })
    }

    /// A source that asks through one client, whatever a place says of certificates.
    pub fn of_client(credentials: C, platform: Platform, client: RegistryClient) -> Arc<Self> {
        let source = Self::new(credentials, platform, RegistryClient::builder);
        source.clients.lock().unwrap_or_else(PoisonError::into_inner).insert((None, None), client);
        source
    }

    async fn prepare(&self, place: &Place) -> Result<(RegistryClient, Keychain), LookError> {
        let keychain = self.credentials.keychain(place).await?;
        let wiring = self.credentials.wiring(place).await?;
        let key = (
            wiring.fingerprint().cloned(),
            place.insecure.then(|| place.repository.host().to_owned()),
        );
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok((client.clone(), keychain));
        }
        if clients.len() >= CLIENTS {
            clients.clear();
        }
        let mut builder = wiring.build((self.build)());
        if place.insecure {
            builder = builder.plain_http(place.repository.host());
        }
        let client = builder.build().map_err(|error| LookError::Unprepared {
            message: format!("ImageRepository {}: {}", place.name, chain(&error)),
        })?;
        clients.insert(key, client.clone());
        Ok((client, keychain))
    }
}

#[async_trait]
impl<C: Credentials> ImageSource for OciImageSource<C> {
    async fn head(&self, place: &Place, reference: &str) -> Result<Option<Digest>, LookError> {
        let (client, keychain) = self.prepare(place).await?;
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
        let (client, keychain) = self.prepare(place).await?;
        client
            .resolve(&place.repository, digest, tag, &self.platform, &keychain)
            .await
            .map(|resolved| resolved.release)
            .map_err(|error| look_error(&error))
    }

    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // Nothing closes it.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    async fn tags(&self, place: &Place) -> Result<Vec<Tag>, LookError> {
        let (client, keychain) = self.prepare(place).await?;
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
