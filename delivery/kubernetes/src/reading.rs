//! What the controller watches, and how it is kept.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream::BoxStream};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Client,
    api::{Api, ApiResource, DynamicObject},
    runtime::{WatchStreamExt as _, watcher},
};
use mercurious_core::resources::ObjectName;
use mercurious_runtime::Tasks;
use tokio::sync::mpsc;

use crate::{
    FluxVersion, Scope,
    deployment::DeploymentFacts,
    explain,
    objects::{Objects, PAGE, auto_deploys, name},
};

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    AutoDeploy,
    Policy,
    Repository,
    Deployment,
}

/// One watch: a kind in a namespace, or in all.
pub(crate) type Watch = (Kind, Option<String>);

/// What a watch says.
pub(crate) enum Heard {
    /// A list begins.
    Begins,
    /// It has ended: what it did not name is gone.
    Listed,
    /// An object as it is now.
    Object(Box<DynamicObject>),
    /// A Deployment as it is now.
    Deployment(ObjectName, Box<DeploymentFacts>),
    /// It is gone.
    Gone(ObjectName),
}

/// All watches, and what they told so far.
pub(crate) struct Reading {
    client: Client,
    scope: Scope,
    /// Namespaces whose image objects matter in any case.
    images: Vec<String>,
    flux: FluxVersion,
    tasks: Tasks,
    says: mpsc::Sender<(Watch, Heard)>,
    pub(crate) objects: Objects,
    /// Each watch with whether it has listed everything once, and what its list named so far.
    watches: BTreeMap<Watch, Progress>,
}

#[derive(Default)]
struct Progress {
    listed: bool,
    listing: bool,
    named: BTreeSet<ObjectName>,
}

/// What to do about something that was heard.
pub(crate) enum Change {
    /// Objects changed.
    Objects,
    /// An AutoDeploy was written.
    AutoDeploy {
        name: ObjectName,
        /// Whether its wish is another one now.
        differs: bool,
    },
    /// All Deployments of a namespace were listed.
    Deployments { namespace: Option<String>, named: BTreeSet<ObjectName> },
    /// An ImageRepository's status or annotations did.
    Repository(ObjectName),
    /// An ImagePolicy's did.
    Policy(ObjectName),
    /// A Deployment did.
    Deployment(ObjectName, Option<Box<DeploymentFacts>>),
    /// Nothing yet.
    None,
}

impl Reading {
    pub(crate) fn new(
        client: Client,
        (scope, images): (Scope, Vec<String>),
        flux: FluxVersion,
        tasks: Tasks,
    ) -> (Self, mpsc::Receiver<(Watch, Heard)>) {
        let (says, hears) = mpsc::channel(64);
        let reading = Self {
            client,
            scope,
            images,
            flux,
            tasks,
            says,
            objects: Objects::default(),
            watches: BTreeMap::new(),
        };
        (reading, hears)
    }

    /// Whether everything that is watched was listed once.
    pub(crate) fn is_complete(&self) -> bool {
        self.watches.values().all(|progress| progress.listed)
    }

    /// Starts the watches that what was read so far makes necessary.
    pub(crate) fn watch_what_matters(&mut self) {
        let all = self.scope.namespaces.is_empty();
        let place = |namespace: String| if all { None } else { Some(namespace) };
        let mut wanted: BTreeSet<Watch> = if all {
            [(Kind::AutoDeploy, None)].into()
        } else {
            let own = self.scope.namespaces.iter();
            own.map(|namespace| (Kind::AutoDeploy, Some(namespace.clone()))).collect()
        };
        let of = |kind: Kind, namespaces: BTreeSet<String>| {
            namespaces.into_iter().map(move |namespace| (kind, place(namespace)))
        };
        let images = || self.images.iter().cloned();
        wanted.extend(of(
            Kind::Policy,
            self.objects.policy_namespaces().into_iter().chain(images()).collect(),
        ));
        wanted.extend(of(
            Kind::Repository,
            self.objects.repository_namespaces().into_iter().chain(images()).collect(),
        ));
        if all {
            wanted.extend([(Kind::Policy, None), (Kind::Repository, None)]);
        }
        let workloads = self.objects.auto_deploys.keys().map(|name| name.namespace.to_string());
        wanted.extend(of(Kind::Deployment, workloads.collect()));
        for watch in wanted {
            if self.watches.contains_key(&watch) {
                continue;
            }
            self.watches.insert(watch.clone(), Progress::default());
            self.start(watch);
        }
    }

