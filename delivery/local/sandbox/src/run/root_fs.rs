use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

/// How each replica gets a root file system that is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots {
    /// An overlay on the image's: costs nothing until something is written.
    Overlay,
    /// A copy of the image's, where this machine or its file system has no overlays.
    Copy,
}

/// Where a replica's root file system is.
pub(super) fn root_of(directory: &Path) -> PathBuf {
    directory.join("root")
}

/// Copies a root file system. Blocks.
pub(super) fn copy(image: &Path, target: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(target)?;
    for entry in fs::read_dir(image)? {
        let entry = entry?;
        let (kind, place) = (entry.file_type()?, target.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &place)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &place)?;
        } else if !kind.is_socket() && !kind.is_fifo() {
            // Shares the blocks where the file system can.
            fs::copy(entry.path(), &place)?;
        }
    }
    fs::set_permissions(target, fs::metadata(image)?.permissions())
}

/// Removes a replica's directory with whatever its program made of its own files.
pub(super) fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            // The owner of a directory may give themselves what they took: an overlay's own work directory
            // has no permissions at all.
            open_up(directory)?;
            fs::remove_dir_all(directory)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        answer => answer,
    }
}

fn open_up(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
