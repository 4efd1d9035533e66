//! A world for the engine: a registry, a home and a store that live in memory, misbehave on request, and let
//! the engine be killed at any call.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use jiff::Timestamp;
use mercurious_core::{
    decide::{Effect, Evidence, Request, Workload, WorkloadState},
    image::{Digest, ImageReference, Release, Tag},
    policy::Policy,
    resources::{AutoDeploy, CheckSpec, ImagePolicy, ImageRepository, ObjectName},
    rollout::Record,
};
use mercurious_engine::{
    AuditEntry, Event, Place, Ports, Seen, Target, Wishes,
    ports::{
        ApplyError, Attention, Checker, Commit, ImageSource, LogTail, LookError, Notifier, Store,
        StoreError, Workloads,
    },
};
use mercurious_runtime::{Clock, SystemClock};
use tokio::sync::broadcast;

/// The registry: tags, releases, and how many questions were asked.
#[derive(Default)]
pub struct FakeRegistry {
    pub tags: Mutex<BTreeMap<Tag, Digest>>,
    pub releases: Mutex<BTreeMap<Digest, Release>>,
    pub heads: AtomicU64,
    pub resolves: AtomicU64,
    pub lists: AtomicU64,
    pub failing: AtomicBool,
    pub unusable: Mutex<BTreeMap<Digest, String>>,
}

impl FakeRegistry {
    /// Pushes an image under these tags, built at this second.
    pub fn push(&self, tags: &[&str], built_at: i64) -> Release {
        let digest = Digest::of(format!("{tags:?} {built_at}").as_bytes());
        let commit = tags.iter().find_map(|tag| tag.strip_prefix("sha-")?.parse().ok());
        let release = Release {
            repository: repository(),
            digest: digest.clone(),
            tag: None,
            commit,
            built_at: Some(Timestamp::from_second(1_700_000_000 + built_at).unwrap()),
            platforms: Arc::default(),
        };
        self.releases.lock().unwrap().insert(digest.clone(), release.clone());
        for tag in tags {
            self.tags.lock().unwrap().insert(tag.parse().unwrap(), digest.clone());
        }
        release
    }

    /// Questions since the last call: HEADs, resolutions, listings.
    pub fn spent(&self) -> (u64, u64, u64) {
        (
            self.heads.swap(0, Ordering::SeqCst),
            self.resolves.swap(0, Ordering::SeqCst),
            self.lists.swap(0, Ordering::SeqCst),
        )
    }

    fn check(&self) -> Result<(), LookError> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(LookError::Failed {
                message: "503 from the registry".into(),
                retryable: true,
            });
        }
        Ok(())
    }
}

#[async_trait]
impl ImageSource for FakeRegistry {
    async fn head(&self, _: &Place, reference: &str) -> Result<Option<Digest>, LookError> {
        self.heads.fetch_add(1, Ordering::SeqCst);
        self.check()?;
        Ok(self.tags.lock().unwrap().get(&reference.parse::<Tag>().unwrap()).cloned())
    }

    async fn resolve(
        &self,
        _: &Place,
        digest: &Digest,
        _: Option<&Tag>,
    ) -> Result<Release, LookError> {
        self.resolves.fetch_add(1, Ordering::SeqCst);
        self.check()?;
        if let Some(message) = self.unusable.lock().unwrap().get(digest) {
            return Err(LookError::Unusable { message: message.clone() });
        }
        let known = self.releases.lock().unwrap().get(digest).cloned();
        known.ok_or_else(|| LookError::Gone { message: format!("{digest} is gone") })
    }

    async fn tags(&self, _: &Place) -> Result<Vec<Tag>, LookError> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        self.check()?;
        Ok(self.tags.lock().unwrap().keys().cloned().collect())
    }
}

/// How an image behaves once it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Good,
    Crashes,
    NeverReady,
    FailsCheck,
}

