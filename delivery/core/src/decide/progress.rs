use std::time::Duration;

use super::{
    CheckOutcome, Decision, Desired, Effect, Observed, Reason, Workload,
    case::Case,
    wording::{full_seconds, lacking, seconds},
};
use crate::rollout::{Deployed, Kind, Phase, Rollout};

/// How soon to look whether an effect is in place.
pub(super) const EFFECT_PAUSE: Duration = Duration::from_secs(1);

/// Where the checks stand together.
enum Checks<'a> {
    Passed,
    /// Not asked yet, or no answer yet that was heard by us.
    Unasked(&'a str),
    Pending(&'a str, &'a str),
    Failed(&'a str, &'a str),
}

impl Case<'_> {
    /// The next step of the rollout at work.
    pub(super) fn go_on(&mut self, rollout: Rollout, workload: &Workload) -> Decision {
        let suspended = self.desired.suspended;
        let mut decision = match rollout.phase {
            Phase::Pending => self.apply(rollout, workload),
            Phase::Progressing => self.progress(rollout, workload),
            Phase::Baking => self.keep_baking(rollout, workload),
            Phase::RollingBack => self.keep_going_back(rollout, workload),
            ended @ (Phase::Succeeded | Phase::RolledBack | Phase::Failed) => {
                self.end(rollout, ended, String::new());
                self.look_for_work(workload)
            }
        };
        if suspended && decision.record.rollout.is_some() {
            decision
                .message
                .push_str("; suspended: this rollout goes to its end, nothing new starts");
        }
        decision
    }

    /// Written down: repeats the effect until it is seen in place.
    fn apply(&mut self, mut rollout: Rollout, workload: &Workload) -> Decision {
        let restart = rollout.kind == Kind::Restart;
        let name = rollout.release.nickname();
        let token = rollout.token.clone().unwrap_or_else(|| rollout.id.to_string());
        let applied = if restart {
            workload.restart.as_ref() == Some(&token)
        } else {
            workload.is_pinned_to(&rollout.release)
        };
        if applied {
            rollout.phase = Phase::Progressing;
            rollout.phase_since = self.now;
            rollout.applied_at = Some(self.now);
            let message = format!("{name} is applied: {}", complete_or_lacking(workload));
            return self.conclude_with(rollout, Reason::Progressing, message);
        }
        if !restart && !self.is_own(&rollout.release) {
            let message = format!(
                "{name} lies in {}, not in {}, the policy's repository: it is not written",
                rollout.release.repository, self.desired.repository
            );
            self.record.written = rollout.replaced_digest();
            self.end(rollout, Phase::Failed, message.clone());
            return self.conclude(Reason::Failed, message);
        }
        let effect =
            if restart { Effect::Restart { token } } else { self.set_image(&rollout.release) };
        let what = if restart { "restarting" } else { "applying" };
        let mut decision = self.conclude_with(rollout, Reason::Starting, format!("{what} {name}"));
        decision.effect = Some(effect);
        decision.waiting_on = Some("the change to be seen in place".to_owned());
        decision.again_in = Some(EFFECT_PAUSE);
        decision
    }

    /// Applied: waits until all replicas are new and ready.
    fn progress(&mut self, mut rollout: Rollout, workload: &Workload) -> Decision {
        if let Some(why) = definite(workload) {
            return self.fail(rollout, why);
        }
        let name = rollout.release.nickname();
        if workload.is_complete() {
            rollout.phase = Phase::Baking;
            rollout.phase_since = self.now;
            rollout.healthy_since = Some(self.now);
            rollout.restarts_at_bake = workload.restarts;
            let message = format!(
                "{name}: all {} replicas are new and ready; baking for {}",
                workload.desired, self.desired.rollout.bake
            );
            let mut decision = self.conclude_with(rollout, Reason::Baking, message);
            decision.ask_checks = true;
            decision.again_in = Some(self.bake());
            return decision;
        }
        if let Some(fault) = &workload.home_fault {
            rollout.applied_at = None;
            let message = format!(
                "rolling out {name}: this home cannot go on: {fault}; no time counts until then"
            );
            let fault = fault.clone();
            let mut decision = self.conclude_with(rollout, Reason::Progressing, message);
            decision.waiting_on = Some(fault);
            return decision;
        }
        let spent = self.elapsed(*rollout.applied_at.get_or_insert(self.now));
        let lacking = lacking(workload);
        if spent >= self.timeout() {
            let why = format!("not complete after {}: {lacking}", self.desired.rollout.timeout);
            return self.fail(rollout, why);
        }
        let message = format!(
            "rolling out {name}: {lacking}, {} of {}",
            full_seconds(spent),
            self.desired.rollout.timeout
        );
        let left = self.timeout().saturating_sub(spent);
        let mut decision = self.conclude_with(rollout, Reason::Progressing, message);
        decision.waiting_on = Some(lacking);
        decision.again_in = Some(left);
        decision
    }

    /// Complete: checks are asked, and everything must stay healthy.
    fn keep_baking(&mut self, mut rollout: Rollout, workload: &Workload) -> Decision {
        let restarts = workload.restarts.saturating_sub(rollout.restarts_at_bake);
        let checks = checks(self.desired, self.observed);
        let failure = definite(workload)
            .or_else(|| (workload.current && restarts > 0).then(|| restarted(restarts)))
            .or_else(|| match &checks {
                Checks::Failed(name, message) => Some(format!("check {name} failed: {message}")),
                _ => None,
            });
        if let Some(why) = failure {
            return self.fail(rollout, why);
        }
        let healthy = workload.is_complete();
        if healthy {
            rollout.healthy_since.get_or_insert(self.now);
        }
        let baked = rollout.healthy_since.map_or(Duration::ZERO, |since| self.elapsed(since));
        let bake_left = self.bake().saturating_sub(baked);
        // From here on a bake that never gets whole, or a check that never answers, is a failure.
        let limit = self.bake().saturating_add(self.timeout());
        let left = limit.saturating_sub(self.elapsed(rollout.phase_since));
        let waiting_on = match checks {
            _ if !healthy => lacking(workload),
            Checks::Passed if bake_left.is_zero() => return self.succeed(rollout, workload),
            Checks::Passed => format!("bake {} left", seconds(bake_left)),
            Checks::Unasked(name) | Checks::Failed(name, _) => format!("check {name}"),
            Checks::Pending(name, message) => format!("check {name}: {message}"),
        };
        let unasked = healthy && matches!(checks, Checks::Unasked(_));
        if left.is_zero() && !unasked && !(healthy && matches!(checks, Checks::Passed)) {
            let why = format!("not proven healthy within {}: {waiting_on}", seconds(limit));
            return self.fail(rollout, why);
        }
        let lack = match checks {
            _ if !healthy => format!("; the bake starts again after {waiting_on}"),
            Checks::Unasked(name) => format!("; check {name}: not answered yet"),
            Checks::Pending(name, said) => format!("; check {name}: pending, {said}"),
            Checks::Passed | Checks::Failed(..) => String::new(),
        };
        let message = format!(
            "{}: baking {} of {}{lack}",
            rollout.release.nickname(),
            full_seconds(baked.min(self.bake())),
            self.desired.rollout.bake
        );
        let mut decision = self.conclude_with(rollout, Reason::Baking, message);
        decision.waiting_on = Some(waiting_on);
        decision.ask_checks = true;
        decision.again_in = [bake_left, left]
            .into_iter()
            .filter(|time| !time.is_zero())
            .min()
            .or(Some(EFFECT_PAUSE));
        decision
    }

    fn succeed(&mut self, rollout: Rollout, workload: &Workload) -> Decision {
        let release = rollout.release.clone();
        let checks = match self.desired.checks.len() {
            0 => String::new(),
            1 => ", 1 check passed".to_owned(),
            count => format!(", {count} checks passed"),
        };
        let message = format!(
            "{} runs: {} of {} replicas ready{checks}, healthy for {}",
            release.nickname(),
            workload.available,
            workload.desired,
            self.desired.rollout.bake
        );
        self.end(rollout, Phase::Succeeded, message.clone());
        self.now_runs(&release);
        // Since when it serves is a fact of its own; that it is good may be newer than that.
        self.record.last_good =
            self.record.running.as_ref().map(|running| Deployed { release, since: running.since });
        self.conclude(Reason::Succeeded, message)
    }
}

