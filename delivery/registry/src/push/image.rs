use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mercurious_core::image::{Digest, Repository, Tag};

use super::{BlobToPush, PushedBlob};
use crate::{Keychain, RegistryClient, RegistryError, facts::commit_of_tag};

/// Layers sent at a time: enough to fill a line, few enough to stay kind.
const AT_A_TIME: usize = 3;

/// An image of one platform, ready to push.
#[derive(Clone, Debug)]
pub struct ImageToPush {
    /// The configuration, then or before the layers: every blob that the manifest names.
    pub blobs: Vec<BlobToPush>,
    /// The manifest's exact bytes.
    pub manifest: Bytes,
    /// The manifest's media type.
    pub media_type: String,
}

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedImage {
    /// The manifest's digest: what to deploy.
    pub digest: Digest,
    /// How each blob got there, in the order given.
    pub blobs: Vec<PushedBlob>,
    /// The tags in the order in which they were moved.
    pub tags: Vec<Tag>,
}

impl RegistryClient {
    /// Pushes an image: blobs, then the manifest under its tags, one after the other.
    ///
    /// Commit tags (`sha-…`) go first and `latest` last, so that whoever sees a new `latest` finds the commit
    /// tag too. With no tags the manifest is pushed under its digest.
    pub async fn push_image(
        &self,
        repository: &Repository,
        image: &ImageToPush,
        tags: &[Tag],
        mount_from: Option<&Repository>,
        keychain: &Keychain,
    ) -> Result<PushedImage, RegistryError> {
        // The first blob alone: it finds the way in, which the others then use.
        let (first, rest) = match image.blobs.split_first() {
            Some((first, rest)) => {
                (vec![self.push_blob(repository, first, mount_from, keychain).await?], rest)
            }
            None => (Vec::new(), [].as_slice()),
        };
        let mut blobs = first;
        let rest: Vec<PushedBlob> = stream::iter(rest)
            .map(|blob| self.push_blob(repository, blob, mount_from, keychain))
            .buffered(AT_A_TIME)
            .try_collect()
            .await?;
        blobs.extend(rest);
        let digest = Digest::of(&image.manifest);
        let tags = in_order(tags);
        if tags.is_empty() {
            self.put(repository, digest.as_str(), image, keychain).await?;
        }
        for tag in &tags {
            self.put(repository, tag.as_str(), image, keychain).await?;
        }
        Ok(PushedImage { digest, blobs, tags })
    }

    async fn put(
        &self,
        repository: &Repository,
        reference: &str,
        image: &ImageToPush,
        keychain: &Keychain,
    ) -> Result<Digest, RegistryError> {
        let manifest = image.manifest.clone();
        self.push_manifest(repository, reference, manifest, &image.media_type, keychain).await
    }
}

/// Commit tags, then the others, then `latest`; each once.
fn in_order(tags: &[Tag]) -> Vec<Tag> {
    let mut ordered: Vec<Tag> = Vec::new();
    for tag in tags {
        if !ordered.contains(tag) {
            ordered.push(tag.clone());
        }
    }
    ordered.sort_by_key(|tag| (commit_of_tag(tag).is_none(), tag.as_str() == "latest"));
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r12_the_commit_tag_is_there_before_latest_moves() {
        let tags: Vec<Tag> =
            ["latest", "1.2", "sha-0123456", "1.2", "main"].map(|tag| tag.parse().unwrap()).into();
        let ordered: Vec<String> = in_order(&tags).iter().map(ToString::to_string).collect();
        assert_eq!(ordered, ["sha-0123456", "1.2", "main", "latest"]);
    }
}