    fn start(&self, watch: Watch) {
        let (kind, namespace) = watch.clone();
        let config = watcher::Config::default().page_size(PAGE);
        let stream: BoxStream<'static, Result<Heard, watcher::Error>> = if kind == Kind::Deployment
        {
            let api: Api<Deployment> = match &namespace {
                Some(namespace) => Api::namespaced(self.client.clone(), namespace),
                None => Api::all(self.client.clone()),
            };
            watcher(api, config).default_backoff().map(|event| event.map(deployment_heard)).boxed()
        } else {
            let resource = self.resource(kind);
            let api: Api<DynamicObject> = match &namespace {
                Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
                None => Api::all_with(self.client.clone(), &resource),
            };
            watcher(api, config).default_backoff().map(|event| event.map(object_heard)).boxed()
        };
        let (says, stopping) = (self.says.clone(), self.tasks.stopping());
        self.tasks.spawn("watch", async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = pass_on(watch, stream, says) => {}
            }
        });
    }

    fn resource(&self, kind: Kind) -> ApiResource {
        match kind {
            Kind::Policy => self.flux.image_policies(),
            Kind::Repository => self.flux.image_repositories(),
            Kind::AutoDeploy | Kind::Deployment => auto_deploys(),
        }
    }

    /// Takes note of what a watch says.
    pub(crate) fn hear(&mut self, watch: &Watch, heard: Heard) -> Change {
        let Some(progress) = self.watches.get_mut(watch) else { return Change::None };
        match heard {
            Heard::Begins => {
                progress.listing = true;
                progress.named.clear();
                Change::None
            }
            Heard::Object(object) => {
                let name = name(&object);
                if progress.listing {
                    progress.named.insert(name.clone());
                }
                self.add(watch.0, name, *object)
            }
            Heard::Deployment(name, facts) => {
                if progress.listing {
                    progress.named.insert(name.clone());
                }
                Change::Deployment(name, Some(facts))
            }
            Heard::Gone(name) if watch.0 == Kind::Deployment => Change::Deployment(name, None),
            Heard::Gone(name) => {
                self.remove(watch.0, &name);
                Change::Objects
            }
            Heard::Listed => {
                progress.listed = true;
                progress.listing = false;
                let named = std::mem::take(&mut progress.named);
                if watch.0 == Kind::Deployment {
                    return Change::Deployments { namespace: watch.1.clone(), named };
                }
                let gone: Vec<ObjectName> = self
                    .names(watch.0)
                    .into_iter()
                    .filter(|name| watch.1.as_ref().is_none_or(|own| **own == *name.namespace))
                    .filter(|name| !named.contains(name))
                    .collect();
                for name in gone {
                    self.remove(watch.0, &name);
                }
                Change::Objects
            }
        }
    }

    fn add(&mut self, kind: Kind, name: ObjectName, object: DynamicObject) -> Change {
        let objects = &mut self.objects;
        let faults = objects.faults.len();
        match kind {
            Kind::AutoDeploy => {
                let before = objects.auto_deploys.get(&name).map(|it| it.auto_deploy.clone());
                objects.add_auto_deploy(object);
                let after = objects.auto_deploys.get(&name).map(|it| &it.auto_deploy);
                // A status that was written makes no wish another one.
                let differs = before.as_ref() != after || objects.faults.len() != faults;
                Change::AutoDeploy { name, differs }
            }
            Kind::Policy => {
                let before = objects.policies.get(&name).cloned();
                objects.add_policy(&object);
                let same = before.is_some() && objects.policies.get(&name) == before.as_ref();
                if same { Change::Policy(name) } else { Change::Objects }
            }
            Kind::Repository => {
                let before = objects.repositories.get(&name).cloned();
                objects.add_repository(&object);
                let same = before.is_some() && objects.repositories.get(&name) == before.as_ref();
                if same { Change::Repository(name) } else { Change::Objects }
            }
            Kind::Deployment => Change::None,
        }
    }

    fn names(&self, kind: Kind) -> Vec<ObjectName> {
        match kind {
            Kind::AutoDeploy => self.objects.auto_deploys.keys().cloned().collect(),
            Kind::Policy => self.objects.policies.keys().cloned().collect(),
            Kind::Repository => self.objects.repositories.keys().cloned().collect(),
            Kind::Deployment => Vec::new(),
        }
    }

    fn remove(&mut self, kind: Kind, name: &ObjectName) {
        let faulty = match kind {
            Kind::AutoDeploy => {
                self.objects.auto_deploys.remove(name);
                "AutoDeploy"
            }
            Kind::Policy => {
                self.objects.policies.remove(name);
                self.objects.image_policies.remove(name);
                "ImagePolicy"
            }
            Kind::Repository => {
                self.objects.repositories.remove(name);
                self.objects.image_repositories.remove(name);
                "ImageRepository"
            }
            Kind::Deployment => return,
        };
        self.objects.faults.remove(&(faulty, name.clone()));
    }
}

/// Passes a watch on until nobody hears it any more. What it complains about is said once.
async fn pass_on(
    watch: Watch,
    mut stream: BoxStream<'static, Result<Heard, watcher::Error>>,
    says: mpsc::Sender<(Watch, Heard)>,
) {
    let mut complaint = String::new();
    while let Some(heard) = stream.next().await {
        match heard {
            Ok(heard) => {
                if says.send((watch.clone(), heard)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                let said = complaint_of(&error);
                if said != complaint {
                    tracing::warn!(watch.kind = ?watch.0, watch.namespace = watch.1, error = said, "watch failed; trying again");
                    complaint = said;
                }
            }
        }
    }
}

fn complaint_of(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => explain(error),
        other => other.to_string(),
    }
}

fn object_heard(event: watcher::Event<DynamicObject>) -> Heard {
    match event {
        watcher::Event::Init => Heard::Begins,
        watcher::Event::InitDone => Heard::Listed,
        watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
            Heard::Object(Box::new(object))
        }
        watcher::Event::Delete(object) => Heard::Gone(name(&object)),
    }
}

fn deployment_heard(event: watcher::Event<Deployment>) -> Heard {
    let name = |deployment: &Deployment| {
        let metadata = &deployment.metadata;
        ObjectName::new(
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        )
    };
    match event {
        watcher::Event::Init => Heard::Begins,
        watcher::Event::InitDone => Heard::Listed,
        watcher::Event::Apply(deployment) | watcher::Event::InitApply(deployment) => {
            let facts = DeploymentFacts::of(&deployment);
            Heard::Deployment(name(&deployment), Box::new(facts))
        }
        watcher::Event::Delete(deployment) => Heard::Gone(name(&deployment)),
    }
}
