use std::path::Path;

use bytes::Bytes;
use mercurious_core::image::{Digest, ImageReference, Platform, Repository, Tag};
use mercurious_registry::{
    BlobDescriptor, BlobSource, BlobToPush, ImageToPush, Keychain, PushedBlob, RegistryClient,
    RegistryError,
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
    /// The repository lacks a layer of the base, and nothing says where the base lies.
    #[error(
        "{repository} has no layer {layer} of the base image, and the base's repository was not given"
    )]
    UnknownBase {
        /// Where to.
        repository: Repository,
        /// What is missing.
        layer: Digest,
    },
    /// A layer of the base could not be copied.
    #[error("cannot copy a layer of the base image from {repository}")]
    Copy {
        /// Where from.
        repository: Repository,
        /// Why.
        source: RegistryError,
    },
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

impl PublishError {
    /// Whether the same attempt may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Base { source, .. } | Self::Copy { source, .. } | Self::Push { source, .. } => {
                source.is_retryable()
            }
            Self::UnusableBase { .. } | Self::UnknownBase { .. } | Self::File(_) => false,
        }
    }
}

/// What an image's blob is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobRole {
    /// A layer of the base image.
    Base,
    /// A layer made here.
    Layer,
    /// The configuration.
    Config,
}

/// A blob that is in the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedBlob {
    /// What it is for.
    pub role: BlobRole,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// How it got there.
    pub outcome: PushedBlob,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The image's digest: what to deploy.
    pub digest: Digest,
    /// The blobs in the order in which they arrived.
    pub blobs: Vec<PublishedBlob>,
    /// The tags in the order in which they were moved.
    pub tags: Vec<Tag>,
}

impl Published {
    /// How many bytes of blobs were sent.
    pub fn bytes_sent(&self) -> u64 {
        let sent = |blob: &&PublishedBlob| {
            matches!(blob.outcome, PushedBlob::Sent | PushedBlob::SentInChunks)
        };
        self.blobs.iter().filter(sent).map(|blob| blob.size).sum()
    }
}

/// A step of publishing, for whoever waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A blob's turn has come; nothing is known yet of what the registry has.
    Started {
        /// What it is for.
        role: BlobRole,
        /// Its digest.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// A blob is in the repository.
    Arrived(PublishedBlob),
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
        None => {
            client.head(repository, &reference.locator(), keychain).await.map_err(failed)?.digest
        }
    };
    let resolved = client
        .resolve(repository, &digest, reference.tag(), platform, keychain)
        .await
        .map_err(failed)?;
    let config = client
        .blob_bytes(repository, &resolved.configuration_blob, keychain)
        .await
        .map_err(failed)?;
    let layers = resolved.layers.iter().map(|layer| Descriptor {
        media_type: layer.media_type.clone(),
        digest: layer.digest.clone(),
        size: layer.size,
    });
    Base::new(&config, layers.collect())
        .map_err(|source| PublishError::UnusableBase { reference: reference.clone(), source })
}

/// Pushes an image: layers, configuration, manifest, then its tags, the commit's own before `latest`. Whoever
/// sees the manifest finds all that it names; an attempt that breaks off leaves the tags where they were.
///
/// `base` is where the base image lies: its layers are mounted where the registry is the same one, else copied.
pub async fn publish(
    client: &RegistryClient,
    keychain: &Keychain,
    image: &BuiltImage,
    base: Option<&Repository>,
    repository: &Repository,
    tags: &[Tag],
) -> Result<Published, PublishError> {
    let publication = Publication { image, base, repository, tags };
    publication.push(client, keychain, |_| {}).await
}

/// What goes where.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// The image.
    pub image: &'a BuiltImage,
    /// Where the base image lies, if there is one.
    pub base: Option<&'a Repository>,
    /// Where the image goes.
    pub repository: &'a Repository,
    /// What it is to be called there; with none it has its digest alone.
    pub tags: &'a [Tag],
}

