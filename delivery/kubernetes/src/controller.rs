use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kube::Client;
use mercurious_core::{image::Platform, resources::ObjectName};
use mercurious_engine::{Engine, EngineHandle, Wishes};
use mercurious_runtime::{CancellationToken, Clock, Tasks};
use tokio::{net::TcpListener, time::Instant};

use crate::{
    Connection, FluxVersion, Hints, ImageSettings, Lease, LeaseError, LeaseSettings, Mirror,
    ObjectsError, Permit, Scope,
    admission::{admission, strangers},
    health::{Health, MoreMetrics},
    names::FLUX_GROUP,
    objects::Objects,
    pass::{Parts, Showing, understand},
    reading::{Change, Heard, Reading, Watch},
    reflect::{Flux, Presence, Reflections, Reflector},
};

/// Changes that come together are taken up together.
const TOGETHER: Duration = Duration::from_millis(100);
/// A changed wish is decided upon within this.
const DECIDED: Duration = Duration::from_secs(30);
/// Whether Flux is at work, and what nobody watches, is asked this often.
const AGAIN: Duration = Duration::from_secs(30);
/// What is being written when the controller stops is written to its end, at most for so long.
const STOPPING: Duration = Duration::from_secs(20);
/// A cluster that does not know the kinds yet is asked again after this.
const NOT_INSTALLED: Duration = Duration::from_secs(5);

/// How a controller runs.
#[derive(Clone)]
pub struct ControllerSettings {
    /// Where auto-deploys are looked for.
    pub scope: Scope,
    /// What is to be known about image objects.
    pub images: ImageSettings,
    /// Registries that are asked in the place of others.
    pub mirrors: Vec<Mirror>,
    /// The platform of the nodes.
    pub platform: Platform,
    /// One engine at a time.
    pub lease: LeaseSettings,
    /// Where hints from outside come in.
    pub hints: Hints,
    /// More text for `/metrics`.
    pub metrics: Option<MoreMetrics>,
}

/// Why a controller ended.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The lease ran out: another may be at work.
    #[error("the lease {0} was lost: another engine may be at work, so this one stops")]
    LeaseLost(ObjectName),
    /// The lease could not be given back.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A client for the checks.
    #[error("the checks' client cannot be made")]
    Checker(#[source] reqwest::Error),
    /// A part ended.
    #[error("a part of the controller ended unexpectedly; the log says which")]
    Ended,
}

/// Runs until it is stopped: stands by until the lease is free, then watches, decides and steers; gives the lease back
/// at the end, so that the next takes over at once.
pub async fn run_controller(
    connection: Connection,
    settings: ControllerSettings,
    clock: Arc<dyn Clock>,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), ControllerError> {
    let Connection { client, urgent, .. } = connection;
    let health = Health::new(settings.hints.clone(), settings.metrics.clone());
    let outer = Tasks::new();
    let relay = settings.hints.clone().relay(
        client.clone(),
        settings.scope.clone(),
        Arc::clone(&clock),
        outer.stopping(),
    );
    outer.spawn_critical("hints", relay);
    let (served, stopping) = (health.clone(), outer.stopping());
    outer.spawn_critical("health", async move {
        if let Err(error) = served.serve(listener, stopping).await {
            tracing::error!(error = %error, "health port ended");
        }
    });
    let lease = Lease::new(urgent, settings.lease.clone(), Arc::clone(&clock));
    let ending = outer.stopping();
    let result = tokio::select! {
        result = lead(&client, &settings, &lease, clock, &health, &stop) => result,
        () = ending.cancelled() => Err(ControllerError::Ended),
    };
    health.stops();
    outer.shut_down(Duration::from_secs(2)).await;
    result
}

async fn lead(
    client: &Client,
    settings: &ControllerSettings,
    lease: &Lease,
    clock: Arc<dyn Clock>,
    health: &Health,
    stop: &CancellationToken,
) -> Result<(), ControllerError> {
    if !stand_by(lease, stop).await {
        return Ok(());
    }
    tracing::info!(lease.name = %settings.lease.name, "leads");
    let tasks = Tasks::new();
    let permit: Arc<dyn Permit> = Arc::new(lease.clone());
    let heard = health.clone();
    let parts = Parts::new(
        client,
        &permit,
        (&settings.mirrors, &settings.platform),
        clock,
        settings.lease.holder.clone(),
        (&tasks, Arc::new(move |event| heard.hear(event))),
    )
    .map_err(ControllerError::Checker)?;
    let parts = Arc::new(parts);
    let steering = Steering {
        client: client.clone(),
        scope: settings.scope.clone(),
        images: settings.images.clone(),
        permit: Arc::clone(&permit),
        parts: Arc::clone(&parts),
        tasks: tasks.clone(),
        health: health.clone(),
    };
    tasks.spawn_critical("steering", steering.run());
    let ending = tasks.stopping();
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = ending.cancelled() => Err(ControllerError::Ended),
        () = keep(lease) => Err(ControllerError::LeaseLost(settings.lease.name.clone())),
    };
    health.leads(None);
    let left = tasks.shut_down(STOPPING).await;
    if left > 0 {
        tracing::warn!(tasks.left = left, "not everything ended in time");
    }
    if lease.is_held() {
        if let Err(error) = parts.store.flush().await {
            tracing::warn!(error = %error, "what was seen was not kept");
        }
        lease.release().await?;
    }
    ended
}

