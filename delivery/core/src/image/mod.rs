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

        $crate::image::schema_of_string!($name);

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

/// Describes a type that is written as a text, for the documents of APIs.
macro_rules! schema_of_string {
    ($name:ty) => {
        #[cfg(feature = "schema")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                <String as utoipa::PartialSchema>::schema()
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }
    };
}
pub(crate) use schema_of_string;
