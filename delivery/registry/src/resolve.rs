use std::collections::BTreeSet;

use bytes::Bytes;
use mercurious_core::image::{Digest, Platform, Release, Repository, Tag};
use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest};

use crate::{
    Keychain, RegistryClient, RegistryError,
    facts::Claims,
    media_types::{DOCKER_LIST, OCI_INDEX, is_image_config},
};

/// A configuration is kept in memory whole.
const MOST_OF_A_CONFIGURATION: u64 = 4 * 1024 * 1024;
/// BuildKit's mark on entries that are no images.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// All that is needed to deploy or run an image on one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// What can be deployed: the digest asked for, its commit, build time and platforms.
    pub release: Release,
    /// The manifest of the platform; the release's own digest where there is no index.
    pub platform_digest: Digest,
    /// The platform of that manifest, as its configuration or index says.
    pub platform: Platform,
    /// Entrypoint, environment, user, labels.
    pub configuration: ImageConfiguration,
    /// The configuration's own place.
    pub configuration_blob: BlobDescriptor,
    /// The layers, lowest first.
    pub layers: Vec<BlobDescriptor>,
    /// The repository of its source, where that is credible.
    pub source: Option<String>,
}

/// A blob as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobDescriptor {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes: no more is ever read.
    pub size: u64,
    /// Its media type: `application/vnd.oci.image.layer.v1.tar+gzip`.
    pub media_type: String,
}

impl RegistryClient {
    /// Everything about a digest, for one platform. At most three requests, and none the second time.
    ///
    /// `tag` is the name under which it was found: a commit tag (`sha-…`) names the commit.
    pub async fn resolve(
        &self,
        repository: &Repository,
        digest: &Digest,
        tag: Option<&Tag>,
        platform: &Platform,
        keychain: &Keychain,
    ) -> Result<Resolved, RegistryError> {
        let what = match tag {
            Some(tag) => format!("{repository}:{tag}@{digest}"),
            None => format!("{repository}@{digest}"),
        };
        let top = self.document(repository, digest, keychain).await?;
        let shape = Shape::read(&what, &top)?;
        let (index, entry, manifest_digest, manifest) = match shape {
            Shape::Manifest(manifest) => (None, None, digest.clone(), manifest),
            Shape::Index(index) => {
                let entry = choose(&what, &index, platform)?;
                let child = digest_of(&what, entry.digest())?;
                let bytes = self.document(repository, &child, keychain).await?;
                let Shape::Manifest(manifest) = Shape::read(&what, &bytes)? else {
                    return Err(RegistryError::BadAnswer {
                        what,
                        problem: "an index inside an index is not supported".to_owned(),
                    });
                };
                let entry = entry.clone();
                (Some(index), Some(entry), child, manifest)
            }
        };
        let configuration_blob = blob_descriptor(&what, manifest.config())?;
        if !is_image_config(&configuration_blob.media_type) {
            let media_type = manifest
                .artifact_type()
                .as_ref()
                .map_or(configuration_blob.media_type, ToString::to_string);
            return Err(RegistryError::NotAnImage { what, media_type });
        }
        let configuration =
            self.configuration(&what, repository, &configuration_blob, keychain).await?;
        let own = Platform {
            os: configuration.os().to_string(),
            architecture: configuration.architecture().to_string(),
            variant: configuration.variant().clone().filter(|variant| !variant.is_empty()),
        };
        let named = entry.as_ref().and_then(platform_of);
        if named.is_none() && !own.runs_on(platform) {
            let available = BTreeSet::from([own]);
            let wanted = platform.clone();
            return Err(RegistryError::PlatformMissing { what, wanted, available });
        }
        let claims = Claims {
            annotations: [
                index.as_ref().and_then(|index| index.annotations().as_ref()),
                entry.as_ref().and_then(|entry| entry.annotations().as_ref()),
                manifest.annotations().as_ref(),
            ],
            labels: configuration.labels_of_config(),
            created: configuration.created().as_deref(),
        };
        let mut platforms: BTreeSet<Platform> =
            index.iter().flat_map(|index| platforms_of(index)).collect();
        if platforms.is_empty() {
            platforms.insert(own.clone());
        }
        Ok(Resolved {
            release: Release {
                repository: repository.clone(),
                digest: digest.clone(),
                tag: tag.cloned(),
                commit: claims.commit(repository, tag),
                built_at: claims.built_at(self.transport().clock.now()),
                platforms: platforms.into_iter().collect(),
            },
            platform_digest: manifest_digest,
            platform: named.unwrap_or(own),
            source: claims.source(repository),
            layers: manifest
                .layers()
                .iter()
                .map(|layer| blob_descriptor(&what, layer))
                .collect::<Result<_, _>>()?,
            configuration,
            configuration_blob,
        })
    }

