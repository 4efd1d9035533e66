use std::{collections::BTreeMap, sync::Arc};

use mercurious_core::resources::{AutoDeploy, ImagePolicy, ImageRepository, ObjectName};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::{
    ConfigMap, Deployment, Fault, Ingress, ManifestErrors, Manifests, Origin, Secret, Service,
    Sourced,
    known::{self, Treatment},
    objects::{
        ConfigMapObject, DeploymentObject, IngressObject, SecretObject, ServiceObject, is_base64,
    },
    tree::{self, Positions},
};

/// Kinds that are understood, with their API groups.
const KINDS: &str = "Deployment (apps/v1), Service, ConfigMap, Secret (v1), Ingress (networking.k8s.io/v1), \
    ImageRepository, ImagePolicy (image.toolkit.fluxcd.io), AutoDeploy (mercurious.dev/v1alpha1)";

/// So many faults of one object are looked for.
const FAULTS_OF_ONE_OBJECT: usize = 100;

/// Reads one document, which starts behind `first_line` lines of its file.
pub(crate) fn read(
    text: &str,
    first_line: usize,
    file: &Arc<str>,
    manifests: &mut Manifests,
    faults: &mut ManifestErrors,
) {
    let (value, positions) = match tree::document(text) {
        Ok(document) => document,
        Err(error) => return faults.push(broken(&error, first_line, file)),
    };
    let before = text
        .lines()
        .take_while(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
        .count();
    let start = Origin { file: Arc::clone(file), line: first_line + before + 1, column: 1 };
    let items = match value.get("items") {
        Some(Value::Array(items)) if value.get("kind").and_then(Value::as_str) == Some("List") => {
            items
        }
        _ => {
            return Object {
                value,
                start,
                first_line,
                positions: &positions,
                prefix: String::new(),
                faults,
            }
            .read(manifests);
        }
    };
    for (index, item) in items.iter().enumerate() {
        let prefix = format!("items[{index}]");
        let (line, column) = positions.get(&prefix).copied().unwrap_or((start.line, 1));
        let start = Origin { file: Arc::clone(file), line: first_line + line, column };
        Object { value: item.clone(), start, first_line, positions: &positions, prefix, faults }
            .read(manifests);
    }
}

/// What is not YAML, or not in bounds.
fn broken(error: &serde_saphyr::Error, first_line: usize, file: &Arc<str>) -> Fault {
    let mut origin = Origin { file: Arc::clone(file), line: first_line + 1, column: 1 };
    if let Some(location) = error.location() {
        origin.line = first_line + usize::try_from(location.line()).unwrap_or(1);
        origin.column = usize::try_from(location.column()).unwrap_or(1);
    }
    let message = error.without_snippet().to_string();
    let message = message.lines().next().unwrap_or_default().trim();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    // `line 3 column 5: …` is said by the origin already.
    let message = match message.find(": ") {
        Some(end) if message.starts_with("line ") => &message[end + 2..],
        _ => message,
    };
    let message = message.split(" at line ").next().unwrap_or(message);
    let hint = message
        .to_lowercase()
        .contains("tab")
        .then(|| "YAML is indented with spaces: replace the tab".to_owned());
    Fault { origin, field: String::new(), what: format!("cannot be read: {message}"), hint }
}

/// One object on its way from JSON to its type.
struct Object<'a> {
    value: Value,
    start: Origin,
    first_line: usize,
    positions: &'a Positions,
    /// Where it stands in a List.
    prefix: String,
    faults: &'a mut ManifestErrors,
}

