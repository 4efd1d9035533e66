use std::{collections::BTreeMap, sync::Arc};

use mercurious_core::resources::ObjectName;
use mercurious_runtime::{Clock, Tasks};
use tokio::sync::{Notify, mpsc, watch};

use crate::{
    EngineHandle, Wishes,
    handle::{AppSeat, RepositorySeat, Waiting},
    ports::{Checker, ImageSource, Notifier, Store, Workloads},
    reconcile::Reconciler,
    watch::{RepositoryState, Watcher},
};

/// The world, by role.
#[derive(Clone)]
pub struct Ports {
    /// The registry.
    pub source: Arc<dyn ImageSource>,
    /// The home of workloads.
    pub workloads: Arc<dyn Workloads>,
    /// What survives a restart.
    pub store: Arc<dyn Store>,
    /// Asks checks.
    pub checker: Arc<dyn Checker>,
    /// Hears of decisions.
    pub notifier: Arc<dyn Notifier>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why an engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// An auto-deploy names a repository that is not wished for: `Wishes::new` never builds that.
    #[error(
        "AutoDeploy {auto_deploy} refers to ImageRepository {repository}, which is not watched"
    )]
    NoRepository {
        /// Who refers.
        auto_deploy: ObjectName,
        /// To what.
        repository: ObjectName,
    },
}

/// The loop over all that is wished for.
pub struct Engine;

impl Engine {
    /// Starts a watcher for each repository and a reconciler for each auto-deploy on these tasks; they end
    /// when the tasks are stopped.
    pub fn start(
        wishes: Wishes,
        ports: &Ports,
        tasks: &Tasks,
    ) -> Result<EngineHandle, EngineError> {
        let mut repositories = BTreeMap::new();
        for (name, wish) in wishes.repositories {
            let (state, receiver) = watch::channel(RepositoryState::default());
            // A hint that finds the queue full adds nothing: a full look is due anyway.
            let (hints, hint_receiver) = mpsc::channel(64);
            let seat = RepositorySeat {
                place: wish.place.clone(),
                suspended: wish.suspended,
                state: receiver,
                hints,
            };
            let watcher = Watcher {
                wish,
                ports: ports.clone(),
                state,
                hints: hint_receiver,
                stopping: tasks.stopping(),
            };
            tasks.spawn_critical("watcher", watcher.run());
            repositories.insert(name, seat);
        }
        let mut apps = BTreeMap::new();
        for (name, wish) in wishes.auto_deploys {
            let Some(repository) = repositories.get(&wish.repository) else {
                return Err(EngineError::NoRepository {
                    auto_deploy: name,
                    repository: wish.repository,
                });
            };
            let (view, view_receiver) = watch::channel(None);
            let bell = Arc::new(Notify::new());
            let waiting = Waiting::default();
            let reconciler = Reconciler {
                place: repository.place.clone(),
                ports: ports.clone(),
                repository: repository.state.clone(),
                view,
                bell: Arc::clone(&bell),
                waiting: Arc::clone(&waiting),
                tasks: tasks.clone(),
                stopping: tasks.stopping(),
                wish: wish.clone(),
            };
            tasks.spawn_critical("reconciler", reconciler.run());
            apps.insert(name, AppSeat { wish, view: view_receiver, bell, waiting });
        }
        Ok(EngineHandle::new(apps, repositories, ports.clone()))
    }
}
