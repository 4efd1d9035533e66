use std::{
    ffi::OsString,
    io,
    path::{Component, Path, PathBuf},
};

use cap_std::{ambient_authority, fs::Dir};

/// So many symbolic links are followed in one path, as Linux does.
const LINKS: usize = 40;

/// A root file system, with paths as a process in it would see them.
pub(super) struct ImageRoot {
    dir: Dir,
    path: PathBuf,
}

impl ImageRoot {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { dir: Dir::open_ambient_dir(path, ambient_authority())?, path: path.to_owned() })
    }

    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Where a resolved path is on the machine.
    pub(super) fn on_machine(&self, resolved: &Path) -> PathBuf {
        self.path.join(resolved)
    }

    /// Follows all symbolic links, absolute ones from the image's root, never above it. The answer is relative to
    /// the root and free of links; what does not exist stays as written.
    pub(super) fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let mut left = Vec::new();
        push(&mut left, path);
        let mut done = PathBuf::new();
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == ".." {
                done.pop();
                continue;
            }
            let next = done.join(&part);
            match self.dir.symlink_metadata(&next) {
                Ok(found) if found.is_symlink() => {
                    links += 1;
                    if links > LINKS {
                        return Err(io::Error::other("too many symbolic links"));
                    }
                    let target = self.dir.read_link_contents(&next)?;
                    if target.is_absolute() {
                        done = PathBuf::new();
                    }
                    push(&mut left, &target);
                }
                Ok(_) => done = next,
                Err(error) if error.kind() == io::ErrorKind::NotFound => done = next,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Makes an empty directory at a resolved path, unless something is there.
    pub(super) fn place_directory(&self, resolved: &Path) -> io::Result<()> {
        if resolved.as_os_str().is_empty() || self.dir.symlink_metadata(resolved).is_ok() {
            return Ok(());
        }
        self.dir.create_dir_all(resolved)
    }

    /// Makes an empty file at a resolved path, unless something is there.
    pub(super) fn place_file(&self, resolved: &Path) -> io::Result<()> {
        if let Some(parent) = resolved.parent() {
            self.place_directory(parent)?;
        }
        let mut options = cap_std::fs::OpenOptions::new();
        match self.dir.open_with(resolved, options.write(true).create_new(true)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

/// Puts the components of a path on the stack, the first one on top.
fn push(left: &mut Vec<OsString>, path: &Path) {
    left.extend(path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    }));
}
