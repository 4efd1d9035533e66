use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{built::BuiltImage, descriptor::Descriptor};

/// Why an image layout could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A file of the layout.
    #[error("could not write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory has an index that is not one.
    #[error("`{}` is not an OCI image index", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
    /// A layout is complete in itself, so the base's layers must be there first.
    #[error("the base image's layer {} is not in the layout", layer.digest)]
    NoBaseLayer {
        /// The missing layer.
        layer: Descriptor,
    },
}

impl BuiltImage {
    /// Writes the image as an OCI image layout, which `skopeo`, `crane`, `podman` and others read as
    /// `oci:DIRECTORY:NAME`. Other images of an existing layout stay; one of the same name is replaced.
    /// The layers of a base must be under `blobs/sha256` already.
    pub fn write_oci_layout(&self, directory: &Path, name: &str) -> Result<(), LayoutError> {
        let blobs = directory.join("blobs/sha256");
        fs::create_dir_all(&blobs)
            .map_err(|source| LayoutError::Write { path: blobs.clone(), source })?;
        for layer in &self.base_layers {
            if !blobs.join(layer.digest.hex()).is_file() {
                return Err(LayoutError::NoBaseLayer { layer: layer.clone() });
            }
        }
        for layer in &self.layers {
            let path = blobs.join(layer.descriptor.digest.hex());
            let is_there =
                fs::metadata(&path).is_ok_and(|file| file.len() == layer.descriptor.size);
            if !is_there {
                replace(&path, |part| fs::copy(&layer.path, part).map(drop))?;
            }
        }
        for document in [&self.config, &self.manifest] {
            let path = blobs.join(document.digest.hex());
            replace(&path, |part| fs::write(part, &document.bytes))?;
        }
        replace(&directory.join("oci-layout"), |part| {
            fs::write(part, br#"{"imageLayoutVersion":"1.0.0"}"#)
        })?;
        let path = directory.join("index.json");
        let index = self.index(&path, name)?;
        replace(&path, |part| fs::write(part, index.to_string()))
    }

    fn index(&self, path: &Path, name: &str) -> Result<Value, LayoutError> {
        const NAME: &str = "org.opencontainers.image.ref.name";
        let mut index = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| LayoutError::Index { path: path.to_owned(), source })?,
            Err(_) => json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [],
            }),
        };
        let descriptor = self.manifest.descriptor();
        let mut platform = json!({
            "architecture": self.platform.architecture,
            "os": self.platform.os,
        });
        if let Some(variant) = &self.platform.variant {
            platform["variant"] = json!(variant);
        }
        let own = json!({
            "mediaType": descriptor.media_type,
            "digest": descriptor.digest,
            "size": descriptor.size,
            "annotations": { NAME: name },
            "platform": platform,
        });
        let others = index["manifests"].as_array().cloned().unwrap_or_default();
        let manifests = others
            .into_iter()
            .filter(|manifest| manifest["annotations"][NAME] != name)
            .chain([own])
            .collect();
        index["manifests"] = Value::Array(manifests);
        Ok(index)
    }
}

/// Writes beside and renames, so that a reader never sees half a file.
fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), LayoutError> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    write(&part)
        .and_then(|()| fs::rename(&part, path))
        .map_err(|source| LayoutError::Write { path: path.to_owned(), source })
}
