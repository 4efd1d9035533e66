use serde::{Deserialize, Serialize};

use super::{Metadata, ObjectName};
use crate::duration::Span;

/// Which image of a repository is the newest (`image.toolkit.fluxcd.io`).
///
/// The annotation `mercurious.dev/order: newest` asks for the order that Flux does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImagePolicy {
    /// `image.toolkit.fluxcd.io/v1beta1`, `v1beta2` or `v1`
    pub api_version: String,
    /// `ImagePolicy`
    pub kind: String,
    /// Name, namespace, annotations.
    pub metadata: Metadata,
    /// The rule.
    pub spec: ImagePolicySpec,
}

/// The rule.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImagePolicySpec {
    /// The ImageRepository that it chooses from.
    pub image_repository_ref: ImageRepositoryRef,
    /// The order.
    #[serde(default)]
    pub policy: PolicyChoice,
    /// Which tags take part, and by which key they are ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_tags: Option<FilterTags>,
    /// Whether the digest of the chosen tag is told in the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_reflection_policy: Option<DigestReflectionPolicy>,
    /// How often the digest is looked at, with `Always`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Span>,
    /// Nothing is chosen while this is true.
    #[serde(default)]
    pub suspend: bool,
}

/// Whether the digest of the chosen tag is told in the status.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DigestReflectionPolicy {
    /// The newest one.
    Always,
    /// The first that was seen.
    IfNotPresent,
    /// None.
    #[default]
    Never,
}

/// A reference by name, with a namespace where it is another one.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRepositoryRef {
    /// The name.
    pub name: String,
    /// The namespace; the referring object's own where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl ImageRepositoryRef {
    /// What is meant where `from` refers to it.
    pub fn seen_from(&self, from: &ObjectName) -> ObjectName {
        match &self.namespace {
            Some(namespace) => ObjectName::new(namespace, &self.name),
            None => from.beside(&self.name),
        }
    }
}

/// The order: one of the three of Flux, or none where an annotation names another.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyChoice {
    /// The highest version in a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<SemverPolicy>,
    /// Bytewise order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alphabetical: Option<AlphabeticalPolicy>,
    /// Order of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerical: Option<NumericalPolicy>,
}

/// The highest version in a range of Masterminds' grammar.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SemverPolicy {
    /// `>=1.0.0 <2.0.0`
    pub range: String,
}

/// Bytewise order: `asc` selects the last, `desc` the first.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlphabeticalPolicy {
    /// Direction.
    #[serde(default)]
    pub order: SortOrder,
}

/// Order of numbers: `asc` selects the largest, `desc` the smallest.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumericalPolicy {
    /// Direction.
    #[serde(default)]
    pub order: SortOrder,
}

/// Direction of an order.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SortOrder {
    /// Ascending: the last is the newest.
    #[default]
    Asc,
    /// Descending: the first is the newest.
    Desc,
}

/// Which tags take part, and by which key they are ordered.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterTags {
    /// A Go regular expression, not anchored; empty matches all.
    #[serde(default)]
    pub pattern: String,
    /// A template of Go's `Regexp.Expand`; empty means the tag itself.
    #[serde(default)]
    pub extract: String,
}
