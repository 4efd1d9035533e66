//! What reads, and what is made of it.

use std::{collections::BTreeMap, fs, path::Path};

use mercurious_core::resources::ObjectName;
use mercurious_manifests::{
    EnvValue, Manifests, PathType, PodFacts, PortRef, PreStop, ProbeAction, RollingLimits,
    VolumeSource, environment, field_reference, parse, read_paths,
};

const EVERYTHING: &str = include_str!("good/everything.yaml");

fn read(text: &str) -> Manifests {
    parse(text, "app.yaml").map_err(|errors| errors.to_string()).expect("it reads")
}

fn name(namespace: &str, name: &str) -> ObjectName {
    ObjectName::new(namespace, name)
}

#[test]
fn every_kind_and_field_is_read_and_every_reference_resolves() {
    let manifests = read(EVERYTHING);
    manifests.validate().map_err(|errors| errors.to_string()).expect("it is valid");
    assert_eq!(manifests.len(), 10);

    let api = &manifests.deployments[&name("app", "api")].value;
    assert_eq!(api.limits(), RollingLimits { max_surge: 1, max_unavailable: 0 });
    assert_eq!((api.replicas, api.min_ready_seconds, api.progress_deadline_seconds), (3, 2, 120));
    assert_eq!(api.template.termination_grace_seconds, 40);
    assert_eq!(api.template.image_pull_secrets, ["ghcr-secret"]);
    assert_eq!(api.template.security.run_as_user, Some(1000));

    let container = &api.template.containers[0];
    assert_eq!(container.image.reference.repository().host(), "ghcr.io");
    assert_eq!(container.resources.limits["cpu"], "0.5");
    assert_eq!(container.resources.requests["cpu"], "1");
    assert!(container.security_context.read_only_root_filesystem);
    assert_eq!(container.env[4].value, EnvValue::Text(String::new()));
    let Some(PreStop::Sleep(sleep)) = &container.lifecycle.pre_stop else { panic!("a sleep") };
    assert_eq!(sleep.seconds, 5);

    let ready = container.readiness_probe.as_ref().expect("a probe");
    let ProbeAction::HttpGet(get) = &ready.action else { panic!("HTTP") };
    assert_eq!((get.path.as_str(), &get.port), ("/ready", &PortRef::Name("http".into())));
    // Kubernetes' defaults.
    assert_eq!((ready.initial_delay_seconds, ready.period_seconds), (0, 2));
    assert_eq!(
        (ready.timeout_seconds, ready.failure_threshold, ready.success_threshold),
        (1, 3, 1)
    );
    let startup = container.startup_probe.as_ref().expect("a probe");
    assert_eq!(startup.period_seconds, 10);

    let VolumeSource::ConfigMap(map) = &api.template.volumes[0].source else { panic!("a map") };
    assert_eq!((map.items[0].mode, map.default_mode), (Some(0o400), 0o644));

    let service = &manifests.services[&name("app", "api")].value;
    assert_eq!(service.ports[1].target_port, PortRef::Number(81));
    let ingress = &manifests.ingresses[&name("app", "api")].value;
    assert_eq!(ingress.rules[0].host.as_deref(), Some("api2.gotravelyzer.com"));
    assert_eq!(ingress.rules[0].paths[1].path_type, PathType::Exact);

    let settings = &manifests.config_maps[&name("app", "settings")].value;
    assert_eq!(settings.data["EMPTY"], "");
    assert_eq!(settings.binary_data["blob"], [0, 1, 2]);
    let secret = &manifests.secrets[&name("app", "app-common-secrets")].value;
    assert_eq!(secret.data["KEY"].expose(), b"hunter2");
    assert_eq!(secret.data["OTHER"].expose(), b"correct horse");
}

