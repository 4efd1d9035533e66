//! What a person gets to read who made a typical mistake, and what reads as it stands.

use mercurious_core::resources::ObjectName;
use mercurious_manifests::{ManifestErrors, Manifests, parse, read_paths};
use proptest::prelude::*;

fn faults(text: &str) -> String {
    parse(text, "app.yaml").map(|_| ()).map_err(|errors| errors.to_string()).expect_err("a fault")
}

fn read(text: &str) -> Manifests {
    parse(text, "app.yaml").map_err(|errors: ManifestErrors| errors.to_string()).expect("no fault")
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: api, creationTimestamp: null, uid: 1-2}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
        - name: api
          image: ghcr.io/o/api:1
          imagePullPolicy: Always
          terminationMessagePath: /dev/log
";

const POLICY: &str = "apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {name: api-gateway, namespace: flux-system}
spec:
  imageRepositoryRef: {name: api-gateway}
";

#[test]
fn the_guides_objects_read_as_they_stand() {
    let manifests = read(
        "apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata:
  name: api-gateway
  namespace: flux-system
spec:
  image: ghcr.io/team-mercurious/api-gateway
  interval: 1m0s
  secretRef:
    name: ghcr-secret
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata:
  name: api-gateway
  namespace: flux-system
spec:
  imageRepositoryRef:
    name: api-gateway
  policy:
    alphabetical:
      order: desc
  filterTags:
    pattern: '^sha-[a-f0-9]+$'
    extract: '$0'
",
    );
    let name = ObjectName::new("flux-system", "api-gateway");
    assert!(manifests.image_repositories.contains_key(&name));
    assert!(manifests.image_policies.contains_key(&name));
    let faults = manifests.validate().expect_err("the Secret is missing").to_string();
    assert_eq!(
        faults,
        "app.yaml:1:1: spec.secretRef: there is no Secret flux-system/ghcr-secret; add it to the manifests"
    );
}

#[test]
fn r06_filter_tags_under_policy_are_refused() {
    let text = format!(
        "{POLICY}  policy:\n    alphabetical: {{order: asc}}\n    filterTags: {{pattern: '^x$'}}\n"
    );
    assert_eq!(
        faults(&text),
        "app.yaml:8:5: spec.policy.filterTags: unknown or unsupported field; `filterTags` belongs to `spec`"
    );
}

#[test]
fn an_image_policy_needs_just_one_order() {
    for orders in ["{}", "{alphabetical: {order: asc}, numerical: {order: asc}}"] {
        let text = format!("{POLICY}  policy: {orders}\n");
        let faults = read(&text).validate().expect_err("a fault").to_string();
        assert!(
            faults.contains("spec.policy: ") && faults.contains("exactly one is needed"),
            "{faults}"
        );
    }
}

#[test]
fn r34_variables_under_env_from_are_refused() {
    let text = format!(
        "{DEPLOYMENT}          env:\n          envFrom:\n            - name: PORT\n              value: '3000'\n"
    );
    let faults = faults(&text);
    assert!(
        faults.starts_with("app.yaml:16:15: spec.template.spec.containers[0].envFrom[0]"),
        "{faults}"
    );
    assert!(faults.contains("belongs to `env`"), "{faults}");
}

#[test]
fn r15_r16_an_absent_target_container_or_namespace_is_an_error() {
    let auto_deploy = |namespace: &str, container: &str| {
        let text = format!(
            "{DEPLOYMENT}---\napiVersion: mercurious.dev/v1alpha1\nkind: AutoDeploy\nmetadata: {{name: api, namespace: {namespace}}}\n\
             spec: {{target: {{name: api}}, container: {container}, policyRef: {{name: api}}}}\n"
        );
        read(&text).validate().expect_err("faults").to_string()
    };
    let faults = auto_deploy("default", "app");
    assert!(faults.contains("has no container app; it has api"), "{faults}");
    assert!(faults.contains("there is no ImagePolicy default/api"), "{faults}");
    let faults = auto_deploy("app", "api");
    assert!(faults.contains("there is no Deployment app/api"), "{faults}");
}

#[test]
fn r31_an_ingress_without_its_service_is_an_error() {
    let text = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: api, namespace: cert-manager}\nspec:\n  rules:\n    \
        - host: a.example\n      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}]}\n";
    let faults = read(text).validate().expect_err("faults").to_string();
    assert!(faults.contains("there is no Service cert-manager/api"), "{faults}");
}