/// The worst of the checks' answers. An answer of a check that is not wished for counts for nothing.
fn checks<'a>(desired: &'a Desired, observed: &'a Observed) -> Checks<'a> {
    let mut all = Checks::Passed;
    for name in &desired.checks {
        match observed.checks.get(name) {
            Some(CheckOutcome::Passed) => {}
            Some(CheckOutcome::Failed { message }) => return Checks::Failed(name, message),
            Some(CheckOutcome::Pending { message }) => {
                if !matches!(all, Checks::Pending(..)) {
                    all = Checks::Pending(name, message);
                }
            }
            None => {
                if matches!(all, Checks::Passed) {
                    all = Checks::Unasked(name);
                }
            }
        }
    }
    all
}

fn restarted(restarts: u32) -> String {
    match restarts {
        1 => "a container restarted while baking".to_owned(),
        _ => format!("containers restarted {restarts} times while baking"),
    }
}

fn complete_or_lacking(workload: &Workload) -> String {
    if workload.is_complete() { "complete".to_owned() } else { lacking(workload) }
}

/// A sign, of the newest spec, that it cannot work.
pub(super) fn definite(workload: &Workload) -> Option<String> {
    if !workload.current {
        return None;
    }
    match workload.evidence.first() {
        Some(evidence) => Some(format!("{}: {}", evidence.reason, evidence.message)),
        None => workload
            .deadline_exceeded
            .then(|| format!("the workload's own deadline has passed: {}", lacking(workload))),
    }
}
