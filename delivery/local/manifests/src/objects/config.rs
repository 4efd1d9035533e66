use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mercurious_core::resources::{Metadata, ObjectName};
use serde::Deserialize;

use super::SecretValue;

/// Settings by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMap {
    /// Namespace and name.
    pub name: ObjectName,
    /// Texts; only these become variables.
    pub data: BTreeMap<String, String>,
    /// Bytes; only files are made of these.
    pub binary_data: BTreeMap<String, Vec<u8>>,
}

/// Credentials by key: `data` decoded, `stringData` over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Namespace and name.
    pub name: ObjectName,
    /// `Opaque` where it is left out, `kubernetes.io/dockerconfigjson`, …
    pub kind: String,
    /// The values.
    pub data: BTreeMap<String, SecretValue>,
}

/// Base64 as Kubernetes takes it: the standard alphabet with padding, line breaks ignored.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let compact: String =
        text.chars().filter(|character| !matches!(character, '\n' | '\r')).collect();
    STANDARD.decode(compact).ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ConfigMapObject {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    binary_data: BTreeMap<String, String>,
}

impl From<ConfigMapObject> for ConfigMap {
    fn from(object: ConfigMapObject) -> Self {
        Self {
            name: object.metadata.object_name(),
            data: object.data,
            binary_data: object
                .binary_data
                .into_iter()
                .filter_map(|(key, text)| Some((key, decode(&text)?)))
                .collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SecretObject {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    #[serde(default = "opaque", rename = "type")]
    secret_type: String,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    string_data: BTreeMap<String, String>,
}

fn opaque() -> String {
    "Opaque".to_owned()
}

impl From<SecretObject> for Secret {
    fn from(object: SecretObject) -> Self {
        let decoded =
            object.data.into_iter().filter_map(|(key, text)| Some((key, decode(&text)?.into())));
        let plain =
            object.string_data.into_iter().map(|(key, text)| (key, text.into_bytes().into()));
        Self {
            name: object.metadata.object_name(),
            kind: object.secret_type,
            data: decoded.chain(plain).collect(),
        }
    }
}
