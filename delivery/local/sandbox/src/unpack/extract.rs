use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Component, Path, PathBuf},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, OpenOptions, OpenOptionsExt as _, Permissions, PermissionsExt as _},
};
use mercurious_core::printable::printable;
use tar::{Archive, Entry, EntryType};

use super::{
    Bound, Compression, Layer, LayerError, Refusal, UnpackLimits, decompress::LayerStream,
};
use crate::follow::{Lost, follow};

/// What the layers of one image have used of the limits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) bytes: u64,
    pub(super) entries: u64,
    /// Bytes in files: sparse ones are larger than what the archive holds.
    pub(super) files: u64,
}

/// Bytes of the headers of one entry: Go's tar reader, which every engine uses, allows 1 MiB for each.
const HEADER_BYTES: u64 = 4 << 20;

/// Bytes of one part of a path, and of a whole one: Linux takes no more.
const PART_BYTES: usize = 255;
const PATH_BYTES: usize = 4095;

/// What the system would refuse as too long is the layer's fault, not this machine's.
fn check_length(path: &Path) -> Result<(), Fault> {
    let too_long = |limit| Err(Fault::Refused(Refusal::LongName { limit }));
    if path.as_os_str().len() > PATH_BYTES {
        return too_long(PATH_BYTES);
    }
    if path.components().any(|part| part.as_os_str().len() > PART_BYTES) {
        return too_long(PART_BYTES);
    }
    Ok(())
}

fn holds_data(kind: EntryType) -> bool {
    matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse)
}

/// Directories in one another: whoever removes a tree holds a file open for each, of which a process has a thousand.
const DEPTH: usize = 256;

/// One thing more in the image.
fn count(entries: &mut u64, limits: &UnpackLimits) -> Result<(), Fault> {
    *entries += 1;
    if *entries > limits.entries {
        return Err(Fault::TooLarge(Bound::Entries(limits.entries)));
    }
    Ok(())
}

/// Unpacks one layer that nothing is known of into a directory, within these limits.
///
/// The diff id is not compared. Nothing is written outside the directory.
pub fn unpack_untrusted_layer(
    layer: &Path,
    media_type: &str,
    directory: &Path,
    limits: &UnpackLimits,
) -> Result<(), LayerError> {
    let compression = Compression::of_media_type(media_type)
        .ok_or_else(|| LayerError::MediaType(media_type.to_owned()))?;
    let file = File::open(layer).map_err(LayerError::Open)?;
    let stream = LayerStream::new(file, compression, *limits, 0);
    apply(stream, directory, limits, &mut Spent::default()).map(|_| ())
}

/// Applies one layer of an image and checks its diff id.
pub(super) fn unpack_layer(
    layer: &Layer,
    directory: &Path,
    limits: &UnpackLimits,
    spent: &mut Spent,
) -> Result<(), LayerError> {
    let compression = Compression::of_media_type(&layer.media_type)
        .ok_or_else(|| LayerError::MediaType(layer.media_type.clone()))?;
    let file = File::open(&layer.path).map_err(LayerError::Open)?;
    let stream = LayerStream::new(file, compression, *limits, spent.bytes);
    let found = apply(stream, directory, limits, spent)?;
    if found == layer.diff_id {
        Ok(())
    } else {
        Err(LayerError::DiffId { expected: layer.diff_id.clone(), found })
    }
}

fn apply(
    stream: LayerStream,
    directory: &Path,
    limits: &UnpackLimits,
    spent: &mut Spent,
) -> Result<mercurious_core::image::Digest, LayerError> {
    let root = Dir::open_ambient_dir(directory, ambient_authority())
        .map_err(|source| LayerError::Write { entry: "/".to_owned(), source })?;
    let breach = stream.breach();
    let header = stream.header_allowance();
    let damaged = |error: io::Error| match breach.get() {
        Some(bound) => LayerError::TooLarge(bound),
        // The tar reader repeats names and numbers as they stand in the archive.
        None => LayerError::Damaged(io::Error::new(error.kind(), printable(&error.to_string()))),
    };
    let mut archive = Archive::new(stream);
    let mut tree =
        Tree { root, limits, written: BTreeSet::new(), files: spent.files, entries: spent.entries };
    let mut entries = archive.entries().map_err(damaged)?;
    let mut skipped = 0;
    loop {
        // The tar reader keeps long names and extended headers in memory, whatever their size.
        header.set(Some(HEADER_BYTES.saturating_add(skipped)));
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(damaged)?;
        header.set(None);
        skipped = if holds_data(entry.header().entry_type()) { 0 } else { entry.size() };
        tree.apply(&mut entry).map_err(|fault| {
            let name = || printable(&String::from_utf8_lossy(&entry.path_bytes()));
            match fault {
                Fault::Refused(source) => LayerError::Refused { entry: name(), source },
                Fault::Damaged(error) => damaged(error),
                Fault::TooLarge(bound) => LayerError::TooLarge(bound),
                Fault::Io(error) => match breach.get() {
                    Some(bound) => LayerError::TooLarge(bound),
                    None => LayerError::Write { entry: name(), source: error },
                },
            }
        })?;
    }
    header.set(None);
    (spent.files, spent.entries) = (tree.files, tree.entries);
    let (digest, bytes) = archive.into_inner().finish().map_err(damaged)?;
    spent.bytes += bytes;
    Ok(digest)
}

