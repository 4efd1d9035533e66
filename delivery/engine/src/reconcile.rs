use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use mercurious_core::{
    decide::{
        Candidate, Decision, Desired, Observed, Reason, Request, Workload, WorkloadState,
        auto_deploy_status, decide,
    },
    image::{Digest, Release},
    resources::{AutoDeployStatus, ObjectName},
    rollout::Record,
};
use mercurious_runtime::{CancellationToken, Tasks};
use tokio::sync::{Notify, broadcast, watch};

use crate::{
    AuditEntry, AutoDeployView, DecisionView, Event, EventKind, RepositoryView, Rest, Wish,
    checks::Checks,
    detect::{choose, overlooked},
    engine::Ports,
    ports::{Attention, Commit, StoreError},
    seats::Waiting,
    view::WorkloadView,
    watch::RepositoryState,
    wish::Place,
};

/// What one reconciler is to do, and where it learns of images.
#[derive(Clone, Debug)]
pub(crate) struct Steering {
    pub(crate) wish: Arc<Wish>,
    pub(crate) place: Arc<Place>,
    pub(crate) repository: watch::Receiver<RepositoryState>,
    /// Whether that is looked at, as far as anybody knows.
    pub(crate) looks: bool,
}

/// Steers one workload.
pub(crate) struct Reconciler {
    pub(crate) name: ObjectName,
    /// What it is to do from now on.
    pub(crate) steering: watch::Receiver<Steering>,
    /// What it does now.
    pub(crate) steered: Steering,
    pub(crate) ports: Ports,
    pub(crate) view: watch::Sender<Option<Arc<AutoDeployView>>>,
    pub(crate) rest: watch::Sender<Rest>,
    /// Rung when a request was added, or suspension changed, or a check answered.
    pub(crate) bell: Arc<Notify>,
    pub(crate) waiting: Waiting,
    pub(crate) tasks: Tasks,
    pub(crate) stopping: CancellationToken,
}

/// A record with the status that was shown of it.
type Found = (Arc<Record>, Option<Arc<AutoDeployStatus>>);

/// What one reconciler keeps between two steps; all of it can be found again after a restart.
struct Memory {
    record: Arc<Record>,
    /// The status as it was shown last.
    status: Option<Arc<AutoDeployStatus>>,
    checks: Checks,
    /// Releases that run and are in no list (any more), so that they can be compared.
    resolved: BTreeMap<Digest, Option<Release>>,
    announced: Option<(Reason, Option<String>)>,
    failures: u32,
}

/// The world is looked at no less often than this, whatever is reported.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What a first look may take before a decision is made without it.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// The entry for the end of the newest rollout is among so many newest ones: few requests and no rollout can have come
/// after it.
const OVERDUE_WITHIN: usize = 1000;

/// So many steps in a row may change something before the next waits a moment: a guard against a home that
/// never settles.
const STEPS_IN_A_ROW: u32 = 32;

