use std::{
    collections::BTreeMap,
    fs::{File, Permissions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use mercurious_core::image::Digest;
use sha2::{Digest as _, Sha256};

use crate::{
    built::BuiltLayer,
    descriptor::{Descriptor, LAYER_MEDIA_TYPE},
};

/// Why a layer could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The output directory or the layer's file.
    #[error("could not write the layer to `{}`", directory.display())]
    Write {
        /// The output directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that goes into the layer.
    #[error("could not put `{}` into the layer", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that goes into the layer became shorter while it was read.
    #[error("`{}` changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// What a layer holds, by path without the leading slash; a directory stands before what is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    entries: BTreeMap<String, Entry>,
    leaves_parents_alone: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    content: Content,
    mode: u32,
    owner: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Directory,
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A tree that has no entries for directories that are only on the way: over a base image, an entry
    /// `lib/` would replace a link `lib -> usr/lib`.
    pub(crate) fn over_a_base() -> Self {
        Self { leaves_parents_alone: true, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a file or directory of uid and gid 0.
    pub(crate) fn add(&mut self, path: &str, mode: u32, content: Content) {
        self.add_owned(path, mode, 0, content);
    }

    pub(crate) fn add_owned(&mut self, path: &str, mode: u32, owner: u64, content: Content) {
        let path = path.trim_matches('/');
        if !self.leaves_parents_alone {
            for (slash, _) in path.match_indices('/') {
                self.entries.entry(path[..slash].to_owned()).or_insert(Entry {
                    content: Content::Directory,
                    mode: 0o755,
                    owner: 0,
                });
            }
        }
        self.entries.insert(path.to_owned(), Entry { content, mode, owner });
    }

    /// Writes `<digest>.tar.gz` into `directory`.
    pub(crate) fn write(&self, directory: &Path) -> Result<BuiltLayer, LayerError> {
        let failed = |source| LayerError::Write { directory: directory.to_owned(), source };
        let temporary = tempfile::Builder::new()
            .prefix(".layer-")
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(directory)
            .map_err(failed)?;
        let compressed = Hashing::new(BufWriter::new(temporary));
        // No time, no name, and "unknown" as the system: nothing of this machine is in the header.
        let gzip: GzEncoder<_> =
            GzBuilder::new().mtime(0).operating_system(255).write(compressed, Compression::new(6));
        let mut archive = tar::Builder::new(Hashing::new(gzip));
        for (path, entry) in &self.entries {
            append(&mut archive, path, entry, directory)?;
        }
        let (gzip, diff_id, _) = archive.into_inner().map_err(failed)?.finish();
        let (file, digest, size) = gzip.finish().map_err(failed)?.finish();
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        let path = directory.join(format!("{}.tar.gz", digest.hex()));
        file.persist(&path).map_err(|error| failed(error.error))?;
        let media_type = LAYER_MEDIA_TYPE.to_owned();
        Ok(BuiltLayer { descriptor: Descriptor { media_type, digest, size }, diff_id, path })
    }
}

fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    path: &str,
    entry: &Entry,
    directory: &Path,
) -> Result<(), LayerError> {
    let failed = |source| LayerError::Write { directory: directory.to_owned(), source };
    let mut header = tar::Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(entry.owner);
    header.set_gid(entry.owner);
    // Not the time of the commit: a layer whose content did not change keeps its digest.
    header.set_mtime(0);
    match &entry.content {
        Content::Directory => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            archive.append_data(&mut header, format!("{path}/"), io::empty()).map_err(failed)
        }
        Content::Bytes(bytes) => {
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, path, bytes.as_slice()).map_err(failed)
        }
        Content::File(source) => {
            let unreadable = |error| LayerError::Source { path: source.clone(), source: error };
            let file = File::open(source).map_err(unreadable)?;
            let size = file.metadata().map_err(unreadable)?.len();
            header.set_size(size);
            let mut reader = Counting { inner: file.take(size), bytes: 0 };
            archive.append_data(&mut header, path, &mut reader).map_err(failed)?;
            if reader.bytes == size {
                Ok(())
            } else {
                Err(LayerError::Changed { path: source.clone() })
            }
        }
    }
}

struct Counting<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Digests what passes through.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    fn finish(self) -> (W, Digest, u64) {
        (self.inner, Digest::from_sha256(&self.hash.finalize().into()), self.bytes)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(files: &[(String, Vec<u8>)]) -> Tree {
        let mut tree = Tree::new();
        for (path, content) in files {
            tree.add(path, 0o644, Content::Bytes(content.clone()));
        }
        tree
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]
        #[test]
        fn the_order_of_additions_does_not_show(
            (files, shuffled) in proptest::collection::btree_map(
                "d[0-3](/e[0-3]){0,2}/f[0-9a-z]{1,120}", proptest::collection::vec(any::<u8>(), 0..2000), 0..12,
            ).prop_flat_map(|files| {
                let files: Vec<_> = files.into_iter().collect();
                (Just(files.clone()), Just(files).prop_shuffle())
            })
        ) {
            let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let first = tree(&files).write(one.path()).unwrap();
            let second = tree(&shuffled).write(other.path()).unwrap();
            prop_assert_eq!(&first.descriptor, &second.descriptor);
            prop_assert_eq!(std::fs::read(&first.path).unwrap(), std::fs::read(&second.path).unwrap());

            let file = flate2::read::GzDecoder::new(File::open(&first.path).unwrap());
            let mut archive = tar::Archive::new(file);
            let mut found = Vec::new();
            for entry in archive.entries().unwrap() {
                let mut entry = entry.unwrap();
                prop_assert_eq!(entry.header().uid().unwrap(), 0);
                prop_assert_eq!(entry.header().mtime().unwrap(), 0);
                if entry.header().entry_type().is_file() {
                    let mut content = Vec::new();
                    entry.read_to_end(&mut content).unwrap();
                    found.push((entry.path().unwrap().display().to_string(), content));
                }
            }
            prop_assert_eq!(found, files);
        }
    }

    #[test]
    fn digests_are_those_of_the_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let layer = tree(&[("a/b".into(), b"content".to_vec())]).write(directory.path()).unwrap();
        let compressed = std::fs::read(&layer.path).unwrap();
        assert_eq!(layer.descriptor.digest, Digest::of(&compressed));
        assert_eq!(layer.descriptor.size, compressed.len() as u64);
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(compressed.as_slice()).read_to_end(&mut plain).unwrap();
        assert_eq!(layer.diff_id, Digest::of(&plain));
    }
}
