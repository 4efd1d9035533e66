use std::{io, path::PathBuf};

use mercurious_core::image::Digest;

use super::ConfigError;

/// Why an image could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// One of its layers is at fault, or could not be written.
    #[error("layer {layer} could not be unpacked")]
    Layer {
        /// Digest of the compressed layer.
        layer: Digest,
        /// What is wrong with it.
        source: LayerError,
    },
    /// The configuration of the image cannot be honoured.
    #[error("the image configuration cannot be used")]
    Config(#[source] ConfigError),
    /// The store's own directory failed.
    #[error("cannot {action} {}", path.display())]
    Store {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl UnpackError {
    /// Whether the same call may succeed later: true for faults of this machine, false for those of the image.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Layer { source, .. } => {
                matches!(source, LayerError::Open(_) | LayerError::Write { .. })
            }
            Self::Config(_) => false,
            Self::Store { .. } => true,
        }
    }
}

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Not a kind of layer known here.
    #[error("unknown media type `{0}`")]
    MediaType(String),
    /// The local file cannot be read.
    #[error("its file cannot be opened")]
    Open(#[source] io::Error),
    /// Truncated or damaged: the archive or its compression.
    #[error("damaged archive")]
    Damaged(#[source] io::Error),
    /// The content is not what the image configuration promises.
    #[error("content has diff id {found}, the image configuration says {expected}")]
    DiffId {
        /// From the image configuration.
        expected: Digest,
        /// Of the content.
        found: Digest,
    },
    /// An entry that is refused.
    #[error("entry `{entry}` refused")]
    Refused {
        /// Name in the archive.
        entry: String,
        /// Why.
        source: Refusal,
    },
    /// Larger than allowed.
    #[error("too large")]
    TooLarge(#[source] Bound),
    /// The disk refused an entry.
    #[error("entry `{entry}` cannot be written")]
    Write {
        /// Name in the archive.
        entry: String,
        /// Why.
        source: io::Error,
    },
}

/// Why an entry of a layer is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name is empty or holds a NUL byte.
    #[error("its name is empty or holds a NUL byte")]
    Name,
    /// The name is longer than the limit.
    #[error("its name or link target is longer than {limit} bytes")]
    LongName {
        /// Bytes.
        limit: usize,
    },
    /// Directories in directories without end.
    #[error("its path is more than {limit} directories deep")]
    TooDeep {
        /// How many may be in one another.
        limit: usize,
    },
    /// The name starts at `/`.
    #[error("its path is absolute")]
    AbsolutePath,
    /// The name holds `..`.
    #[error("its path holds `..`")]
    ParentPath,
    /// A directory on the way is a symbolic link that does not lead to a directory of the image.
    #[error("its path goes through the symbolic link `{link}`, which leads outside or nowhere")]
    ThroughLink {
        /// The link.
        link: String,
    },
    /// Something on the way is not a directory.
    #[error("`{path}` on its way is not a directory")]
    NotADirectory {
        /// What is in the way.
        path: String,
    },
    /// A symbolic link climbs above the root.
    #[error("it is a symbolic link that leads outside, to `{target}`")]
    LinkOutside {
        /// Its target.
        target: String,
    },
    /// A hard link to something that is not a file of the image.
    #[error("it is a hard link to `{target}`, which leads outside or is not a file of the image")]
    HardLink {
        /// Its target.
        target: String,
    },
    /// A kind of entry that cannot be unpacked.
    #[error("entries of type `{0}` are not supported")]
    Kind(char),
}

/// A bound of [`super::UnpackLimits`] that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bound {
    /// See [`super::UnpackLimits::total_bytes`].
    #[error("more than {0} bytes unpacked")]
    TotalBytes(u64),
    /// See [`super::UnpackLimits::entries`].
    #[error("more than {0} entries")]
    Entries(u64),
    /// See [`super::UnpackLimits::ratio`].
    #[error("unpacks to more than {0} times its size")]
    Ratio(u64),
    /// The headers of an entry, which are held in memory.
    #[error("the headers of an entry are larger than 4 MiB")]
    Header,
}
