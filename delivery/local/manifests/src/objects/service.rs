use std::collections::BTreeMap;

use mercurious_core::resources::{Metadata, ObjectName};
use serde::Deserialize;

use super::PortRef;

/// A stable port in front of the replicas that a selector matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Namespace and name.
    pub name: ObjectName,
    /// Labels of the Service itself.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Service itself.
    pub annotations: BTreeMap<String, String>,
    /// How far it reaches.
    pub kind: ServiceType,
    /// Labels that a replica must carry; never empty.
    pub selector: BTreeMap<String, String>,
    /// At least one; named where there are several.
    pub ports: Vec<ServicePort>,
}

impl Service {
    /// Whether replicas with these labels serve it.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    }

    /// The port with this number or name.
    pub fn port(&self, wanted: &PortRef) -> Option<&ServicePort> {
        self.ports.iter().find(|port| match wanted {
            PortRef::Number(number) => port.port == *number,
            PortRef::Name(name) => port.name.as_ref() == Some(name),
        })
    }
}

/// How far a Service reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ServiceType {
    /// Other workloads.
    #[default]
    ClusterIP,
    /// A port of the machine.
    NodePort,
    /// A port of the machine; one machine has no other balancer.
    LoadBalancer,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// What Ingresses may call it.
    pub name: Option<String>,
    /// Its number.
    pub port: u16,
    /// The replicas' port; the same number where it is left out.
    pub target_port: PortRef,
    /// The machine's port, where one is asked for.
    pub node_port: Option<u16>,
    /// Whether HTTP is spoken there, as where nothing is said; of any other protocol connections are passed on as they are.
    pub is_http: bool,
}

/// The values of `appProtocol` that mean HTTP/1.1.
const HTTP: [&str; 2] = ["http", "kubernetes.io/ws"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceObject {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    spec: ServiceSpec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceSpec {
    #[serde(default, rename = "type")]
    kind: ServiceType,
    selector: BTreeMap<String, String>,
    ports: Vec<ServicePortObject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ServicePortObject {
    name: Option<String>,
    port: u16,
    target_port: Option<PortRef>,
    node_port: Option<u16>,
    app_protocol: Option<String>,
}

impl From<ServiceObject> for Service {
    fn from(object: ServiceObject) -> Self {
        let port = |port: ServicePortObject| ServicePort {
            name: port.name,
            port: port.port,
            target_port: port.target_port.unwrap_or(PortRef::Number(port.port)),
            node_port: port.node_port,
            is_http: port
                .app_protocol
                .is_none_or(|it| HTTP.contains(&it.to_ascii_lowercase().as_str())),
        };
        Self {
            name: object.metadata.object_name(),
            labels: object.metadata.labels,
            annotations: object.metadata.annotations,
            kind: object.spec.kind,
            selector: object.spec.selector,
            ports: object.spec.ports.into_iter().map(port).collect(),
        }
    }
}
