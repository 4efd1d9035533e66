use std::{
    collections::BTreeSet, ffi::OsString, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration,
};

use mercurious_adapters::{OciImageSource, chain};
use mercurious_core::{image::Platform, resources::ObjectName};
use mercurious_distribution::{Distribution, Reference};
use mercurious_engine::{
    Engine, EngineError, EngineHandle, EventBus, Ports, WishError, Wishes,
    ports::{Store as _, StoreError},
};
use mercurious_manifests::Manifests;
use mercurious_proxy::{FrontProxy, ListenError, ProxySettings};
use mercurious_registry::RegistryClient;
use mercurious_runtime::{Clock, Tasks};
use mercurious_sandbox::{
    run::{Isolation, Runner, detect_isolation},
    unpack::ImageStore,
};
use tokio::{net::TcpListener, sync::broadcast};

use crate::{
    Credentials, DataDirectory, Deployments, FileStore, LocalChecker, Unsteered,
    deployments::Surroundings,
    left_overs::LeftOvers,
    network::{Address, Network},
    pull::Puller,
};

/// What a home is started with.
pub struct HomeSettings {
    /// What is wished for.
    pub manifests: Manifests,
    /// Where the embedded registry listens; loopback only.
    pub registry_listen: SocketAddr,
    /// Where Ingresses listen.
    pub listen: SocketAddr,
    /// Docker's and Podman's login files.
    pub login_files: Vec<PathBuf>,
    /// The command that starts a plain process so that it dies with its parent.
    pub launcher: Vec<OsString>,
    /// The command that calls [`crate::end_left_overs`] with one more argument, a directory; none where nobody is
    /// to watch.
    pub watcher: Vec<OsString>,
    /// Never use bubblewrap.
    pub no_sandbox: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why a home could not be started.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The wishes cannot be understood.
    #[error("{}", .0.iter().map(|fault| chain(fault)).collect::<Vec<_>>().join("\n"))]
    Wishes(Vec<WishError>),
    /// State cannot be read or written.
    #[error(transparent)]
    Store(StoreError),
    /// A port of the front proxy cannot be opened.
    #[error("a port of the front proxy cannot be opened")]
    Listen(#[source] ListenError),
    /// The embedded registry's port cannot be opened.
    #[error(
        "the embedded registry cannot listen on {address}; name another port with --registry-listen"
    )]
    Registry {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The embedded registry listens to everybody.
    #[error("{0} is not a loopback address: the embedded registry asks for no password")]
    NotLoopback(SocketAddr),
    /// The engine.
    #[error("the engine cannot start")]
    Engine(#[source] EngineError),
    /// Anything else of the machine.
    #[error("cannot {action}: {message}")]
    Machine {
        /// What was tried.
        action: &'static str,
        /// Why not.
        message: String,
    },
}

/// One machine with everything on it.
pub struct Home {
    /// The engine.
    pub handle: EngineHandle,
    /// What happens.
    pub events: EventBus,
    /// The embedded registry's address.
    pub registry: SocketAddr,
    /// Services and Ingresses, with their addresses.
    pub addresses: Vec<Address>,
    /// The Deployments that no auto-deploy steers.
    pub unsteered: Unsteered,
    /// Why images run with no isolation, where they do.
    pub isolation_warning: Option<String>,
    /// The embedded registry itself.
    pub distribution: Distribution,
    _directory: DataDirectory,
    _left_overs: LeftOvers,
}

/// Garbage in the embedded registry and among unpacked images is collected this often.
const COLLECT_EVERY: Duration = Duration::from_hours(1);
/// What was pushed this recently is never garbage.
const GRACE: Duration = Duration::from_hours(1);

impl Home {
    /// Whether there is no workload at all.
    pub fn is_empty(&self) -> bool {
        self.handle.names().is_empty() && self.unsteered.is_empty()
    }

    /// Starts everything on these tasks; it ends when they are stopped.
    pub async fn start(
        directory: DataDirectory,
        settings: HomeSettings,
        tasks: &Tasks,
    ) -> Result<Self, HomeError> {
        let machine = |action: &'static str| {
            move |error: &dyn std::error::Error| HomeError::Machine {
                action,
                message: chain(error),
            }
        };
        if !settings.registry_listen.ip().is_loopback() {
            return Err(HomeError::NotLoopback(settings.registry_listen));
        }
        let manifests = Arc::new(settings.manifests);
        let wishes = wishes(&manifests)?;
        let store = FileStore::open(&directory.state()).map_err(HomeError::Store)?;
        // Layers that a killed engine was downloading: they are of use to nobody.
        let downloads = directory.root().join("downloads");
        if downloads.exists() {
            std::fs::remove_dir_all(&downloads)
                .map_err(|error| machine("remove old downloads")(&error))?;
        }
        for path in [&directory.logs(), &directory.replicas(), &downloads] {
            std::fs::create_dir_all(path).map_err(|error| machine("make a directory")(&error))?;
        }
        let ended = LeftOvers::of_earlier_runs(&directory.replicas())
            .map_err(|error| machine("end left-over replicas")(&error))?;
        let left_overs = LeftOvers::watch(&directory.replicas(), &settings.watcher)
            .map_err(|error| machine("start a watcher")(&error))?;
        if ended > 0 {
            tracing::warn!(
                replicas.ended = ended,
                "replicas of an earlier run were still alive and were ended"
            );
        }

        let distribution =
            Distribution::open(&directory.registry(), mercurious_distribution::Settings::default())
                .map_err(|error| machine("open the embedded registry")(&error))?;
        let listener = TcpListener::bind(settings.registry_listen)
            .await
            .map_err(|source| HomeError::Registry { address: settings.registry_listen, source })?;
        let registry = listener.local_addr().map_err(|error| machine("listen")(&error))?;
        let (served, stopping) = (distribution.clone(), tasks.stopping());
        tasks.spawn_critical("registry", async move {
            if let Err(error) = mercurious_distribution::serve(listener, served, stopping).await {
                tracing::error!(error = %error, "embedded registry ended");
            }
        });

        let proxy = FrontProxy::new(tasks.clone(), ProxySettings::default());
        let network = Network::open(proxy, &manifests, settings.listen, &store)?;
        let (isolation, isolation_warning) = if settings.no_sandbox {
            let warning =
                "--no-sandbox: images run as plain processes, with no isolation".to_owned();
            (Isolation::Plain { launcher: settings.launcher }, Some(warning))
        } else {
            detect_isolation(settings.launcher, &directory.replicas()).await
        };
        let runner = Runner::new(isolation, tasks.clone())
            .map_err(|error| machine("start a thread")(&error))?;
        let secrets = manifests
            .secrets
            .iter()
            .map(|(name, sourced)| (name.clone(), sourced.value.clone()))
            .collect();
        let credentials = Credentials::new(secrets, settings.login_files);
        let build = || {
            RegistryClient::builder().user_agent(concat!("mercurious/", env!("CARGO_PKG_VERSION")))
        };
        let client = build().build().map_err(|error| machine("make a registry client")(&error))?;
        let images = ImageStore::open(&directory.images())
            .map_err(|error| machine("open the image store")(&error))?;
        let platform = Platform::of_this_program();
        let puller = Puller::new(client, credentials.clone(), images, platform.clone(), downloads);
        let surroundings = Surroundings {
            manifests: Arc::clone(&manifests),
            network: network.clone(),
            puller: puller.clone(),
            runner,
            replicas: left_overs.directory.clone(),
            logs: directory.logs(),
            volumes: directory.volumes(),
        };
        let deployments = Deployments::start(&manifests, &surroundings, &store, tasks)
            .map_err(HomeError::Store)?;
        let steered = wishes.auto_deploys.values().map(|wish| wish.target.workload.clone());
        let unsteered = Unsteered::new(deployments.clone(), &steered.collect());
        let workloads: Arc<dyn mercurious_engine::ports::Workloads> = Arc::new(deployments);
        let checker = LocalChecker::new(network.clone(), Arc::clone(&workloads))
            .map_err(|error| machine("make an HTTP client")(&error))?;
        let events = EventBus::default();
        let names: Vec<ObjectName> = wishes.auto_deploys.keys().cloned().collect();
        let ports = Ports {
            source: OciImageSource::new(credentials, platform, build),
            workloads,
            store: Arc::new(store.clone()),
            checker: Arc::new(checker),
            notifier: Arc::new(events.clone()),
            clock: settings.clock,
        };
        // The replicas of the last run are gone: a rollout that was at work is owed its whole time again.
        for name in &names {
            if let Some(before) = store.record(name).await.map_err(HomeError::Store)? {
                let mut record = before.clone();
                Arc::make_mut(&mut record).home_started(ports.clock.now());
                if record != before {
                    store.save_record(name, &record).await.map_err(HomeError::Store)?;
                }
            }
        }
        let handle = Engine::start(wishes, &ports, tasks).map_err(HomeError::Engine)?;
        tasks.spawn_critical("pushes", hints(distribution.clone(), handle.clone(), tasks.clone()));
        tasks.spawn_critical(
            "garbage",
            collect((distribution.clone(), puller), store, names, tasks.clone()),
        );
        Ok(Self {
            handle,
            events,
            registry,
            addresses: network.addresses(),
            unsteered,
            isolation_warning,
            distribution,
            _directory: directory,
            _left_overs: left_overs,
        })
    }
}