/// The home: one workload that becomes what its image says after a few observations.
pub struct FakeHome {
    pub image: Mutex<String>,
    pub restart: Mutex<Option<String>>,
    pub behaviours: Mutex<BTreeMap<Digest, Behaviour>>,
    pub applied: Mutex<Vec<String>>,
    pub progress: AtomicU64,
    pub changes: broadcast::Sender<ObjectName>,
    pub lines: Mutex<Vec<String>>,
    pub coming: broadcast::Sender<String>,
    pub crash: Arc<CrashPoint>,
}

impl FakeHome {
    fn new(crash: Arc<CrashPoint>) -> Self {
        Self {
            image: Mutex::new("registry.test/team/api-gateway:latest".into()),
            restart: Mutex::new(None),
            behaviours: Mutex::new(BTreeMap::new()),
            applied: Mutex::new(Vec::new()),
            progress: AtomicU64::new(3),
            changes: broadcast::channel(64).0,
            lines: Mutex::new(Vec::new()),
            coming: broadcast::channel(64).0,
            crash,
        }
    }

    fn behaviour(&self) -> Behaviour {
        let reference: Option<ImageReference> = self.image.lock().unwrap().parse().ok();
        let digest = reference.and_then(|reference| reference.digest().cloned());
        digest
            .and_then(|digest| self.behaviours.lock().unwrap().get(&digest).copied())
            .unwrap_or(Behaviour::Good)
    }

    /// What a person does with kubectl or by hand.
    pub fn set_image(&self, image: &str) {
        image.clone_into(&mut self.image.lock().unwrap());
        self.progress.store(0, Ordering::SeqCst);
        let _ = self.changes.send(workload());
    }
}

#[async_trait]
impl Workloads for FakeHome {
    async fn observe(&self, _: &Target, _: Attention) -> WorkloadState {
        self.crash.pass().await;
        let image = self.image.lock().unwrap().clone();
        let reference: Option<ImageReference> = image.parse().ok();
        let progress = self.progress.fetch_add(1, Ordering::SeqCst);
        let behaviour = self.behaviour();
        let ready =
            progress >= 2 && !matches!(behaviour, Behaviour::Crashes | Behaviour::NeverReady);
        let evidence = if behaviour == Behaviour::Crashes && progress >= 2 {
            vec![Evidence { reason: "CrashLoopBackOff".into(), message: "exit code 1".into() }]
        } else {
            Vec::new()
        };
        if progress < 3 {
            let _ = self.changes.send(workload());
        }
        WorkloadState::Present(Workload {
            image,
            reference,
            restart: self.restart.lock().unwrap().clone(),
            current: true,
            paused: false,
            desired: 2,
            updated: if progress >= 2 { 2 } else { 1 },
            available: if ready { 2 } else { 0 },
            ready: if ready { 2 } else { 0 },
            home_fault: None,
            total: 2,
            restarts: 0,
            deadline_exceeded: false,
            evidence,
            foreign_writers: Vec::new(),
        })
    }

    async fn apply(&self, _: &Target, effect: &Effect) -> Result<(), ApplyError> {
        self.crash.pass().await;
        match effect {
            Effect::SetImage { image, .. } => {
                let mut current = self.image.lock().unwrap();
                if *current != image.to_string() {
                    *current = image.to_string();
                    self.applied.lock().unwrap().push(image.to_string());
                    self.progress.store(0, Ordering::SeqCst);
                }
            }
            Effect::Restart { token } => {
                let mut current = self.restart.lock().unwrap();
                if current.as_ref() != Some(token) {
                    *current = Some(token.clone());
                    self.progress.store(0, Ordering::SeqCst);
                }
            }
        }
        self.crash.pass().await;
        let _ = self.changes.send(workload());
        Ok(())
    }

    fn changes(&self) -> broadcast::Receiver<ObjectName> {
        self.changes.subscribe()
    }

    async fn log_tail(&self, _: &Target, _: usize) -> LogTail {
        LogTail { lines: self.lines.lock().unwrap().clone(), coming: self.coming.subscribe() }
    }