impl Publication<'_> {
    /// As [`publish`], telling each step.
    pub async fn push(
        &self,
        client: &RegistryClient,
        keychain: &Keychain,
        mut progress: impl FnMut(Progress),
    ) -> Result<Published, PublishError> {
        let mut blobs = Vec::new();
        let place = tempfile::tempdir().map_err(PublishError::File)?;
        let layers = self.image.layers.iter().map(|layer| BlobToPush {
            digest: layer.descriptor.digest.clone(),
            size: layer.descriptor.size,
            source: BlobSource::File(layer.path.clone()),
        });
        let config = BlobToPush::from_bytes(self.image.config.bytes.clone());
        let base = self.image.base_layers.iter().map(|layer| BlobToPush {
            digest: layer.digest.clone(),
            size: layer.size,
            source: BlobSource::File(place.path().join(layer.digest.hex())),
        });
        let all = base
            .map(|blob| (BlobRole::Base, blob))
            .chain(layers.map(|blob| (BlobRole::Layer, blob)))
            .chain([(BlobRole::Config, config)]);
        for (role, blob) in all {
            let (digest, size) = (blob.digest.clone(), blob.size);
            progress(Progress::Started { role, digest: digest.clone(), size });
            let outcome = match &blob.source {
                BlobSource::File(path) if role == BlobRole::Base => {
                    self.push_base_layer(client, keychain, &blob, path).await?
                }
                _ => self.push_blob(client, keychain, &blob).await?,
            };
            let arrived = PublishedBlob { role, digest, size, outcome };
            progress(Progress::Arrived(arrived.clone()));
            blobs.push(arrived);
        }
        let manifest = ImageToPush {
            blobs: Vec::new(),
            manifest: Bytes::from(self.image.manifest.bytes.clone()),
            media_type: self.image.manifest.media_type.clone(),
        };
        let pushed = client
            .push_image(self.repository, &manifest, self.tags, None, keychain)
            .await
            .map_err(|source| self.not_pushed(source))?;
        tracing::info!(image.digest = %pushed.digest, image.repository = %self.repository, "image published");
        Ok(Published { digest: pushed.digest, blobs, tags: pushed.tags })
    }

    async fn push_blob(
        &self,
        client: &RegistryClient,
        keychain: &Keychain,
        blob: &BlobToPush,
    ) -> Result<PushedBlob, PublishError> {
        // A base in another registry cannot be mounted from.
        let from = self.base.filter(|base| base.host() == self.repository.host());
        client
            .push_blob(self.repository, blob, from, keychain)
            .await
            .map_err(|source| self.not_pushed(source))
    }

    /// The file is made only if the repository lacks the layer, and is gone afterwards: a base of many layers
    /// never lies here as a whole.
    async fn push_base_layer(
        &self,
        client: &RegistryClient,
        keychain: &Keychain,
        blob: &BlobToPush,
        path: &Path,
    ) -> Result<PushedBlob, PublishError> {
        let is_there = match client.has_blob(self.repository, &blob.digest, keychain).await {
            Ok(is_there) => is_there,
            // A repository that is not there yet may not be asked; whether it may be written shows in pushing.
            Err(RegistryError::Denied { .. }) => false,
            Err(source) => return Err(self.not_pushed(source)),
        };
        if is_there {
            return Ok(PushedBlob::Present);
        }
        let Some(base) = self.base else {
            let (repository, layer) = (self.repository.clone(), blob.digest.clone());
            return Err(PublishError::UnknownBase { repository, layer });
        };
        let descriptor = BlobDescriptor {
            digest: blob.digest.clone(),
            size: blob.size,
            media_type: crate::LAYER_MEDIA_TYPE.to_owned(),
        };
        client
            .blob_to_file(base, &descriptor, path, keychain)
            .await
            .map_err(|source| PublishError::Copy { repository: base.clone(), source })?;
        let outcome = self.push_blob(client, keychain, blob).await?;
        std::fs::remove_file(path).map_err(PublishError::File)?;
        Ok(outcome)
    }

    fn not_pushed(&self, source: RegistryError) -> PublishError {
        PublishError::Push { repository: self.repository.clone(), source }
    }
}
