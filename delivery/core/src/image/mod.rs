//! What an image is called: repository, tag, digest, reference; and what is known of it: a release.

mod digest;
mod platform;
mod reference;
mod release;
mod repository;
mod tag;

pub use digest::{Digest, DigestError};
pub use platform::{Platform, PlatformError};
pub use reference::{ImageReference, ReferenceError};
pub use release::{Commit, CommitError, Release};
pub use repository::{Repository, RepositoryError};
pub use tag::{Tag, TagError};

/// Implements `Serialize` and `Deserialize` by way of `Display` and `FromStr`.
macro_rules! serde_as_string {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text =
                    <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_string;