impl Object<'_> {
    fn text(&self, field: &str) -> Option<String> {
        self.value.get(field).and_then(Value::as_str).map(str::to_owned)
    }

    fn read(mut self, manifests: &mut Manifests) {
        let (Some(api_version), Some(kind)) = (self.text("apiVersion"), self.text("kind")) else {
            return self.fault(
                "kind",
                "apiVersion and kind must be given",
                Some("every object of Kubernetes has both"),
            );
        };
        match (api_version.as_str(), kind.as_str()) {
            ("v1", "Namespace") => {}
            ("apps/v1", "Deployment") => self.add(
                &kind,
                &mut manifests.deployments,
                Deployment::from,
                |object: DeploymentObject| object,
                |it| it.name.clone(),
            ),
            ("v1", "Service") => self.add(
                &kind,
                &mut manifests.services,
                Service::from,
                |object: ServiceObject| object,
                |it| it.name.clone(),
            ),
            ("v1", "ConfigMap") => self.add(
                &kind,
                &mut manifests.config_maps,
                ConfigMap::from,
                |object: ConfigMapObject| object,
                |it| it.name.clone(),
            ),
            ("v1", "Secret") => self.add(
                &kind,
                &mut manifests.secrets,
                Secret::from,
                |object: SecretObject| object,
                |it| it.name.clone(),
            ),
            ("networking.k8s.io/v1", "Ingress") => self.add(
                &kind,
                &mut manifests.ingresses,
                Ingress::from,
                |object: IngressObject| object,
                |it| it.name.clone(),
            ),
            ("mercurious.dev/v1alpha1", "AutoDeploy") => {
                self.add(
                    &kind,
                    &mut manifests.auto_deploys,
                    |it: AutoDeploy| it,
                    |it| it,
                    |it| it.metadata.object_name(),
                );
            }
            (
                "image.toolkit.fluxcd.io/v1beta1"
                | "image.toolkit.fluxcd.io/v1beta2"
                | "image.toolkit.fluxcd.io/v1",
                "ImageRepository",
            ) => {
                self.add(
                    &kind,
                    &mut manifests.image_repositories,
                    |it: ImageRepository| it,
                    |it| it,
                    |it| it.metadata.object_name(),
                );
            }
            (
                "image.toolkit.fluxcd.io/v1beta1"
                | "image.toolkit.fluxcd.io/v1beta2"
                | "image.toolkit.fluxcd.io/v1",
                "ImagePolicy",
            ) => {
                self.add(
                    &kind,
                    &mut manifests.image_policies,
                    |it: ImagePolicy| it,
                    |it| it,
                    |it| it.metadata.object_name(),
                );
            }
            _ => {
                let what = format!(
                    "{} ({}) is not understood on one machine",
                    short(&kind),
                    short(&api_version)
                );
                self.fault("kind", &what, Some(&format!("there are {KINDS}")));
            }
        }
    }

    fn fault(&mut self, field: &str, what: &str, hint: Option<&str>) {
        let origin = self.origin(field);
        self.faults.push(Fault {
            origin,
            field: short(field),
            what: what.to_owned(),
            hint: hint.map(str::to_owned),
        });
    }

    /// Where a field stands; of one that is not written, its nearest parent.
    fn origin(&self, field: &str) -> Origin {
        let whole = match self.prefix.as_str() {
            "" => field.to_owned(),
            prefix => format!("{prefix}.{field}"),
        };
        let mut path = whole.as_str();
        loop {
            if let Some(&(line, column)) = self.positions.get(path) {
                return Origin {
                    file: Arc::clone(&self.start.file),
                    line: self.first_line + line,
                    column,
                };
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.start.clone(),
            }
        }
    }

    fn add<O: DeserializeOwned, P, T>(
        mut self,
        kind: &str,
        objects: &mut BTreeMap<ObjectName, Sourced<T>>,
        convert: impl FnOnce(P) -> T,
        same: impl FnOnce(O) -> P,
        name: impl FnOnce(&T) -> ObjectName,
    ) {
        let before = self.faults.count();
        let mut refused = Vec::new();
        settle(&mut self.value, kind, "", "", &mut refused);
        for (path, why) in refused {
            self.fault(&path, "is not supported on one machine", Some(why));
        }
        for field in match kind {
            "Secret" => &["data"][..],
            "ConfigMap" => &["binaryData"],
            _ => &[],
        } {
            let Some(Value::Object(values)) = self.value.get(field) else { continue };
            let bad = values
                .iter()
                .filter(|(_, value)| value.as_str().is_some_and(|text| !is_base64(text)));
            let bad: Vec<String> = bad.map(|(key, _)| format!("{field}.{key}")).collect();
            for path in bad {
                self.fault(
                    &path,
                    "is not base64",
                    Some("encode the value, or use stringData (Secret) or data (ConfigMap)"),
                );
            }
        }
        let Some(object) = self.typed::<O>(kind) else { return };
        let value = convert(same(object));
        let name = name(&value);
        if let Err(error) = name.to_string().parse::<ObjectName>() {
            return self.fault("metadata.name", &error.to_string(), None);
        }
        if let Some(other) = objects.get(&name) {
            let what = format!("{kind} {name} stands at {} already", other.origin);
            return self.fault("metadata.name", &what, Some("remove one of them"));
        }
        if self.faults.count() == before {
            objects.insert(name, Sourced { origin: self.start, value });
        }
    }

    /// The object in its type. A field at fault is named, taken out, and the rest is looked at.
    fn typed<O: DeserializeOwned>(&mut self, kind: &str) -> Option<O> {
        let mut removed: Vec<String> = Vec::new();
        for _ in 0..FAULTS_OF_ONE_OBJECT {
            let error = match serde_path_to_error::deserialize::<_, O>(&self.value) {
                Ok(object) if removed.is_empty() => return Some(object),
                Ok(_) => return None,
                Err(error) => error,
            };
            let mut steps = steps(error.path());
            let message = error.inner().to_string();
            let words = quoted(&message);
            if let (true, [unknown, known @ ..]) =
                (message.starts_with("unknown field"), words.as_slice())
            {
                if steps.last() != Some(&Step::Key((*unknown).to_owned())) {
                    steps.push(Step::Key((*unknown).to_owned()));
                }
                let parent = path(&steps[..steps.len() - 1], false);
                let hint = match (known::home(kind, &parent, unknown), nearest(unknown, known)) {
                    (Some(home), _) => Some(format!("`{}` belongs to `{home}`", short(unknown))),
                    (None, Some(nearest)) => {
                        Some(format!("the nearest known field is `{nearest}`"))
                    }
                    (None, None) => None,
                };
                self.fault(&path(&steps, true), "unknown or unsupported field", hint.as_deref());
            } else if let (true, [missing, ..]) =
                (message.starts_with("missing field"), words.as_slice())
            {
                steps.push(Step::Key((*missing).to_owned()));
                let path = path(&steps, true);
                if !removed.contains(&path) {
                    self.fault(&path, "is missing", None);
                }
                return None;
            } else {
                let written =
                    message.starts_with("invalid type") && message.contains("expected a string");
                let hint = (written && !message.contains("map") && !message.contains("sequence"))
                    .then_some("put the value in quotes");
                // What stands in a Secret must not be repeated.
                let what = if kind == "Secret" {
                    "is of the wrong type".to_owned()
                } else {
                    short_by(&message, 300)
                };
                self.fault(&path(&steps, true), &what, hint);
            }
            removed.push(path(&steps, true));
            if !remove(&mut self.value, &steps) {
                return None;
            }
        }
        None
    }
}