#[test]
fn all_faults_of_one_object_come_together_with_places_and_hints() {
    let text = DEPLOYMENT
        .replace("spec:\n  selector", "spec:\n  replcas: 2\n  replicas: many\n  selector")
        + "          readinesProbe: {}\n          env: [{name: A, value: 8080}]\n      initContainers: []\n";
    let faults = faults(&text);
    for expected in [
        "app.yaml:18:7: spec.template.spec.initContainers: is not supported on one machine; one process is started",
        "app.yaml:5:3: spec.replcas: unknown or unsupported field; the nearest known field is `replicas`",
        "app.yaml:6:3: spec.replicas: invalid type",
        "app.yaml:16:11: spec.template.spec.containers[0].readinesProbe: unknown or unsupported field; the nearest known field is `readinessProbe`",
        "put the value in quotes",
    ] {
        assert!(faults.contains(expected), "{expected}\n\n{faults}");
    }
}

#[test]
fn probes_name_unknown_fields_and_ask_just_one_question() {
    let unknown = faults(&format!(
        "{DEPLOYMENT}          livenessProbe: {{tcpSocket: {{port: 1}}, periodSecond: 1}}\n"
    ));
    assert!(unknown.contains("livenessProbe.periodSecond: unknown or unsupported field; the nearest known field is `periodSeconds`"), "{unknown}");
    let none = faults(&format!("{DEPLOYMENT}          livenessProbe: {{periodSeconds: 1}}\n"));
    assert!(none.contains("exactly one of httpGet, tcpSocket and exec"), "{none}");
}

#[test]
fn tabs_duplicate_keys_and_other_kinds_are_named() {
    assert!(
        faults("apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: a\n")
            .starts_with("app.yaml:4:")
    );
    let twice =
        faults("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  A: x\n  A: y\n");
    assert!(twice.starts_with("app.yaml:6:3:") && twice.contains("duplicate"), "{twice}");
    let other = faults("# one\n---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\n");
    assert!(other.starts_with("app.yaml:4:1: kind: CronJob (batch/v1) is not understood on one machine; there are Deployment"), "{other}");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    assert!(
        faults(&format!("{map}---\n{map}"))
            .contains("ConfigMap default/a stands at app.yaml:1:1 already")
    );
    assert!(read("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n").is_empty());
}

#[test]
fn a_secrets_value_is_never_repeated() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
    for wrong in [
        "data: {password: hunter2!}",
        "stringData: {password: 48151623}",
        "data: {password: [hunter2]}",
        "stringData: hunter2",
    ] {
        let faults = faults(&format!("{secret}{wrong}\n"));
        assert!(!faults.contains("hunter2") && !faults.contains("48151623"), "{faults}");
    }
    let good = read(&format!("{secret}stringData: {{password: hunter2}}\n"));
    assert!(!format!("{good:?}").contains("hunter2"));
}

#[test]
fn lists_and_json_are_read_and_keep_their_places() {
    let text = r#"{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
  {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "dta": {}}
]}"#;
    let faults = faults(text);
    assert!(
        faults.starts_with(
            "app.yaml:3:72: dta: unknown or unsupported field; the nearest known field is `data`"
        ),
        "{faults}"
    );
}

#[test]
fn faults_of_all_files_come_together() {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in
        [("a.yaml", "kind: X\n"), ("b.json", "{\"kind\": \"Y\"}"), ("c.txt", "kind: Z\n")]
    {
        std::fs::write(directory.path().join(name), text).expect("written");
    }
    let errors = read_paths(&[directory.path().to_owned()]).expect_err("faults");
    assert_eq!(errors.faults().len(), 2, "{errors}");
}

#[test]
fn the_page_of_fields_is_the_readers_own_table() {
    let page = include_str!("../../../../docs/manifests.md");
    assert_eq!(
        page,
        mercurious_manifests::field_reference(),
        "write the function's text into docs/manifests.md"
    );
}

#[test]
fn deep_nesting_and_alias_bombs_are_refused() {
    assert!(parse(&"[".repeat(100_000), "deep").is_err());
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let alias = vec![format!("*a{}", level - 1); 10].join(",");
        bomb.extend(["a", &level.to_string(), ": &a", &level.to_string(), " [", &alias, "]\n"]);
    }
    assert!(parse(&bomb, "bomb").is_err());
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&String::from_utf8_lossy(&bytes), "any");
    }

    #[test]
    fn damaged_manifests_never_panic(at in 0..DEPLOYMENT.len(), with in "[-a-z:{}\\[\\]&*\"'|> \n\t]{0,4}") {
        let mut text = DEPLOYMENT.to_owned();
        text.replace_range(at..at, &with);
        let _ = parse(&text, "any").map(|manifests| manifests.validate());
    }
}
