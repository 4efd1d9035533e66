//! Content, links, tags and uploads on disk. Everything here blocks, and is called from blocking threads.

mod collect;
mod content;
mod files;
mod manifests;
mod repositories;
mod uploads;

pub use collect::Collected;
pub(crate) use content::Storage;
pub use files::{OpenError, StorageError};
pub use manifests::StoredManifest;
pub(crate) use manifests::{Accepted, NewManifest};
pub(crate) use uploads::{Session, UploadId, Uploads};
