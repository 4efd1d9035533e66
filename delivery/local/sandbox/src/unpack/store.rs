use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use mercurious_core::image::Digest;

use super::{
    ImageConfig, Layer, UnpackError, UnpackLimits,
    extract::{Spent, unpack_layer},
};

/// Unpacked images in one directory, one root file system each, complete or absent.
#[derive(Debug)]
pub struct ImageStore {
    directory: PathBuf,
}

/// An image that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Its root file system.
    pub rootfs: PathBuf,
    /// How it wants to be run.
    pub config: ImageConfig,
}

/// What is not complete is named so.
const UNPACKING: &str = ".unpack-";

/// Where an image's other names are kept.
const INDEXES: &str = "indexes";

/// Directories that a sandbox mounts something on, whether the image has them or not.
const MOUNT_POINTS: [&str; 7] = ["proc", "dev", "tmp", "run", "var/tmp", "etc", "sys"];

/// Files that a sandbox mounts the machine's own over.
const MOUNT_FILES: [&str; 2] = ["etc/resolv.conf", "etc/hosts"];

impl ImageStore {
    /// Opens the store; what an earlier process left half-done is removed.
    pub fn open(directory: &Path) -> Result<Self, UnpackError> {
        let failed = |action| {
            move |source| UnpackError::Store { action, path: directory.to_owned(), source }
        };
        fs::create_dir_all(directory).map_err(failed("make"))?;
        for entry in fs::read_dir(directory).map_err(failed("read"))? {
            let path = entry.map_err(failed("read"))?.path();
            let leftover =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNPACKING));
            if leftover {
                fs::remove_dir_all(&path).map_err(failed("clean"))?;
            }
        }
        Ok(Self { directory: directory.to_owned() })
    }

    /// The image of this manifest digest, if it is here.
    pub fn get(&self, digest: &Digest) -> Option<Unpacked> {
        let place = self.directory.join(digest.hex());
        let config = fs::read(place.join("config.json")).ok()?;
        Some(Unpacked { rootfs: place.join("rootfs"), config: ImageConfig::parse(&config).ok()? })
    }

    /// Unpacks an image, layer upon layer; on return it is complete. Blocks: not for an asynchronous thread.
    pub fn unpack(
        &self,
        digest: &Digest,
        layers: &[Layer],
        config_json: &[u8],
        limits: &UnpackLimits,
    ) -> Result<Unpacked, UnpackError> {
        if let Some(unpacked) = self.get(digest) {
            return Ok(unpacked);
        }
        ImageConfig::parse(config_json).map_err(UnpackError::Config)?;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| UnpackError::Store { action: "write", path, source }
        };
        let place = tempfile::Builder::new()
            .prefix(UNPACKING)
            .tempdir_in(&self.directory)
            .map_err(failed(&self.directory))?;
        let rootfs = place.path().join("rootfs");
        fs::create_dir(&rootfs).map_err(failed(&rootfs))?;
        let mut spent = Spent::default();
        for layer in layers {
            unpack_layer(layer, &rootfs, limits, &mut spent)
                .map_err(|source| UnpackError::Layer { layer: layer.digest.clone(), source })?;
        }
        prepare(&rootfs).map_err(failed(&rootfs))?;
        let config = place.path().join("config.json");
        fs::write(&config, config_json).map_err(failed(&config))?;
        let target = self.directory.join(digest.hex());
        if target.exists() && self.get(digest).is_none() {
            // A power cut may leave the name without the content.
            fs::remove_dir_all(&target).map_err(failed(&target))?;
        }
        match fs::rename(place.path(), &target) {
            Ok(()) => {
                // It lives under its own name now.
                let _ = place.keep();
            }
            // Somebody else unpacked the same image meanwhile.
            Err(_) if self.get(digest).is_some() => {}
            Err(error) => return Err(failed(&target)(error)),
        }
        self.get(digest).ok_or_else(|| failed(&target)(io::ErrorKind::NotFound.into()))
    }

    /// Writes down that this image is what another digest, of an index, means here.
    pub fn note_index(&self, digest: &Digest, index: &Digest) -> Result<(), UnpackError> {
        let directory = self.directory.join(digest.hex()).join(INDEXES);
        let path = directory.join(index.hex());
        fs::create_dir_all(&directory)
            .and_then(|()| fs::write(&path, ""))
            .map_err(|source| UnpackError::Store { action: "write", path, source })
    }

    /// Removes every image that is not kept: asked for its own name and the indexes it was reached by, as hexadecimal
    /// digits of their digests. Returns how many went.
    pub fn retain(
        &self,
        mut keep: impl FnMut(&str, &BTreeSet<String>) -> bool,
    ) -> Result<usize, UnpackError> {
        let failed =
            |source| UnpackError::Store { action: "clean", path: self.directory.clone(), source };
        let mut removed = 0;
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let indexes = fs::read_dir(path.join(INDEXES)).into_iter().flatten().flatten();
            let indexes = indexes.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
            if name.starts_with('.') || keep(&name, &indexes) {
                continue;
            }
            // Half an image must not be found under its name.
            let doomed = path.with_file_name(format!("{UNPACKING}{name}"));
            fs::rename(&path, &doomed).map_err(failed)?;
            fs::remove_dir_all(&doomed).map_err(failed)?;
            removed += 1;
        }
        Ok(removed)
    }
}

/// Adds what a read-only root file system needs to be mounted upon. Links are left as they are.
fn prepare(rootfs: &Path) -> io::Result<()> {
    let root = cap_std::fs::Dir::open_ambient_dir(rootfs, cap_std::ambient_authority())?;
    for point in MOUNT_POINTS {
        if root.symlink_metadata(point).is_err() {
            // A parent that is a link to elsewhere in the image cannot be made here, and needs no mount.
            let _ = root.create_dir_all(point);
        }
    }
    for file in MOUNT_FILES {
        if root.symlink_metadata(file).is_err() {
            let _ = root.write(file, b"");
        }
    }
    Ok(())
}
