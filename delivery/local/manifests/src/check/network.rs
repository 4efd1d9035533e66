use std::collections::{BTreeMap, BTreeSet};

use mercurious_core::resources::ObjectName;

use super::Check;
use crate::{Ingress, IngressBackend, Origin, PathType, PortRef, Sourced};

impl Check<'_> {
    pub(super) fn services(&mut self) {
        let mut node_ports: BTreeMap<u16, ObjectName> = BTreeMap::new();
        for (name, object) in &self.manifests.services {
            let service = &object.value;
            let selected: Vec<_> = self
                .manifests
                .deployments
                .values()
                .map(|deployment| &deployment.value)
                .filter(|deployment| {
                    deployment.name.namespace == name.namespace
                        && service.selects(&deployment.template.labels)
                })
                .collect();
            if selected.is_empty() {
                self.fault(
                    object,
                    "spec.selector",
                    format!("selects no Deployment's replicas in namespace {}", name.namespace),
                    "write labels of a Deployment's spec.template.metadata",
                );
            }
            let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
            for (index, port) in service.ports.iter().enumerate() {
                let field = format!("spec.ports[{index}]");
                match &port.name {
                    None if service.ports.len() > 1 => {
                        let what = "is required where there are several ports".to_owned();
                        self.fault(object, &format!("{field}.name"), what, "");
                    }
                    Some(port) if !names.insert(port.as_str()) => {
                        let what = format!("there is another port `{port}`");
                        self.fault(object, &format!("{field}.name"), what, "rename one of them");
                    }
                    _ => {}
                }
                if !numbers.insert(port.port) {
                    let what = format!("there is another port {}", port.port);
                    self.fault(object, &format!("{field}.port"), what, "change one of them");
                }
                if let Some(number) = port.node_port
                    && let Some(other) = node_ports.insert(number, name.clone())
                {
                    let what = format!("{number} belongs to Service {other} already");
                    self.fault(object, &format!("{field}.nodePort"), what, "change one of them");
                }
                if let PortRef::Name(target) = &port.target_port {
                    for deployment in &selected {
                        let has = deployment.template.containers.iter().any(|container| {
                            container.ports.iter().any(|it| it.name.as_ref() == Some(target))
                        });
                        if !has {
                            let what = format!(
                                "Deployment {} has no port named `{target}`",
                                deployment.name
                            );
                            let hint = "name one of its container's `ports`";
                            self.fault(object, &format!("{field}.targetPort"), what, hint);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn ingresses(&mut self) {
        let mut owners: BTreeMap<(Option<String>, PathType, String), Origin> = BTreeMap::new();
        let mut fallback: Option<Origin> = None;
        for object in self.manifests.ingresses.values() {
            if let Some(backend) = &object.value.default_backend {
                let field = "spec.defaultBackend";
                self.backend(object, field, backend);
                if let Some(other) = fallback.replace(object.at(field)) {
                    let what = format!("there is a default backend at {other} already");
                    self.fault(object, field, what, "keep one of them");
                }
            }
            for (index, rule) in object.value.rules.iter().enumerate() {
                for (number, path) in rule.paths.iter().enumerate() {
                    let field = format!("spec.rules[{index}].http.paths[{number}]");
                    self.backend(object, &format!("{field}.backend"), &path.backend);
                    // `/a` and `/a/` are the same prefix.
                    let compared = match path.path_type {
                        PathType::Prefix => path.path.trim_end_matches('/'),
                        PathType::Exact => &path.path,
                    };
                    let key = (rule.host.clone(), path.path_type, compared.to_owned());
                    let origin = object.at(&field);
                    if let Some(other) = owners.insert(key, origin) {
                        let host = rule.host.as_deref().unwrap_or("every host, ");
                        let what = format!("{host}{} is served by {other} already", path.path);
                        let hint = "a host and path has one owner: remove one of them";
                        self.fault(object, &format!("{field}.path"), what, hint);
                    }
                }
            }
        }
    }

    fn backend(&mut self, object: &Sourced<Ingress>, field: &str, backend: &IngressBackend) {
        let name = ObjectName::new(&object.value.name.namespace, &backend.service);
        let Some(service) = self.manifests.services.get(&name) else {
            let otherwise = "an Ingress and its Services share a namespace";
            let hint = Self::elsewhere(&self.manifests.services, &name, otherwise);
            let field = format!("{field}.service.name");
            return self.fault(object, &field, format!("there is no Service {name}"), &hint);
        };
        let port = service.value.port(&backend.port);
        if port.is_some_and(|port| !port.is_http) {
            let what = format!("Service {name}'s port {} does not speak HTTP", backend.port);
            let hint = "remove its appProtocol, or name another port";
            return self.fault(object, &format!("{field}.service.port"), what, hint);
        }
        if port.is_none() {
            let known: Vec<String> = service
                .value
                .ports
                .iter()
                .map(|port| match &port.name {
                    Some(name) => format!("{} ({name})", port.port),
                    None => port.port.to_string(),
                })
                .collect();
            let what = format!("Service {name} has no port {}", backend.port);
            let hint = format!("it has {}", known.join(", "));
            self.fault(object, &format!("{field}.service.port"), what, &hint);
        }
    }
}
