use std::{collections::BTreeMap, sync::Arc};

use mercurious_core::resources::{AutoDeploy, ImagePolicy, ImageRepository, ObjectName};
use serde::de::DeserializeOwned;

use crate::{
    ConfigMap, Deployment, Fault, Ingress, ManifestErrors, Manifests, Origin,
    PersistentVolumeClaim, Secret, Service, Sourced, Warning, WarningKind, lint,
    objects::{
        ConfigMapObject, DeploymentObject, IngressObject, PersistentVolumeClaimObject,
        SecretObject, ServiceObject,
    },
    schema::{Found, Kind, kind_of, walk},
    tree::{Node, Value},
};

/// Reads one object, or each object of a List.
pub(crate) fn read_object(
    node: &Node,
    file: &Arc<str>,
    manifests: &mut Manifests,
    faults: &mut ManifestErrors,
) {
    let kind = match kind_of(node) {
        Ok(kind) => kind,
        Err(found) => return faults.push(fault(file, found)),
    };
    let Manifests {
        deployments,
        services,
        ingresses,
        config_maps,
        secrets,
        claims,
        image_repositories,
        image_policies,
        auto_deploys,
        warnings,
    } = manifests;
    let mut reading = Reading { node, kind, file, warnings, faults };
    match kind {
        Kind::Namespace => {}
        Kind::List => {
            let items = node.get("items").map(|entry| &entry.node);
            match items.map(|items| &items.value) {
                Some(Value::List(items)) => {
                    for item in items {
                        read_object(item, file, manifests, faults);
                    }
                }
                _ => reading.fault(node.position, "items", "is required and missing, as a list"),
            }
        }
        Kind::Deployment => reading.add(
            deployments,
            |object: DeploymentObject| Deployment::from(object),
            |it| &it.name,
            lint::deployment,
        ),
        Kind::Service => reading.add(
            services,
            |object: ServiceObject| Service::from(object),
            |it| &it.name,
            lint::service,
        ),
        Kind::Ingress => reading.add(
            ingresses,
            |object: IngressObject| Ingress::from(object),
            |it| &it.name,
            lint::ingress,
        ),
        Kind::ConfigMap => reading.add(
            config_maps,
            |object: ConfigMapObject| ConfigMap::from(object),
            |it| &it.name,
            lint::config_map,
        ),
        Kind::Secret => reading.add(
            secrets,
            |object: SecretObject| Secret::from(object),
            |it| &it.name,
            lint::secret,
        ),
        Kind::PersistentVolumeClaim => reading.add(
            claims,
            |object: PersistentVolumeClaimObject| PersistentVolumeClaim::from(object),
            |it| &it.name,
            |_, _| {},
        ),
        Kind::ImageRepository => reading.add_resource(
            image_repositories,
            |it: &ImageRepository| it.metadata.object_name(),
            |_, _| {},
        ),
        Kind::ImagePolicy => reading.add_resource(
            image_policies,
            |it: &ImagePolicy| it.metadata.object_name(),
            lint::image_policy,
        ),
        Kind::AutoDeploy => reading.add_resource(
            auto_deploys,
            |it: &AutoDeploy| it.metadata.object_name(),
            lint::auto_deploy,
        ),
    }
}

fn fault(file: &Arc<str>, found: Found) -> Fault {
    let (line, column) = found.position;
    let origin = Origin { file: Arc::clone(file), line, column };
    Fault { origin, field: found.field, what: found.what, hint: found.hint }
}

/// An object on its way from the tree to its type.
struct Reading<'read> {
    node: &'read Node,
    kind: Kind,
    file: &'read Arc<str>,
    warnings: &'read mut Vec<Warning>,
    faults: &'read mut ManifestErrors,
}

impl Reading<'_> {
    fn fault(&mut self, position: (usize, usize), field: &str, what: impl Into<String>) {
        let found = Found { position, field: field.to_owned(), what: what.into(), hint: None };
        self.faults.push(fault(self.file, found));
    }

    fn add<Object: DeserializeOwned, T>(
        self,
        objects: &mut BTreeMap<ObjectName, Sourced<T>>,
        convert: impl FnOnce(Object) -> T,
        name: impl FnOnce(&T) -> &ObjectName,
        look: impl FnOnce(&Sourced<T>, &mut lint::Remarks<'_>),
    ) {
        self.insert(objects, convert, |value| name(value).clone(), look);
    }

    fn add_resource<T: DeserializeOwned>(
        self,
        objects: &mut BTreeMap<ObjectName, Sourced<T>>,
        name: impl FnOnce(&T) -> ObjectName,
        look: impl FnOnce(&Sourced<T>, &mut lint::Remarks<'_>),
    ) {
        self.insert(objects, |object| object, name, look);
    }

    fn insert<Object: DeserializeOwned, T>(
        mut self,
        objects: &mut BTreeMap<ObjectName, Sourced<T>>,
        convert: impl FnOnce(Object) -> T,
        name: impl FnOnce(&T) -> ObjectName,
        look: impl FnOnce(&Sourced<T>, &mut lint::Remarks<'_>),
    ) {
        let walked = walk(self.node, self.kind);
        if !walked.faults.is_empty() {
            return walked.faults.into_iter().for_each(|found| {
                self.faults.push(fault(self.file, found));
            });
        }
        let value = match serde_json::from_value(walked.honoured) {
            Ok(object) => convert(object),
            // The table has let something through that the type does not take. A Secret's value may be part of the message.
            Err(_) if self.kind == Kind::Secret => {
                return self.fault(self.node.position, "", "cannot be read");
            }
            Err(error) => {
                return self.fault(self.node.position, "", format!("cannot be read: {error}"));
            }
        };
        let (line, column) = self.node.position;
        let origin = Origin { file: Arc::clone(self.file), line, column };
        let name = name(&value);
        let sourced = Sourced { origin, value, positions: walked.positions };
        if let Some(other) = objects.get(&name) {
            let origin = sourced.at("metadata.name");
            return self.faults.push(Fault {
                origin,
                field: "metadata.name".to_owned(),
                what: format!("{} {name} stands at {} already", self.kind.name(), other.origin),
                hint: Some("remove one of them".to_owned()),
            });
        }
        let subject = format!("{} {name}", self.kind.name());
        for note in walked.notes {
            let (line, column) = note.position;
            self.warnings.push(Warning {
                kind: WarningKind::NoEffect,
                origin: Origin { file: Arc::clone(self.file), line, column },
                subject: format!("{subject}: {}", note.field),
                message: note.what,
            });
        }
        look(&sourced, &mut lint::Remarks { subject: &subject, warnings: self.warnings });
        objects.insert(name, sourced);
    }
}
