use http::Uri;
use mercurious_core::{
    policy::TagFilter,
    resources::{AutoDeploy, HttpCheck, ObjectName},
};

use super::Check;
use crate::Sourced;

/// What a check's `contains` may name.
const NAMES: [&str; 3] = ["release.commit", "release.tag", "release.digest"];

impl Check<'_> {
    /// A check that nobody can ask would take back every release.
    pub(super) fn questions(&mut self, object: &Sourced<AutoDeploy>) {
        for (index, check) in object.value.spec.checks.iter().enumerate() {
            let field = format!("spec.checks[{index}]");
            if let Some(http) = &check.http {
                self.address(object, http, &format!("{field}.http.url"));
                self.names(object, http, &format!("{field}.http.contains"));
            }
            if let Some(logs) = &check.logs
                && let Err(error) = TagFilter::new(&logs.deny, "")
            {
                let what = super::delivery::chain(&error);
                self.fault(
                    object,
                    &format!("{field}.logs.deny"),
                    what,
                    "it is read as Go reads it",
                );
            }
        }
    }

    /// A Service of the manifests, or an address that this machine can look up.
    fn address(&mut self, object: &Sourced<AutoDeploy>, http: &HttpCheck, field: &str) {
        let Ok(uri) = http.url.parse::<Uri>() else {
            return self.fault(object, field, format!("`{}` is not a URL", http.url), "");
        };
        let Some(host) = uri.host() else {
            return self.fault(object, field, format!("`{}` names no host", http.url), "");
        };
        let mut parts = host.split('.');
        let (Some(name), Some(namespace)) = (parts.next(), parts.next()) else {
            let services = &self.manifests.services;
            if let Some(meant) = services.keys().find(|service| *service.name == *host) {
                let what = format!("`{host}` is no host of this machine");
                let hint = format!("a Service is http://{}.{}.svc/", meant.name, meant.namespace);
                self.fault(object, field, what, &hint);
            }
            return;
        };
        if parts.next() != Some("svc") {
            return;
        }
        let name = ObjectName::new(namespace, name);
        let Some(service) = self.manifests.services.get(&name) else {
            let hint = Self::elsewhere(&self.manifests.services, &name, "add it to the manifests");
            return self.fault(object, field, format!("there is no Service {name}"), &hint);
        };
        let wanted =
            uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let ports: Vec<u16> = service.value.ports.iter().map(|port| port.port).collect();
        if !ports.contains(&wanted) {
            let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
            let hint = format!("it has {}", ports.join(", "));
            self.fault(object, field, format!("Service {name} has no port {wanted}"), &hint);
        }
    }

    /// Every name between braces is one that can be filled in.
    fn names(&mut self, object: &Sourced<AutoDeploy>, http: &HttpCheck, field: &str) {
        let texts = http.contains.iter().flat_map(|text| text.split("{{").skip(1));
        for text in texts {
            let Some((name, _)) = text.split_once("}}") else { continue };
            let name = name.trim();
            if !NAMES.contains(&name) {
                let hint = format!("there are {}", NAMES.join(", "));
                self.fault(object, field, format!("`{name}` is not known"), &hint);
            }
        }
    }
}
