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

fn signatures() -> Vec<String> {
    vec![r"^.*\.sig$".to_owned()]
}