impl Reconciler {
    pub(crate) async fn run(mut self) {
        let Some((record, status)) = Box::pin(self.load()).await else { return };
        let mut memory = Memory {
            record,
            status,
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
        if memory.record.rollout.is_none() {
            Box::pin(self.wait_for_first_look()).await;
        }
        loop {
            self.take_up_steering(&mut memory);
            let step = tokio::select! {
                () = stopping.cancelled() => return,
                // Between steps it takes no room.
                step = Box::pin(self.step(&mut memory)) => step,
            };
            let pause = match step {
                Ok(Step { moved: true, .. }) if in_a_row < STEPS_IN_A_ROW => {
                    memory.failures = 0;
                    in_a_row += 1;
                    continue;
                }
                Ok(step) => {
                    memory.failures = 0;
                    self.rest.send_replace(if memory.record.rollout.is_some() || step.moved {
                        Rest::Working
                    } else {
                        Rest::Quiet { looked_at: step.looked_at }
                    });
                    step.again_in.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
                }
                Err(message) => {
                    if memory.failures == 0 {
                        tracing::error!(app.name = %self.name(), error = %message, "step failed; trying again");
                    }
                    memory.failures = memory.failures.saturating_add(1);
                    self.rest.send_replace(Rest::Failing { times: memory.failures, message });
                    Duration::from_millis(250).saturating_mul(1 << memory.failures.min(7))
                }
            };
            in_a_row = 0;
            if !self.wait(&mut changes, pause).await {
                return;
            }
        }
    }

    fn name(&self) -> &ObjectName {
        &self.name
    }

    fn wish(&self) -> &Wish {
        &self.steered.wish
    }

    /// Does from now on what is wished for by now.
    fn take_up_steering(&mut self, memory: &mut Memory) {
        if !self.steering.has_changed().unwrap_or(false) {
            return;
        }
        let steering = self.steering.borrow_and_update().clone();
        if steering.wish.auto_deploy.spec.checks != self.wish().auto_deploy.spec.checks {
            memory.checks.stop();
        }
        self.steered = steering;
    }

    /// With nothing at work, what there is to decide is known after the first look: most often in a moment.
    async fn wait_for_first_look(&mut self) {
        if !self.steered.looks {
            return;
        }
        tokio::select! {
            () = self.stopping.cancelled() => {}
            () = self.bell.notified() => {}
            () = tokio::time::sleep(FIRST_LOOK) => {}
            // A watcher that is gone looks no more.
            _ = self.steered.repository.wait_for(|state| state.looked_at.is_some()) => {}
        }
    }

    /// The record and the status, waiting for the store if it must; `None` when the engine stops.
    async fn load(&self) -> Option<Found> {
        let mut said = false;
        loop {
            match self.found().await {
                Ok(found) => return Some(found),
                Err(error) => {
                    let times = 1;
                    self.rest.send_replace(Rest::Failing { times, message: error.to_string() });
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
    async fn found(&self) -> Result<Found, StoreError> {
        let store = &self.ports.store;
        let record = store.record(self.name()).await?.unwrap_or_default();
        let history = store.audit(Some(self.name()), OVERDUE_WITHIN).await?;
        if let Some(entry) = AuditEntry::overdue(self.name(), &record, &history) {
            store.append(&entry).await?;
        }
        Ok((record, store.status(self.name()).await?))
    }

    /// Waits until something may have changed. `false` means that the engine stops.
    async fn wait(
        &mut self,
        changes: &mut broadcast::Receiver<ObjectName>,
        pause: Duration,
    ) -> bool {
        let until = tokio::time::Instant::now() + pause;
        // A watcher that was replaced says no more; the steering that names the new one follows.
        let mut watched = true;
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return false,
                () = tokio::time::sleep_until(until) => return true,
                () = self.bell.notified() => return true,
                changed = self.steering.changed() => {
                    if changed.is_err() {
                        return false;
                    }
                    self.steering.mark_changed();
                    return true;
                }
                changed = self.steered.repository.changed(), if watched => match changed {
                    Ok(()) => return true,
                    Err(_) => watched = false,
                },
                change = changes.recv() => match change {
                    Ok(name) if name == self.wish().target.workload => return true,
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
        let repository = self.steered.repository.borrow_and_update().clone();
        let attention =
            if memory.record.rollout.is_some() { Attention::Close } else { Attention::Casual };
        let workload = self.ports.workloads.observe(&self.wish().target, attention).await;
        let now = self.ports.clock.now();

        let running = self.running(memory, &repository, &workload).await;
        let candidate = choose(
            &self.wish().policy,
            &repository.seen,
            repository.failure.as_deref(),
            running.as_ref(),
            &memory.record,
        );
        let desired = self.desired(candidate, requests, suspended);
        let observed = Observed {
            workload,
            checks: memory.checks.answers(memory.record.rollout.as_ref().map(|rollout| rollout.id)),
            record: Record::clone(&memory.record),
        };
        let decision = decide(&desired, &observed, now);
        let moved = decision.record != *memory.record || decision.effect.is_some();

        let status = auto_deploy_status(
            &decision.record,
            &decision,
            &desired.candidate,
            memory.status.as_deref(),
            now,
        );
        self.write(&decision, Arc::new(status), memory, now).await.map_err(text)?;
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
            if let Err(error) = self.ports.workloads.apply(&self.wish().target, effect).await {
                let message =
                    format!("{} could not be changed: {error}", self.wish().target.workload);
                self.show_problem(&message);
                return Err(message);
            }
        }
        match (&memory.record.rollout, decision.ask_checks) {
            (Some(rollout), true) => {
                let specs = &self.wish().auto_deploy.spec.checks;
                memory.checks.ask(rollout.id, specs, &self.wish().target, &rollout.release);
            }
            _ => memory.checks.stop(),
        }
        Ok(Step { moved, again_in: decision.again_in, looked_at: repository.looked_at })
    }

    fn desired(
        &self,
        candidate: Candidate,
        requests: Vec<Request>,
        suspended: Option<bool>,
    ) -> Desired {
        let spec = &self.wish().auto_deploy.spec;
        Desired {
            repository: self.steered.place.repository.clone(),
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
            let tag = tag.map(|(tag, _)| tag.clone());
            return Some(Release { tag, ..Release::clone(release) });
        }
        if let Some(known) = memory.resolved.get(&digest) {
            return known.clone();
        }
        match self.ports.source.resolve(&self.steered.place, &digest, None).await {
            Ok(release) => {
                memory.resolved.insert(digest, Some(release.clone()));
                Some(release)
            }
            Err(error) if error.is_passing() => None,
            Err(_) => {
                memory.resolved.insert(digest, None);
                None
            }
        }
    }

    /// Makes the decision durable, and shows it; what did not change is not written.
    async fn write(
        &self,
        decision: &Decision,
        status: Arc<AutoDeployStatus>,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let differs = decision.record != *memory.record;
        if !differs && !self.has_news(decision) {
            memory.status.get_or_insert(status);
            return Ok(());
        }
        if differs {
            let entry = audit_entry(self.name().clone(), decision, &memory.record, now);
            let record = Arc::new(decision.record.clone());
            let commit = Commit { record: &record, status: &status, entry: &entry };
            self.ports.store.commit(self.name(), commit).await?;
            memory.record = record;
        } else if memory.status.as_ref() != Some(&status) {
            self.ports.store.save_status(self.name(), &status).await?;
        }
        let announced = |before: &AutoDeployStatus| {
            let ready = before.conditions.iter().find(|condition| condition.kind == "Ready");
            ready.is_some_and(|ready| {
                ready.reason == decision.reason.to_string() && ready.message == decision.message
            })
        };
        if memory.announced.is_none() && memory.status.as_deref().is_some_and(announced) {
            // Said in an earlier life.
            memory.announced = Some(announcement(decision));
        }
        // What is equal stays: others hold the same.
        if memory.status.as_ref() != Some(&status) {
            memory.status = Some(status);
        }
        Ok(())
    }

    /// Whether a decision is worth telling: that the first look is still on its way is not.
    fn has_news(&self, decision: &Decision) -> bool {
        let state = self.steered.repository.borrow();
        decision.reason != Reason::LookFailed || state.looked_at.is_some()
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
        let mut object = self.wish().auto_deploy.clone();
        object.status.clone_from(&memory.status);
        let view = AutoDeployView {
            object,
            suspended: desired.suspended,
            decision: DecisionView::new(decision, before.as_ref().map(|view| &view.decision), now),
            workload: WorkloadView::of(&self.wish().target, &observed.workload),
            repository: RepositoryView {
                name: self.steered.place.name.clone(),
                repository: self.steered.place.repository.clone(),
                tags: repository.seen.count(),
                looked_at: repository.looked_at,
                failure: repository.failure.clone(),
                policy: self.wish().policy.describe(),
            },
            warnings: self
                .wish()
                .warnings
                .iter()
                .map(ToString::to_string)
                .chain(overlooked(&self.wish().policy, &repository.seen))
                .collect(),
        };
        let announcement = announcement(decision);
        if memory.announced.as_ref() != Some(&announcement) && self.has_news(decision) {
            memory.announced = Some(announcement);
            let ended = decision.record.history.first();
            let rollout = decision.record.rollout.as_ref();
            self.ports.notifier.notify(&Event {
                at: now,
                object: self.name().clone(),
                kind: EventKind::Decision {
                    reason: decision.reason,
                    message: decision.message.clone(),
                    phase: rollout
                        .map(|rollout| rollout.phase)
                        .or(ended.map(|attempt| attempt.phase)),
                    release: subject(decision).map(Release::nickname),
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
}

/// What a step did.
struct Step {
    /// Something changed: step again at once.
    moved: bool,
    /// The end of the look that it took into account.
    looked_at: Option<Timestamp>,
    /// Else no later than this.
    again_in: Option<Duration>,
}

fn text(error: StoreError) -> String {
    error.message
}

/// The release that a decision is about: of the rollout at work, else of the one that ended last.
fn subject(decision: &Decision) -> Option<&Release> {
    let rollout = decision.record.rollout.as_ref().map(|rollout| &rollout.release);
    rollout.or(decision.record.history.first().map(|attempt| &attempt.release))
}

/// What makes a decision another one for listeners.
fn announcement(decision: &Decision) -> (Reason, Option<String>) {
    (decision.reason, subject(decision).map(|release| release.digest.to_string()))
}

fn audit_entry(
    auto_deploy: ObjectName,
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
