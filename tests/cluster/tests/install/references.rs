use std::collections::BTreeMap;

use serde_json::Value;

use crate::built::{BUILDS, built, deploy, list, name, pod, selects};

/// The objects of one build, found by kind, namespace and name.
struct Objects(Vec<Value>);

impl Objects {
    fn has(&self, kind: &str, namespace: &Value, name: &Value) -> bool {
        self.find(kind, namespace, name).is_some()
    }

    fn find(&self, kind: &str, namespace: &Value, name: &Value) -> Option<&Value> {
        self.0.iter().find(|object| {
            object["kind"] == kind
                && object["metadata"]["namespace"] == *namespace
                && object["metadata"]["name"] == *name
        })
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    /// The pods of this namespace that a selector means.
    fn pods<'a>(
        &'a self,
        namespace: &'a Value,
        selector: &'a Value,
    ) -> impl Iterator<Item = &'a Value> {
        self.0
            .iter()
            .filter(|object| object["metadata"]["namespace"] == *namespace)
            .filter_map(pod)
            .filter(|pod| selects(selector, &pod["metadata"]["labels"]))
    }
}

fn each(check: impl Fn(&str, &Objects)) {
    for build in BUILDS {
        check(build, &Objects(built(build)));
    }
}

fn ports(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["spec"]["containers"]).flat_map(|container| list(&container["ports"]))
}

#[test]
fn bindings_lead_from_accounts_to_roles() {
    each(|build, objects| {
        for binding in objects.of_kind("RoleBinding") {
            let namespace = &binding["metadata"]["namespace"];
            assert!(
                objects.has("Role", namespace, &binding["roleRef"]["name"]),
                "{build}: {binding}"
            );
            for subject in list(&binding["subjects"]) {
                let (namespace, name) = (&subject["namespace"], &subject["name"]);
                assert!(objects.has("ServiceAccount", namespace, name), "{build}: {binding}");
            }
        }
    });
}

#[test]
fn pods_find_their_accounts_and_settings() {
    each(|build, objects| {
        for object in &objects.0 {
            let Some(spec) = pod(object).map(|pod| &pod["spec"]) else { continue };
            let namespace = &object["metadata"]["namespace"];
            let account = &spec["serviceAccountName"];
            let known = account.is_null() || objects.has("ServiceAccount", namespace, account);
            assert!(known, "{build}: {}: {account}", name(object));
            let sources =
                list(&spec["containers"]).flat_map(|container| list(&container["envFrom"]));
            for map in
                sources.map(|source| &source["configMapRef"]["name"]).filter(|it| !it.is_null())
            {
                assert!(
                    objects.has("ConfigMap", namespace, map),
                    "{build}: {}: {map}",
                    name(object)
                );
            }
        }
    });
}

#[test]
fn selectors_and_ports_meet_pods() {
    each(|build, objects| {
        for service in objects.of_kind("Service") {
            let namespace = &service["metadata"]["namespace"];
            let pods: Vec<&Value> = objects.pods(namespace, &service["spec"]["selector"]).collect();
            assert_eq!(pods.len(), 1, "{build}: {}", name(service));
            for target in list(&service["spec"]["ports"]).map(|port| &port["targetPort"]) {
                let known = ports(pods[0]).any(|port| port["name"] == *target);
                assert!(known, "{build}: {}: {target}", name(service));
            }
        }
        for kind in ["NetworkPolicy", "PodDisruptionBudget"] {
            let field = if kind == "NetworkPolicy" { "podSelector" } else { "selector" };
            for object in objects.of_kind(kind) {
                let selector = &object["spec"][field]["matchLabels"];
                let namespace = &object["metadata"]["namespace"];
                assert_eq!(
                    objects.pods(namespace, selector).count(),
                    1,
                    "{build}: {}",
                    name(object)
                );
            }
        }
        for deployment in objects.of_kind("Deployment") {
            let labels = &deployment["spec"]["template"]["metadata"]["labels"];
            let own = selects(&deployment["spec"]["selector"]["matchLabels"], labels);
            assert!(own, "{build}: {}", name(deployment));
            for container in list(&deployment["spec"]["template"]["spec"]["containers"]) {
                for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                    let port = &container[probe]["httpGet"]["port"];
                    let known = list(&container["ports"]).any(|known| known["name"] == *port);
                    assert!(port.is_null() || known, "{build}: {}: {probe}", name(deployment));
                }
            }
        }
    });
}

