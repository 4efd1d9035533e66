//! Rolling updates of replicas, the way a Deployment does them.
//!
//! # Flow
//! One [`controller`] task per Deployment keeps replicas of the current template running: it starts one more
//! than wanted, waits until that is ready, lets it take traffic, drains an old one, stops it, and goes on.
//! [`Deployments`] is how the engine sees and changes them.
//!
//! # Guarantees
//! An old replica that serves is never drained before enough new ones are available (maxUnavailable). A
//! replica gets SIGTERM only after the front proxy has nothing of it in flight.
//!
//! # Caveats
//! Replicas share this machine's network: each is told by the variable `PORT` where to listen. With the annotation
//! `mercurious.dev/network: private` each has a network of its own, from which it reaches this machine's Services
//! and nothing else.

mod controller;
mod log_lines;
mod mounts;
mod replica;
mod run;
mod template;
mod unsteered;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use mercurious_core::{
    decide::{Effect, Workload, WorkloadState},
    image::ImageReference,
    resources::ObjectName,
};
use mercurious_engine::{
    Target,
    ports::{ApplyError, Attention, LogTail, Workloads},
};
use mercurious_manifests::Manifests;
use mercurious_runtime::Tasks;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};

use crate::FileStore;
use controller::Controller;
pub(crate) use controller::Surroundings;
use log_lines::LogLines;
pub use unsteered::Unsteered;

/// What is wanted of a Deployment beyond its manifest; survives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wanted {
    /// The image field as it is now.
    pub(crate) image: String,
    /// The image field of the manifest when it was last read: a change there is a person's.
    pub(crate) manifest_image: String,
    /// The token of the last restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restart: Option<String>,
    /// Counts changes.
    pub(crate) generation: u64,
}

/// What a controller reports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reported {
    /// The generation that the rest is about.
    pub(crate) generation: u64,
    pub(crate) digest: Option<mercurious_core::image::Digest>,
    pub(crate) desired: u32,
    pub(crate) updated: u32,
    pub(crate) available: u32,
    pub(crate) ready: u32,
    pub(crate) total: u32,
    pub(crate) restarts: u32,
    pub(crate) evidence: Vec<mercurious_core::decide::Evidence>,
}

/// The Deployments of this machine.
#[derive(Clone)]
pub struct Deployments {
    inner: Arc<Inner>,
}

struct Inner {
    seats: BTreeMap<ObjectName, Seat>,
    store: FileStore,
    changes: broadcast::Sender<ObjectName>,
}

struct Seat {
    container: String,
    paused: bool,
    wanted: watch::Sender<Wanted>,
    reported: watch::Receiver<Reported>,
    lines: LogLines,
}

impl Seat {
    /// The Deployment as its controller reports it.
    fn state(&self) -> WorkloadState {
        let wanted = self.wanted.borrow().clone();
        let reported = self.reported.borrow().clone();
        let current = reported.generation == wanted.generation;
        let reference: Option<ImageReference> = wanted.image.parse().ok();
        let reference = reference.map(|reference| match (reference.digest(), &reported.digest) {
            (None, Some(digest)) if current => ImageReference::pinned(
                reference.repository().clone(),
                reference.tag().cloned(),
                digest.clone(),
            ),
            _ => reference,
        });
        WorkloadState::Present(Workload {
            image: wanted.image,
            reference,
            restart: wanted.restart,
            current,
            paused: self.paused,
            desired: reported.desired,
            updated: reported.updated,
            available: reported.available,
            ready: reported.ready,
            total: reported.total,
            restarts: reported.restarts,
            deadline_exceeded: false,
            evidence: reported.evidence,
            foreign_writers: Vec::new(),
        })
    }
}

