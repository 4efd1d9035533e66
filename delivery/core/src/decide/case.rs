use std::{mem, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Decision, Desired, Effect, Observed, Reason, Workload, WorkloadState};
use crate::{
    image::{Digest, Release},
    rollout::{Actor, Attempt, Deployed, Hold, Kind, Phase, Record, Rollout, RolloutId, Trigger},
};

/// So many holds are remembered: the oldest guard against releases that are long behind what runs.
const MOST_HOLDS: usize = 100;

/// How long to wait before a workload that could not be read is read again.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(10);

/// What to do next, and why. See the module's documentation.
pub fn decide(desired: &Desired, observed: &Observed, now: Timestamp) -> Decision {
    Case { desired, observed, now, record: observed.record.clone() }.decide()
}

/// What one decision is made from, and the record as it becomes.
pub(super) struct Case<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) now: Timestamp,
    pub(super) record: Record,
}

/// How a rollout begins.
pub(super) struct Beginning<'a> {
    pub(super) kind: Kind,
    pub(super) release: &'a Release,
    pub(super) trigger: Trigger,
    pub(super) by: Actor,
    pub(super) token: Option<String>,
}

impl Case<'_> {
    fn decide(mut self) -> Decision {
        if let Some(rollout) = self.record.rollout.take_if(|rollout| rollout.phase.is_end()) {
            // Nothing here writes such a record; a hand or another version might.
            let (phase, message) = (rollout.phase, rollout.failure.clone());
            self.end(*rollout, phase, message);
        }
        let (reason, message) = match &self.observed.workload {
            WorkloadState::Present(workload) => return self.with_workload(workload),
            WorkloadState::Missing { target } => (
                Reason::WorkloadMissing,
                format!("{target} does not exist; create it, or correct spec.target"),
            ),
            WorkloadState::NoContainer { message } => (Reason::ContainerMissing, message.clone()),
            WorkloadState::Unreadable { message } => (Reason::WorkloadUnreadable, message.clone()),
        };
        self.without_workload(reason, message)
    }

    fn with_workload(&mut self, workload: &Workload) -> Decision {
        if let Some(decision) = self.notice(workload) {
            return decision;
        }
        if let Some(request) = self.next_request() {
            return self.obey(request, Ok(workload));
        }
        match self.record.take_rollout() {
            Some(rollout) => self.go_on(rollout, workload),
            None => self.look_for_work(workload),
        }
    }

    fn without_workload(&mut self, reason: Reason, message: String) -> Decision {
        let unreadable = reason == Reason::WorkloadUnreadable;
        if let Some(request) = self.next_request()
            // What cannot be read now may be readable in a moment: the request waits for that.
            && !(unreadable && request.ask.needs_workload())
        {
            return self.obey(request, Err(&message));
        }
        if reason == Reason::WorkloadMissing && self.record.rollout.is_none() {
            // What comes in its place is adopted as at first sight.
            self.record.running = None;
            self.record.written = None;
        }
        let limit = self.timeout().saturating_add(self.bake());
        let left = self
            .record
            .rollout
            .as_ref()
            .map(|rollout| limit.saturating_sub(self.elapsed(rollout.phase_since)));
        if !unreadable
            && left.is_some_and(|left| left.is_zero())
            && let Some(rollout) = self.record.take_rollout()
        {
            // Not the release's fault: it is not held.
            self.end(rollout, Phase::Failed, message.clone());
            return self.conclude(Reason::Failed, message);
        }
        let waiting_on = self.record.rollout.as_ref().map(|_| message.clone());
        let mut decision = self.conclude(reason, message);
        decision.waiting_on = waiting_on;
        decision.again_in = if unreadable { Some(UNREADABLE_PAUSE) } else { left };
        decision
    }

    /// Ends the case with the record as it has become.
    pub(super) fn conclude(&mut self, reason: Reason, message: impl Into<String>) -> Decision {
        Decision::nothing(reason, message, mem::take(&mut self.record))
    }

    /// Ends the case with this rollout at work.
    pub(super) fn conclude_with(
        &mut self,
        rollout: Rollout,
        reason: Reason,
        message: impl Into<String>,
    ) -> Decision {
        self.record.rollout = Some(Box::new(rollout));
        self.conclude(reason, message)
    }

    pub(super) fn timeout(&self) -> Duration {
        self.desired.rollout.timeout.0
    }

    pub(super) fn bake(&self) -> Duration {
        self.desired.rollout.bake.0
    }

    /// How long ago that was; nothing if a clock went back.
    pub(super) fn elapsed(&self, since: Timestamp) -> Duration {
        Duration::try_from(self.now.duration_since(since)).unwrap_or_default()
    }

    /// Whether the engine may write this release at all (invariant 1).
    pub(super) fn is_own(&self, release: &Release) -> bool {
        release.repository == self.desired.repository
    }

    /// The one place where an image to write comes from.
    pub(super) fn set_image(&mut self, release: &Release) -> Effect {
        self.record.written = Some(release.digest.clone());
        Effect::SetImage { container: self.desired.container.clone(), image: release.image() }
    }

    /// Writes a new rollout down. A caller has seen to it that none is at work.
    pub(super) fn begin(&mut self, beginning: Beginning<'_>, workload: &Workload) -> Effect {
        let Beginning { kind, release, trigger, by, token } = beginning;
        self.record.rollouts = self.record.rollouts.saturating_add(1);
        let restart = kind == Kind::Restart;
        // Neither brings another release: there is none to go back to.
        let stays = restart
            || (trigger == Trigger::Pin && workload.digest().as_ref() == Some(&release.digest));
        let id = RolloutId(self.record.rollouts);
        let token = token.map(|token| format!("{id}-{token}"));
        self.record.rollout = Some(Box::new(Rollout {
            id,
            kind,
            phase: Phase::Pending,
            release: release.clone(),
            previous: if stays { None } else { self.way_back_from(release) },
            started_at: self.now,
            phase_since: self.now,
            replaces: Some(workload.image.clone()),
            token: token.clone(),
            applied_at: None,
            healthy_since: None,
            restarts_at_bake: 0,
            trigger,
            by,
            failure: String::new(),
        }));
        match token {
            Some(token) if restart => Effect::Restart { token },
            _ => self.set_image(release),
        }
    }

    /// The last good release, unless it is held since; else what runs, which is better than nothing even where a
    /// person dislikes it.
    fn way_back_from(&self, release: &Release) -> Option<Release> {
        let good = self.record.last_good.as_ref().filter(|good| {
            self.is_own(&good.release) && self.record.hold_on(&good.release.digest).is_none()
        });
        [good, self.record.running.as_ref()]
            .into_iter()
            .flatten()
            .map(|deployed| &deployed.release)
            .find(|known| known.digest != release.digest)
            .cloned()
    }

    /// Moves a rollout into the history.
    pub(super) fn end(&mut self, rollout: Rollout, phase: Phase, message: impl Into<String>) {
        let attempt = Attempt {
            id: rollout.id,
            kind: rollout.kind,
            phase,
            release: rollout.release,
            previous: rollout.previous,
            started_at: rollout.started_at,
            ended_at: self.now,
            trigger: rollout.trigger,
            by: rollout.by,
            message: message.into(),
        };
        let history = Arc::make_mut(&mut self.record.history);
        history.insert(0, attempt);
        history.truncate(self.desired.history_limit);
    }

    /// Holds a release, in place of an older hold on it.
    pub(super) fn hold(&mut self, release: &Release, reason: impl Into<String>, by: Actor) {
        self.lift(&release.digest);
        let hold = Hold {
            digest: release.digest.clone(),
            release: release.clone(),
            reason: reason.into(),
            since: self.now,
            by,
        };
        self.record.holds.insert(0, hold);
        self.record.holds.truncate(MOST_HOLDS);
    }

    /// Lifts the hold on this digest; whether there was one.
    pub(super) fn lift(&mut self, digest: &Digest) -> bool {
        let before = self.record.holds.len();
        self.record.holds.retain(|hold| hold.digest != *digest);
        self.record.holds.len() != before
    }

    /// Remembers what runs, keeping since when if it is the same.
    pub(super) fn now_runs(&mut self, release: &Release) {
        let same = |deployed: &Deployed| deployed.release.digest == release.digest;
        if !self.record.running.as_ref().is_some_and(same) {
            self.record.running = Some(Deployed { release: release.clone(), since: self.now });
        }
    }
}