#[test]
fn no_debug_output_shows_a_secret() {
    let shown = format!("{:?}", read(EVERYTHING));
    assert!(shown.contains("REDACTED"));
    for secret in ["hunter2", "correct horse", "auths", "aHVudGVy"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn the_guides_objects_read_as_they_stand() {
    let manifests = read(include_str!("good/guide.yaml"));
    let key = name("flux-system", "api-gateway");
    assert_eq!(manifests.image_repositories[&key].value.spec.interval.to_string(), "1m");
    let filter = manifests.image_policies[&key].value.spec.filter_tags.as_ref().expect("a filter");
    assert_eq!((filter.pattern.as_str(), filter.extract.as_str()), ("^sha-[a-f0-9]+$", "$0"));
    // Only the Secret, which is made by hand, is not among them.
    let missing = manifests.validate().expect_err("the Secret").to_string();
    assert_eq!(
        missing,
        "app.yaml:10:5: spec.secretRef.name: there is no Secret flux-system/ghcr-secret; add it to the manifests"
    );
}

#[test]
fn variables_come_from_everywhere_in_kubernetes_order() {
    let manifests = read(EVERYTHING);
    let container = &manifests.deployments[&name("app", "api")].value.template.containers[0];
    let facts = PodFacts { name: "api-1".into(), namespace: "app".into(), ip: "127.0.0.1".into() };
    let given = BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]);
    let variables = environment(container, &facts, &manifests, given).expect("an environment");
    assert_eq!(variables["PATH"], "/bin");
    assert_eq!(variables["POD"], "api-1");
    assert_eq!(variables["LEVEL"], "info");
    assert_eq!(variables["S_OTHER"], "correct horse");
    assert_eq!(variables["KEY"], "hunter2");
}

#[test]
fn positions_are_those_of_the_file() {
    let manifests = read(EVERYTHING);
    let api = &manifests.deployments[&name("app", "api")];
    let line = |text: &str| EVERYTHING.lines().position(|it| it.contains(text)).expect("it") + 1;
    assert_eq!(api.origin.line, line("apiVersion: apps/v1"));
    assert_eq!(api.at("spec.replicas").line, line("replicas: 3"));
    assert_eq!(api.at("spec.replicas").column, 3);
    let image = "spec.template.spec.containers[0].image";
    assert_eq!(api.at(image).line, line("image: ghcr.io"));
    // What is not written is where its nearest parent is.
    let missing = "spec.template.spec.containers[0].lifecycle.postStart.exec";
    assert_eq!(api.at(missing).line, line("lifecycle:"));
}

#[test]
fn lists_json_carriage_returns_marks_aliases_and_empty_documents_are_read() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let carriage = format!("\u{feff}---\r\n# nothing\r\n---\r\n{}", map.replace('\n', "\r\n"));
    assert_eq!(read(&carriage).config_maps.len(), 1);
    assert_eq!(read(&format!("---\n---\n{map}...\n---\n")).config_maps.len(), 1);

    let json = "{\n\t\"apiVersion\": \"v1\", \"kind\": \"List\",\n\t\"items\": [\n\t\t{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"a\"}, \"data\": {\"A\": \"\\u00e9 \\/ \\n\"}}\n\t]\n}\n";
    assert_eq!(read(json).config_maps[&name("default", "a")].value.data["A"], "é / \n");

    let anchors = format!(
        "{map}data: &all {{A: \"1\", B: &b two}}\n---\n{}data:\n  C: \"3\"\n",
        map.replace("name: a", "name: b")
    );
    assert_eq!(read(&anchors).config_maps.len(), 2);
    let merged = format!(
        "{map}data:\n  <<: {{A: inherited, B: inherited}}\n  A: own\n  C: &c \"3\"\n  D: *c\n"
    );
    let data = &read(&merged).config_maps[&name("default", "a")].value.data;
    assert_eq!(data["A"], "own");
    assert_eq!(data["B"], "inherited");
    assert_eq!(data["D"], "3");
    assert_eq!(data.len(), 4);

    let block = format!("{map}data:\n  text: |\n    ---\n    a: b\n");
    assert_eq!(read(&block).config_maps[&name("default", "a")].value.data["text"], "---\na: b\n");
}

#[test]
fn directories_are_read_without_what_is_below_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    for (file, name) in [("b.yaml", "b"), ("a.yml", "a"), ("c.txt", "c")] {
        fs::write(directory.path().join(file), map(name)).expect("a file");
    }
    fs::create_dir(directory.path().join("below.yaml")).expect("a directory");
    fs::write(directory.path().join("below.yaml/d.yaml"), map("d")).expect("a file");
    fs::write(
        directory.path().join("e.json"),
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"e"}}"#,
    )
    .expect("a file");
    let manifests = read_paths(&[directory.path().to_owned()]).expect("manifests");
    let names: Vec<&str> = manifests.config_maps.keys().map(|it| &*it.name).collect();
    assert_eq!(names, ["a", "b", "e"]);
}

#[test]
fn the_page_is_what_the_tables_say() {
    let written = fs::read_to_string(page()).unwrap_or_default();
    assert!(written == field_reference(), "docs/manifests.md is old: run `cargo xtask generate`");
}

fn page() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/manifests.md")
}