/// The root file system that a layer is applied to.
struct Tree<'a> {
    root: Dir,
    limits: &'a UnpackLimits,
    /// What this layer has put here: its own whiteouts concern earlier layers only, in whatever order they come.
    written: BTreeSet<PathBuf>,
    /// Bytes in files, of all layers so far.
    files: u64,
    /// Entries of all layers so far, with the directories that they imply.
    entries: u64,
}

enum Fault {
    Refused(Refusal),
    /// The archive cannot be read on.
    Damaged(io::Error),
    TooLarge(Bound),
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Tree<'_> {
    fn apply<R: io::Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), Fault> {
        count(&mut self.entries, self.limits)?;
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let bytes = entry.path_bytes().into_owned();
        let path = self.inside(&bytes)?;
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let parent = self.resolve(path.parent().unwrap_or(Path::new("")), true)?;
        if name == ".wh..wh..opq" {
            return self.empty(&parent);
        }
        if let Some(hidden) = name.strip_prefix(".wh.") {
            if hidden.is_empty() || hidden == "." || hidden == ".." {
                return Err(Fault::Refused(Refusal::Name));
            }
            let hidden = parent.join(hidden);
            check_length(&hidden)?;
            return self.hide(&hidden);
        }
        let place = parent.join(&name);
        check_length(&place)?;
        self.written.insert(place.clone());
        let mode = entry.header().mode().unwrap_or(0o644) & 0o777;
        match kind {
            EntryType::Directory => self.directory(&place, mode),
            _ if holds_data(kind) => {
                self.remove(&place)?;
                self.file(entry, &place, mode)
            }
            EntryType::Symlink => {
                let target = self.link_target(entry)?;
                Self::check_symlink(&place, &target)?;
                self.remove(&place)?;
                Ok(self.root.symlink_contents(&target, &place)?)
            }
            EntryType::Link => {
                let target = self.link_target(entry)?;
                let refused = || {
                    Fault::Refused(Refusal::HardLink {
                        target: printable(&target.to_string_lossy()),
                    })
                };
                let target_bytes = target.as_os_str().as_encoded_bytes();
                let inside = self.inside(target_bytes).map_err(|_| refused())?;
                // A link to a symbolic link is one to the link itself.
                let parent = inside.parent().unwrap_or(Path::new(""));
                let parent = self.resolve(parent, false).map_err(|_| refused())?;
                let source = parent.join(inside.file_name().ok_or_else(refused)?);
                check_length(&source)?;
                let found = self.root.symlink_metadata(&source).map_err(|_| refused())?;
                if found.is_dir() {
                    return Err(refused());
                }
                if source == place {
                    return Ok(());
                }
                self.remove(&place)?;
                Ok(self.root.hard_link(&source, &self.root, &place)?)
            }
            // Devices need privileges and are never the image's business here; a fifo can be made by whoever wants it.
            EntryType::Block | EntryType::Char | EntryType::Fifo => {
                tracing::debug!(entry.name = %place.display(), "special file skipped");
                Ok(())
            }
            other => Err(Fault::Refused(Refusal::Kind(char::from(other.as_byte())))),
        }
    }

    /// The path as written, without `.`; refused where it is absolute or holds `..`.
    fn inside(&self, bytes: &[u8]) -> Result<PathBuf, Fault> {
        if bytes.is_empty() || bytes.contains(&0) {
            return Err(Fault::Refused(Refusal::Name));
        }
        if bytes.len() > self.limits.name_bytes {
            return Err(Fault::Refused(Refusal::LongName { limit: self.limits.name_bytes }));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Fault::Refused(Refusal::Name))?;
        let mut path = PathBuf::new();
        for component in Path::new(text).components() {
            match component {
                Component::Normal(part) => path.push(part),
                Component::CurDir => {}
                Component::ParentDir => return Err(Fault::Refused(Refusal::ParentPath)),
                Component::RootDir | Component::Prefix(_) => {
                    return Err(Fault::Refused(Refusal::AbsolutePath));
                }
            }
        }
        Ok(path)
    }

    fn link_target<R: io::Read>(&self, entry: &Entry<'_, R>) -> Result<PathBuf, Fault> {
        let bytes = entry.link_name_bytes().ok_or(Fault::Refused(Refusal::Name))?;
        if bytes.is_empty() || bytes.contains(&0) {
            return Err(Fault::Refused(Refusal::Name));
        }
        if bytes.len() > self.limits.name_bytes {
            return Err(Fault::Refused(Refusal::LongName { limit: self.limits.name_bytes }));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| Fault::Refused(Refusal::Name))?;
        let target = PathBuf::from(text);
        check_length(&target)?;
        Ok(target)
    }

    /// A relative link must not climb above the root; an absolute one starts at it.
    fn check_symlink(place: &Path, target: &Path) -> Result<(), Fault> {
        if target.is_absolute() {
            return Ok(());
        }
        let mut depth = place.components().count().saturating_sub(1);
        for component in target.components() {
            match component {
                Component::Normal(_) => depth += 1,
                Component::ParentDir if depth == 0 => {
                    return Err(Fault::Refused(Refusal::LinkOutside {
                        target: printable(&target.to_string_lossy()),
                    }));
                }
                Component::ParentDir => depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }

    /// Follows symbolic links to a directory; makes missing directories on request.
    fn resolve(&mut self, path: &Path, make: bool) -> Result<PathBuf, Fault> {
        let Self { root, limits, entries, .. } = self;
        let passes = |next: &Path, found: Option<&Metadata>, last: bool| {
            check_length(next)?;
            if next.components().count() > DEPTH {
                return Err(Fault::Refused(Refusal::TooDeep { limit: DEPTH }));
            }
            match found {
                Some(found) if found.is_dir() || (!make && last) => Ok(()),
                Some(_) => Err(Fault::Refused(Refusal::NotADirectory {
                    path: printable(&next.to_string_lossy()),
                })),
                None if make => {
                    count(entries, limits)?;
                    Ok(root.create_dir(next)?)
                }
                None => Err(Fault::Io(io::ErrorKind::NotFound.into())),
            }
        };
        follow(root, path, passes).map_err(|lost| match lost {
            Lost::Loop(link) => {
                Fault::Refused(Refusal::ThroughLink { link: printable(&link.to_string_lossy()) })
            }
            // What the system would not even look up.
            Lost::Io(error) if error.kind() == io::ErrorKind::InvalidFilename => {
                Fault::Refused(Refusal::LongName { limit: PART_BYTES })
            }
            Lost::Io(error) => Fault::Io(error),
            Lost::Refused(fault) => fault,
        })
    }

    fn directory(&mut self, place: &Path, mode: u32) -> Result<(), Fault> {
        match self.root.symlink_metadata(place) {
            Ok(found) if found.is_dir() => {}
            // A layer may replace a link to a directory by a directory; whoever else wrote through the link is served too.
            Ok(found) if found.is_symlink() => {
                if let Ok(target) = self.resolve(place, false)
                    && self.root.symlink_metadata(&target).is_ok_and(|found| found.is_dir())
                {
                    return Ok(());
                }
                self.remove(place)?;
                self.root.create_dir(place)?;
            }
            Ok(_) => {
                self.remove(place)?;
                self.root.create_dir(place)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.root.create_dir(place)?,
            Err(error) => return Err(Fault::Io(error)),
        }
        // The owner must be able to remove it again.
        Ok(self.root.set_permissions(place, Permissions::from_mode(mode | 0o700))?)
    }

    fn file<R: io::Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        place: &Path,
        mode: u32,
    ) -> Result<(), Fault> {
        let size = entry.size();
        // The stream's own bounds do not see the holes of sparse files.
        self.files = self.files.saturating_add(size);
        if self.files > self.limits.total_bytes {
            return Err(Fault::TooLarge(Bound::TotalBytes(self.limits.total_bytes)));
        }
        if entry.header().entry_type() == EntryType::GNUSparse
            && size > self.limits.ratio_floor_bytes
        {
            return Err(Fault::TooLarge(Bound::Ratio(self.limits.ratio)));
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode | 0o400);
        let mut file = self.root.open_with(place, &options)?;
        let mut buffer = vec![0; 64 * 1024];
        let mut left = size;
        while left > 0 {
            let count = entry.read(&mut buffer).map_err(Fault::Damaged)?;
            if count == 0 {
                return Err(Fault::Damaged(io::ErrorKind::UnexpectedEof.into()));
            }
            file.write_all(&buffer[..count])?;
            left = left.saturating_sub(count as u64);
        }
        // The process' mask may have taken bits away.
        Ok(file.set_permissions(Permissions::from_mode(mode | 0o400))?)
    }

    fn remove(&self, place: &Path) -> Result<(), Fault> {
        match self.root.symlink_metadata(place) {
            Ok(found) if found.is_dir() => Ok(self.root.remove_dir_all(place)?),
            Ok(_) => Ok(self.root.remove_file(place)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Fault::Io(error)),
        }
    }

    /// Removes what earlier layers put here and below, and keeps what this layer did.
    fn hide(&self, place: &Path) -> Result<(), Fault> {
        let next = self.written.range(place.to_owned()..).next();
        if !next.is_some_and(|path| path.starts_with(place)) {
            return self.remove(place);
        }
        match self.root.symlink_metadata(place) {
            Ok(found) if found.is_dir() => self.empty(place),
            _ => Ok(()),
        }
    }

    fn empty(&self, place: &Path) -> Result<(), Fault> {
        let here = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        let names = self.root.read_dir(here)?.map(|entry| Ok(entry?.file_name()));
        let names: Vec<_> = names.collect::<io::Result<_>>()?;
        names.into_iter().try_for_each(|name| self.hide(&place.join(name)))
    }
}