fn wishes(manifests: &Manifests) -> Result<Wishes, HomeError> {
    let values = |name: &ObjectName| name.clone();
    let auto_deploys =
        manifests.auto_deploys.iter().map(|(name, it)| (values(name), it.value.clone())).collect();
    let policies = manifests
        .image_policies
        .iter()
        .map(|(name, it)| (values(name), it.value.clone()))
        .collect();
    let repositories = manifests
        .image_repositories
        .iter()
        .map(|(name, it)| (values(name), it.value.clone()))
        .collect();
    Wishes::new(&auto_deploys, &policies, &repositories).map_err(HomeError::Wishes)
}

/// A push into the embedded registry is a hint for whoever watches that repository.
async fn hints(distribution: Distribution, handle: EngineHandle, tasks: Tasks) {
    let mut pushes = distribution.pushes();
    let stopping = tasks.stopping();
    loop {
        let push = tokio::select! {
            () = stopping.cancelled() => return,
            push = pushes.recv() => push,
        };
        match push {
            Ok(push) => {
                if let Reference::Tag(tag) = &push.reference {
                    handle.hint(None, push.repository.as_str(), Some(tag));
                }
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// Removes what no tag and no record needs any more.
async fn collect(
    (distribution, puller): (Distribution, Puller),
    store: FileStore,
    names: Vec<ObjectName>,
    tasks: Tasks,
) {
    let stopping = tasks.stopping();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(COLLECT_EVERY) => {}
        }
        let mut keep = BTreeSet::new();
        let mut complete = true;
        for name in &names {
            match store.record(name).await {
                Ok(Some(record)) => {
                    keep.extend(
                        record
                            .running
                            .iter()
                            .chain(&record.last_good)
                            .map(|it| it.release.digest.clone()),
                    );
                    keep.extend(
                        record.history.iter().map(|attempt| attempt.release.digest.clone()),
                    );
                    keep.extend(
                        record.rollout.iter().map(|rollout| rollout.release.digest.clone()),
                    );
                }
                Ok(None) => {}
                Err(_) => complete = false,
            }
        }
        // Without every record nobody knows what may go.
        if !complete {
            continue;
        }
        if let Err(error) = distribution.collect_garbage(&keep, GRACE).await {
            tracing::warn!(error = %error, "garbage in the embedded registry was not collected");
        }
        if let Err(error) = puller.collect_garbage(&keep).await {
            tracing::warn!(error = %error, "unpacked images that nobody needs were not removed");
        }
    }
}
