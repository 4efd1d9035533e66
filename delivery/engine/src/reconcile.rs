use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use mercurious_core::{
    decide::{
        Candidate, Decision, Desired, Observed, Request, Workload, WorkloadState,
        auto_deploy_status, decide,
    },
    image::{Digest, Release},
    rollout::Record,
};
use mercurious_runtime::{CancellationToken, Tasks};
use tokio::sync::{Notify, broadcast, watch};

use crate::{
    AuditEntry, AutoDeployView, DecisionView, Event, EventKind, RepositoryView, Wish,
    checks::Checks,
    detect::choose,
    engine::Ports,
    handle::Waiting,
    ports::{LookError, StoreError},
    view::WorkloadView,
    watch::RepositoryState,
    wish::Place,
};

/// Steers one workload.
pub(crate) struct Reconciler {
    pub(crate) wish: Wish,
    pub(crate) place: Place,
    pub(crate) ports: Ports,
    pub(crate) repository: watch::Receiver<RepositoryState>,
    pub(crate) view: watch::Sender<Option<Arc<AutoDeployView>>>,
    /// Rung when a request was added, or suspension changed, or a check answered.
    pub(crate) bell: Arc<Notify>,
    pub(crate) waiting: Waiting,
    pub(crate) tasks: Tasks,
    pub(crate) stopping: CancellationToken,
}

/// What one reconciler keeps between two steps; all of it can be found again after a restart.
struct Memory {
    record: Record,
    checks: Checks,
    /// Releases that run and are in no list (any more), so that they can be compared.
    resolved: BTreeMap<Digest, Option<Release>>,
    announced: Option<(mercurious_core::decide::Reason, Option<String>)>,
    failures: u32,
}

/// The world is looked at no less often than this, whatever is reported.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The entry for the end of the newest rollout is among so many newest ones: few requests and no rollout can have come
/// after it.
const OVERDUE_WITHIN: usize = 1000;

/// So many steps in a row may change something before the next waits a moment: a guard against a home that
/// never settles.
const STEPS_IN_A_ROW: u32 = 32;

impl Reconciler {
    pub(crate) async fn run(mut self) {
        let Some(record) = self.load().await else { return };
        let mut memory = Memory {
            record,
            checks: Checks::new(
                Arc::clone(&self.ports.checker),
                self.tasks.clone(),
                Arc::clone(&self.bell),
            ),
            resolved: BTreeMap::new(),
            announced: None,
            failures: 0,
        };
        let mut changes = self.ports.workloads.changes();
        let stopping = self.stopping.clone();
        let mut in_a_row = 0;
        loop {
            let step = tokio::select! {
                () = stopping.cancelled() => return,
                step = self.step(&mut memory) => step,
            };
            let pause = match step {
                Ok(Step { moved: true, .. }) if in_a_row < STEPS_IN_A_ROW => {
                    memory.failures = 0;
                    in_a_row += 1;
                    continue;
                }
                Ok(step) => {
                    memory.failures = 0;
                    step.again_in.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
                }
                Err(message) => {
                    if memory.failures == 0 {
                        tracing::error!(app.name = %self.name(), error = %message, "step failed; trying again");
                    }
                    memory.failures = memory.failures.saturating_add(1);
                    Duration::from_millis(250).saturating_mul(1 << memory.failures.min(7))
                }
            };
            in_a_row = 0;
            if !self.wait(&mut changes, pause).await {
                return;
            }
        }
    }

    fn name(&self) -> &mercurious_core::resources::ObjectName {
        &self.wish.target.auto_deploy
    }

