use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kube::Client;
use mercurious_core::{
    decide::Reason,
    image::Platform,
    policy::Policy,
    resources::{ImageRepository, ObjectName},
    rollout::{Attempt, RolloutId},
};
use mercurious_engine::{
    Admission, Engine, EngineHandle, Event, Ports, RepositoryWish, Rest, Wishes, chosen_from,
};
use mercurious_runtime::{Clock, Tasks};

use crate::{
    ClusterChecker, ClusterCredentials, ClusterWorkloads, Connection, Denied, FluxVersion,
    ImageSettings, Lease, LeaseError, LeaseSettings, Mirror, Objects, ObjectsError, Permit, Scope,
    StatusStore,
    admission::admission,
    events::EventRecorder,
    reflect::{Flux, Presence, Reflector},
    registry_settings,
    reports::Reports,
};
use mercurious_adapters::{OciImageSource, chain};

/// A step that fails so often in a row is given up by a pass; the next pass tries again.
const FAILURES: u32 = 3;
/// What is left to do when everything is decided: Events on their way.
const TAIL: Duration = Duration::from_secs(5);

/// What one pass is to do.
#[derive(Clone)]
pub struct PassSettings {
    /// Where auto-deploys and what they refer to are looked for.
    pub scope: Scope,
    /// Only these auto-deploys; all where there are none.
    pub names: Vec<String>,
    /// What is to be known about image objects.
    pub images: ImageSettings,
    /// Registries that are asked in the place of others.
    pub mirrors: Vec<Mirror>,
    /// The platform of the nodes.
    pub platform: Platform,
    /// One engine at a time.
    pub lease: LeaseSettings,
    /// The pass ends no later; a rollout at work is gone on with by the next.
    pub deadline: Duration,
}

/// How a pass ended.
#[derive(Debug)]
pub enum Outcome {
    /// Another engine is at work: nothing was done.
    Busy {
        /// Who.
        holder: String,
    },
    /// Everything was looked at.
    Done {
        /// Rollouts that ended in this pass.
        ended: Vec<(ObjectName, Attempt)>,
        /// What went wrong, by auto-deploy.
        problems: BTreeMap<ObjectName, String>,
        /// The deadline came first.
        late: bool,
    },
}

