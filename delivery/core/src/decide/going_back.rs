use super::{
    Decision, Effect, Reason, Workload,
    case::Case,
    progress::{EFFECT_PAUSE, definite},
    wording::{UNTIL_RESUMED, apart, full_seconds, lacking},
};
use crate::{
    image::Release,
    rollout::{Actor, Kind, Phase, Rollout},
};

impl Case<'_> {
    /// A rollout did not work: it is held, and goes back if it may and can.
    pub(super) fn fail(&mut self, rollout: Rollout, why: String) -> Decision {
        let release = rollout.release.clone();
        let name = release.nickname();
        if rollout.kind == Kind::Restart {
            // There is no other release to go to, and this one is not to blame for having run before.
            let message = format!("the restart of {name} failed: {why}");
            self.end(rollout, Phase::Failed, why);
            return self.conclude(Reason::Failed, message);
        }
        self.hold(&release, why.clone(), Actor::engine());
        if self.desired.automatic_rollback
            && let Some(previous) = self.way_back(&rollout)
        {
            let (name, back) = apart(&release, &previous);
            let message = format!("{name} failed: {why}; going back to {back}");
            let effect = self.go_back(rollout, &previous, why);
            let mut decision = self.conclude(Reason::RollingBack, message);
            decision.effect = Some(effect);
            return decision;
        }
        let stays = match (&rollout.previous, self.desired.automatic_rollback) {
            (_, false) => "automatic rollback is off, nothing moves".to_owned(),
            (Some(previous), true) if !self.is_own(previous) => {
                format!(
                    "what ran before ({}) is not in the policy's repository, nothing moves",
                    previous.image()
                )
            }
            _ => "there is nothing to go back to, nothing moves".to_owned(),
        };
        let message = format!("{name} failed: {why}; {stays}; it is held: {UNTIL_RESUMED}");
        self.end(rollout, Phase::Failed, why);
        self.conclude(Reason::Failed, message)
    }

    /// Where a rollout can go back to: another release, in the policy's own repository.
    pub(super) fn way_back(&self, rollout: &Rollout) -> Option<Release> {
        rollout
            .previous
            .clone()
            .filter(|previous| previous.digest != rollout.release.digest && self.is_own(previous))
    }

    /// Turns a rollout round.
    pub(super) fn go_back(
        &mut self,
        mut rollout: Rollout,
        previous: &Release,
        why: String,
    ) -> Effect {
        rollout.phase = Phase::RollingBack;
        rollout.phase_since = self.now;
        rollout.applied_at = None;
        rollout.healthy_since = None;
        rollout.failure = why;
        self.record.rollout = Some(Box::new(rollout));
        self.set_image(previous)
    }

    /// Repeats the effect until it is seen in place, then waits until the release before serves alone again.
    pub(super) fn keep_going_back(
        &mut self,
        mut rollout: Rollout,
        workload: &Workload,
    ) -> Decision {
        let why = rollout.failure.clone();
        let Some(previous) = self.way_back(&rollout) else {
            let name = rollout.release.nickname();
            let message = format!("{name} failed: {why}; there is nothing to go back to any more");
            if workload.is_pinned_to(&rollout.release) {
                self.record.written = Some(rollout.release.digest.clone());
            }
            return self.give_up(rollout, message);
        };
        let (name, back) = apart(&rollout.release, &previous);
        if !workload.is_pinned_to(&previous) {
            let effect = self.set_image(&previous);
            let message = format!("going back to {back}: {why}");
            let mut decision = self.conclude_with(rollout, Reason::RollingBack, message);
            decision.effect = Some(effect);
            decision.waiting_on = Some("the change to be seen in place".to_owned());
            decision.again_in = Some(EFFECT_PAUSE);
            return decision;
        }
        if let Some(trouble) = definite(workload) {
            let message =
                format!("{name} failed: {why}; going back to {back} failed too: {trouble}");
            return self.give_up(rollout, message);
        }
        if workload.is_complete() {
            let message = format!("{name}: {why}; went back to {back}, which serves again");
            self.end(rollout, Phase::RolledBack, message.clone());
            self.now_runs(&previous);
            return self.conclude(Reason::RolledBack, message);
        }
        let since = *rollout.applied_at.get_or_insert(self.now);
        let spent = self.elapsed(since);
        let lacking = lacking(workload);
        if spent >= self.timeout() {
            let timeout = self.desired.rollout.timeout;
            let message = format!(
                "{name} failed: {why}; going back to {back} is not complete after {timeout}: {lacking}"
            );
            return self.give_up(rollout, message);
        }
        let message = format!(
            "going back to {back}: {lacking}, {} of {}",
            full_seconds(spent),
            self.desired.rollout.timeout
        );
        let left = self.timeout().saturating_sub(spent);
        let mut decision = self.conclude_with(rollout, Reason::RollingBack, message);
        decision.waiting_on = Some(lacking);
        decision.again_in = Some(left);
        decision
    }

    fn give_up(&mut self, rollout: Rollout, message: String) -> Decision {
        self.end(rollout, Phase::Failed, message.clone());
        self.conclude(Reason::Failed, message)
    }
}