    /// The record, waiting for the store if it must; `None` when the engine stops.
    async fn load(&self) -> Option<Record> {
        let mut said = false;
        loop {
            match self.found().await {
                Ok(record) => return Some(record),
                Err(error) => {
                    if !said {
                        tracing::error!(app.name = %self.name(), error = %error, "record cannot be read; nothing moves until it can");
                        said = true;
                    }
                }
            }
            tokio::select! {
                () = self.stopping.cancelled() => return None,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    /// The record as the last engine left it, with its audit history made whole.
    async fn found(&self) -> Result<Record, StoreError> {
        let store = &self.ports.store;
        let record = store.record(self.name()).await?.unwrap_or_default();
        let history = store.audit(Some(self.name()), OVERDUE_WITHIN).await?;
        if let Some(entry) = AuditEntry::overdue(self.name(), &record, &history) {
            store.append(&entry).await?;
        }
        Ok(record)
    }

    /// Waits until something may have changed. `false` means that the engine stops.
    async fn wait(
        &mut self,
        changes: &mut broadcast::Receiver<mercurious_core::resources::ObjectName>,
        pause: Duration,
    ) -> bool {
        let until = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return false,
                () = tokio::time::sleep_until(until) => return true,
                () = self.bell.notified() => return true,
                changed = self.repository.changed() => return changed.is_ok(),
                change = changes.recv() => match change {
                    Ok(name) if name == self.wish.target.workload => return true,
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => return true,
                    Err(broadcast::error::RecvError::Closed) => return false,
                },
            }
        }
    }

    /// Observe, decide, write down, apply, report.
    #[tracing::instrument(name = "reconcile", skip_all, fields(app.name = %self.name()))]
    async fn step(&mut self, memory: &mut Memory) -> Result<Step, String> {
        let requests = self.ports.store.requests(self.name()).await.map_err(text)?;
        let suspended = self.ports.store.suspended(self.name()).await.map_err(text)?;
        let repository = self.repository.borrow_and_update().clone();
        let workload = self.ports.workloads.observe(&self.wish.target).await;
        let now = self.ports.clock.now();

        let running = self.running(memory, &repository, &workload).await;
        let candidate = choose(
            &self.wish.policy,
            &repository.seen,
            repository.failure.as_deref(),
            running.as_ref(),
            &memory.record,
        );
        let desired = self.desired(candidate, requests, suspended);
        let observed = Observed {
            workload,
            checks: memory.checks.answers(memory.record.rollout.as_ref().map(|rollout| rollout.id)),
            record: memory.record.clone(),
        };
        let decision = decide(&desired, &observed, now);
        let moved = decision.record != memory.record || decision.effect.is_some();

        if decision.record != memory.record {
            self.write(&decision, memory, now).await.map_err(text)?;
        }
        let mut answered = Vec::new();
        for request in &desired.requests {
            if memory.record.handled.contains(&request.id) {
                self.ports.store.remove_request(self.name(), request).await.map_err(text)?;
                let waiting =
                    self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&request.id);
                answered.extend(waiting);
            }
        }
        self.report(&decision, &desired, &observed, &repository, memory, now);
        // After the report, so that who asked finds in the view what was decided; they may have gone.
        for waiting in answered {
            let _ = waiting.send(DecisionView::new(&decision, None, now));
        }
        if let Some(effect) = &decision.effect {
            tracing::info!(reason = %decision.reason, message = %decision.message, "applying");
            if let Err(error) = self.ports.workloads.apply(&self.wish.target, effect).await {
                let message =
                    format!("{} could not be changed: {error}", self.wish.target.workload);
                self.show_problem(&message);
                return Err(message);
            }
        }
        match (&memory.record.rollout, decision.ask_checks) {
            (Some(rollout), true) => {
                let specs = &self.wish.auto_deploy.spec.checks;
                memory.checks.ask(rollout.id, specs, &self.wish.target, &rollout.release);
            }
            _ => memory.checks.stop(),
        }
        Ok(Step { moved, again_in: decision.again_in })
    }

    fn desired(
        &self,
        candidate: Candidate,
        requests: Vec<Request>,
        suspended: Option<bool>,
    ) -> Desired {
        let spec = &self.wish.auto_deploy.spec;
        Desired {
            repository: self.place.repository.clone(),
            container: spec.container.clone(),
            suspended: suspended.unwrap_or(spec.suspend),
            rollout: spec.rollout,
            automatic_rollback: spec.rollback.automatic,
            checks: spec.checks.iter().map(|check| check.name.clone()).collect(),
            history_limit: spec.history_limit,
            candidate,
            requests,
        }
    }

    /// All that is known of what the workload runs, so that the candidate can be compared with it.
    async fn running(
        &self,
        memory: &mut Memory,
        repository: &RepositoryState,
        workload: &WorkloadState,
    ) -> Option<Release> {
        let digest = match workload {
            WorkloadState::Present(Workload { reference: Some(reference), .. }) => {
                reference.digest().cloned()
            }
            _ => None,
        };
        let recorded = memory.record.running.as_ref().map(|deployed| &deployed.release);
        let Some(digest) = digest else { return recorded.cloned() };
        if let Some(release) = recorded.filter(|release| release.digest == digest) {
            return Some(release.clone());
        }
        if let Some(release) = repository.seen.releases.get(&digest) {
            let tag =
                repository.seen.tags.iter().find(|(_, known)| known.as_ref() == Some(&digest));
            return Some(Release { tag: tag.map(|(tag, _)| tag.clone()), ..release.clone() });
        }
        if let Some(known) = memory.resolved.get(&digest) {
            return known.clone();
        }
        match self.ports.source.resolve(&self.place, &digest, None).await {
            Ok(release) => {
                memory.resolved.insert(digest, Some(release.clone()));
                Some(release)
            }
            Err(LookError::Failed { retryable: true, .. }) => None,
            Err(_) => {
                memory.resolved.insert(digest, None);
                None
            }
        }
    }

