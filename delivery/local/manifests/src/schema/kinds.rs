use super::{
    auto_deploy::AUTO_DEPLOY,
    claim::PERSISTENT_VOLUME_CLAIM,
    config::{CONFIG_MAP, SECRET},
    deployment::DEPLOYMENT,
    flux::{IMAGE_POLICY, IMAGE_REPOSITORY},
    ingress::INGRESS,
    leaf::shown,
    service::SERVICE,
    shape::Shape,
    suggest::nearest,
    walk::Found,
};
use crate::tree::{Node, Value};

/// A kind that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Deployment,
    Service,
    Ingress,
    ConfigMap,
    Secret,
    PersistentVolumeClaim,
    ImageRepository,
    ImagePolicy,
    AutoDeploy,
    /// Accepted, and nothing to do for.
    Namespace,
    /// Its items are objects.
    List,
}

static ANYTHING: Shape = Shape::new("an object", &[]);

const FLUX: &[&str] = &[
    "image.toolkit.fluxcd.io/v1",
    "image.toolkit.fluxcd.io/v1beta2",
    "image.toolkit.fluxcd.io/v1beta1",
];

/// Each kind with its name and the API versions that are read, the best first.
const KINDS: &[(Kind, &str, &[&str])] = &[
    (Kind::Deployment, "Deployment", &["apps/v1"]),
    (Kind::Service, "Service", &["v1"]),
    (Kind::Ingress, "Ingress", &["networking.k8s.io/v1"]),
    (Kind::ConfigMap, "ConfigMap", &["v1"]),
    (Kind::Secret, "Secret", &["v1"]),
    (Kind::PersistentVolumeClaim, "PersistentVolumeClaim", &["v1"]),
    (Kind::ImageRepository, "ImageRepository", FLUX),
    (Kind::ImagePolicy, "ImagePolicy", FLUX),
    (Kind::AutoDeploy, "AutoDeploy", &["mercurious.dev/v1alpha1"]),
    (Kind::Namespace, "Namespace", &["v1"]),
    (Kind::List, "List", &["v1"]),
];

/// Kinds that people have in the same directory, and what to do about them here.
const KNOWN_ELSEWHERE: &[(&str, &str)] = &[
    (
        "CronJob",
        "`mercurious up` looks for new images itself; another job needs the machine's own timer",
    ),
    ("DaemonSet", "write a Deployment with one replica"),
    ("HorizontalPodAutoscaler", "set `spec.replicas` of the Deployment"),
    ("Job", "run it by hand, or at the program's start"),
    ("Kustomization", "give what `kubectl kustomize` prints"),
    ("PersistentVolume", "remove it: a PersistentVolumeClaim is a directory here"),
    ("Pod", "write a Deployment with one replica"),
    ("PodDisruptionBudget", "remove it: there is one machine"),
    ("ReplicaSet", "write a Deployment"),
    ("ServiceAccount", "remove it: there is no Kubernetes API for a program to talk to"),
    ("StatefulSet", "write a Deployment with one replica and a PersistentVolumeClaim"),
];

impl Kind {
    /// The table of its fields.
    pub(super) fn shape(self) -> &'static Shape {
        match self {
            Self::Deployment => &DEPLOYMENT,
            Self::Service => &SERVICE,
            Self::Ingress => &INGRESS,
            Self::ConfigMap => &CONFIG_MAP,
            Self::Secret => &SECRET,
            Self::PersistentVolumeClaim => &PERSISTENT_VOLUME_CLAIM,
            Self::ImageRepository => &IMAGE_REPOSITORY,
            Self::ImagePolicy => &IMAGE_POLICY,
            Self::AutoDeploy => &AUTO_DEPLOY,
            Self::Namespace | Self::List => &ANYTHING,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }

    /// Those that have a table, in the order of the documentation.
    pub(super) fn documented() -> impl Iterator<Item = (Self, &'static str, &'static [&'static str])>
    {
        KINDS
            .iter()
            .filter(|(kind, ..)| !matches!(kind, Self::Namespace | Self::List))
            .map(|(kind, name, versions)| (*kind, *name, *versions))
    }
}

fn supported() -> String {
    let names: Vec<&str> = Kind::documented().map(|(_, name, _)| name).collect();
    names.join(", ")
}

/// What kind of object this is.
pub(crate) fn kind_of(node: &Node) -> Result<Kind, Found> {
    let found = |field: &str, what: String, hint: Option<String>| {
        let place = node.get(field).map_or(node.position, |entry| entry.node.position);
        Found { position: place, field: field.to_owned(), what, hint }
    };
    if !matches!(node.value, Value::Map(_)) {
        let what =
            format!("expected an object with `apiVersion` and `kind`, found {}", node.describe());
        return Err(Found { position: node.position, field: String::new(), what, hint: None });
    }
    let text = |field: &str| node.get(field).and_then(|entry| entry.node.text());
    let Some(name) = text("kind") else {
        let hint = format!("supported are {}", supported());
        return Err(found("kind", "is required and missing, as text".to_owned(), Some(hint)));
    };
    let Some(version) = text("apiVersion") else {
        return Err(found("apiVersion", "is required and missing, as text".to_owned(), None));
    };
    let Some((kind, _, versions)) = KINDS.iter().find(|(_, known, _)| *known == name) else {
        let meant = nearest(name, KINDS.iter().map(|(_, known, _)| *known));
        let elsewhere = KNOWN_ELSEWHERE.iter().find(|(known, _)| *known == name);
        let hint = match (elsewhere, meant) {
            (Some((_, hint)), _) => (*hint).to_owned(),
            (None, Some(meant)) => format!("did you mean `{meant}`?"),
            (None, None) => format!("supported are {}", supported()),
        };
        let what = format!("`{}` is not supported on one machine", shown(name));
        return Err(found("kind", what, Some(hint)));
    };
    if versions.contains(&version) {
        return Ok(*kind);
    }
    let what = format!("`{}` is not a version of {name} that is read here", shown(version));
    let hint = versions.first().map(|best| format!("write `{best}`"));
    Err(found("apiVersion", what, hint))
}
