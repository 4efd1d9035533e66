use std::collections::BTreeSet;

use mercurious_trials::Program;
use serde_json::Value;

use crate::built::{BUILDS, built, deploy, documents, files, list, name, parse, pod};

/// What a cluster of today serves; an API of yesterday is a fault that only an apply would show.
const SERVED: [(&str, &str); 19] = [
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("apps/v1", "Deployment"),
    ("batch/v1", "CronJob"),
    ("image.toolkit.fluxcd.io/v1beta2", "ImagePolicy"),
    ("image.toolkit.fluxcd.io/v1beta2", "ImageRepository"),
    ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
    ("mercurious.dev/v1alpha1", "AutoDeploy"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("v1", "ConfigMap"),
    ("v1", "Namespace"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
];

#[test]
fn r33_r39_every_document_is_of_a_kind_that_is_served() {
    for file in files() {
        for document in documents(&file) {
            let (version, kind) = (&document["apiVersion"], &document["kind"]);
            let known = SERVED.iter().any(|served| version == served.0 && kind == served.1);
            assert!(known, "{}: {version} {kind}", file.display());
        }
    }
}

#[test]
fn r36_kustomizations_list_resources_and_change_nothing() {
    for file in files().iter().filter(|file| file.ends_with("kustomization.yaml")) {
        for document in documents(file) {
            let fields: Vec<&String> = document.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["apiVersion", "kind", "resources"], "{}", file.display());
        }
    }
}

#[test]
fn every_file_is_part_of_a_build() {
    let built: BTreeSet<String> = BUILDS.into_iter().flat_map(built).map(|it| name(&it)).collect();
    let crds = deploy().join("mercurious/crds");
    for file in files() {
        if file.ends_with("kustomization.yaml") || file.starts_with(&crds) {
            continue;
        }
        for document in documents(&file) {
            assert!(built.contains(&name(&document)), "{}: {}", file.display(), name(&document));
        }
    }
}

#[test]
fn an_object_is_in_a_build_once() {
    for build in BUILDS {
        let mut seen = BTreeSet::new();
        for object in built(build) {
            assert!(seen.insert(name(&object)), "{build}: {} is there twice", name(&object));
        }
    }
}

#[test]
fn r34_what_this_program_knows_of_the_guide_it_reads_strictly() {
    let known = [
        "Deployment",
        "Service",
        "Ingress",
        "ConfigMap",
        "ImageRepository",
        "ImagePolicy",
        "AutoDeploy",
    ];
    let objects: Vec<Value> = built("guide")
        .into_iter()
        .filter(|object| known.iter().any(|kind| object["kind"] == *kind))
        .map(without_pull_secrets)
        .collect();
    assert!(objects.len() > 10);
    let text = objects.iter().map(|object| format!("---\n{object}\n")).collect::<String>();
    let faults = mercurious_manifests::parse(&text, "deploy/guide").err();
    assert!(faults.is_none(), "{}", faults.map(|faults| faults.to_string()).unwrap_or_default());
}

/// One machine has no use for what only a kubelet reads.
fn without_pull_secrets(mut object: Value) -> Value {
    if object["kind"] == "Deployment"
        && let Some(pod) = object["spec"]["template"]["spec"].as_object_mut()
    {
        pod.remove("imagePullSecrets");
    }
    object
}

#[test]
fn every_container_is_small_and_may_do_nothing() {
    for object in BUILDS.into_iter().flat_map(built) {
        let Some(pod) = pod(&object).map(|pod| &pod["spec"]) else { continue };
        let who = name(&object);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{who}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{who}");
        for container in list(&pod["containers"]) {
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false, "{who}");
            assert_eq!(security["readOnlyRootFilesystem"], true, "{who}");
            assert_eq!(security["capabilities"], serde_json::json!({ "drop": ["ALL"] }), "{who}");
            let resources = &container["resources"];
            assert!(resources["requests"]["cpu"].is_string(), "{who}");
            assert!(resources["limits"]["memory"].is_string(), "{who}");
        }
    }
}

#[test]
fn the_program_prints_what_is_installed() {
    for flavour in ["controller", "cronjob"] {
        let output =
            Program::built().unwrap().command().args(["manifests", flavour]).output().unwrap();
        assert!(output.status.success());
        let printed = parse(&String::from_utf8(output.stdout).unwrap()).unwrap();
        let sorted = |mut objects: Vec<Value>| {
            objects.sort_by_key(name);
            objects
        };
        assert_eq!(sorted(printed), sorted(built(&format!("mercurious/{flavour}"))), "{flavour}");
    }
}
