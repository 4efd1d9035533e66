use std::path::PathBuf;

use mercurious_core::image::Digest;

/// One layer of an image, as a local file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Media type as the manifest states it, OCI or Docker.
    pub media_type: String,
    /// Digest of the file as it is, which names the layer in errors.
    pub digest: Digest,
    /// Digest of the tar archive within, from the image configuration.
    pub diff_id: Digest,
    /// The file.
    pub path: PathBuf,
}

/// How the tar archive of a layer is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, of one member or more.
    Gzip,
    /// Zstandard, of one frame or more.
    Zstd,
}

impl Compression {
    /// Of a layer's media type, OCI or Docker; `None` if it is not a layer that can be unpacked.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let name = media_type.split(';').next().unwrap_or_default().trim();
        Some(match name {
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar" => Self::None,
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => Self::Gzip,
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Self::Zstd,
            _ => return None,
        })
    }
}