impl Deployments {
    /// Starts a controller for each Deployment; they drain and stop their replicas when the tasks stop.
    pub(crate) fn start(
        manifests: &Manifests,
        surroundings: &Surroundings,
        store: &FileStore,
        tasks: &Tasks,
    ) -> Result<Self, mercurious_engine::ports::StoreError> {
        let changes = broadcast::channel(1024).0;
        let mut seats = BTreeMap::new();
        for (name, sourced) in &manifests.deployments {
            let deployment = sourced.value.clone();
            let Some(container) = deployment.template.containers.first() else { continue };
            let text = container.image.text.clone();
            let mut wanted: Wanted = store.read("deployments", name)?.unwrap_or_else(|| Wanted {
                image: text.clone(),
                manifest_image: text.clone(),
                restart: None,
                generation: 1,
            });
            if wanted.manifest_image != text {
                wanted.image.clone_from(&text);
                wanted.manifest_image = text;
                wanted.generation += 1;
            }
            store.write("deployments", name, &wanted)?;
            let (wanted, wanted_receiver) = watch::channel(wanted);
            let (reported, reported_receiver) = watch::channel(Reported::default());
            let lines = LogLines::default();
            let seat = Seat {
                container: container.name.clone(),
                paused: deployment.paused,
                wanted,
                reported: reported_receiver,
                lines: lines.clone(),
            };
            let controller = Controller::new(
                deployment,
                surroundings.clone(),
                wanted_receiver,
                reported,
                changes.clone(),
                lines,
                tasks.clone(),
            );
            tasks.spawn_critical("deployment", controller.run());
            seats.insert(name.clone(), seat);
        }
        Ok(Self { inner: Arc::new(Inner { seats, store: store.clone(), changes }) })
    }

    fn seat(&self, target: &Target) -> Result<&Seat, Box<WorkloadState>> {
        let missing = || {
            Box::new(WorkloadState::Missing {
                target: format!("{} {}", target.kind, target.workload),
            })
        };
        if target.kind != "Deployment" {
            return Err(missing());
        }
        let seat = self.inner.seats.get(&target.workload).ok_or_else(missing)?;
        match &target.container {
            Some(wanted) if *wanted != seat.container => {
                Err(Box::new(WorkloadState::NoContainer {
                    message: format!(
                        "Deployment {} has no container {wanted}; it has {}",
                        target.workload, seat.container
                    ),
                }))
            }
            _ => Ok(seat),
        }
    }

    fn change(
        &self,
        target: &Target,
        change: impl FnOnce(&mut Wanted) -> bool,
    ) -> Result<(), ApplyError> {
        let seat =
            self.seat(target).map_err(|state| ApplyError { message: format!("{state:?}") })?;
        let mut wanted = seat.wanted.borrow().clone();
        if !change(&mut wanted) {
            return Ok(());
        }
        wanted.generation += 1;
        // Durable before it is seen: a restart in between applies it.
        self.inner
            .store
            .write("deployments", &target.workload, &wanted)
            .map_err(|error| ApplyError { message: error.to_string() })?;
        seat.wanted.send_replace(wanted);
        let _ = self.inner.changes.send(target.workload.clone());
        Ok(())
    }
}

#[async_trait]
impl Workloads for Deployments {
    async fn observe(&self, target: &Target, _: Attention) -> WorkloadState {
        let seat = match self.seat(target) {
            Ok(seat) => seat,
            Err(state) => return *state,
        };
        seat.state()
    }

    async fn apply(&self, target: &Target, effect: &Effect) -> Result<(), ApplyError> {
        match effect {
            Effect::SetImage { image, .. } => self.change(target, |wanted| {
                let image = image.to_string();
                let differs = wanted.image != image;
                wanted.image = image;
                differs
            }),
            Effect::Restart { token } => self.change(target, |wanted| {
                let differs = wanted.restart.as_ref() != Some(token);
                wanted.restart = Some(token.clone());
                differs
            }),
        }
    }

    fn changes(&self) -> broadcast::Receiver<ObjectName> {
        self.inner.changes.subscribe()
    }

    async fn log_tail(&self, target: &Target, limit: usize) -> LogTail {
        match self.seat(target) {
            Ok(seat) => seat.lines.tail(limit),
            Err(_) => LogLines::default().tail(limit),
        }
    }

    async fn log_lines(&self, target: &Target, limit: usize) -> Vec<String> {
        self.seat(target).map(|seat| seat.lines.newest(limit)).unwrap_or_default()
    }
}
