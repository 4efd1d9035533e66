use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use mercurious_adapters::chain;
use mercurious_core::{
    image::{Digest, ImageReference, Platform},
    resources::ObjectName,
};
use mercurious_registry::RegistryClient;
use mercurious_sandbox::unpack::{ImageStore, Layer, UnpackLimits, Unpacked};
use nix::errno::Errno;
use tokio::sync::Semaphore;

use crate::Credentials;

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
    leases: Arc<Mutex<Leases>>,
}

/// Who uses which unpacked image, and what nobody did at the last collection.
#[derive(Default)]
struct Leases {
    held: BTreeMap<String, Weak<()>>,
    unneeded: BTreeSet<String>,
}

impl Leases {
    fn take(&mut self, digest: &Digest) -> Arc<()> {
        let held = self.held.entry(digest.hex().to_owned()).or_default();
        held.upgrade().unwrap_or_else(|| {
            let lease = Arc::new(());
            *held = Arc::downgrade(&lease);
            lease
        })
    }

    fn is_held(&self, digest: &str) -> bool {
        self.held.get(digest).is_some_and(|lease| lease.strong_count() > 0)
    }
}

/// An image that is ready to run.
#[derive(Clone, Debug)]
pub(crate) struct PulledImage {
    /// The digest of what the reference names: the index where there is one.
    pub(crate) digest: Digest,
    pub(crate) unpacked: Unpacked,
    /// Keeps it from being collected.
    _lease: Arc<()>,
}

/// Why an image is not on this machine.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct PullError {
    pub(crate) message: String,
    /// Whether nobody has pushed it yet.
    pub(crate) is_missing: bool,
    /// Whether this machine is to blame, and not the image.
    pub(crate) is_home_fault: bool,
}

/// What the system says where this machine is to blame.
const HOME_FAULTS: [Errno; 7] = [
    Errno::ENOSPC,
    Errno::EDQUOT,
    Errno::EROFS,
    Errno::EIO,
    Errno::EMFILE,
    Errno::ENFILE,
    Errno::ENOMEM,
];

/// Whether an error is this machine's own: no room, no files left to open, a disk that fails.
fn is_home_fault(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let number = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
        if number.is_some_and(|number| HOME_FAULTS.contains(&Errno::from_raw(number))) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl PullError {
    pub(crate) fn new(message: String) -> Self {
        Self { message, is_missing: false, is_home_fault: false }
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
            leases: Arc::default(),
        }
    }

    /// Pulls an image, unless it is here already.
    pub(crate) async fn pull(
        &self,
        image: &ImageReference,
        namespace: &str,
        secrets: &[String],
    ) -> Result<PulledImage, PullError> {
        let failed = |error: &(dyn std::error::Error + 'static)| PullError {
            is_home_fault: is_home_fault(error),
            ..PullError::new(format!("{image}: {}", chain(error)))
        };
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
        for blob in &resolved.layers {
            // Their content is kept elsewhere, under terms that forbid to hand it on; registries do not have it.
            let foreign = ["nondistributable", ".foreign."];
            if foreign.iter().any(|word| blob.media_type.contains(word)) {
                return Err(PullError::new(format!(
                    "{image}: layer {} is a foreign one ({}), which registries do not hand out; build the \
                         image without it",
                    blob.digest, blob.media_type
                )));
            }
        }
        // Before it is looked for: what is leased is not collected.
        let lease = self.leases().take(&resolved.platform_digest);
        let found = |unpacked: Unpacked| {
            if digest != resolved.platform_digest {
                self.store
                    .note_index(&resolved.platform_digest, &digest)
                    .map_err(|error| failed(&error))?;
            }
            Ok(PulledImage { digest: digest.clone(), unpacked, _lease: Arc::clone(&lease) })
        };
        if let Some(unpacked) = self.store.get(&resolved.platform_digest) {
            return found(unpacked);
        }
        let _slot = self.slots.acquire().await.map_err(|error| failed(&error))?;
        if let Some(unpacked) = self.store.get(&resolved.platform_digest) {
            return found(unpacked);
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
        found(unpacked)
    }

    /// Removes unpacked images that nobody uses and that are not among these, if that was so at the last call too.
    /// Returns how many went.
    pub(crate) async fn collect_garbage(
        &self,
        keep: &BTreeSet<Digest>,
    ) -> Result<usize, PullError> {
        let keep: BTreeSet<String> = keep.iter().map(|digest| digest.hex().to_owned()).collect();
        let (store, leases) = (Arc::clone(&self.store), Arc::clone(&self.leases));
        let collected = tokio::task::spawn_blocking(move || {
            // A pull takes its lease before or after all this.
            let mut leases = leases.lock().unwrap_or_else(PoisonError::into_inner);
            leases.held.retain(|_, lease| lease.strong_count() > 0);
            let mut unneeded = BTreeSet::new();
            let collected = store.retain(|name, indexes| {
                if keep.contains(name) || !keep.is_disjoint(indexes) || leases.is_held(name) {
                    return true;
                }
                unneeded.insert(name.to_owned());
                !leases.unneeded.contains(name)
            });
            leases.unneeded = unneeded;
            collected
        });
        let message = |error: &dyn std::error::Error| PullError::new(chain(error));
        collected.await.map_err(|error| message(&error))?.map_err(|error| message(&error))
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A tag that is not there (yet): no fault of anybody, and it goes on as soon as it is.
fn missing(image: &ImageReference) -> PullError {
    let message = format!("{image} is not in the registry; push it, and it is started");
    PullError { is_missing: true, ..PullError::new(message) }
}

#[cfg(test)]
mod tests {
    use mercurious_core::image::Platform;
    use mercurious_sandbox::unpack::{ImageStore, UnpackLimits};

    use super::*;

    #[tokio::test]
    async fn an_image_goes_when_nobody_has_needed_it_twice() {
        let place = tempfile::tempdir().unwrap();
        let store = ImageStore::open(&place.path().join("images")).unwrap();
        let digests = [b"kept", b"used", b"old1", b"list"].map(|it| Digest::of(it));
        let [kept, used, old, index] = &digests;
        let config =
            br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
        for digest in [kept, used, old] {
            store.unpack(digest, &[], config, &UnpackLimits::default()).unwrap();
        }
        store.note_index(kept, index).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let puller = Puller::new(
            RegistryClient::builder().build().unwrap(),
            Credentials::new(BTreeMap::new(), Vec::new()),
            store,
            Platform::of_this_program(),
            place.path().to_owned(),
        );
        let lease = puller.leases().take(used);
        let keep = BTreeSet::from([index.clone()]);
        assert_eq!(puller.collect_garbage(&keep).await.unwrap(), 0, "a grace is given");
        assert_eq!(puller.collect_garbage(&keep).await.unwrap(), 1);
        assert!(puller.store.get(old).is_none());
        assert!(puller.store.get(kept).is_some() && puller.store.get(used).is_some());
        drop(lease);
        assert_eq!(puller.collect_garbage(&keep).await.unwrap(), 0);
        assert_eq!(puller.collect_garbage(&keep).await.unwrap(), 1);
        assert!(puller.store.get(used).is_none());
        assert_eq!(puller.collect_garbage(&BTreeSet::new()).await.unwrap(), 0);
    }
}
