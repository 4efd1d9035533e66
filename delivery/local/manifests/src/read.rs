use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use mercurious_core::resources::ObjectName;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Fault, ManifestErrors, Manifests, Origin, Sourced,
    objects::{ConfigMapObject, DeploymentObject, IngressObject, SecretObject, ServiceObject},
};

/// A file is read no further than this.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Kinds that are understood, with their API groups.
const KINDS: &str = "Deployment (apps/v1), Service, ConfigMap, Secret (v1), Ingress (networking.k8s.io/v1), \
    ImageRepository, ImagePolicy (image.toolkit.fluxcd.io), AutoDeploy (mercurious.dev/v1alpha1)";

/// Reads files, directories (their `*.yaml`, `*.yml` and `*.json`) and `-`, standard input. All faults of all
/// files come together; references between objects are checked too.
pub fn read_paths(paths: &[PathBuf]) -> Result<Manifests, ManifestErrors> {
    let mut manifests = Manifests::default();
    let mut faults = ManifestErrors::default();
    for path in paths {
        read_path(path, &mut manifests, &mut faults);
    }
    if faults.is_empty() {
        manifests.validate()?;
        Ok(manifests)
    } else {
        Err(faults)
    }
}

/// Reads one text of any number of documents. References between objects are not checked.
pub fn parse(text: &str, file: &str) -> Result<Manifests, ManifestErrors> {
    let mut manifests = Manifests::default();
    let mut faults = ManifestErrors::default();
    read_text(text, &Arc::from(file), &mut manifests, &mut faults);
    if faults.is_empty() { Ok(manifests) } else { Err(faults) }
}

fn read_path(path: &Path, manifests: &mut Manifests, faults: &mut ManifestErrors) {
    let file: Arc<str> = path.to_string_lossy().into();
    let mut fault = |what: String, hint: Option<&str>| {
        faults.push(Fault { origin: Origin::file(Arc::clone(&file)), field: String::new(), what, hint: hint.map(str::to_owned) });
    };
    if path.is_dir() {
        let mut inside: Vec<PathBuf> = match fs::read_dir(path) {
            Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
            Err(error) => return fault(format!("cannot be read: {error}"), None),
        };
        inside.retain(|path| {
            path.is_file()
                && path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
        });
        inside.sort();
        if inside.is_empty() {
            return fault("holds no *.yaml, *.yml or *.json".to_owned(), Some("name a file, or another directory"));
        }
        for path in inside {
            read_path(&path, manifests, faults);
        }
        return;
    }
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(FILE_BYTES).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(FILE_BYTES).read_to_string(&mut text))
    };
    match read {
        Ok(bytes) if bytes as u64 == FILE_BYTES => fault(format!("is larger than {FILE_BYTES} bytes"), None),
        Ok(_) => read_text(&text, &file, manifests, faults),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fault("does not exist".to_owned(), Some("name an existing file or directory with -f"));
        }
        Err(error) => fault(format!("cannot be read: {error}"), None),
    }
}

fn read_text(text: &str, file: &Arc<str>, manifests: &mut Manifests, faults: &mut ManifestErrors) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut first_line = 0;
    let mut document = String::new();
    for (number, line) in text.lines().enumerate() {
        let marker = line == "---" || line.starts_with("--- ") || line.starts_with("---\t");
        if marker || line == "..." {
            read_document(&document, first_line, file, manifests, faults);
            document.clear();
            first_line = number + 1;
            continue;
        }
        document.push_str(line);
        document.push('\n');
    }
    read_document(&document, first_line, file, manifests, faults);
}

/// What every object has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    api_version: Option<String>,
    kind: Option<String>,
    items: Option<Vec<serde_json::Value>>,
}

/// One document: where it starts and what it says.
struct Document<'a> {
    text: &'a str,
    first_line: usize,
    file: &'a Arc<str>,
}

fn read_document(
    text: &str,
    first_line: usize,
    file: &Arc<str>,
    manifests: &mut Manifests,
    faults: &mut ManifestErrors,
) {
    let empty = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if empty {
        return;
    }
    let document = Document { text, first_line, file };
    let header: Header = match document.read() {
        Ok(header) => header,
        Err(fault) => return faults.push(fault),
    };
    if let (Some("List"), Some(items)) = (header.kind.as_deref(), &header.items) {
        for item in items {
            // Positions inside a list are those of the list: its items are rarely written by hand.
            let text = item.to_string();
            let item = Document { text: &text, first_line, file };
            match item.read::<Header>() {
                Ok(header) => read_object(&item, &header, manifests, faults),
                Err(fault) => faults.push(fault),
            }
        }
        return;
    }
    read_object(&document, &header, manifests, faults);
}

