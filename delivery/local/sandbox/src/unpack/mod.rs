//! Image layers to a root file system.
//!
//! Flow: every layer is decompressed, hashed and applied entry by entry in a directory that does not count
//! yet; when all layers match their diff id the directory is renamed into place.
//!
//! Guarantees: nothing is written outside the root file system; an image in the store is complete; the bounds
//! of [`UnpackLimits`] hold whatever a layer claims.
//!
//! Assumptions: one process owns the directory of the store.
//!
//! Caveats: files belong to the unpacking user whatever the layer says, also when that is root; set-user-id and
//! set-group-id bits are dropped, owners can always read files and enter directories, extended attributes are
//! ignored and devices are skipped.

mod config;
mod decompress;
mod error;
mod extract;
mod layer;
mod limits;
mod store;

pub use config::{ConfigError, ImageConfig};
pub use error::{Bound, LayerError, Refusal, UnpackError};
pub use extract::unpack_untrusted_layer;
pub use layer::{Compression, Layer};
pub use limits::UnpackLimits;
pub use store::{ImageStore, Unpacked};
