use std::{path::PathBuf, sync::Arc};

use mercurious_core::{
    image::{Digest, ImageReference, Platform},
    resources::ObjectName,
};
use mercurious_registry::RegistryClient;
use mercurious_sandbox::unpack::{ImageStore, Layer, UnpackLimits, Unpacked};
use tokio::sync::Semaphore;

use crate::{Credentials, image_source::chain};

/// Brings images onto this machine: resolved for its platform, downloaded, checked, unpacked.
#[derive(Clone)]
pub(crate) struct Puller {
    client: RegistryClient,
    credentials: Credentials,
    store: Arc<ImageStore>,
    platform: Platform,
    downloads: PathBuf,
    /// Unpacking is bound to the disk: a few at a time.
    slots: Arc<Semaphore>,
}

/// An image that is ready to run.
#[derive(Clone, Debug)]
pub(crate) struct PulledImage {
    /// The digest of what the reference names: the index where there is one.
    pub(crate) digest: Digest,
    pub(crate) unpacked: Unpacked,
}

/// Why an image is not on this machine.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct PullError {
    pub(crate) message: String,
    /// Whether nobody has pushed it yet.
    pub(crate) is_missing: bool,
}

impl PullError {
    pub(crate) fn new(message: String) -> Self {
        Self { message, is_missing: false }
    }
}

impl Puller {
    pub(crate) fn new(
        client: RegistryClient,
        credentials: Credentials,
        store: ImageStore,
        platform: Platform,
        downloads: PathBuf,
    ) -> Self {
        Self {
            client,
            credentials,
            store: Arc::new(store),
            platform,
            downloads,
            slots: Arc::new(Semaphore::new(2)),
        }
    }

    /// Pulls an image, unless it is here already.
    pub(crate) async fn pull(
        &self,
        image: &ImageReference,
        namespace: &str,
        secrets: &[String],
    ) -> Result<PulledImage, PullError> {
        let failed =
            |error: &dyn std::error::Error| PullError::new(format!("{image}: {}", chain(error)));
        let names: Vec<ObjectName> =
            secrets.iter().map(|name| ObjectName::new(namespace, name)).collect();
        let keychain = self.credentials.keychain(&names).map_err(|error| failed(&error))?;
        let repository = image.repository();
        let digest = if let Some(digest) = image.digest() {
            digest.clone()
        } else {
            let head = self.client.head(repository, &image.locator(), &keychain).await;
            head.map_err(
                |error| if error.is_not_found() { missing(image) } else { failed(&error) },
            )?
            .digest
        };
        let resolved = self
            .client
            .resolve(repository, &digest, image.tag(), &self.platform, &keychain)
            .await
            .map_err(|error| failed(&error))?;
        if let Some(unpacked) = self.store.get(&resolved.platform_digest) {
            return Ok(PulledImage { digest, unpacked });
        }
        let _slot = self.slots.acquire().await.map_err(|error| failed(&error))?;
        if let Some(unpacked) = self.store.get(&resolved.platform_digest) {
            return Ok(PulledImage { digest, unpacked });
        }
        let place = tempfile::Builder::new()
            .prefix("pull-")
            .tempdir_in(&self.downloads)
            .map_err(|error| failed(&error))?;
        let diff_ids = resolved.configuration.rootfs().diff_ids();
        let mut layers = Vec::with_capacity(resolved.layers.len());
        for (index, blob) in resolved.layers.iter().enumerate() {
            let path = place.path().join(format!("{index}"));
            self.client
                .blob_to_file(repository, blob, &path, &keychain)
                .await
                .map_err(|error| failed(&error))?;
            let diff_id = diff_ids.get(index).and_then(|text| text.parse().ok());
            let Some(diff_id) = diff_id else {
                return Err(PullError::new(format!(
                    "{image}: its configuration names no diff id for layer {index}"
                )));
            };
            layers.push(Layer {
                media_type: blob.media_type.clone(),
                digest: blob.digest.clone(),
                diff_id,
                path,
            });
        }
        let configuration =
            serde_json::to_vec(&resolved.configuration).map_err(|error| failed(&error))?;
        let store = Arc::clone(&self.store);
        let key = resolved.platform_digest.clone();
        let unpacked = tokio::task::spawn_blocking(move || {
            let unpacked = store.unpack(&key, &layers, &configuration, &UnpackLimits::default());
            drop(place);
            unpacked
        })
        .await
        .map_err(|error| failed(&error))?
        .map_err(|error| failed(&error))?;
        Ok(PulledImage { digest, unpacked })
    }
}

/// A tag that is not there (yet): no fault of anybody, and it goes on as soon as it is.
fn missing(image: &ImageReference) -> PullError {
    let message = format!("{image} is not in the registry; push it, and it is started");
    PullError { message, is_missing: true }
}
