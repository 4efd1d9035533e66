use std::collections::BTreeSet;

use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::PodSpec},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::core::{Expression, Selector};
use mercurious_core::{
    decide::{Evidence, Workload, WorkloadState},
    image::{Digest, ImageReference},
};
use mercurious_engine::Target;

use crate::{
    names::{RESTART_ANNOTATION, TAKE_OVER_ANNOTATION},
    owners::{called, image_owners, is_relentless},
};

/// The annotation by which a Deployment and its ReplicaSets count revisions.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";

/// What is read of a Deployment; the rest of the object is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeploymentFacts {
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) revision: Option<String>,
    pub(crate) selector: Selector,
    pub(crate) containers: Vec<ContainerFacts>,
    pub(crate) pull_secrets: Vec<String>,
    pub(crate) service_account: Option<String>,
    /// Whether somebody allowed that the image field be taken over.
    pub(crate) take_over: bool,
    restart: Option<String>,
    current: bool,
    paused: bool,
    desired: u32,
    updated: u32,
    available: u32,
    ready: u32,
    total: u32,
    deadline_exceeded: bool,
}

/// One container of the pod template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContainerFacts {
    pub(crate) name: String,
    pub(crate) image: String,
    /// Who else owns its image field, newest last.
    pub(crate) owners: Vec<String>,
}

/// What is known of the replicas of the newest spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replicas {
    /// How many of them are available, where it was counted.
    pub(crate) available: Option<u32>,
    /// Restarts of the container.
    pub(crate) restarts: u32,
    /// Definite signs of trouble.
    pub(crate) evidence: Vec<Evidence>,
    /// The digest that their nodes report, where all agree.
    pub(crate) digest: Option<Digest>,
}