/// Takes out fields that are known and not read; names those that would change behaviour.
fn settle(
    value: &mut Value,
    kind: &str,
    path: &str,
    plain: &str,
    refused: &mut Vec<(String, &'static str)>,
) {
    match value {
        Value::Object(fields) => fields.retain(|key, value| {
            let dotted =
                |path: &str| if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let (path, plain) = (dotted(path), dotted(plain));
            match known::treatment(kind, &plain) {
                Some(Treatment::Ignored) => false,
                Some(Treatment::Refused(why)) => {
                    // `false` is what Kubernetes does without the field.
                    if *value != Value::Bool(false) {
                        refused.push((path, why));
                    }
                    false
                }
                None => {
                    settle(value, kind, &path, &plain, refused);
                    true
                }
            }
        }),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                settle(item, kind, &format!("{path}[{index}]"), plain, refused);
            }
        }
        _ => {}
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    let step = |segment: &Segment| match segment {
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { variant } => Some(Step::Key(variant.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Unknown => None,
    };
    path.iter().filter_map(step).collect()
}

fn path(steps: &[Step], indices: bool) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => path.extend([".", key]),
            Step::Index(index) if indices => path.extend(["[", &index.to_string(), "]"]),
            Step::Index(_) => {}
        }
    }
    path
}

fn remove(value: &mut Value, steps: &[Step]) -> bool {
    let Some((last, parents)) = steps.split_last() else { return false };
    let mut parent = value;
    for step in parents {
        let next = match step {
            Step::Key(key) => parent.get_mut(key),
            Step::Index(index) => parent.get_mut(index),
        };
        let Some(next) = next else { return false };
        parent = next;
    }
    match (last, parent) {
        (Step::Key(key), Value::Object(fields)) => fields.remove(key).is_some(),
        _ => false,
    }
}

fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(unknown, name);
    known.iter().copied().max_by(|left, right| likeness(left).total_cmp(&likeness(right)))
}

/// The words between backticks.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

fn short(text: &str) -> String {
    short_by(text, 200)
}

fn short_by(text: &str, length: usize) -> String {
    text.chars()
        .take(length)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect()
}
