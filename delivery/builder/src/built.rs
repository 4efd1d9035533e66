use std::path::PathBuf;

use mercurious_core::image::{Digest, Platform};

use crate::descriptor::Descriptor;

/// An image on disk, ready to be published.
#[derive(Clone, Debug)]
pub struct BuiltImage {
    /// The platform that it is for.
    pub platform: Platform,
    /// The manifest: its digest is the image's.
    pub manifest: Document,
    /// The configuration that the manifest names.
    pub config: Document,
    /// The layers of the base image, lowest first; their bytes stay where the base lies.
    pub base_layers: Vec<Descriptor>,
    /// The layers made here, on top of the base's, lowest first.
    pub layers: Vec<BuiltLayer>,
    /// The shared libraries that were added, as paths in the image.
    pub libraries: Vec<String>,
    /// What the user should know although the image was built.
    pub warnings: Vec<Warning>,
}

impl BuiltImage {
    /// The image's digest.
    pub fn digest(&self) -> &Digest {
        &self.manifest.digest
    }
}

/// A small JSON blob, kept in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What the bytes are.
    pub media_type: String,
    /// The digest of the bytes.
    pub digest: Digest,
    /// Exactly what is to be stored.
    pub bytes: Vec<u8>,
}

impl Document {
    pub(crate) fn new(media_type: &str, bytes: Vec<u8>) -> Self {
        Self { media_type: media_type.to_owned(), digest: Digest::of(&bytes), bytes }
    }

    /// What a manifest or index says of it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            digest: self.digest.clone(),
            size: self.bytes.len() as u64,
        }
    }
}

/// A layer made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltLayer {
    /// Of the compressed bytes.
    pub descriptor: Descriptor,
    /// The digest of the uncompressed archive, which the configuration names.
    pub diff_id: Digest,
    /// The compressed bytes.
    pub path: PathBuf,
}

/// Something that may be missed at run time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// TLS connections made by the program will fail.
    #[error(
        "no certificate authorities were found on this system: the program will not be able to check TLS servers"
    )]
    NoCertificates,
    /// The base is trusted to bring the libraries.
    #[error(
        "the program needs shared libraries, which the base image must bring: {}", .0.join(", ")
    )]
    LibrariesFromBase(Vec<String>),
}
