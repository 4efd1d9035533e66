use serde::Deserialize;

/// One variable.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "EnvVarObject")]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub value: EnvValue,
}

/// Where a variable's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvValue {
    /// As written; `$(NAME)` is not expanded yet.
    Text(String),
    /// A ConfigMap's key.
    ConfigMapKey(KeyRef),
    /// A Secret's key.
    SecretKey(KeyRef),
    /// A fact about the replica.
    Field(PodField),
}

/// A key of a ConfigMap or Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRef {
    /// The ConfigMap or Secret.
    pub name: String,
    /// The key.
    pub key: String,
    /// Whether it may be missing; the variable is then not set.
    #[serde(default)]
    pub optional: bool,
}

/// A fact about the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum PodField {
    /// Its name.
    #[serde(rename = "metadata.name")]
    Name,
    /// Its namespace.
    #[serde(rename = "metadata.namespace")]
    Namespace,
    /// Its address.
    #[serde(rename = "status.podIP")]
    Ip,
}

/// All keys of a ConfigMap or Secret as variables.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "EnvFromObject")]
pub struct EnvFrom {
    /// Put before every key.
    pub prefix: String,
    /// Whose keys.
    pub source: EnvFromSource,
}

/// Whose keys become variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvFromSource {
    /// A ConfigMap's.
    ConfigMap(SourceRef),
    /// A Secret's.
    Secret(SourceRef),
}

/// A ConfigMap or Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceRef {
    /// Its name.
    pub name: String,
    /// Whether it may be missing.
    #[serde(default)]
    pub optional: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EnvVarObject {
    name: String,
    value: Option<String>,
    value_from: Option<ValueFrom>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "the names are Kubernetes' fields")]
enum ValueFrom {
    ConfigMapKeyRef(KeyRef),
    SecretKeyRef(KeyRef),
    FieldRef(FieldRef),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FieldRef {
    field_path: PodField,
}

impl From<EnvVarObject> for EnvVar {
    fn from(object: EnvVarObject) -> Self {
        let value = match object.value_from {
            None => EnvValue::Text(object.value.unwrap_or_default()),
            Some(ValueFrom::ConfigMapKeyRef(key)) => EnvValue::ConfigMapKey(key),
            Some(ValueFrom::SecretKeyRef(key)) => EnvValue::SecretKey(key),
            Some(ValueFrom::FieldRef(field)) => EnvValue::Field(field.field_path),
        };
        Self { name: object.name, value }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EnvFromObject {
    #[serde(default)]
    prefix: String,
    config_map_ref: Option<SourceRef>,
    secret_ref: Option<SourceRef>,
}

impl TryFrom<EnvFromObject> for EnvFrom {
    type Error = &'static str;

    fn try_from(object: EnvFromObject) -> Result<Self, Self::Error> {
        let source = match (object.config_map_ref, object.secret_ref) {
            (Some(source), None) => EnvFromSource::ConfigMap(source),
            (None, Some(source)) => EnvFromSource::Secret(source),
            _ => return Err("an item of envFrom has exactly one of configMapRef and secretRef"),
        };
        Ok(Self { prefix: object.prefix, source })
    }
}
