use std::{
    convert::Infallible,
    io,
    path::{Path, PathBuf},
};

use cap_std::{ambient_authority, fs::Dir};

use crate::follow::{Lost, follow};

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

    /// Follows all symbolic links. The answer is relative to the root; what does not exist stays as written.
    pub(super) fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        follow(&self.dir, path, |_, _, _| Ok::<(), Infallible>(())).map_err(|lost| match lost {
            Lost::Loop(_) => io::Error::other("too many symbolic links"),
            Lost::Io(error) => error,
        })
    }

    /// Whether a file, and no link to one, is at a resolved path.
    pub(super) fn is_file(&self, resolved: &Path) -> bool {
        self.dir.symlink_metadata(resolved).is_ok_and(|found| found.is_file())
    }

    /// A small file of the image, as text; nothing where it is not there.
    pub(super) fn read_text(&self, path: &str) -> io::Result<Option<String>> {
        let resolved = self.resolve(Path::new(path))?;
        if !self.is_file(&resolved) {
            return Ok(None);
        }
        let mut text = Vec::new();
        io::Read::read_to_end(
            &mut io::Read::take(self.dir.open(&resolved)?, TEXT_BYTES),
            &mut text,
        )?;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    /// Makes an empty directory at a resolved path, unless something is there.
    pub(super) fn place_directory(&self, resolved: &Path) -> io::Result<()> {
        if resolved.as_os_str().is_empty() || self.dir.symlink_metadata(resolved).is_ok() {
            return Ok(());
        }
        self.dir.create_dir_all(resolved)
    }
}

/// More of a list of users is not read.
const TEXT_BYTES: u64 = 4 << 20;
