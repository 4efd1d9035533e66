use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// A namespace and a name: what identifies an object of one kind. Clones share both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name in it.
    pub name: Arc<str>,
}

/// Why a text is not an object's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{text}` is not a name: expected `name` or `namespace/name`, in lower-case letters, digits, `-` and `.`"
)]
pub struct ObjectNameError {
    text: String,
}

impl ObjectName {
    /// A name in a namespace.
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        Self { namespace: namespace.as_ref().into(), name: name.as_ref().into() }
    }

    /// Whether a person means this by `namespace/name`, or by the name alone.
    pub fn is_meant_by(&self, text: &str) -> bool {
        match text.split_once('/') {
            Some((namespace, name)) => *self.namespace == *namespace && *self.name == *name,
            None => *self.name == *text,
        }
    }

    /// Another name in the same namespace.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { namespace: Arc::clone(&self.namespace), name: name.into() }
    }
}

impl FromStr for ObjectName {
    type Err = ObjectNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
        let valid = |part: &str| {
            !part.is_empty()
                && part.len() <= 253
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
                && !part.starts_with(['-', '.'])
                && !part.ends_with(['-', '.'])
        };
        if valid(namespace) && valid(name) {
            Ok(Self::new(namespace, name))
        } else {
            Err(ObjectNameError { text: text.chars().take(300).collect() })
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

crate::image::serde_as_string!(ObjectName);

/// The part of an object's metadata that is read here.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The name.
    pub name: String,
    /// The namespace; `default` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What a server fills in; read past, never written.
    #[serde(default, skip_serializing, rename = "creationTimestamp")]
    #[cfg_attr(feature = "schema", schema(ignore))]
    pub creation_timestamp: ServerFilled,
    /// What a server fills in.
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "schema", schema(ignore))]
    pub uid: ServerFilled,
    /// What a server fills in.
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "schema", schema(ignore))]
    pub resource_version: ServerFilled,
    /// What a server fills in.
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "schema", schema(ignore))]
    pub generation: ServerFilled,
    /// What a server fills in.
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "schema", schema(ignore))]
    pub managed_fields: ServerFilled,
}

/// A value that a server fills in and nobody reads here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerFilled;

impl<'de> Deserialize<'de> for ServerFilled {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl Metadata {
    /// The object's name, in its namespace or in `default`.
    pub fn object_name(&self) -> ObjectName {
        ObjectName::new(self.namespace.as_deref().unwrap_or("default"), &self.name)
    }
}

/// A reference by name within the same namespace.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameRef {
    /// The name.
    pub name: String,
}
