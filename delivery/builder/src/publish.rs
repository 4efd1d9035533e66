use bytes::Bytes;
use mercurious_core::image::{ImageReference, Platform, Repository, Tag};
use mercurious_registry::{
    BlobDescriptor, BlobSource, BlobToPush, ImageToPush, Keychain, PushedImage, RegistryClient, RegistryError,
};

use crate::{Base, BaseError, BuiltImage, Descriptor};

/// Why an image was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The base image cannot be had.
    #[error("cannot read the base image {reference}")]
    Base {
        /// Which.
        reference: ImageReference,
        /// Why.
        source: RegistryError,
    },
    /// The base image cannot be used.
    #[error("cannot build on {reference}")]
    UnusableBase {
        /// Which.
        reference: ImageReference,
        /// Why.
        source: BaseError,
    },
    /// A layer of the base could not be copied.
    #[error("cannot copy a layer of the base image")]
    Copy(#[source] RegistryError),
    /// A file could not be made.
    #[error("cannot write a temporary file")]
    File(#[source] std::io::Error),
    /// The registry did not take it.
    #[error("cannot push to {repository}")]
    Push {
        /// Where.
        repository: Repository,
        /// Why.
        source: RegistryError,
    },
}

/// Reads what is needed of a base image, for one platform.
pub async fn fetch_base(
    client: &RegistryClient,
    keychain: &Keychain,
    reference: &ImageReference,
    platform: &Platform,
) -> Result<Base, PublishError> {
    let failed = |source| PublishError::Base { reference: reference.clone(), source };
    let repository = reference.repository();
    let digest = match reference.digest() {
        Some(digest) => digest.clone(),
        None => client.head(repository, &reference.locator(), keychain).await.map_err(failed)?.digest,
    };
    let resolved = client.resolve(repository, &digest, reference.tag(), platform, keychain).await.map_err(failed)?;
    let config = client.blob_bytes(repository, &resolved.configuration_blob, keychain).await.map_err(failed)?;
    let layers = resolved.layers.iter().map(|layer| Descriptor {
        media_type: layer.media_type.clone(),
        digest: layer.digest.clone(),
        size: layer.size,
    });
    Base::new(&config, layers.collect())
        .map_err(|source| PublishError::UnusableBase { reference: reference.clone(), source })
}

/// Pushes an image: layers, configuration, manifest, then its tags, the commit's own before `latest`.
///
/// Layers of a base image are mounted where the registry is the same one, and copied where it is not.
pub async fn publish(
    client: &RegistryClient,
    keychain: &Keychain,
    image: &BuiltImage,
    base: Option<&Repository>,
    repository: &Repository,
    tags: &[Tag],
) -> Result<PushedImage, PublishError> {
    let push = |source| PublishError::Push { repository: repository.clone(), source };
    let place = tempfile::tempdir().map_err(PublishError::File)?;
    let mut blobs = Vec::new();
    let mount_from = base.filter(|base| base.host() == repository.host());
    for layer in &image.base_layers {
        if client.has_blob(repository, &layer.digest, keychain).await.map_err(push)? {
            continue;
        }
        let path = place.path().join(layer.digest.hex());
        if let Some(base) = base {
            let blob = BlobDescriptor {
                digest: layer.digest.clone(),
                size: layer.size,
                media_type: layer.media_type.clone(),
            };
            client.blob_to_file(base, &blob, &path, keychain).await.map_err(PublishError::Copy)?;
        }
        blobs.push(BlobToPush { digest: layer.digest.clone(), size: layer.size, source: BlobSource::File(path) });
    }
    blobs.extend(image.layers.iter().map(|layer| BlobToPush {
        digest: layer.descriptor.digest.clone(),
        size: layer.descriptor.size,
        source: BlobSource::File(layer.path.clone()),
    }));
    blobs.push(BlobToPush::from_bytes(image.config.bytes.clone()));
    let image = ImageToPush {
        blobs,
        manifest: Bytes::from(image.manifest.bytes.clone()),
        media_type: image.manifest.media_type.clone(),
    };
    client.push_image(repository, &image, tags, mount_from, keychain).await.map_err(push)
}
