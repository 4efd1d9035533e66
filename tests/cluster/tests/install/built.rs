//! A Kustomization as `kubectl kustomize` would build it, given that it lists resources and nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The builds that people apply.
pub(crate) const BUILDS: [&str; 3] = ["mercurious/controller", "mercurious/cronjob", "guide"];

pub(crate) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").canonicalize().unwrap()
}

/// Every object of a build.
pub(crate) fn built(build: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    gather(&deploy().join(build), &mut objects);
    objects
}

fn gather(path: &Path, objects: &mut Vec<Value>) {
    if path.is_file() {
        objects.extend(documents(path));
        return;
    }
    let kustomization = documents(&path.join("kustomization.yaml")).remove(0);
    for resource in kustomization["resources"].as_array().unwrap() {
        gather(&path.join(resource.as_str().unwrap()), objects);
    }
}

/// The documents of one file.
pub(crate) fn documents(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", file.display()));
    parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

pub(crate) fn parse(text: &str) -> Result<Vec<Value>, String> {
    serde_saphyr::from_multiple(text).map_err(|error| error.to_string())
}

/// Every YAML file beneath `deploy/`.
pub(crate) fn files() -> Vec<PathBuf> {
    let mut left = vec![deploy()];
    // What `mercurious up` reads on one machine is applied to no cluster; the program's own tests read it.
    let local = deploy().join("local");
    let mut files = Vec::new();
    while let Some(path) = left.pop() {
        if path == local {
            continue;
        }
        if path.is_dir() {
            left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// `Kind namespace/name`.
pub(crate) fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let metadata = &object["metadata"];
    format!(
        "{} {}/{}",
        text(&object["kind"]),
        text(&metadata["namespace"]),
        text(&metadata["name"])
    )
}

/// The pod template of what runs pods.
pub(crate) fn pod(object: &Value) -> Option<&Value> {
    match object["kind"].as_str()? {
        "Deployment" => Some(&object["spec"]["template"]),
        "CronJob" => Some(&object["spec"]["jobTemplate"]["spec"]["template"]),
        _ => None,
    }
}

pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Whether each label of the selector is among these.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().filter(|wanted| !wanted.is_empty());
    wanted.is_some_and(|wanted| wanted.iter().all(|(name, value)| labels[name] == *value))
}
