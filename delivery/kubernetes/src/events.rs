use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::EventType;
use mercurious_core::{decide::Reason, resources::ObjectName};
use mercurious_engine::{Event, EventKind, ports::Notifier};
use mercurious_runtime::Tasks;

use crate::{
    ClusterWorkloads, Hears, StatusStore,
    names::{GROUP, VERSION},
    objects::Identity,
    reports::Reports,
};

/// Tells decisions as Events of the AutoDeploy and of its Deployment; one that is said again is counted, not repeated.
#[derive(Clone)]
pub(crate) struct EventRecorder {
    reports: Reports,
    store: StatusStore,
    workloads: ClusterWorkloads,
    tasks: Tasks,
    /// Hears every event as well.
    hears: Hears,
}

impl EventRecorder {
    /// `hears` is told everything as well, and must not block.
    pub(crate) fn new(
        reports: Reports,
        store: StatusStore,
        workloads: ClusterWorkloads,
        tasks: Tasks,
        hears: Hears,
    ) -> Self {
        Self { reports, store, workloads, tasks, hears }
    }

    async fn report(self, name: ObjectName, identity: Identity, reason: Reason, message: String) {
        let type_ = if is_warning(reason) { EventType::Warning } else { EventType::Normal };
        let reason = reason.to_string();
        let said = (type_, reason.as_str(), message.as_str());
        let object = ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some("AutoDeploy".to_owned()),
            name: Some(name.name.to_string()),
            namespace: Some(name.namespace.to_string()),
            uid: Some(identity.uid),
            ..ObjectReference::default()
        };
        self.reports.publish(&object, said).await;
        let Some(workload) = self.store.target(&name) else { return };
        let Ok(Some(facts)) = self.workloads.facts(&workload).await else { return };
        let object = ObjectReference {
            api_version: Some("apps/v1".to_owned()),
            kind: Some("Deployment".to_owned()),
            name: Some(workload.name.to_string()),
            namespace: Some(workload.namespace.to_string()),
            uid: Some(facts.uid.clone()),
            ..ObjectReference::default()
        };
        self.reports.publish(&object, said).await;
    }
}

impl Notifier for EventRecorder {
    fn notify(&self, event: &Event) {
        (self.hears)(event);
        let EventKind::Decision { reason, message, .. } = &event.kind else { return };
        // That all is well again is told by the event before.
        if *reason == Reason::UpToDate {
            return;
        }
        let Some(identity) = self.store.identity(&event.object) else { return };
        let (name, message) = (event.object.clone(), message.clone());
        self.tasks.spawn("event", self.clone().report(name, identity, *reason, message));
    }
}

fn is_warning(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::PolicyEmpty
            | Reason::ImageUnusable
            | Reason::LookFailed
            | Reason::WorkloadMissing
            | Reason::ContainerMissing
            | Reason::WorkloadUnreadable
            | Reason::ForeignRepository
            | Reason::RollingBack
            | Reason::RolledBack
            | Reason::Failed
            | Reason::Refused
    )
}
