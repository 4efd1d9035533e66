use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::{AsyncBufReadExt as _, StreamExt as _};
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Pod,
};
use kube::{
    Client,
    api::{Api, ListParams, LogParams, Patch, PatchParams},
    core::PartialObjectMeta,
};
use mercurious_core::{
    decide::{Effect, WorkloadState},
    image::ImageReference,
    resources::ObjectName,
};
use mercurious_engine::{
    Target,
    ports::{ApplyError, Attention, LogTail, Workloads},
};
use mercurious_runtime::Tasks;
use serde_json::json;
use tokio::sync::broadcast;

use crate::{
    Permit,
    api_error::{explain, is_conflict},
    close_watches::CloseWatches,
    deployment::{DeploymentFacts, REVISION, Replicas},
    names::{FIELD_MANAGER, RESTART_ANNOTATION, RESTART_MANAGER, TAKE_OVER_ANNOTATION},
    objects::PAGE,
    pods::PodFacts,
};

/// A request to the API server is given up after this.
const DEADLINE: Duration = Duration::from_secs(20);
/// A reader of logs that is so many lines behind loses the oldest.
const FOLLOWED_LINES: usize = 1024;
/// So many of a crashed container's last lines are shown.
const LAST_LINES: i64 = 3;

/// Deployments of a cluster.
///
/// # Flow
/// Where a watch keeps what matters of a Deployment, a casual look asks nobody. A close look, while
/// a rollout is at work, asks for the newest ReplicaSet's metadata and its Pods, and has both watched for as long as
/// it lasts.
#[derive(Clone)]
pub struct ClusterWorkloads {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    permit: Arc<dyn Permit>,
    tasks: Tasks,
    changes: broadcast::Sender<ObjectName>,
    /// What watches keep; nothing in a one-shot run, which asks anew each time.
    kept: Mutex<Option<BTreeMap<ObjectName, Option<Arc<DeploymentFacts>>>>>,
    close: CloseWatches,
}

impl ClusterWorkloads {
    /// Deployments that are read when they are asked for.
    pub fn new(client: Client, permit: Arc<dyn Permit>, tasks: Tasks) -> Self {
        let changes = broadcast::channel(1024).0;
        let inner = Inner {
            close: CloseWatches::new(client.clone(), tasks.clone(), changes.clone()),
            client,
            permit,
            tasks,
            changes,
            kept: Mutex::new(None),
        };
        Self { inner: Arc::new(inner) }
    }

    /// From now on these are kept as watches report them; the others are forgotten.
    pub(crate) fn want(&self, wanted: &BTreeSet<ObjectName>) {
        let mut kept = self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get_or_insert_default();
        kept.retain(|name, _| wanted.contains(name));
        for name in wanted {
            kept.entry(name.clone()).or_default();
        }
    }

    /// Keeps what a watch reported, if it is wanted, and tells who waits for it.
    pub(crate) fn keep(&self, name: &ObjectName, facts: Option<DeploymentFacts>) {
        {
            let mut kept = self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(place) = kept.as_mut().and_then(|kept| kept.get_mut(name)) else { return };
            match (&facts, &place) {
                (Some(facts), Some(before)) if !facts.replaces(before) => return,
                (None, None) => return,
                _ => {}
            }
            *place = facts.map(Arc::new);
        }
        self.changed(name);
    }

    /// Forgets what a list of this namespace, or of all, did not name.
    pub(crate) fn keep_only(&self, namespace: Option<&str>, named: &BTreeSet<ObjectName>) {
        let gone: Vec<ObjectName> = {
            let kept = self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = kept.iter().flat_map(BTreeMap::keys);
            kept.filter(|name| namespace.is_none_or(|own| *own == *name.namespace))
                .filter(|name| !named.contains(name))
                .cloned()
                .collect()
        };
        for name in gone {
            self.keep(&name, None);
        }
    }

