//! Hints from outside, heard by whichever replica they reach.
//!
//! The one that leads passes them to its engine. A stand-by asks the leader by the annotation that Flux knows too.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kube::{
    Client,
    api::{Api, DynamicObject, Patch, PatchParams},
};
use mercurious_core::image::{Repository, Tag};
use mercurious_engine::EngineHandle;
use mercurious_runtime::{CancellationToken, Clock};
use serde_json::json;
use tokio::sync::mpsc;

use crate::{FluxVersion, Objects, Scope, names::REQUESTED_AT, workloads::bounded};

/// Hints that come together are passed on together; a stand-by asks the cluster no more often than this.
const TOGETHER: Duration = Duration::from_millis(500);
/// So many images wait at most: a hint is one poll sooner, no more.
const WAITING: usize = 256;

/// Where hints go. Clones share it.
#[derive(Clone)]
pub struct Hints {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Mutex<Option<EngineHandle>>,
    waiting: mpsc::Sender<Repository>,
    waited_for: tokio::sync::Mutex<mpsc::Receiver<Repository>>,
}

impl Default for Hints {
    fn default() -> Self {
        let (waiting, receiver) = mpsc::channel(WAITING);
        let waited_for = tokio::sync::Mutex::new(receiver);
        Self { inner: Arc::new(Inner { engine: Mutex::default(), waiting, waited_for }) }
    }
}

impl Hints {
    /// Says that a repository should be looked at. Waits for nothing.
    pub fn hear(&self, repository: &Repository, tag: Option<&Tag>) {
        if let Some(engine) = self.engine() {
            engine.hint(Some(repository.host()), repository.path(), tag);
        } else if self.inner.waiting.try_send(repository.clone()).is_err() {
            tracing::warn!(image.repository = %repository, "hint dropped: too many wait for the leader");
        }
    }

    /// From now on this engine hears of them, or none here.
    pub(crate) fn leads(&self, engine: Option<EngineHandle>) {
        *self.inner.engine.lock().unwrap_or_else(PoisonError::into_inner) = engine;
    }

    fn engine(&self) -> Option<EngineHandle> {
        self.inner.engine.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Passes on what comes while another leads.
    pub(crate) async fn relay(
        self,
        client: Client,
        scope: Scope,
        clock: Arc<dyn Clock>,
        stopping: CancellationToken,
    ) {
        let mut waited_for = self.inner.waited_for.lock().await;
        loop {
            let first = tokio::select! {
                () = stopping.cancelled() => return,
                first = waited_for.recv() => first,
            };
            let Some(first) = first else { return };
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(TOGETHER) => {}
            }
            let mut images = BTreeSet::from([first]);
            while let Ok(next) = waited_for.try_recv() {
                images.insert(next);
            }
            if let Some(engine) = self.engine() {
                for image in &images {
                    engine.hint(Some(image.host()), image.path(), None);
                }
                continue;
            }
            let asked = tokio::select! {
                () = stopping.cancelled() => return,
                asked = ask(&client, &scope, &images, clock.as_ref()) => asked,
            };
            if let Err(error) = asked {
                tracing::warn!(error, "the leader was not asked for a look; it polls all the same");
            }
        }
    }
}

/// Annotates the ImageRepositories of these images.
async fn ask(
    client: &Client,
    scope: &Scope,
    images: &BTreeSet<Repository>,
    clock: &dyn Clock,
) -> Result<(), String> {
    let flux = FluxVersion::discover(client).await.map_err(|error| error.to_string())?;
    let Some(flux) = flux else { return Ok(()) };
    let objects = Objects::list(client, scope, flux).await.map_err(|error| error.to_string())?;
    let patch = json!({"metadata": {"annotations": {REQUESTED_AT: clock.now().to_string()}}});
    for (name, object) in &objects.repositories {
        let image = object.repository.spec.image.parse::<Repository>();
        if !image.is_ok_and(|image| images.contains(&image)) {
            continue;
        }
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), &name.namespace, &flux.image_repositories());
        let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
        bounded(api.patch(&name.name, &params, &patch))
            .await
            .map_err(|error| format!("ImageRepository {name}: {error}"))?;
    }
    Ok(())
}