#[test]
fn r31_every_ingress_finds_its_service_and_a_host_has_one_owner() {
    each(|build, objects| {
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        for ingress in objects.of_kind("Ingress") {
            let namespace = &ingress["metadata"]["namespace"];
            for rule in list(&ingress["spec"]["rules"]) {
                let host = rule["host"].as_str().unwrap_or("*").to_owned();
                let other = owners.insert(host.clone(), name(ingress));
                assert_eq!(other, None, "{build}: {host} has two owners");
                for path in list(&rule["http"]["paths"]) {
                    let backend = &path["backend"]["service"];
                    let service = objects.find("Service", namespace, &backend["name"]);
                    let ports = &service.expect("the backend is there")["spec"]["ports"];
                    let known = list(ports).any(|port| port["name"] == backend["port"]["name"]);
                    assert!(known, "{build}: {}: {backend}", name(ingress));
                }
            }
        }
    });
}

#[test]
fn auto_deploys_lead_to_workloads_and_policies() {
    each(|build, objects| {
        for wish in objects.of_kind("AutoDeploy") {
            let (namespace, spec) = (&wish["metadata"]["namespace"], &wish["spec"]);
            let target = objects.find("Deployment", namespace, &spec["target"]["name"]).unwrap();
            let containers = &target["spec"]["template"]["spec"]["containers"];
            let container =
                list(containers).find(|container| container["name"] == spec["container"]);
            let image = container.expect("the container is there")["image"].as_str().unwrap();
            let (namespace, policy) = (&spec["policyRef"]["namespace"], &spec["policyRef"]["name"]);
            let policy = objects.find("ImagePolicy", namespace, policy).unwrap();
            let repository = &policy["spec"]["imageRepositoryRef"]["name"];
            let repository = objects.find("ImageRepository", namespace, repository).unwrap();
            let watched = repository["spec"]["image"].as_str().unwrap();
            assert!(
                image.starts_with(&format!("{watched}:")),
                "{build}: {image} is not of {watched}"
            );
        }
    });
}

#[test]
fn r37_r38_namespaces_are_there_and_the_page_lists_every_secret() {
    let objects = Objects(built("guide"));
    let page = std::fs::read_to_string(deploy().join("guide/README.md")).unwrap();
    for object in &objects.0 {
        let namespace = &object["metadata"]["namespace"];
        let known = namespace.is_null() || objects.has("Namespace", &Value::Null, namespace);
        assert!(known, "{}", name(object));
        if let Some(spec) = pod(object).map(|pod| &pod["spec"]) {
            let own = list(&spec["containers"]).any(|container| {
                let image = container["image"].as_str().unwrap();
                image.starts_with("ghcr.io/team-mercurious/api-")
            });
            assert!(!own || list(&spec["imagePullSecrets"]).count() == 1, "{}", name(object));
        }
        for secret in secrets(object) {
            let listed = page.contains(&format!("| `{secret}` |"));
            assert!(listed, "{} uses the Secret {secret}", name(object));
        }
    }
    for repository in objects.of_kind("ImageRepository") {
        assert_eq!(repository["spec"]["secretRef"]["name"], "ghcr-secret", "{repository}");
    }
}

/// Every Secret that an object names, wherever it does.
fn secrets(object: &Value) -> Vec<String> {
    match object {
        Value::Object(fields) => {
            let mut found: Vec<String> = fields.values().flat_map(secrets).collect();
            for field in ["secretRef", "secretKeyRef"] {
                found.extend(
                    fields.get(field).and_then(|it| it["name"].as_str()).map(str::to_owned),
                );
            }
            found.extend(fields.get("secretName").and_then(Value::as_str).map(str::to_owned));
            let pulls = fields.get("imagePullSecrets").unwrap_or(&Value::Null);
            found.extend(list(pulls).filter_map(|it| it["name"].as_str()).map(str::to_owned));
            found
        }
        Value::Array(items) => items.iter().flat_map(secrets).collect(),
        _ => Vec::new(),
    }
}
