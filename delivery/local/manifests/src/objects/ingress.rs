use std::collections::BTreeMap;

use mercurious_core::resources::{Metadata, ObjectName};
use serde::Deserialize;

use super::PortRef;

/// Which Service answers for which host and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// Namespace and name.
    pub name: ObjectName,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// The rules in the order of the file.
    pub rules: Vec<IngressRule>,
    /// Who answers where no rule matches.
    pub default_backend: Option<IngressBackend>,
}

/// The paths of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressRule {
    /// The host, in lower case, without port; every host where it is left out.
    pub host: Option<String>,
    /// At least one.
    pub paths: Vec<IngressPath>,
}

/// Who answers under a path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IngressPath {
    /// Starts with `/`, which it is where it is left out.
    #[serde(default = "root")]
    pub path: String,
    /// How it is compared.
    pub path_type: PathType,
    /// Who answers.
    pub backend: IngressBackend,
}

fn root() -> String {
    "/".to_owned()
}

/// How a path is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum PathType {
    /// The same text.
    Exact,
    /// The same first parts between slashes: `/a` matches `/a`, `/a/` and `/a/b`, not `/ab`. `ImplementationSpecific` is this
    /// too.
    #[serde(alias = "ImplementationSpecific")]
    Prefix,
}

/// A Service's port in the Ingress's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "BackendObject")]
pub struct IngressBackend {
    /// The Service.
    pub service: String,
    /// Its port.
    pub port: PortRef,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackendObject {
    service: BackendService,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackendService {
    name: String,
    port: BackendPort,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum BackendPort {
    Number(u16),
    Name(String),
}

impl From<BackendObject> for IngressBackend {
    fn from(object: BackendObject) -> Self {
        Self {
            service: object.service.name,
            port: match object.service.port {
                BackendPort::Number(number) => PortRef::Number(number),
                BackendPort::Name(name) => PortRef::Name(name),
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IngressObject {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    spec: IngressSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IngressSpec {
    #[serde(default)]
    rules: Vec<RuleObject>,
    default_backend: Option<IngressBackend>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleObject {
    host: Option<String>,
    http: RulePaths,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulePaths {
    paths: Vec<IngressPath>,
}

impl From<IngressObject> for Ingress {
    fn from(object: IngressObject) -> Self {
        let rule = |rule: RuleObject| IngressRule {
            host: rule.host.map(|host| host.to_ascii_lowercase()),
            paths: rule.http.paths,
        };
        Self {
            name: object.metadata.object_name(),
            annotations: object.metadata.annotations,
            rules: object.spec.rules.into_iter().map(rule).collect(),
            default_backend: object.spec.default_backend,
        }
    }
}
