use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Metadata, NameRef};
use crate::duration::Span;

/// A place in a registry to look at (`image.toolkit.fluxcd.io`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageRepository {
    /// `image.toolkit.fluxcd.io/v1beta1`, `v1beta2` or `v1`
    pub api_version: String,
    /// `ImageRepository`
    pub kind: String,
    /// Name and namespace.
    pub metadata: Metadata,
    /// Where and how often.
    pub spec: ImageRepositorySpec,
}

/// Where and how often to look.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageRepositorySpec {
    /// The repository, without scheme, tag or digest.
    pub image: String,
    /// Time between two looks.
    pub interval: Span,
    /// The deadline of one look; the interval where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// A Secret of type `kubernetes.io/dockerconfigjson` in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<NameRef>,
    /// A Secret with `ca.crt`, in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<NameRef>,
    /// A ServiceAccount of the same namespace whose pull secrets may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// A Secret with the address of a proxy, in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<NameRef>,
    /// Whose login is used: `generic` for that of Secrets, or a cloud's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Which other namespaces' policies may choose from it; none where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_from: Option<AccessFrom>,
    /// Plain HTTP is allowed.
    #[serde(default)]
    pub insecure: bool,
    /// No looks while this is true.
    #[serde(default)]
    pub suspend: bool,
    /// Tags that match any of these (Go regular expressions, not anchored) are dropped.
    #[serde(default = "signatures", skip_serializing_if = "Vec::is_empty")]
    pub exclusion_list: Vec<String>,
}

/// Whose login is used.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// That of Secrets.
    #[default]
    Generic,
    /// Amazon's.
    Aws,
    /// Microsoft's.
    Azure,
    /// Google's.
    Gcp,
}

/// Which other namespaces' policies may choose from a repository.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessFrom {
    /// Namespaces with the labels of any of these.
    pub namespace_selectors: Vec<NamespaceSelector>,
}

/// Namespaces with these labels; all where there are none.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceSelector {
    /// The labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
}

fn signatures() -> Vec<String> {
    vec![r"^.*\.sig$".to_owned()]
}
