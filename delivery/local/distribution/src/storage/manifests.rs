use std::{collections::HashSet, fs, path::PathBuf};

use mercurious_core::image::{Digest, Tag};

use super::{
    Storage,
    files::{Context, StorageError, names, remove},
    repositories::Link,
};
use crate::{
    manifest::{Descriptor, Manifest},
    name::{Reference, RepositoryName},
    refusal::Refusal,
};

/// A manifest or index as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// What it is.
    pub digest: Digest,
    /// As it was pushed.
    pub media_type: String,
    /// The file with its bytes.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
}

/// A manifest to be taken in.
#[derive(Debug)]
pub(crate) struct NewManifest {
    pub(crate) repository: RepositoryName,
    pub(crate) reference: Reference,
    /// Tags that the query of a push by digest asks for.
    pub(crate) tags: Vec<Tag>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// A manifest that was taken in.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) digest: Digest,
    pub(crate) media_type: &'static str,
    pub(crate) subject: Option<Digest>,
}

impl Storage {
    /// The manifest behind a reference.
    pub(crate) fn manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>, StorageError> {
        let _keep = self.keep_all();
        let digest = match reference {
            Reference::Digest(digest) => digest.clone(),
            Reference::Tag(tag) => match self.tag(name, tag)? {
                Some(digest) => digest,
                None => return Ok(None),
            },
        };
        let link = self.link(name, Link::Manifest, &digest);
        let Some(media_type) = fs::read_to_string(&link).unless_missing("reading", &link)? else {
            return Ok(None);
        };
        let Some(size) = self.content_size(&digest)? else { return Ok(None) };
        let path = self.content_path(&digest);
        // A client that finds it by digest may be about to name it in an index.
        self.note_use(&digest);
        if matches!(reference, Reference::Digest(_)) {
            self.renew(&link)?;
            self.renew(&path)?;
        }
        Ok(Some(StoredManifest { digest, media_type, path, size }))
    }

    /// Takes a manifest in, if it keeps the rules and all that it names is here.
    ///
    /// Content first, then what finds it: a process killed in between leaves content that nothing names.
    pub(crate) fn add_manifest(&self, new: &NewManifest) -> Result<Accepted, Refusal> {
        let manifest = Manifest::parse(&new.body, new.content_type.as_deref())
            .map_err(|reason| Refusal::ManifestInvalid { reason })?;
        let digest = Digest::of(&new.body);
        let tags = match &new.reference {
            Reference::Tag(tag) => std::slice::from_ref(tag),
            Reference::Digest(expected) if *expected != digest => {
                return Err(Refusal::DigestMismatch { expected: expected.clone(), actual: digest });
            }
            Reference::Digest(_) => &new.tags,
        };

        let _keep = self.keep_all();
        self.use_all(&new.repository, &manifest)?;
        self.add_content(&digest, &new.body)?;
        let repository = self.repository(&new.repository);
        if let Some(subject) = &manifest.subject {
            let referrer = repository.join("_referrers").join(subject.hex()).join(digest.hex());
            self.write(&referrer, b"")?;
        }
        let link = self.link(&new.repository, Link::Manifest, &digest);
        self.write(&link, manifest.media_type.as_bytes())?;
        for tag in tags {
            self.write(&self.tag_file(&new.repository, tag), digest.as_str().as_bytes())?;
        }
        Ok(Accepted { digest, media_type: manifest.media_type, subject: manifest.subject })
    }

    /// Verifies that everything below a manifest is in the repository, and starts its grace anew. The gate is held.
    fn use_all(&self, name: &RepositoryName, manifest: &Manifest) -> Result<(), Refusal> {
        let mut missing = Vec::new();
        let mut seen = HashSet::new();
        let mut pending: Vec<(Descriptor, bool)> = with_kind(manifest);
        while let Some((descriptor, is_manifest)) = pending.pop() {
            if !seen.insert((descriptor.digest.clone(), is_manifest)) {
                continue;
            }
            let digest = &descriptor.digest;
            let link = if is_manifest { Link::Manifest } else { Link::Blob };
            let mut path = self.link(name, link, digest);
            if is_manifest && !path.exists() {
                // An index may name content that is not a manifest, as BuildKit's cache does.
                path = self.link(name, Link::Blob, digest);
            }
            let Some(size) = self.content_size(digest)?.filter(|_| path.exists()) else {
                missing.push(digest.clone());
                continue;
            };
            if size != descriptor.size {
                return Err(Refusal::SizeMismatch {
                    digest: digest.clone(),
                    stated: descriptor.size,
                    actual: size,
                });
            }
            self.note_use(digest);
            self.renew(&path)?;
            self.renew(&self.content_path(digest))?;
            if is_manifest
                && let Some(body) = self.content(digest)?
                && let Ok(child) = Manifest::parse(&body, None)
            {
                pending.extend(with_kind(&child));
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(Refusal::ManifestBlobUnknown { missing }) }
    }

    /// Takes a manifest from the repository, and the tags that name it with it. `false` if it is not there.
    pub(crate) fn remove_manifest(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, StorageError> {
        let _keep = self.keep_all();
        for (tag, target) in self.tags(name)? {
            if target == *digest {
                remove(&self.tag_file(name, &tag))?;
            }
        }
        remove(&self.link(name, Link::Manifest, digest))
    }

    /// The manifests of this repository whose subject is this digest.
    pub(crate) fn referrers(
        &self,
        name: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, StorageError> {
        let _keep = self.keep_all();
        let mut found = Vec::new();
        for hex in names(&self.repository(name).join("_referrers").join(subject.hex()))? {
            let Ok(digest) = format!("sha256:{hex}").parse::<Digest>() else { continue };
            if !self.link(name, Link::Manifest, &digest).exists() {
                continue;
            }
            let Some(body) = self.content(&digest)? else { continue };
            if let Ok(manifest) = Manifest::parse(&body, None) {
                found.push(Descriptor::referrer(digest, body.len() as u64, manifest));
            }
        }
        Ok(found)
    }
}

fn with_kind(manifest: &Manifest) -> Vec<(Descriptor, bool)> {
    manifest.references.iter().map(|one| (one.clone(), manifest.is_index)).collect()
}