impl DeploymentFacts {
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let metadata = &deployment.metadata;
        let annotation = |key: &str| metadata.annotations.as_ref()?.get(key).cloned();
        let spec = deployment.spec.as_ref();
        let status = deployment.status.as_ref();
        let template = spec.map(|spec| &spec.template);
        let pod = template.and_then(|template| template.spec.as_ref());
        let count = |number: Option<i32>| u32::try_from(number.unwrap_or(0)).unwrap_or(0);
        let managed = metadata.managed_fields.as_deref().unwrap_or_default();
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
            revision: annotation(REVISION),
            selector: spec.map(|spec| selector(&spec.selector)).unwrap_or_default(),
            containers: pod
                .iter()
                .flat_map(|pod| &pod.containers)
                .map(|container| ContainerFacts {
                    name: container.name.clone(),
                    image: container.image.clone().unwrap_or_default(),
                    owners: image_owners(managed, &container.name),
                })
                .collect(),
            pull_secrets: pod.map(pull_secrets).unwrap_or_default(),
            service_account: pod.and_then(|pod| pod.service_account_name.clone()),
            take_over: annotation(TAKE_OVER_ANNOTATION).is_some_and(|value| value == "true"),
            restart: template
                .and_then(|template| template.metadata.as_ref()?.annotations.as_ref())
                .and_then(|annotations| annotations.get(RESTART_ANNOTATION).cloned()),
            current: status.and_then(|status| status.observed_generation).unwrap_or(0)
                >= metadata.generation.unwrap_or(0),
            paused: spec.and_then(|spec| spec.paused).unwrap_or(false),
            desired: spec
                .and_then(|spec| spec.replicas)
                .map_or(1, |replicas| count(Some(replicas))),
            updated: count(status.and_then(|status| status.updated_replicas)),
            available: count(status.and_then(|status| status.available_replicas)),
            ready: count(status.and_then(|status| status.ready_replicas)),
            total: count(status.and_then(|status| status.replicas)),
            deadline_exceeded: status
                .and_then(|status| status.conditions.as_ref())
                .into_iter()
                .flatten()
                .any(|condition| {
                    condition.type_ == "Progressing"
                        && condition.reason.as_deref() == Some("ProgressDeadlineExceeded")
                }),
        }
    }

    /// The container that a target means. Never guessed: where none is named, exactly one must run the
    /// repository, or be the only one.
    pub(crate) fn container(&self, target: &Target) -> Result<&ContainerFacts, String> {
        let names = || {
            self.containers
                .iter()
                .map(|container| format!("{} ({})", container.name, container.image))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let workload = format!("Deployment {}", target.workload);
        if let Some(wanted) = &target.container {
            return self.containers.iter().find(|container| container.name == *wanted).ok_or_else(
                || {
                    format!(
                        "{workload} has no container {wanted}; it has {}; correct spec.container",
                        names()
                    )
                },
            );
        }
        let runs = |container: &&ContainerFacts| {
            container
                .image
                .parse::<ImageReference>()
                .is_ok_and(|reference| *reference.repository() == target.repository)
        };
        let fitting: Vec<&ContainerFacts> = self.containers.iter().filter(runs).collect();
        match (fitting.as_slice(), self.containers.as_slice()) {
            ([one], _) => Ok(*one),
            ([], [one]) => Ok(one),
            ([], _) => Err(format!(
                "{workload} has no container that runs {}; it has {}; name one in spec.container",
                target.repository,
                names()
            )),
            _ => Err(format!(
                "{workload} has several containers that run {}: {}; name one in spec.container",
                target.repository,
                names()
            )),
        }
    }

    /// Whether this is another state of the Deployment, and no older one: a watch lags behind an answer.
    pub(crate) fn replaces(&self, before: &Self) -> bool {
        let version = |facts: &Self| facts.resource_version.parse::<u64>().ok();
        let older = self.uid == before.uid
            && matches!((version(self), version(before)), (Some(own), Some(kept)) if own < kept);
        !older && self != before
    }

    /// Whether `kubectl rollout status` would be content.
    pub(crate) fn is_complete(&self) -> bool {
        self.current
            && self.updated >= self.desired
            && self.total <= self.updated
            && self.available >= self.updated
    }

    /// The workload as the engine sees it.
    pub(crate) fn state(&self, container: &ContainerFacts, replicas: Replicas) -> WorkloadState {
        let reference: Option<ImageReference> = container.image.parse().ok();
        let reference = reference.map(|reference| match (reference.digest(), replicas.digest) {
            (None, Some(digest)) => ImageReference::pinned(
                reference.repository().clone(),
                reference.tag().cloned(),
                digest,
            ),
            _ => reference,
        });
        WorkloadState::Present(Workload {
            image: container.image.clone(),
            reference,
            restart: self.restart.clone(),
            current: self.current,
            paused: self.paused,
            desired: self.desired,
            updated: self.updated,
            // The Deployment counts old replicas as well, as `kubectl rollout status` does once none is left.
            available: match replicas.available {
                Some(available) if self.total > self.updated => available,
                _ => self.available,
            },
            ready: self.ready,
            total: self.total,
            restarts: replicas.restarts,
            deadline_exceeded: self.deadline_exceeded,
            home_fault: None,
            evidence: replicas.evidence,
            foreign_writers: container.owners.iter().map(|owner| called(owner)).collect(),
        })
    }
}

impl ContainerFacts {
    /// The controllers that would write their own value over ours again.
    pub(crate) fn relentless(&self) -> Vec<String> {
        self.owners.iter().filter(|owner| is_relentless(owner)).map(|owner| called(owner)).collect()
    }
}

fn pull_secrets(pod: &PodSpec) -> Vec<String> {
    pod.image_pull_secrets
        .iter()
        .flatten()
        .map(|reference| reference.name.clone())
        .filter(|name| !name.is_empty())
        .collect()
}

/// Which Pods are the Deployment's; none where that cannot be understood.
fn selector(selector: &LabelSelector) -> Selector {
    let none = || Expression::In("metadata.name".to_owned(), BTreeSet::new()).into();
    Selector::try_from(selector.clone()).unwrap_or_else(|_| none())
}
