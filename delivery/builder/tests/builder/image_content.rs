//! Reads built images back.

use std::{collections::BTreeMap, fs::File, io::Read as _, path::Path};

use flate2::read::GzDecoder;
use mercurious_builder::{BuildError, BuiltImage, BuiltLayer, ImageBuilder};
use serde_json::Value;

pub(crate) fn builder() -> ImageBuilder {
    ImageBuilder::new("linux/amd64".parse().unwrap())
}

/// Builds a program that lies at `program` inside `root`, with the libraries of `root`.
pub(crate) fn build(
    root: &Path,
    program: &str,
) -> Result<(BuiltImage, tempfile::TempDir), BuildError> {
    let output = tempfile::tempdir().unwrap();
    let image = builder().system_root(root).binary(root.join(program)).build(output.path())?;
    Ok((image, output))
}

pub(crate) fn config(image: &BuiltImage) -> Value {
    serde_json::from_slice(&image.config.bytes).unwrap()
}

pub(crate) fn manifest(image: &BuiltImage) -> Value {
    serde_json::from_slice(&image.manifest.bytes).unwrap()
}

/// The paths of a layer with their content, in order; directories end with a slash.
pub(crate) fn entries(layer: &BuiltLayer) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(&layer.path).unwrap()));
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        found.push((String::from_utf8(entry.path_bytes().into_owned()).unwrap(), content));
    }
    found
}

/// All files of all layers.
pub(crate) fn files(image: &BuiltImage) -> BTreeMap<String, Vec<u8>> {
    image.layers.iter().flat_map(entries).filter(|(path, _)| !path.ends_with('/')).collect()
}

pub(crate) fn unpack(image: &BuiltImage, directory: &Path) {
    for layer in &image.layers {
        let mut archive = tar::Archive::new(GzDecoder::new(File::open(&layer.path).unwrap()));
        archive.set_preserve_permissions(true);
        archive.unpack(directory).unwrap();
    }
}
