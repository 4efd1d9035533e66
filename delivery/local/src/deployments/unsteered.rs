use std::collections::BTreeSet;

use mercurious_core::resources::ObjectName;
use mercurious_engine::{WorkloadView, ports::LogTail};

use super::Deployments;

/// The Deployments that no auto-deploy steers: they run what their manifests say. Clones share them.
#[derive(Clone)]
pub struct Unsteered {
    deployments: Deployments,
    names: BTreeSet<ObjectName>,
}

impl Unsteered {
    pub(crate) fn new(deployments: Deployments, steered: &BTreeSet<ObjectName>) -> Self {
        let names = deployments.inner.seats.keys().filter(|name| !steered.contains(name));
        let names = names.cloned().collect();
        Self { deployments, names }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Each as it is now.
    pub fn list(&self) -> Vec<(ObjectName, WorkloadView)> {
        let seats = self.deployments.inner.seats.iter();
        seats
            .filter(|(name, _)| self.names.contains(name))
            .map(|(name, seat)| {
                let view = WorkloadView::new("Deployment", &name.name, &seat.state());
                (name.clone(), view)
            })
            .collect()
    }

    /// The newest lines of one, and those to come; nothing where there is none of that name.
    pub fn log_tail(&self, name: &ObjectName, limit: usize) -> Option<LogTail> {
        let seat = self.deployments.inner.seats.get(name)?;
        self.names.contains(name).then(|| seat.lines.tail(limit))
    }
}