    fn changed(&self, name: &ObjectName) {
        // Nobody listens before the engine has started.
        let _ = self.inner.changes.send(name.clone());
    }

    fn deployments(&self, namespace: &str) -> Api<Deployment> {
        Api::namespaced(self.inner.client.clone(), namespace)
    }

    /// The Deployment, from the watch or from the API server; `None` where there is none.
    pub(crate) async fn facts(
        &self,
        name: &ObjectName,
    ) -> Result<Option<Arc<DeploymentFacts>>, String> {
        {
            let kept = self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = kept.as_ref().and_then(|kept| kept.get(name)?.clone());
            if kept.is_some() {
                return Ok(kept);
            }
        }
        self.read(name).await.map(|facts| facts.map(Arc::new))
    }

    async fn read(&self, name: &ObjectName) -> Result<Option<DeploymentFacts>, String> {
        let found = bounded(self.deployments(&name.namespace).get_opt(&name.name)).await?;
        let facts = found.as_ref().map(DeploymentFacts::of);
        if let Some(facts) = &facts {
            self.keep(name, Some(facts.clone()));
        }
        Ok(facts)
    }

    /// What the replicas of the newest spec tell.
    async fn replicas(
        &self,
        name: &ObjectName,
        facts: &DeploymentFacts,
        container: &str,
    ) -> Result<Replicas, String> {
        let Some(hash) = self.newest(name, facts).await? else {
            return Ok(Replicas::default());
        };
        let api: Api<Pod> = Api::namespaced(self.inner.client.clone(), &name.namespace);
        let labels = format!("{},pod-template-hash={hash}", facts.selector);
        let mut replicas = Replicas { available: Some(0), ..Replicas::default() };
        let mut digests = Vec::new();
        let mut params = ListParams::default().labels(&labels).limit(PAGE);
        loop {
            let page = bounded(api.list(&params)).await?;
            for pod in &page.items {
                let Some(mut seen) = PodFacts::of(pod, container) else { continue };
                replicas.restarts += seen.restarts;
                if is_ready(pod) {
                    replicas.available = replicas.available.map(|count| count + 1);
                }
                if seen.crashed && replicas.evidence.is_empty() {
                    self.add_last_lines(&api, &mut seen, container).await;
                }
                replicas.evidence.extend(seen.evidence);
                digests.push(seen.digest);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
        digests.dedup();
        if let [Some(digest)] = digests.as_slice() {
            replicas.digest = Some(digest.clone());
        }
        Ok(replicas)
    }

    /// The template hash of the ReplicaSet of the newest spec; nothing before the controller has made one.
    async fn newest(
        &self,
        name: &ObjectName,
        facts: &DeploymentFacts,
    ) -> Result<Option<String>, String> {
        let api: Api<ReplicaSet> = Api::namespaced(self.inner.client.clone(), &name.namespace);
        let params = ListParams::default().labels_from(&facts.selector);
        let sets = bounded(api.list_metadata(&params)).await?;
        let own = |set: &&PartialObjectMeta<ReplicaSet>| {
            let owned =
                set.metadata.owner_references.iter().flatten().any(|owner| owner.uid == facts.uid);
            let annotations = set.metadata.annotations.as_ref();
            owned
                && facts.revision.is_some()
                && annotations.and_then(|annotations| annotations.get(REVISION))
                    == facts.revision.as_ref()
        };
        Ok(sets
            .items
            .iter()
            .find(own)
            .and_then(|set| set.metadata.labels.as_ref()?.get("pod-template-hash").cloned()))
    }

    /// The pods of the newest ReplicaSet, with the container that is meant.
    async fn newest_pods(&self, target: &Target) -> Vec<(Api<Pod>, String, String)> {
        let name = &target.workload;
        let Ok(Some(facts)) = self.facts(name).await else { return Vec::new() };
        let (Ok(container), Ok(Some(hash))) =
            (facts.container(target), self.newest(name, &facts).await)
        else {
            return Vec::new();
        };
        let api: Api<Pod> = Api::namespaced(self.inner.client.clone(), &name.namespace);
        let labels = format!("{},pod-template-hash={hash}", facts.selector);
        let params = ListParams::default().labels(&labels).limit(PAGE);
        let Ok(pods) = bounded(api.list_metadata(&params)).await else { return Vec::new() };
        let named = pods.items.into_iter().filter_map(|pod| pod.metadata.name);
        named.map(|pod| (api.clone(), pod, container.name.clone())).collect()
    }

    /// What a crashed container said last, for the one who asks why.
    async fn add_last_lines(&self, api: &Api<Pod>, pod: &mut PodFacts, container: &str) {
        let params = LogParams {
            container: Some(container.to_owned()),
            previous: true,
            tail_lines: Some(LAST_LINES),
            limit_bytes: Some(2000),
            ..LogParams::default()
        };
        if let (Ok(lines), Some(evidence)) =
            (bounded(api.logs(&pod.name, &params)).await, &mut pod.evidence)
        {
            let lines: Vec<&str> = lines.lines().filter(|line| !line.trim().is_empty()).collect();
            if !lines.is_empty() {
                evidence.message.push_str(&format!("; it said last: {}", lines.join(" | ")));
            }
        }
    }

    async fn set_image(&self, target: &Target, image: &ImageReference) -> Result<(), String> {
        let name = &target.workload;
        let facts = self.read(name).await?.ok_or_else(|| format!("Deployment {name} is gone"))?;
        let container = facts.container(target)?;
        if container.image == image.to_string() {
            return Ok(());
        }
        let relentless = container.relentless();
        if !relentless.is_empty() && !facts.take_over {
            return Err(format!(
                "{} writes the image of container {} too, and would write it back: take the image out of its source \
                 (kustomize `images:`, Helm values, image automation), or annotate the Deployment with \
                 {TAKE_OVER_ANNOTATION}=true",
                relentless.join(" and "),
                container.name
            ));
        }
        self.inner.permit.confirm().await.map_err(|denied| denied.to_string())?;
        // The resourceVersion is the proof that the container is still there: none is ever added.
        let patch = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name.name, "namespace": name.namespace, "resourceVersion": facts.resource_version},
            "spec": {"template": {"spec": {"containers": [
                {"name": container.name, "image": image.to_string()},
            ]}}},
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.patch(name, &params, &patch).await
    }

    async fn restart(&self, target: &Target, token: &str) -> Result<(), String> {
        let name = &target.workload;
        self.inner.permit.confirm().await.map_err(|denied| denied.to_string())?;
        let patch = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name.name, "namespace": name.namespace},
            "spec": {"template": {"metadata": {"annotations": {RESTART_ANNOTATION: token}}}},
        });
        let params = PatchParams::apply(RESTART_MANAGER).force();
        self.patch(name, &params, &patch).await
    }

    async fn patch(
        &self,
        name: &ObjectName,
        params: &PatchParams,
        patch: &serde_json::Value,
    ) -> Result<(), String> {
        let (api, patch) = (self.deployments(&name.namespace), Patch::Apply(patch));
        let answer = tokio::time::timeout(DEADLINE, api.patch(&name.name, params, &patch));
        match answer.await {
            Ok(Ok(changed)) => {
                self.keep(name, Some(DeploymentFacts::of(&changed)));
                Ok(())
            }
            Ok(Err(error)) if is_conflict(&error) => Err(format!(
                "it was changed by somebody else in the same moment ({})",
                explain(&error)
            )),
            Ok(Err(error)) => Err(explain(&error)),
            Err(_) => Err(no_answer()),
        }
    }
}