    async fn log_lines(&self, _: &Target, _: usize) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

/// Asks the image's behaviour.
pub struct FakeChecker {
    home: Arc<FakeHome>,
}

#[async_trait]
impl Checker for FakeChecker {
    async fn ask(&self, _: &CheckSpec, _: &Target, _: &Release) -> Result<(), String> {
        match self.home.behaviour() {
            Behaviour::FailsCheck => Err("500 from /check".into()),
            _ => Ok(()),
        }
    }
}

/// State in memory that survives the engine.
#[derive(Default)]
pub struct FakeStore {
    pub records: Mutex<BTreeMap<ObjectName, Arc<Record>>>,
    pub writes: AtomicU64,
    seen: Mutex<BTreeMap<ObjectName, Seen>>,
    requests: Mutex<BTreeMap<ObjectName, Vec<Request>>>,
    suspended: Mutex<BTreeMap<ObjectName, bool>>,
    pub audit: Mutex<VecDeque<AuditEntry>>,
    pub crash: Arc<CrashPoint>,
}

#[async_trait]
impl Store for FakeStore {
    async fn record(&self, name: &ObjectName) -> Result<Option<Arc<Record>>, StoreError> {
        Ok(self.records.lock().unwrap().get(name).cloned())
    }

    async fn commit(&self, name: &ObjectName, commit: Commit<'_>) -> Result<(), StoreError> {
        self.crash.pass().await;
        self.writes.fetch_add(1, Ordering::SeqCst);
        // What is written is what can be read back.
        let text = serde_json::to_string(commit.record).unwrap();
        self.records.lock().unwrap().insert(name.clone(), serde_json::from_str(&text).unwrap());
        self.crash.pass().await;
        self.append(commit.entry).await
    }

    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.crash.pass().await;
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.audit.lock().unwrap().push_front(entry.clone());
        Ok(())
    }

    async fn seen(&self, name: &ObjectName) -> Result<Option<Arc<Seen>>, StoreError> {
        Ok(self.seen.lock().unwrap().get(name).cloned().map(Arc::new))
    }

    async fn save_seen(&self, name: &ObjectName, seen: &Arc<Seen>) -> Result<(), StoreError> {
        let text = serde_json::to_string(seen.as_ref()).unwrap();
        self.seen.lock().unwrap().insert(name.clone(), serde_json::from_str(&text).unwrap());
        Ok(())
    }

    async fn requests(&self, name: &ObjectName) -> Result<Vec<Request>, StoreError> {
        Ok(self.requests.lock().unwrap().get(name).cloned().unwrap_or_default())
    }

    async fn add_request(&self, name: &ObjectName, request: &Request) -> Result<(), StoreError> {
        self.requests.lock().unwrap().entry(name.clone()).or_default().push(request.clone());
        Ok(())
    }

    async fn remove_request(&self, name: &ObjectName, request: &Request) -> Result<(), StoreError> {
        self.crash.pass().await;
        if let Some(requests) = self.requests.lock().unwrap().get_mut(name) {
            requests.retain(|other| other.id != request.id);
        }
        Ok(())
    }

    async fn suspended(&self, name: &ObjectName) -> Result<Option<bool>, StoreError> {
        Ok(self.suspended.lock().unwrap().get(name).copied())
    }

    async fn set_suspended(&self, name: &ObjectName, suspended: bool) -> Result<(), StoreError> {
        self.suspended.lock().unwrap().insert(name.clone(), suspended);
        Ok(())
    }

    async fn audit(
        &self,
        _: Option<&ObjectName>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.audit.lock().unwrap().iter().take(limit).cloned().collect())
    }
}

/// Kills the engine at its n-th pass: the task that passes never goes on.
#[derive(Default)]
pub struct CrashPoint {
    passes: AtomicU64,
    at: AtomicU64,
    pub reached: tokio::sync::Notify,
}

impl CrashPoint {
    /// From now on, the n-th pass (counted from 1) is the last; 0 never.
    pub fn arm(&self, at: u64) {
        self.passes.store(0, Ordering::SeqCst);
        self.at.store(at, Ordering::SeqCst);
    }

    /// How many passes there have been since `arm`.
    pub fn passed(&self) -> u64 {
        self.passes.load(Ordering::SeqCst)
    }