    /// Makes the decision's record durable, and says so in the audit history.
    async fn write(
        &self,
        decision: &Decision,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.ports.store.save_record(self.name(), &decision.record).await?;
        let before = std::mem::replace(&mut memory.record, decision.record.clone());
        self.ports
            .store
            .append(&audit_entry(self.wish.target.auto_deploy.clone(), decision, &before, now))
            .await
    }

    #[expect(clippy::too_many_arguments, reason = "a step's whole outcome, told in one place")]
    /// Shows the decision to people; tells listeners when it is another one.
    fn report(
        &self,
        decision: &Decision,
        desired: &Desired,
        observed: &Observed,
        repository: &RepositoryState,
        memory: &mut Memory,
        now: Timestamp,
    ) {
        let before = self.view.borrow().clone();
        let previous = before.as_ref().and_then(|view| view.object.status.as_ref());
        let status =
            auto_deploy_status(&decision.record, decision, &desired.candidate, previous, now);
        let mut object = self.wish.auto_deploy.clone();
        object.status = Some(status);
        let view = AutoDeployView {
            object,
            suspended: desired.suspended,
            decision: DecisionView::new(decision, before.as_ref().map(|view| &view.decision), now),
            workload: self.workload_view(&observed.workload),
            repository: RepositoryView {
                name: self.place.name.clone(),
                repository: self.place.repository.clone(),
                tags: repository.seen.tags.len(),
                looked_at: repository.looked_at,
                failure: repository.failure.clone(),
                policy: self.wish.policy.describe(),
            },
            warnings: self.wish.warnings.iter().map(ToString::to_string).collect(),
        };
        let ended = decision.record.history.first();
        let rollout = decision.record.rollout.as_ref();
        let release =
            rollout.map(|rollout| &rollout.release).or(ended.map(|attempt| &attempt.release));
        let announcement = (decision.reason, release.map(|release| release.digest.to_string()));
        if memory.announced.as_ref() != Some(&announcement) {
            memory.announced = Some(announcement);
            self.ports.notifier.notify(&Event {
                at: now,
                object: self.name().clone(),
                kind: EventKind::Decision {
                    reason: decision.reason,
                    message: decision.message.clone(),
                    phase: rollout
                        .map(|rollout| rollout.phase)
                        .or(ended.map(|attempt| attempt.phase)),
                    release: release.map(Release::nickname),
                },
            });
        }
        self.view.send_replace(Some(Arc::new(view)));
    }

    /// Adds a problem to what people see, until the next step reports anew.
    fn show_problem(&self, message: &str) {
        self.view.send_modify(|view| {
            if let Some(view) = view {
                Arc::make_mut(view).workload.problems.push(message.to_owned());
            }
        });
    }

    fn workload_view(&self, state: &WorkloadState) -> WorkloadView {
        let mut view = WorkloadView {
            kind: self.wish.target.kind.clone(),
            name: self.wish.target.workload.name.clone(),
            ..WorkloadView::default()
        };
        match state {
            WorkloadState::Present(workload) => {
                view.image = Some(workload.image.clone());
                view.desired = workload.desired;
                view.updated = workload.updated;
                view.available = workload.available;
                view.total = workload.total;
                view.problems = workload
                    .evidence
                    .iter()
                    .map(|evidence| format!("{}: {}", evidence.reason, evidence.message))
                    .collect();
            }
            WorkloadState::Missing { target } => {
                view.problems.push(format!("{target} does not exist"));
            }
            WorkloadState::NoContainer { message } | WorkloadState::Unreadable { message } => {
                view.problems.push(message.clone());
            }
        }
        view
    }
}

/// What a step did.
struct Step {
    /// Something changed: step again at once.
    moved: bool,
    /// Else no later than this.
    again_in: Option<Duration>,
}

fn text(error: StoreError) -> String {
    error.message
}

fn audit_entry(
    auto_deploy: mercurious_core::resources::ObjectName,
    decision: &Decision,
    before: &Record,
    now: Timestamp,
) -> AuditEntry {
    let rollout = decision.record.rollout.as_ref();
    let ended = decision
        .record
        .history
        .first()
        .filter(|attempt| before.history.first().is_none_or(|known| known.id != attempt.id));
    AuditEntry {
        at: now,
        auto_deploy,
        reason: decision.reason,
        message: decision.message.clone(),
        rollout: rollout.map(|rollout| rollout.id).or(ended.map(|attempt| attempt.id)),
        phase: rollout.map(|rollout| rollout.phase).or(ended.map(|attempt| attempt.phase)),
        from: before.running.as_ref().map(|running| running.release.digest.clone()),
        to: rollout
            .map(|rollout| &rollout.release)
            .or(ended.map(|attempt| &attempt.release))
            .map(|release| release.digest.clone()),
        by: rollout
            .map(|rollout| &rollout.by)
            .or(ended.map(|attempt| &attempt.by))
            .map_or_else(|| "engine".to_owned(), |actor| actor.0.clone()),
    }
}