#[async_trait]
impl Workloads for ClusterWorkloads {
    async fn observe(&self, target: &Target, attention: Attention) -> WorkloadState {
        let missing =
            || WorkloadState::Missing { target: format!("{} {}", target.kind, target.workload) };
        if target.kind != "Deployment" {
            return WorkloadState::NoContainer {
                message: format!(
                    "spec.target.kind: {} is not supported; Deployment is",
                    target.kind
                ),
            };
        }
        let unreadable = |message: String| WorkloadState::Unreadable {
            message: format!("Deployment {} cannot be read: {message}", target.workload),
        };
        // A close look at what a watch has not told yet would see the world before the change.
        let facts = match attention {
            Attention::Casual => self.facts(&target.workload).await,
            Attention::Close => self.read(&target.workload).await.map(|facts| facts.map(Arc::new)),
        };
        let facts = match facts {
            Ok(Some(facts)) => facts,
            Ok(None) => return missing(),
            Err(message) => return unreadable(message),
        };
        let container = match facts.container(target) {
            Ok(container) => container,
            Err(message) => return WorkloadState::NoContainer { message },
        };
        let pinned = container
            .image
            .parse::<ImageReference>()
            .is_ok_and(|reference| reference.digest().is_some());
        let close = attention == Attention::Close || !pinned || !facts.is_complete();
        if !close {
            return facts.state(container, Replicas::default());
        }
        if attention == Attention::Close {
            let kept = self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner).is_some();
            self.inner.close.watch(&target.workload, &facts.selector, !kept);
        }
        match self.replicas(&target.workload, &facts, &container.name).await {
            Ok(replicas) => facts.state(container, replicas),
            Err(message) => unreadable(message),
        }
    }

    async fn apply(&self, target: &Target, effect: &Effect) -> Result<(), ApplyError> {
        match effect {
            Effect::SetImage { image, .. } => self.set_image(target, image).await,
            Effect::Restart { token } => self.restart(target, token).await,
        }
        .map_err(|message| ApplyError { message })
    }

    fn changes(&self) -> broadcast::Receiver<ObjectName> {
        self.inner.changes.subscribe()
    }

    /// Lines of the last moment may come twice, so that none is missing.
    async fn log_tail(&self, target: &Target, limit: usize) -> LogTail {
        let (says, coming) = broadcast::channel(FOLLOWED_LINES);
        for (api, pod, container) in self.newest_pods(target).await {
            let params = LogParams {
                container: Some(container),
                follow: true,
                tail_lines: Some(0),
                ..LogParams::default()
            };
            let (says, stopping) = (says.clone(), self.inner.tasks.stopping());
            self.inner.tasks.spawn("log", async move {
                let Ok(lines) = bounded(api.log_stream(&pod, &params)).await else { return };
                let mut lines = lines.lines();
                loop {
                    tokio::select! {
                        () = stopping.cancelled() => return,
                        line = lines.next() => match line {
                            Some(Ok(line)) => {
                                if says.send(line).is_err() {
                                    return;
                                }
                            }
                            Some(Err(_)) | None => return,
                        },
                    }
                }
            });
        }
        LogTail { lines: self.log_lines(target, limit).await, coming }
    }

    async fn log_lines(&self, target: &Target, limit: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for (api, pod, container) in self.newest_pods(target).await {
            let params = LogParams {
                container: Some(container),
                tail_lines: i64::try_from(limit).ok(),
                ..LogParams::default()
            };
            if let Ok(text) = bounded(api.logs(&pod, &params)).await {
                lines.extend(text.lines().map(str::to_owned));
            }
        }
        lines.drain(..lines.len().saturating_sub(limit));
        lines
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// An answer of the API server within the deadline, its errors in words.
pub(crate) async fn bounded<T>(
    answer: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, String> {
    match tokio::time::timeout(DEADLINE, answer).await {
        Ok(answer) => answer.map_err(|error| explain(&error)),
        Err(_) => Err(no_answer()),
    }
}

fn no_answer() -> String {
    format!("the API server did not answer within {DEADLINE:?}")
}
