use std::fmt::Write as _;

/// What becomes of a field that Kubernetes or Flux knows and that is not read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It changes nothing here.
    Ignored,
    /// It would change behaviour, and why it cannot be honoured or what to do instead.
    Refused(&'static str),
}

use Treatment::{Ignored, Refused};

/// Kind (empty for every kind), path without indices, treatment.
const FIELDS: &[(&str, &str, Treatment)] = &[
    ("", "status", Ignored),
    ("", "metadata.creationTimestamp", Ignored),
    ("", "metadata.uid", Ignored),
    ("", "metadata.resourceVersion", Ignored),
    ("", "metadata.generation", Ignored),
    ("", "metadata.managedFields", Ignored),
    ("", "metadata.selfLink", Ignored),
    ("", "metadata.generateName", Refused("objects are found by their name; give `name`")),
    ("", "metadata.ownerReferences", Refused("no owner is known here; remove it")),
    ("", "metadata.finalizers", Refused("nothing runs finalizers here; remove it")),
    ("Deployment", "spec.template.metadata.creationTimestamp", Ignored),
    ("Deployment", "spec.template.metadata.name", Ignored),
    ("Deployment", "spec.template.metadata.namespace", Ignored),
    ("Deployment", "spec.template.spec.serviceAccountName", Ignored),
    ("Deployment", "spec.template.spec.nodeSelector", Ignored),
    ("Deployment", "spec.template.spec.tolerations", Ignored),
    ("Deployment", "spec.template.spec.affinity", Ignored),
    ("Deployment", "spec.template.spec.topologySpreadConstraints", Ignored),
    ("Deployment", "spec.template.spec.priorityClassName", Ignored),
    (
        "Deployment",
        "spec.template.spec.initContainers",
        Refused("one process is started for each replica; do it in the image's entrypoint"),
    ),
    (
        "Deployment",
        "spec.template.spec.hostNetwork",
        Refused("every replica gets a port of its own; remove it"),
    ),
    (
        "Deployment",
        "spec.template.spec.hostPID",
        Refused("not supported on one machine; remove it"),
    ),
    (
        "Deployment",
        "spec.template.spec.hostAliases",
        Refused("the machine's own hosts file is used; put the names there"),
    ),
    (
        "Deployment",
        "spec.template.spec.dnsConfig",
        Refused("the machine's own resolver is used; remove it"),
    ),
    (
        "Deployment",
        "spec.template.spec.runtimeClassName",
        Refused("replicas are plain processes; remove it"),
    ),
    (
        "Deployment",
        "spec.template.spec.activeDeadlineSeconds",
        Refused("a Deployment's replicas have no end; remove it"),
    ),
    (
        "Deployment",
        "spec.template.spec.shareProcessNamespace",
        Refused("each replica is one process; remove it"),
    ),
    (
        "Deployment",
        "spec.template.spec.volumes.hostPath",
        Refused("replicas do not reach the machine's files; use configMap, secret or emptyDir"),
    ),
    (
        "Deployment",
        "spec.template.spec.volumes.persistentVolumeClaim",
        Refused("there are no persistent volumes; use configMap, secret or emptyDir"),
    ),
    (
        "Deployment",
        "spec.template.spec.volumes.projected",
        Refused("use configMap and secret volumes one by one"),
    ),
    ("Deployment", "spec.template.spec.containers.imagePullPolicy", Ignored),
    ("Deployment", "spec.template.spec.containers.terminationMessagePath", Ignored),
    ("Deployment", "spec.template.spec.containers.terminationMessagePolicy", Ignored),
    (
        "Deployment",
        "spec.template.spec.containers.stdin",
        Refused("replicas have no terminal; remove it"),
    ),
    (
        "Deployment",
        "spec.template.spec.containers.tty",
        Refused("replicas have no terminal; remove it"),
    ),
    (
        "Deployment",
        "spec.template.spec.containers.volumeDevices",
        Refused("there are no block devices; remove it"),
    ),
    (
        "Deployment",
        "spec.template.spec.containers.lifecycle.postStart",
        Refused("do it in the image's entrypoint"),
    ),
    (
        "Deployment",
        "spec.template.spec.containers.ports.hostPort",
        Refused("use a Service of type NodePort"),
    ),
    (
        "Deployment",
        "spec.template.spec.containers.ports.hostIP",
        Refused("use a Service of type NodePort"),
    ),
    (
        "Deployment",
        "spec.template.spec.containers.volumeMounts.subPathExpr",
        Refused("use subPath"),
    ),
    (
        "Deployment",
        "spec.template.spec.containers.volumeMounts.mountPropagation",
        Refused("nothing is mounted inside a volume; remove it"),
    ),
    (
        "Deployment",
        "spec.template.spec.containers.livenessProbe.grpc",
        Refused("use httpGet, tcpSocket or exec"),
    ),
    (
        "Deployment",
        "spec.template.spec.containers.readinessProbe.grpc",
        Refused("use httpGet, tcpSocket or exec"),
    ),
    (
        "Deployment",
        "spec.template.spec.containers.startupProbe.grpc",
        Refused("use httpGet, tcpSocket or exec"),
    ),
    (
        "Deployment",
        "spec.template.spec.containers.env.valueFrom.resourceFieldRef",
        Refused("resources are not enforced; write the value"),
    ),
    (
        "Service",
        "spec.externalName",
        Refused("names outside are asked directly; remove the Service"),
    ),
    ("Service", "spec.externalIPs", Refused("a Service listens on the machine; remove it")),
    ("Service", "spec.ipFamilies", Ignored),
    ("Service", "spec.ipFamilyPolicy", Ignored),
    ("Service", "spec.internalTrafficPolicy", Ignored),
    ("Service", "spec.externalTrafficPolicy", Ignored),
    (
        "Service",
        "spec.sessionAffinityConfig",
        Refused("requests are spread over all replicas; remove it"),
    ),
    ("Service", "spec.ports.appProtocol", Ignored),
    ("Ingress", "spec.rules.http.paths.backend.resource", Refused("use a Service")),
    (
        "ImageRepository",
        "spec.serviceAccountName",
        Refused("there are no service accounts; use secretRef"),
    ),
    ("ImageRepository", "spec.accessFrom", Ignored),
    ("ImageRepository", "spec.proxySecretRef", Refused("registries are asked directly; remove it")),
    ("ImagePolicy", "spec.digestReflectionPolicy", Ignored),
    ("ImagePolicy", "spec.interval", Ignored),
    (
        "ImagePolicy",
        "spec.suspend",
        Refused("suspend the AutoDeploy (`spec.suspend`) or the ImageRepository"),
    ),
];