/// Why a pass could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// Objects.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The lease.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A name that no auto-deploy has.
    #[error("there is no AutoDeploy {name}{}", among(.known))]
    NoSuchName {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A client for the checks.
    #[error("the checks' client cannot be made")]
    Checker(#[source] reqwest::Error),
    /// The engine.
    #[error("the engine cannot start")]
    Engine(#[source] mercurious_engine::EngineError),
}

fn among(known: &[String]) -> String {
    if known.is_empty() {
        "; there are none in the namespaces that are looked at".to_owned()
    } else {
        format!("; there are: {}", known.join(", "))
    }
}

/// Is told every decision that is another one than the one before; must not block.
pub type Hears = Arc<dyn Fn(&Event) + Send + Sync>;

/// The lease, with what it said when it was refused.
struct Watched {
    lease: Lease,
    refused: Mutex<Option<String>>,
}

#[async_trait::async_trait]
impl Permit for Watched {
    async fn confirm(&self) -> Result<(), Denied> {
        let answer = self.lease.confirm().await;
        if let Err(Denied::Held { holder, .. }) = &answer {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(holder.clone());
        }
        answer
    }
}

impl Watched {
    fn refused(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The parts of an engine over a cluster.
pub(crate) struct Parts {
    pub(crate) store: StatusStore,
    pub(crate) workloads: ClusterWorkloads,
    pub(crate) credentials: ClusterCredentials,
    pub(crate) reports: Reports,
    pub(crate) ports: Ports,
}

impl Parts {
    pub(crate) fn new(
        client: &Client,
        permit: &Arc<dyn Permit>,
        (mirrors, platform): (&[Mirror], &Platform),
        clock: Arc<dyn Clock>,
        instance: String,
        (tasks, hears): (&Tasks, Hears),
    ) -> Result<Self, reqwest::Error> {
        let reports = Reports::new(client.clone(), instance);
        let store = StatusStore::new(client.clone(), Arc::clone(permit));
        let workloads = ClusterWorkloads::new(client.clone(), Arc::clone(permit), tasks.clone());
        let credentials = ClusterCredentials::new(client.clone(), workloads.clone());
        let mirrors = mirrors.to_vec();
        let ports = Ports {
            source: OciImageSource::new(credentials.clone(), platform.clone(), move || {
                registry_settings::builder(&mirrors)
            }),
            workloads: Arc::new(workloads.clone()),
            store: Arc::new(store.clone()),
            checker: Arc::new(ClusterChecker::new(client.clone(), workloads.clone())?),
            notifier: Arc::new(EventRecorder::new(
                reports.clone(),
                store.clone(),
                workloads.clone(),
                tasks.clone(),
                hears,
            )),
            clock,
        };
        Ok(Self { store, workloads, credentials, reports, ports })
    }

    /// Tells the parts who follows whom.
    pub(crate) fn follow(&self, wishes: &Wishes) {
        let mut apps: BTreeMap<ObjectName, Vec<ObjectName>> = BTreeMap::new();
        let mut workloads: BTreeMap<ObjectName, Vec<ObjectName>> = BTreeMap::new();
        for (name, wish) in &wishes.auto_deploys {
            apps.entry(wish.repository.clone()).or_default().push(name.clone());
            workloads
                .entry(wish.repository.clone())
                .or_default()
                .push(wish.target.workload.clone());
        }
        self.store.follow(apps);
        self.credentials.follow(workloads);
    }
}

/// Which image objects are shown what was seen of their registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Showing {
    /// None.
    Nothing,
    /// Those that auto-deploys follow, with every policy that chooses from the same repositories.
    Followed,
    /// All.
    All,
}

/// The wishes of what was read, and why some of it makes none.
pub(crate) fn understand(
    objects: &Objects,
    admission: &Admission,
    showing: Showing,
) -> (Wishes, BTreeMap<ObjectName, String>) {
    let auto_deploys =
        objects.auto_deploys.iter().map(|(name, object)| (name, &object.auto_deploy));
    let repositories: BTreeMap<ObjectName, &ImageRepository> = objects
        .repositories
        .iter()
        .map(|(name, object)| (name.clone(), object.repository.as_ref()))
        .collect();
    let (mut wishes, faults) =
        Wishes::understand(auto_deploys, &objects.policies, &repositories, admission);
    let followed: BTreeSet<&ObjectName> =
        wishes.auto_deploys.values().map(|wish| &wish.repository).collect();
    let followed: BTreeSet<ObjectName> = followed.into_iter().cloned().collect();
    wishes.repositories.retain(|name, _| showing == Showing::All || followed.contains(name));
    if showing != Showing::Nothing {
        show(&mut wishes, objects, admission);
    }
    let mut faults: BTreeMap<ObjectName, String> =
        faults.into_iter().map(|(name, fault)| (name, objects.said(&fault))).collect();
    for ((kind, name), fault) in &objects.faults {
        if *kind == "AutoDeploy" {
            faults.insert(name.clone(), fault.clone());
        }
    }
    (wishes, faults)
}

/// Has everything looked at that the status of the image objects tells.
fn show(wishes: &mut Wishes, objects: &Objects, admission: &Admission) {
    for repository in wishes.repositories.values_mut() {
        Arc::make_mut(&mut Arc::make_mut(repository).place).shown = true;
    }
    for (name, object) in &objects.policies {
        let repository = chosen_from(name, object);
        let Some(found) = objects.repositories.get(&repository) else { continue };
        let known = |wish: &Arc<RepositoryWish>| wish.policies.contains_key(name);
        if wishes.repositories.get(&repository).is_none_or(known) {
            continue;
        }
        if object.spec.suspend || !admission.admits(&repository, &found.repository, &name.namespace)
        {
            continue;
        }
        if let Ok((policy, _)) = Policy::from_resource(object) {
            wishes.show(name, &repository, Arc::new(policy));
        }
    }
}

impl Objects {
    /// A fault in words: where an object is there and cannot be understood, that is the reason.
    fn said(&self, fault: &mercurious_engine::WishError) -> String {
        use mercurious_engine::WishError;
        let misread = match fault {
            WishError::NoPolicy { policy, .. } => ("ImagePolicy", policy),
            WishError::NoRepository { repository, .. } => ("ImageRepository", repository),
            _ => return chain(fault),
        };
        match self.faults.get(&(misread.0, misread.1.clone())) {
            Some(said) => format!("{} {}: {said}", misread.0, misread.1),
            None => chain(fault),
        }
    }

    fn select(&mut self, names: &[String]) -> Result<(), PassError> {
        if names.is_empty() {
            return Ok(());
        }
        let known: Vec<ObjectName> = self
            .auto_deploys
            .keys()
            .chain(
                self.faults.keys().filter(|(kind, _)| *kind == "AutoDeploy").map(|(_, name)| name),
            )
            .cloned()
            .collect();
        let mut wanted = BTreeSet::new();
        for name in names {
            let fitting = known.iter().filter(|own| own.is_meant_by(name));
            let before = wanted.len();
            wanted.extend(fitting.cloned());
            if wanted.len() == before {
                return Err(PassError::NoSuchName {
                    name: name.clone(),
                    known: known.iter().map(ToString::to_string).collect(),
                });
            }
        }
        self.auto_deploys.retain(|name, _| wanted.contains(name));
        self.faults.retain(|(kind, name), _| *kind != "AutoDeploy" || wanted.contains(name));
        Ok(())
    }
}

/// Makes one pass over all auto-deploys of the scope, or those that are named: looks, decides, and waits until every
/// rollout that is at work has ended, goes on with what an earlier pass left, and leaves.
///
/// With nothing to do it writes nothing, not even the lease. `hears` is told every decision that is another one than
/// the one before.
pub async fn run_pass(
    connection: Connection,
    settings: PassSettings,
    clock: Arc<dyn Clock>,
    hears: Hears,
) -> Result<Outcome, PassError> {
    let Connection { client, urgent, .. } = connection;
    let lease = Lease::new(urgent, settings.lease.clone(), Arc::clone(&clock));
    if let Some(holder) = lease.other_holder().await? {
        return Ok(Outcome::Busy { holder });
    }
    let flux = FluxVersion::discover(&client).await?.ok_or(ObjectsError::NotInstalled {
        kind: "ImagePolicy",
        group: crate::names::FLUX_GROUP,
    })?;
    let mut objects = Objects::list(&client, &settings.scope, flux).await?;
    objects.select(&settings.names)?;
    let admission = admission(&client, &objects, settings.images.own_namespace_only).await;
    let (wishes, mut problems) = understand(&objects, &admission, Showing::Followed);

    let watched = Arc::new(Watched { lease: lease.clone(), refused: Mutex::default() });
    let permit: Arc<dyn Permit> = Arc::clone(&watched) as Arc<dyn Permit>;
    let tasks = Tasks::new();
    let parts = Parts::new(
        &client,
        &permit,
        (&settings.mirrors, &settings.platform),
        clock,
        settings.lease.holder.clone(),
        (&tasks, hears),
    )
    .map_err(PassError::Checker)?;
    let namespaces = vec![settings.images.flux_namespace.clone()];
    let presence = Presence::new(client.clone(), namespaces, Arc::clone(&parts.ports.clock));
    let reflector = Reflector::new(
        client.clone(),
        flux,
        Arc::clone(&permit),
        &parts.ports,
        &parts.reports,
        presence,
    );
    reflector.learn(&objects, &wishes, &admission);
    let mut began: BTreeMap<ObjectName, RolloutId> = BTreeMap::new();
    for (name, object) in &objects.auto_deploys {
        parts.store.learn(name, object);
        if let Ok(Some(record)) = parts.ports.store.record(name).await {
            began.extend(record.history.first().map(|attempt| (name.clone(), attempt.id)));
        }
    }
    parts.follow(&wishes);
    for (name, fault) in &problems {
        if let Err(error) = parts.store.show_fault(name, fault, parts.ports.clock.now()).await {
            tracing::debug!(app.name = %name, error = %error, "fault cannot be shown");
        }
    }
    let names: Vec<ObjectName> = wishes.auto_deploys.keys().cloned().collect();
    let asked = asked(&objects, &wishes, &parts.store);
    let shown: Vec<ObjectName> = wishes.repositories.keys().cloned().collect();
    // What Flux keeps is none of our business: then nothing need be listed for it.
    let unlisted: Vec<ObjectName> =
        reflector.unlisted().into_iter().filter(|name| shown.contains(name)).collect();
    let unlisted = if unlisted.is_empty() || reflector.flux().await == Flux::Absent {
        unlisted
    } else {
        Vec::new()
    };
    let suspended: BTreeSet<ObjectName> = wishes
        .repositories
        .iter()
        .filter(|(_, wish)| wish.suspended)
        .map(|(name, _)| name.clone())
        .collect();
    drop(objects);
    let handle = Engine::start(wishes, &parts.ports, &tasks).map_err(PassError::Engine)?;
    tasks.spawn("lease", renew(lease.clone(), tasks.clone()));

    let all = async {
        for (name, asked) in &asked {
            // The view that follows is waited for below.
            if handle.scan(name).await.is_ok()
                && let Err(error) = parts.store.save_looked_for(name, asked).await
            {
                problems.insert(name.clone(), error.to_string());
            }
        }
        for (name, token) in reflector.asked() {
            if shown.contains(&name) {
                let followed = asked
                    .iter()
                    .any(|(app, _)| handle.wish(app).is_ok_and(|wish| wish.repository == name));
                // Who follows it has had it looked at already.
                if followed || handle.look_at(&name).await.is_ok() {
                    reflector.answered(&name, &token);
                }
            }
        }
        for name in &names {
            let looks = handle.wish(name).is_ok_and(|wish| !suspended.contains(&wish.repository));
            if let Err(problem) = settle(&handle, name, looks, &watched).await {
                problems.insert(name.clone(), problem);
            }
        }
        for name in &unlisted {
            let state = handle.repository_state(name).map(|state| state.borrow().clone());
            if state.is_some_and(|state| state.listing.is_none() && state.failure.is_none()) {
                // A look that fails is told below.
                let _ = handle.look_at(name).await;
            }
        }
    };
    let late = tokio::time::timeout(settings.deadline, all).await.is_err();
    let refused = watched.refused().is_some();
    for name in shown.iter().filter(|_| !refused) {
        let state = handle.repository_state(name).map(|state| state.borrow().clone());
        reflector.reflect(name, state.as_ref()).await;
    }
    let mut ended = Vec::new();
    for name in &names {
        let Ok(view) = handle.follow(name) else { continue };
        let Some(view) = view.borrow().clone() else { continue };
        if matches!(view.decision.reason, Reason::LookFailed | Reason::ImageUnusable) {
            problems.entry(name.clone()).or_insert_with(|| view.decision.message.clone());
        }
        let begun = began.get(name).copied().unwrap_or(RolloutId(0));
        let history = view.object.status.iter().flat_map(|status| status.history.iter());
        let new = history.take_while(|attempt| attempt.id > begun);
        ended.extend(new.map(|attempt| (name.clone(), attempt.clone())));
    }
    if watched.refused().is_none()
        && let Err(error) = parts.store.flush().await
    {
        tracing::warn!(error = %error, "what was seen was not kept; the next pass asks the registry again");
    }
    // Events first, then the right to write.
    tasks.shut_down(TAIL).await;
    lease.release().await?;
    match watched.refused() {
        Some(holder) => Ok(Outcome::Busy { holder }),
        None => Ok(Outcome::Done { ended, problems, late }),
    }
}

/// Where a person asked for a look that no pass has answered yet.
fn asked(objects: &Objects, wishes: &Wishes, store: &StatusStore) -> Vec<(ObjectName, String)> {
    let mut asked = Vec::new();
    for (name, wish) in &wishes.auto_deploys {
        let Some(repository) = objects.repositories.get(&wish.repository) else { continue };
        if let Some(token) = &repository.asked
            && store.looked_for(name).as_ref() != Some(token)
        {
            asked.push((name.clone(), token.clone()));
        }
    }
    asked
}

/// Waits until nothing is to be done for one auto-deploy. The error says why that does not come about.
async fn settle(
    handle: &EngineHandle,
    name: &ObjectName,
    looks: bool,
    permit: &Watched,
) -> Result<(), String> {
    let mut rest = handle.rest(name).map_err(|error| error.to_string())?;
    loop {
        let now = rest.borrow_and_update().clone();
        match now {
            Rest::Quiet { looked_at } if looked_at.is_some() || !looks => return Ok(()),
            Rest::Failing { message, .. } if permit.refused().is_some() => return Err(message),
            Rest::Failing { times, message } if times >= FAILURES => return Err(message),
            _ => {}
        }
        rest.changed().await.map_err(|_| "the engine stopped".to_owned())?;
    }
}

/// Keeps the lease for as long as it is held.
async fn renew(lease: Lease, tasks: Tasks) {
    let stopping = tasks.stopping();
    let every = lease.settings().renew_every;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        if lease.was_taken()
            && let Err(error) = lease.try_take().await
        {
            tracing::warn!(error = %error, "lease was not renewed");
        }
    }
}
