use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event as Report, EventType, Recorder, Reporter},
};
use mercurious_core::{decide::Reason, resources::ObjectName};
use mercurious_engine::{Event, EventKind, ports::Notifier};
use mercurious_runtime::Tasks;

use crate::{
    ClusterWorkloads, Hears, StatusStore,
    names::{GROUP, REPORTER, VERSION},
    objects::Identity,
};

/// An Event's note may be no longer.
const LONGEST_NOTE: usize = 1000;

/// Tells decisions as Events of the AutoDeploy and of its Deployment; one that is said again is counted, not repeated.
#[derive(Clone)]
pub struct EventRecorder {
    recorder: Recorder,
    store: StatusStore,
    workloads: ClusterWorkloads,
    tasks: Tasks,
    /// Hears every event as well.
    hears: Hears,
}

impl EventRecorder {
    /// A recorder that reports as this instance; `hears` is told everything as well, and must not block.
    pub fn new(
        client: Client,
        instance: String,
        store: StatusStore,
        workloads: ClusterWorkloads,
        tasks: Tasks,
        hears: Hears,
    ) -> Self {
        let reporter = Reporter { controller: REPORTER.to_owned(), instance: Some(instance) };
        Self { recorder: Recorder::new(client, reporter), store, workloads, tasks, hears }
    }

    async fn report(self, name: ObjectName, identity: Identity, report: Report) {
        let object = ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some("AutoDeploy".to_owned()),
            name: Some(name.name.clone()),
            namespace: Some(name.namespace.clone()),
            uid: Some(identity.uid),
            ..ObjectReference::default()
        };
        self.publish(&report, &object).await;
        let Some(workload) = self.store.target(&name) else { return };
        let Ok(Some(facts)) = self.workloads.facts(&workload).await else { return };
        let object = ObjectReference {
            api_version: Some("apps/v1".to_owned()),
            kind: Some("Deployment".to_owned()),
            name: Some(workload.name),
            namespace: Some(workload.namespace),
            uid: Some(facts.uid.clone()),
            ..ObjectReference::default()
        };
        self.publish(&report, &object).await;
    }

    async fn publish(&self, report: &Report, object: &ObjectReference) {
        if let Err(error) = self.recorder.publish(report, object).await {
            // An Event is a courtesy: the status has the whole truth.
            tracing::debug!(error = %crate::explain(&error), "event was not recorded");
        }
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
        let report = Report {
            type_: if is_warning(*reason) { EventType::Warning } else { EventType::Normal },
            reason: reason.to_string(),
            note: Some(message.chars().take(LONGEST_NOTE).collect()),
            action: reason.to_string(),
            secondary: None,
        };
        self.tasks.spawn("event", self.clone().report(event.object.clone(), identity, report));
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
