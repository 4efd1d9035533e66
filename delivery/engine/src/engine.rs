use std::sync::Arc;

use mercurious_core::resources::ObjectName;
use mercurious_runtime::{Clock, Tasks};

use crate::{
    EngineHandle, Wishes,
    ports::{Checker, ImageSource, Notifier, Store, Workloads},
    seats::Seats,
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

/// Why an engine could not take up its wishes.
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
    /// when the tasks are stopped, or when [`EngineHandle::update`] no longer names them.
    pub fn start(
        wishes: Wishes,
        ports: &Ports,
        tasks: &Tasks,
    ) -> Result<EngineHandle, EngineError> {
        let handle = EngineHandle::new(Seats::new(ports.clone(), tasks.clone()));
        handle.update(wishes)?;
        Ok(handle)
    }
}