/// Waits for the lease. `false` when it is stopped before.
async fn stand_by(lease: &Lease, stop: &CancellationToken) -> bool {
    let mut said = String::new();
    loop {
        let message = match lease.try_take().await {
            Ok(None) => return true,
            Ok(Some(holder)) => format!("{holder} leads"),
            Err(error) => error.to_string(),
        };
        if message != said {
            tracing::info!(reason = message, "stands by");
            said = message;
        }
        let pause = lease.settings().renew_every.mul_f64(0.8 + 0.4 * fastrand::f64());
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Renews the lease; returns when it is lost.
async fn keep(lease: &Lease) {
    loop {
        tokio::time::sleep(lease.settings().renew_every).await;
        match lease.try_take().await {
            Ok(None) => {}
            Ok(Some(holder)) => {
                tracing::error!(lease.holder = holder, "lease was taken by another");
                return;
            }
            Err(error) => {
                tracing::warn!(error = %error, "lease was not renewed");
                if !lease.is_held() {
                    return;
                }
            }
        }
    }
}

/// Keeps the engine's wishes what the cluster says.
struct Steering {
    client: Client,
    scope: Scope,
    images: ImageSettings,
    permit: Arc<dyn Permit>,
    parts: Arc<Parts>,
    tasks: Tasks,
    health: Health,
}

impl Steering {
    async fn run(self) {
        let stopping = self.tasks.stopping();
        let flux = tokio::select! {
            () = stopping.cancelled() => return,
            flux = self.discover() => flux,
        };
        let wanted = (self.scope.clone(), self.images.namespaces.clone());
        let (mut reading, mut hears) =
            Reading::new(self.client.clone(), wanted, flux, self.tasks.clone());
        reading.watch_what_matters();
        let handle = match Engine::start(Wishes::default(), &self.parts.ports, &self.tasks) {
            Ok(handle) => handle,
            Err(error) => {
                tracing::error!(error = %error, "engine cannot start");
                return;
            }
        };
        self.health.leads(Some(handle.clone()));
        let mut reflections =
            Reflections::new(self.reflector(flux), handle.clone(), self.tasks.clone());
        let mut due: Option<Instant> = None;
        let mut again = tokio::time::interval(AGAIN);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut owner = None;
        loop {
            let wait = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stopping.cancelled() => return,
                heard = hears.recv() => match heard {
                    Some(heard) => {
                        if self.hear(&mut reading, &handle, &reflections, heard) {
                            due.get_or_insert(Instant::now() + TOGETHER);
                        }
                    }
                    None => return,
                },
                _ = again.tick() => {
                    let flux = reflections.reflector().flux().await;
                    // Labels of namespaces are not watched.
                    if owner.as_ref() != Some(&flux) || !strangers(&reading.objects).is_empty() {
                        due.get_or_insert(Instant::now() + TOGETHER);
                    }
                    if owner.as_ref() != Some(&flux) {
                        match &flux {
                            Flux::Present(why) => tracing::info!(reason = why, "leaves image objects alone"),
                            Flux::Absent => tracing::info!("keeps image objects"),
                        }
                    }
                    owner = Some(flux);
                }
                () = wait => {
                    due = None;
                    reading.watch_what_matters();
                    if reading.is_complete() {
                        let ours = owner.as_ref().is_none_or(|flux| *flux == Flux::Absent);
                        let showing = if ours { Showing::All } else { Showing::Followed };
                        self.take_up(&reading.objects, &handle, &mut reflections, showing).await;
                    }
                }
            }
            while let Ok(heard) = hears.try_recv() {
                if self.hear(&mut reading, &handle, &reflections, heard) {
                    due.get_or_insert(Instant::now() + TOGETHER);
                }
            }
        }
    }

    /// Takes note; says whether wishes may have changed.
    fn hear(
        &self,
        reading: &mut Reading,
        handle: &EngineHandle,
        reflections: &Reflections,
        (watch, heard): (Watch, Heard),
    ) -> bool {
        match reading.hear(&watch, heard) {
            Change::Objects => true,
            Change::AutoDeploy { name, differs } => {
                let Some(object) = reading.objects.auto_deploys.get_mut(&name) else {
                    return true;
                };
                let asked = self.parts.store.learn(&name, object);
                // The store has what it needs of it: it is the bulk of the object.
                object.status = None;
                if asked && !differs {
                    handle.ring(&name);
                }
                differs
            }
            Change::Repository(name) => {
                let found = reading.objects.image_repositories.get(&name);
                let reflector = reflections.reflector();
                if found.is_some_and(|found| reflector.hear_repository(&name, found)) {
                    reflections.ring(&name);
                }
                false
            }
            Change::Policy(name) => {
                let found = reading.objects.image_policies.get(&name);
                let reflector = reflections.reflector();
                if let Some(repository) =
                    found.and_then(|found| reflector.hear_policy(&name, found))
                {
                    reflections.ring(&repository);
                }
                false
            }
            Change::Deployment(name, facts) => {
                self.parts.workloads.keep(&name, facts.map(|facts| *facts));
                false
            }
            Change::Deployments { namespace, named } => {
                self.parts.workloads.keep_only(namespace.as_deref(), &named);
                // It may have been the last list that was waited for.
                true
            }
            Change::None => false,
        }
    }

    fn reflector(&self, flux: FluxVersion) -> Reflector {
        let ports = &self.parts.ports;
        let namespaces = vec![self.images.flux_namespace.clone()];
        let presence = Presence::new(self.client.clone(), namespaces, Arc::clone(&ports.clock));
        Reflector::new(
            self.client.clone(),
            flux,
            Arc::clone(&self.permit),
            ports,
            &self.parts.reports,
            presence,
        )
    }

    async fn discover(&self) -> FluxVersion {
        let mut said = String::new();
        loop {
            let message = match FluxVersion::discover(&self.client).await {
                Ok(Some(flux)) => return flux,
                Ok(None) => ObjectsError::NotInstalled { kind: "ImagePolicy", group: FLUX_GROUP }
                    .to_string(),
                Err(error) => error.to_string(),
            };
            if message != said {
                tracing::warn!(error = message, "waiting for the image policies' kind");
                said = message;
            }
            tokio::time::sleep(NOT_INSTALLED).await;
        }
    }

    /// Makes the engine wish what the cluster says now.
    async fn take_up(
        &self,
        objects: &Objects,
        handle: &EngineHandle,
        reflections: &mut Reflections,
        showing: Showing,
    ) {
        let parts = &self.parts;
        let admission = admission(&self.client, objects, self.images.own_namespace_only).await;
        let (wishes, faults) = understand(objects, &admission, showing);
        reflections.reflector().learn(objects, &wishes, &admission);
        parts.store.retain(|name| objects.auto_deploys.contains_key(name));
        parts.follow(&wishes);
        let workloads: BTreeSet<ObjectName> =
            wishes.auto_deploys.values().map(|wish| wish.target.workload.clone()).collect();
        parts.workloads.want(&workloads);
        let asked: Vec<(ObjectName, String)> = wishes
            .auto_deploys
            .iter()
            .filter_map(|(name, wish)| {
                let asked = objects.repositories.get(&wish.repository)?.asked.clone()?;
                (parts.store.looked_for(name).as_ref() != Some(&asked))
                    .then(|| (name.clone(), asked))
            })
            .collect();
        let names: Vec<ObjectName> = wishes.auto_deploys.keys().cloned().collect();
        let followed = |name: &ObjectName| {
            let mut view = handle.follow(name).ok()?;
            view.mark_unchanged();
            Some((name.clone(), view))
        };
        let views: Vec<_> = names.iter().filter_map(followed).collect();
        if let Err(error) = handle.update(wishes) {
            tracing::error!(error = %error, "wishes cannot be taken up");
            return;
        }
        reflections.update();
        reflections.answer();
        for (name, mut view) in views {
            if !parts.store.is_behind(&name) {
                continue;
            }
            let store = parts.store.clone();
            self.tasks.spawn("acknowledge", async move {
                // The decision that follows may say it; one that changes nothing does not.
                let decided = tokio::time::timeout(DECIDED, view.changed()).await;
                if decided.is_ok()
                    && let Err(error) = store.acknowledge(&name).await
                {
                    tracing::debug!(app.name = %name, error = %error, "generation was not acknowledged");
                }
            });
        }
        for (name, asked) in asked {
            let (handle, store) = (handle.clone(), parts.store.clone());
            self.tasks.spawn("asked look", async move {
                if handle.scan(&name).await.is_ok()
                    && let Err(error) = store.save_looked_for(&name, &asked).await
                {
                    tracing::warn!(app.name = %name, error = %error, "answered look was not noted");
                }
            });
        }
        for (name, fault) in faults {
            let now = parts.ports.clock.now();
            if let Err(error) = parts.store.show_fault(&name, &fault, now).await {
                tracing::debug!(app.name = %name, error = %error, "fault cannot be shown");
            }
        }
    }
}
