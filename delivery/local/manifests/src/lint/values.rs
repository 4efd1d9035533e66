use super::{Remarks, has_password, is_credential};
use crate::{
    ConfigMap, Ingress, Secret, Service, ServiceType, Sourced,
    WarningKind::{Credential, NoEffect, Suspicious},
};

/// Prefixes of annotations by which other Ingress controllers are told what to do.
const OTHER_CONTROLLERS: &[&str] = &[
    "nginx.ingress.kubernetes.io/",
    "nginx.org/",
    "traefik.ingress.kubernetes.io/",
    "haproxy.org/",
    "haproxy-ingress.github.io/",
    "alb.ingress.kubernetes.io/",
    "konghq.com/",
    "ingress.kubernetes.io/",
];

pub(crate) fn secret(object: &Sourced<Secret>, remarks: &mut Remarks<'_>) {
    let secret = &object.value;
    for (key, value) in &secret.data {
        let bytes = value.expose();
        // What is one line and ends with its end was piped through `echo` without `-n` (R59).
        let Some(line) = bytes.strip_suffix(b"\n") else { continue };
        if !line.is_empty() && !line.contains(&b'\n') {
            let message = "the value ends with a line feed, which becomes part of it; encode it with `printf %s` or `echo -n`";
            let written = format!("data.{key}");
            let field = if object.positions.contains_key(&written) {
                written
            } else {
                format!("stringData.{key}")
            };
            remarks.add(Credential, object, &field, message);
        }
    }
    for (key, value) in &secret.data {
        if value
            .expose_text()
            .is_some_and(|text| text.starts_with("$(") || text.contains("| base64"))
        {
            let message = "the value is a shell's command, not what it prints";
            remarks.add(Credential, object, &format!("data.{key}"), message);
        }
    }
}

pub(crate) fn config_map(object: &Sourced<ConfigMap>, remarks: &mut Remarks<'_>) {
    for (key, value) in &object.value.data {
        if has_password(value) || (!value.is_empty() && is_credential(key)) {
            let message = "looks like a credential; keep it in a Secret";
            remarks.add(Credential, object, &format!("data.{key}"), message);
        }
    }
}

pub(crate) fn service(object: &Sourced<Service>, remarks: &mut Remarks<'_>) {
    if object.value.kind == ServiceType::LoadBalancer {
        let message = "one machine has no other balancer: this is a port of the machine";
        remarks.add(NoEffect, object, "spec.type", message);
    }
}

pub(crate) fn ingress(object: &Sourced<Ingress>, remarks: &mut Remarks<'_>) {
    for key in object.value.annotations.keys() {
        let field = format!("metadata.annotations.{key}");
        if OTHER_CONTROLLERS.iter().any(|prefix| key.starts_with(prefix)) {
            let message = "has no effect on one machine: it speaks to another Ingress controller";
            remarks.add(NoEffect, object, &field, message);
        }
    }
    if object.value.rules.is_empty() && object.value.default_backend.is_none() {
        let message = "there is neither a rule nor a default backend: nothing is served";
        remarks.add(Suspicious, object, "spec", message);
    }
}