/// Where fields belong that are often put elsewhere: kind, field, its parent.
const HOMES: &[(&str, &str, &str)] = &[
    ("ImagePolicy", "filterTags", "spec"),
    ("ImagePolicy", "imageRepositoryRef", "spec"),
    ("ImagePolicy", "semver", "spec.policy"),
    ("ImagePolicy", "alphabetical", "spec.policy"),
    ("ImagePolicy", "numerical", "spec.policy"),
    ("ImagePolicy", "pattern", "spec.filterTags"),
    ("ImagePolicy", "extract", "spec.filterTags"),
    ("Deployment", "imagePullSecrets", "spec.template.spec"),
    ("Deployment", "containers", "spec.template.spec"),
    ("Deployment", "terminationGracePeriodSeconds", "spec.template.spec"),
    ("Deployment", "volumes", "spec.template.spec"),
    ("Deployment", "volumeMounts", "spec.template.spec.containers[]"),
    ("Deployment", "readinessProbe", "spec.template.spec.containers[]"),
    ("Deployment", "livenessProbe", "spec.template.spec.containers[]"),
    ("Deployment", "maxSurge", "spec.strategy.rollingUpdate"),
    ("Deployment", "maxUnavailable", "spec.strategy.rollingUpdate"),
    ("AutoDeploy", "timeout", "spec.rollout"),
    ("AutoDeploy", "bake", "spec.rollout"),
    ("AutoDeploy", "automatic", "spec.rollback"),
];

/// What becomes of a known field that is not read; nothing for any other.
pub(crate) fn treatment(kind: &str, path: &str) -> Option<Treatment> {
    let found =
        FIELDS.iter().find(|(of, field, _)| (of.is_empty() || *of == kind) && *field == path);
    found.map(|(_, _, treatment)| *treatment)
}

/// Where a field belongs that stands in the wrong place.
pub(crate) fn home(kind: &str, parent: &str, field: &str) -> Option<&'static str> {
    // Variables under `envFrom` are the mistake that a person makes who leaves `env:` empty.
    if parent.ends_with(".envFrom") && matches!(field, "name" | "value" | "valueFrom") {
        return Some("env");
    }
    let found =
        HOMES.iter().find(|(of, name, home)| *of == kind && *name == field && *home != parent);
    found.map(|(_, _, home)| *home)
}

/// `docs/manifests.md`: what becomes of fields that Kubernetes and Flux know beyond those that are read.
pub fn field_reference() -> String {
    let mut text = String::from(
        "# Manifests on one machine\n\nRead: Deployment (`apps/v1`), Service, ConfigMap, Secret (`v1`), Ingress (`networking.k8s.io/v1`), \
         ImageRepository, ImagePolicy\n(`image.toolkit.fluxcd.io/v1beta1`, `v1beta2`, `v1`), AutoDeploy (`mercurious.dev/v1alpha1`) and List; \
         Namespace is accepted\nand does nothing. Any other kind, and any field that is unknown, is refused by name.\n\n\
         The fields below are known and not read. This page is generated from the reader's own table.\n\n\
         | kind | field | what becomes of it |\n|---|---|---|\n",
    );
    for (kind, field, treatment) in FIELDS {
        let kind = if kind.is_empty() { "every kind" } else { kind };
        let row = match treatment {
            Ignored => writeln!(text, "| {kind} | `{field}` | accepted; changes nothing here |"),
            Refused(why) => writeln!(text, "| {kind} | `{field}` | refused: {why} |"),
        };
        // Writing to a String cannot fail.
        debug_assert!(row.is_ok());
    }
    text
}