fn read_object(document: &Document<'_>, header: &Header, manifests: &mut Manifests, faults: &mut ManifestErrors) {
    let (Some(api_version), Some(kind)) = (&header.api_version, &header.kind) else {
        return faults.push(document.fault(
            "kind",
            "apiVersion and kind must be given".to_owned(),
            Some("every object of Kubernetes has both".to_owned()),
        ));
    };
    let group = api_version.split('/').next().unwrap_or_default();
    let result = match (group, kind.as_str(), api_version.as_str()) {
        ("apps", "Deployment", "apps/v1") => document.add(&mut manifests.deployments, |object: DeploymentObject| object.into(), |it: &crate::Deployment| it.name.clone()),
        ("v1", "Service", _) => document.add(&mut manifests.services, |object: ServiceObject| object.into(), |it: &crate::Service| it.name.clone()),
        ("v1", "ConfigMap", _) => document.add(&mut manifests.config_maps, |object: ConfigMapObject| object.into(), |it: &crate::ConfigMap| it.name.clone()),
        ("v1", "Secret", _) => document.add(&mut manifests.secrets, |object: SecretObject| object.into(), |it: &crate::Secret| it.name.clone()),
        ("networking.k8s.io", "Ingress", "networking.k8s.io/v1") => document.add(&mut manifests.ingresses, |object: IngressObject| object.into(), |it: &crate::Ingress| it.name.clone()),
        ("image.toolkit.fluxcd.io", "ImageRepository", "image.toolkit.fluxcd.io/v1beta1" | "image.toolkit.fluxcd.io/v1beta2" | "image.toolkit.fluxcd.io/v1") => {
            document.add(&mut manifests.image_repositories, |it: mercurious_core::resources::ImageRepository| it, |it| it.metadata.object_name())
        }
        ("image.toolkit.fluxcd.io", "ImagePolicy", "image.toolkit.fluxcd.io/v1beta1" | "image.toolkit.fluxcd.io/v1beta2" | "image.toolkit.fluxcd.io/v1") => {
            document.add(&mut manifests.image_policies, |it: mercurious_core::resources::ImagePolicy| it, |it| it.metadata.object_name())
        }
        ("mercurious.dev", "AutoDeploy", "mercurious.dev/v1alpha1") => {
            document.add(&mut manifests.auto_deploys, |it: mercurious_core::resources::AutoDeploy| it, |it| it.metadata.object_name())
        }
        ("v1", "Namespace", _) => Ok(()),
        _ => Err(document.fault(
            "kind",
            format!("{kind} ({api_version}) is not understood on one machine"),
            Some(format!("there are {KINDS}")),
        )),
    };
    if let Err(fault) = result {
        faults.push(fault);
    }
}

impl Document<'_> {
    fn origin(&self) -> Origin {
        let before = self.text.lines().take_while(|line| line.trim().is_empty() || line.starts_with('#')).count();
        Origin { file: Arc::clone(self.file), line: self.first_line + before + 1, column: 1 }
    }

    fn fault(&self, field: &str, what: String, hint: Option<String>) -> Fault {
        Fault { origin: self.origin(), field: field.to_owned(), what, hint }
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_saphyr::from_str(self.text).map_err(|error| self.wrong(&error))
    }

    fn add<O: DeserializeOwned, T>(
        &self,
        objects: &mut std::collections::BTreeMap<ObjectName, Sourced<T>>,
        convert: impl FnOnce(O) -> T,
        name: impl FnOnce(&T) -> ObjectName,
    ) -> Result<(), Fault> {
        let value = convert(self.read()?);
        let name = name(&value);
        let valid: Result<ObjectName, _> = name.to_string().parse();
        if let Err(error) = valid {
            return Err(self.fault("metadata.name", error.to_string(), None));
        }
        if let Some(other) = objects.get(&name) {
            let what = format!("{name} stands at {} already", other.origin);
            return Err(self.fault("metadata.name", what, Some("remove one of them".to_owned())));
        }
        objects.insert(name, Sourced { origin: self.origin(), value });
        Ok(())
    }

    /// The library's error as ours: its place in the file, the field, and the nearest known one.
    fn wrong(&self, error: &serde_saphyr::Error) -> Fault {
        let mut origin = self.origin();
        if let Some(location) = error.location() {
            origin.line = self.first_line + usize::try_from(location.line()).unwrap_or(1);
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
        let (field, hint) = match quoted(message).as_slice() {
            [unknown, known @ ..] if message.contains("unknown field") => {
                let nearest = known
                    .iter()
                    .max_by(|left, right| strsim::jaro_winkler(unknown, left).total_cmp(&strsim::jaro_winkler(unknown, right)));
                let hint = nearest.map(|nearest| {
                    format!("the nearest known field is `{nearest}`; what one machine understands is listed in docs/manifests.md")
                });
                ((*unknown).to_owned(), hint)
            }
            _ => (String::new(), None),
        };
        let what = if field.is_empty() {
            message.to_owned()
        } else {
            "unknown or unsupported field".to_owned()
        };
        Fault { origin, field, what, hint }
    }
}

/// The words between backticks.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}
