use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use mercurious_core::image::{Digest, Tag};

use super::{
    Storage,
    files::{Context, StorageError, names, remove},
};
use crate::name::RepositoryName;

/// What a repository may hold of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Blob,
    Manifest,
}

impl Link {
    pub(super) fn directory(self) -> &'static str {
        match self {
            Self::Blob => "_blobs",
            Self::Manifest => "_manifests",
        }
    }
}

impl Storage {
    pub(super) fn repository(&self, name: &RepositoryName) -> PathBuf {
        self.root().join("repositories").join(name.as_str())
    }

    pub(super) fn link(&self, name: &RepositoryName, link: Link, digest: &Digest) -> PathBuf {
        self.repository(name).join(link.directory()).join(digest.hex())
    }

    pub(super) fn tag_file(&self, name: &RepositoryName, tag: &Tag) -> PathBuf {
        self.repository(name).join("_tags").join(tag.as_str())
    }

    /// Whether anything was ever pushed here.
    pub(crate) fn has_repository(&self, name: &RepositoryName) -> bool {
        let repository = self.repository(name);
        ["_manifests", "_blobs", "_tags"].iter().any(|part| repository.join(part).is_dir())
    }

    /// The repositories that have a manifest, in lexical order of their names.
    pub(crate) fn repositories(&self) -> Result<BTreeSet<RepositoryName>, StorageError> {
        let mut found = BTreeSet::new();
        for name in self.all_repositories()? {
            if !names(&self.repository(&name).join("_manifests"))?.is_empty() {
                found.insert(name);
            }
        }
        Ok(found)
    }

    /// Every directory that is one of a repository or lies on the way to one.
    pub(super) fn all_repositories(&self) -> Result<Vec<RepositoryName>, StorageError> {
        let root = self.root().join("repositories");
        let mut found: Vec<RepositoryName> = Vec::new();
        let mut pending = vec![String::new()];
        while let Some(path) = pending.pop() {
            for part in names(&root.join(&path))? {
                let name = if path.is_empty() { part } else { format!("{path}/{part}") };
                // `_blobs` and its like are no names, so this never descends into a repository's own parts.
                if let Ok(repository) = name.parse() {
                    found.push(repository);
                    pending.push(name);
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The size of a blob of this repository; its grace starts anew, for a client that sees it will not send it.
    ///
    /// Manifests are found too: some engines fetch an index's children as blobs.
    pub(crate) fn blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<u64>, StorageError> {
        let _keep = self.keep_all();
        let Some(size) = self.content_size(digest)? else { return Ok(None) };
        for link in [Link::Blob, Link::Manifest] {
            let path = self.link(name, link, digest);
            if path.exists() {
                self.note_use(digest);
                self.renew(&path)?;
                self.renew(&self.content_path(digest))?;
                return Ok(Some(size));
            }
        }
        Ok(None)
    }

    /// Gives the repository a verified upload. The file is moved.
    pub(super) fn add_blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        file: &std::path::Path,
    ) -> Result<(), StorageError> {
        let _keep = self.keep_all();
        self.adopt(digest, file)?;
        self.write(&self.link(name, Link::Blob, digest), b"")
    }

    /// Gives the repository a blob that is here already. `false` if it is not (in `from`, if that is given).
    pub(crate) fn mount(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        from: Option<&RepositoryName>,
    ) -> Result<bool, StorageError> {
        let _keep = self.keep_all();
        let there = from.is_none_or(|from| self.link(from, Link::Blob, digest).exists());
        if !there || self.content_size(digest)?.is_none() {
            return Ok(false);
        }
        self.note_use(digest);
        self.renew(&self.content_path(digest))?;
        self.write(&self.link(name, Link::Blob, digest), b"")?;
        Ok(true)
    }

    /// Takes a blob from the repository; the content goes with the next garbage collection. `false` if it has none.
    pub(crate) fn remove_blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, StorageError> {
        let _keep = self.keep_all();
        remove(&self.link(name, Link::Blob, digest))
    }

    /// The digest that a tag names.
    pub(crate) fn tag(
        &self,
        name: &RepositoryName,
        tag: &Tag,
    ) -> Result<Option<Digest>, StorageError> {
        let path = self.tag_file(name, tag);
        let text = fs::read_to_string(&path).unless_missing("reading", &path)?;
        Ok(text.and_then(|text| text.trim().parse().ok()))
    }

    /// All tags of a repository, with what they name.
    pub(crate) fn tags(
        &self,
        name: &RepositoryName,
    ) -> Result<BTreeMap<Tag, Digest>, StorageError> {
        let mut tags = BTreeMap::new();
        for text in names(&self.repository(name).join("_tags"))? {
            let Ok(tag) = text.parse::<Tag>() else { continue };
            // A tag removed meanwhile is no tag.
            if let Some(digest) = self.tag(name, &tag)? {
                tags.insert(tag, digest);
            }
        }
        Ok(tags)
    }

    /// The names of all tags, in ASCII order, without reading them.
    pub(crate) fn tag_names(&self, name: &RepositoryName) -> Result<Vec<String>, StorageError> {
        names(&self.repository(name).join("_tags"))
    }

    pub(crate) fn remove_tag(
        &self,
        name: &RepositoryName,
        tag: &Tag,
    ) -> Result<bool, StorageError> {
        let _keep = self.keep_all();
        remove(&self.tag_file(name, tag))
    }
}