    /// A manifest by digest, from the cache or the registry.
    async fn document(
        &self,
        repository: &Repository,
        digest: &Digest,
        keychain: &Keychain,
    ) -> Result<Bytes, RegistryError> {
        if let Some(bytes) = self.documents().get(repository, digest).await {
            return Ok(bytes);
        }
        let bytes = self.manifest(repository, digest.as_str(), keychain).await?.bytes;
        self.documents().put(repository, digest, &bytes).await;
        Ok(bytes)
    }

    async fn configuration(
        &self,
        what: &str,
        repository: &Repository,
        blob: &BlobDescriptor,
        keychain: &Keychain,
    ) -> Result<ImageConfiguration, RegistryError> {
        let bad = |problem: String| RegistryError::BadAnswer {
            what: format!("the configuration of {what}"),
            problem,
        };
        if blob.size > MOST_OF_A_CONFIGURATION {
            return Err(bad(format!("it is longer than {MOST_OF_A_CONFIGURATION} bytes")));
        }
        let bytes = if let Some(bytes) = self.documents().get(repository, &blob.digest).await {
            bytes
        } else {
            let bytes = self.blob_bytes(repository, blob, keychain).await?;
            self.documents().put(repository, &blob.digest, &bytes).await;
            bytes
        };
        serde_json::from_slice(&bytes).map_err(|error| bad(format!("it cannot be read: {error}")))
    }
}

enum Shape {
    Index(Box<ImageIndex>),
    Manifest(Box<ImageManifest>),
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
}

impl Shape {
    fn read(what: &str, bytes: &[u8]) -> Result<Self, RegistryError> {
        let bad = |error: serde_json::Error| RegistryError::BadAnswer {
            what: what.to_owned(),
            problem: format!("it is not a manifest: {error}"),
        };
        let outline: Outline = serde_json::from_slice(bytes).map_err(bad)?;
        let is_index = match outline.media_type.as_deref() {
            Some(OCI_INDEX | DOCKER_LIST) => true,
            Some(_) => false,
            None => outline.manifests.is_some(),
        };
        if is_index {
            serde_json::from_slice(bytes).map(|index| Self::Index(Box::new(index))).map_err(bad)
        } else {
            serde_json::from_slice(bytes)
                .map(|manifest| Self::Manifest(Box::new(manifest)))
                .map_err(bad)
        }
    }
}

/// The entry to run: the right platform, the very variant before any; never an attestation.
fn choose<'a>(
    what: &str,
    index: &'a ImageIndex,
    platform: &Platform,
) -> Result<&'a Descriptor, RegistryError> {
    let images: Vec<&Descriptor> = index.manifests().iter().filter(|one| is_image(one)).collect();
    let fits = |entry: &&&Descriptor| platform_of(entry).is_some_and(|own| own.runs_on(platform));
    let exact = images
        .iter()
        .filter(fits)
        .find(|entry| platform_of(entry).is_some_and(|own| own == *platform));
    let nameless = match images.as_slice() {
        // One image that names no platform is judged by its configuration.
        [only] if platform_of(only).is_none() => Some(only),
        _ => None,
    };
    exact.or_else(|| images.iter().find(fits)).or(nameless).copied().ok_or_else(|| {
        RegistryError::PlatformMissing {
            what: what.to_owned(),
            wanted: platform.clone(),
            available: platforms_of(index).collect(),
        }
    })
}

fn platforms_of(index: &ImageIndex) -> impl Iterator<Item = Platform> + '_ {
    index.manifests().iter().filter(|entry| is_image(entry)).filter_map(platform_of)
}

fn is_image(entry: &Descriptor) -> bool {
    let attested = entry
        .annotations()
        .as_ref()
        .is_some_and(|annotations| annotations.contains_key(REFERENCE_TYPE));
    let artifact = entry
        .artifact_type()
        .as_ref()
        .is_some_and(|artifact_type| !is_image_config(artifact_type.as_ref()));
    let unknown =
        entry.platform().is_some() && platform_of(entry).is_none_or(|own| own.is_unknown());
    !attested && !artifact && !unknown
}

fn platform_of(entry: &Descriptor) -> Option<Platform> {
    let platform = entry.platform().as_ref()?;
    let (os, architecture) = (platform.os().to_string(), platform.architecture().to_string());
    if os.is_empty() || architecture.is_empty() {
        return None;
    }
    let variant = platform.variant().clone().filter(|variant| !variant.is_empty());
    Some(Platform { os, architecture, variant })
}

fn digest_of(what: &str, digest: &oci_spec::image::Digest) -> Result<Digest, RegistryError> {
    digest.to_string().parse().map_err(|_| RegistryError::BadAnswer {
        what: what.to_owned(),
        problem: format!("it names a `{}` digest; only sha256 is supported", digest.algorithm()),
    })
}

fn blob_descriptor(what: &str, descriptor: &Descriptor) -> Result<BlobDescriptor, RegistryError> {
    Ok(BlobDescriptor {
        digest: digest_of(what, descriptor.digest())?,
        size: descriptor.size(),
        media_type: descriptor.media_type().to_string(),
    })
}