    async fn pass(&self) {
        let pass = self.passes.fetch_add(1, Ordering::SeqCst) + 1;
        let at = self.at.load(Ordering::SeqCst);
        if at != 0 && pass >= at {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// Keeps all events.
#[derive(Default)]
pub struct FakeNotifier(pub Mutex<Vec<Event>>);

impl Notifier for FakeNotifier {
    fn notify(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// All of it.
pub struct World {
    pub registry: Arc<FakeRegistry>,
    pub home: Arc<FakeHome>,
    pub store: Arc<FakeStore>,
    pub notifier: Arc<FakeNotifier>,
    pub crash: Arc<CrashPoint>,
}

impl World {
    pub fn new() -> Self {
        let crash = Arc::new(CrashPoint::default());
        Self {
            registry: Arc::default(),
            home: Arc::new(FakeHome::new(Arc::clone(&crash))),
            store: Arc::new(FakeStore { crash: Arc::clone(&crash), ..FakeStore::default() }),
            notifier: Arc::default(),
            crash,
        }
    }

    pub fn ports(&self) -> Ports {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ports {
            source: self.registry.clone(),
            workloads: self.home.clone(),
            store: self.store.clone(),
            checker: Arc::new(FakeChecker { home: self.home.clone() }),
            notifier: self.notifier.clone(),
            clock,
        }
    }

    pub fn record(&self) -> Record {
        let records = self.store.records.lock().unwrap();
        records.get(&app()).map(|record| Record::clone(record)).unwrap_or_default()
    }
}

pub fn app() -> ObjectName {
    ObjectName::new("app", "api-gateway")
}

pub fn workload() -> ObjectName {
    ObjectName::new("app", "api-gateway")
}

pub fn repository() -> mercurious_core::image::Repository {
    "registry.test/team/api-gateway".parse().unwrap()
}

/// The guide's policy, with short times.
pub fn wishes() -> Wishes {
    let repository: ImageRepository = serde_json::from_value(serde_json::json!({
        "apiVersion": "image.toolkit.fluxcd.io/v1beta2", "kind": "ImageRepository",
        "metadata": {"name": "api-gateway", "namespace": "flux-system"},
        "spec": {"image": "registry.test/team/api-gateway", "interval": "1s"},
    }))
    .unwrap();
    let policy: ImagePolicy = serde_json::from_value(serde_json::json!({
        "apiVersion": "image.toolkit.fluxcd.io/v1beta2", "kind": "ImagePolicy",
        "metadata": {"name": "api-gateway", "namespace": "flux-system"},
        "spec": {
            "imageRepositoryRef": {"name": "api-gateway"},
            "policy": {"alphabetical": {"order": "desc"}},
            "filterTags": {"pattern": "^sha-[a-f0-9]+$", "extract": "$0"},
        },
    }))
    .unwrap();
    let auto_deploy: AutoDeploy = serde_json::from_value(serde_json::json!({
        "apiVersion": "mercurious.dev/v1alpha1", "kind": "AutoDeploy",
        "metadata": {"name": "api-gateway", "namespace": "app"},
        "spec": {
            "target": {"kind": "Deployment", "name": "api-gateway"},
            "policyRef": {"name": "api-gateway", "namespace": "flux-system"},
            "rollout": {"timeout": "3s", "bake": "50ms"},
            "checks": [{"name": "endpoint", "http": {"url": "http://api-gateway.app.svc/"}, "period": "10ms"}],
        },
    }))
    .unwrap();
    let flux = ObjectName::new("flux-system", "api-gateway");
    Wishes::new(
        &BTreeMap::from([(app(), auto_deploy)]),
        &BTreeMap::from([(flux.clone(), policy)]),
        &BTreeMap::from([(flux, repository)]),
    )
    .unwrap()
}

/// The guide's policy, understood.
pub fn policy() -> Arc<Policy> {
    wishes().auto_deploys[&app()].policy.clone()
}

pub fn place() -> Arc<Place> {
    wishes().repositories[&ObjectName::new("flux-system", "api-gateway")].place.clone()
}
