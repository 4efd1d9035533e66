use super::{
    Ask, Decision, Effect, Reason, Request, Workload,
    case::{Beginning, Case},
    wording::{apart, held},
};
use crate::{
    image::{Digest, Release},
    rollout::{Actor, Kind, Phase, RequestId, Rollout, Trigger, proven},
};

/// So many handled requests are remembered: more than can be on their way at once.
const MOST_HANDLED: usize = 50;

/// What was done for a request, in words, and to the workload.
struct Done {
    message: String,
    effect: Option<Effect>,
}

impl Done {
    fn said(message: String) -> Self {
        Self { message, effect: None }
    }
}

/// What was done, or why it was not.
type Answer = Result<Done, String>;

/// The workload, or why there is none.
type Found<'a> = Result<&'a Workload, &'a str>;

impl Ask {
    /// Whether it is about replicas, not only about what is remembered.
    pub(super) fn needs_workload(&self) -> bool {
        match self {
            Self::Deploy(_) | Self::Rollback(_) | Self::Restart => true,
            Self::Hold { .. } | Self::Resume(_) => false,
        }
    }
}

impl<'a> Case<'a> {
    /// The oldest request that was not handled yet.
    pub(super) fn next_request(&self) -> Option<&'a Request> {
        self.desired.requests.iter().find(|request| !self.record.handled.contains(&request.id))
    }

    /// Does what a person asks, or says why not; either way it is handled. Who refuses has changed nothing yet.
    pub(super) fn obey(&mut self, request: &Request, workload: Found<'_>) -> Decision {
        let by = &request.by;
        let answer = match &request.ask {
            Ask::Deploy(release) => self.deploy(release, by, workload),
            Ask::Rollback(release) => self.roll_back(release.as_deref(), by, workload),
            Ask::Restart => self.restart(request, workload),
            Ask::Hold { release, reason } => {
                self.hold_for(release.as_deref(), reason, by, workload)
            }
            Ask::Resume(digest) => self.resume(digest.as_ref(), by),
        };
        self.remember_handled(request);
        match answer {
            Ok(Done { message, effect }) => {
                let mut decision = self.conclude(Reason::Obeyed, message);
                decision.effect = effect;
                decision
            }
            Err(why) => self.conclude(Reason::Refused, format!("refused: {why}")),
        }
    }

    /// Forgets the oldest, but none that is still asked: it would be obeyed again.
    fn remember_handled(&mut self, request: &Request) {
        let desired = self.desired;
        let asked = |id: &RequestId| desired.requests.iter().any(|request| request.id == *id);
        let handled = &mut self.record.handled;
        handled.push_back(request.id.clone());
        while handled.len() > MOST_HANDLED
            && let Some(oldest) = handled.iter().position(|id| !asked(id))
        {
            handled.remove(oldest);
        }
    }

    fn deploy(&mut self, release: &Release, by: &Actor, workload: Found<'_>) -> Answer {
        let workload = movable(workload)?;
        self.refuse_foreign(release)?;
        let name = release.nickname();
        let lifted = self.lifting(release);
        let replaced = self.leaving(workload);
        match &self.record.rollout {
            Some(rollout) if proves(rollout, &release.digest) => {
                return Ok(Done::said(format!("{name} is on its way already{lifted}")));
            }
            // Anything less than the last good one is proven again.
            None if workload.is_pinned_to(release) && self.is_good(release) => {
                return Ok(Done::said(match lifted.as_str() {
                    "" => format!("{name} runs already; it is not held"),
                    lifted => format!("{name} runs already{lifted}"),
                }));
            }
            _ => {}
        }
        self.supersede(&format!("the deployment of {name}, asked by {by}"));
        let effect = self.begin(person(Kind::Deploy, release, by), workload);
        // Where the policy would choose another release, it would undo this at once: what the person passed over
        // is held.
        let candidate = self.desired.candidate.release();
        if candidate.is_none_or(|candidate| candidate.digest != release.digest) {
            for passed in replaced.iter().chain(candidate) {
                if passed.digest != release.digest && self.record.hold_on(&passed.digest).is_none()
                {
                    self.hold(passed, format!("{by} deployed {name} instead"), by.clone());
                }
            }
        }
        let message = match &replaced {
            Some(replaced) => {
                let (name, old) = apart(release, replaced);
                format!("{by} deploys {name} in place of {old}{lifted}")
            }
            None => format!("{by} deploys {name}{lifted}"),
        };
        Ok(Done { message, effect: Some(effect) })
    }

    fn roll_back(&mut self, to: Option<&Release>, by: &Actor, workload: Found<'_>) -> Answer {
        let workload = movable(workload)?;
        if let Some(rollout) = self.record.rollout.clone()
            && rollout.kind != Kind::Restart
        {
            // What a person takes back is never what the person just went back to: that would hold the good one.
            if rollout.kind == Kind::Rollback && to.is_none() {
                let name = rollout.release.nickname();
                return Ok(Done::said(format!("on the way back to {name} already")));
            }
            let previous = rollout.previous.as_ref().map(|previous| &previous.digest);
            if rollout.kind != Kind::Rollback && to.is_none_or(|to| Some(&to.digest) == previous) {
                return self.turn_round(*rollout, by, format!("rolled back by {by}"));
            }
        }
        let leaving = self.leaving(workload);
        let leaving_digest = leaving.as_ref().map(|release| &release.digest);
        let target = match to {
            Some(to) if Some(&to.digest) == leaving_digest => {
                return Err(format!("{} is what runs", to.nickname()));
            }
            Some(to) => {
                self.refuse_foreign(to)?;
                to.clone()
            }
            None => {
                self.last_succeeded(leaving_digest).ok_or_else(|| self.nothing_to_go_back_to())?
            }
        };
        let name = target.nickname();
        let lifted = self.lifting(&target);
        self.supersede(&format!("the rollback to {name}, asked by {by}"));
        let effect = self.begin(person(Kind::Rollback, &target, by), workload);
        let message = match &leaving {
            Some(leaving) => {
                self.hold(leaving, format!("rolled back by {by}"), by.clone());
                let (name, old) = apart(&target, leaving);
                format!("{by} goes back to {name}; {old} is held{lifted}")
            }
            None => format!("{by} goes back to {name}{lifted}"),
        };
        Ok(Done { message, effect: Some(effect) })
    }

    fn restart(&mut self, request: &Request, workload: Found<'_>) -> Answer {
        let workload = movable(workload)?;
        let by = &request.by;
        if let Some(rollout) = &self.record.rollout {
            let name = rollout.release.nickname();
            return Err(format!(
                "rollout {} of {name} is replacing the replicas already",
                rollout.id
            ));
        }
        let Some(running) = self.leaving(workload) else {
            return Err("what runs is not known yet; deploy a release instead".to_owned());
        };
        let beginning =
            Beginning { token: Some(request.id.0.clone()), ..person(Kind::Restart, &running, by) };
        let effect = self.begin(beginning, workload);
        Ok(Done { message: format!("{by} restarts {}", running.nickname()), effect: Some(effect) })
    }

    fn hold_for(
        &mut self,
        release: Option<&Release>,
        reason: &str,
        by: &Actor,
        workload: Found<'_>,
    ) -> Answer {
        let candidate = self.desired.candidate.release();
        let running = self.record.running.as_ref().map(|running| &running.release);
        let Some(release) = release.or(candidate).or(running).cloned() else {
            return Err(
                "there is no candidate and nothing is known to run: name a release".to_owned()
            );
        };
        let name = release.nickname();
        let at_work = self
            .record
            .rollout
            .take_if(|rollout| rollout.kind != Kind::Restart && proves(rollout, &release.digest));
        if let Some(rollout) = at_work {
            if self.way_back(&rollout).is_some() {
                let mut done = self.turn_round(*rollout, by, reason.to_owned())?;
                if workload.is_err() {
                    // Written down; it is applied when there is something to apply it to.
                    done.effect = None;
                }
                return Ok(done);
            }
            if let Ok(workload) = workload
                && workload.digest().as_ref() != Some(&release.digest)
            {
                self.record.written = rollout.replaced_digest();
            }
            self.end(*rollout, Phase::Failed, format!("held by {by}: {reason}"));
            self.hold(&release, reason, by.clone());
            let message =
                format!("{by} holds {name}; its rollout ends, there is nothing to go back to");
            return Ok(Done::said(message));
        }
        self.hold(&release, reason, by.clone());
        Ok(Done::said(format!("{by} holds {name}: {reason}")))
    }

    fn resume(&mut self, digest: Option<&Digest>, by: &Actor) -> Answer {
        let Some(digest) = digest else {
            let count = self.record.holds.len();
            self.record.holds.clear();
            return Ok(Done::said(match count {
                0 => "nothing was held".to_owned(),
                1 => format!("{by} lifts the hold"),
                _ => format!("{by} lifts all {count} holds"),
            }));
        };
        if self.lift(digest) {
            Ok(Done::said(format!("{by} lifts the hold on {}", digest.short())))
        } else {
            Err(format!("{} is not held", digest.short()))
        }
    }

    /// Sends a rollout back, and holds where it went.
    fn turn_round(&mut self, rollout: Rollout, by: &Actor, reason: String) -> Answer {
        let release = rollout.release.clone();
        let Some(previous) = self.way_back(&rollout) else {
            return Err(self.nothing_to_go_back_to());
        };
        let (name, back) = apart(&release, &previous);
        let message = format!("{by} takes {name} back to {back}; it is held");
        self.hold(&release, reason.clone(), by.clone());
        if rollout.phase == Phase::RollingBack {
            self.record.rollout = Some(Box::new(rollout));
            return Ok(Done::said(format!("{name} is going back to {back} already; it is held")));
        }
        let effect = self.go_back(rollout, &previous, reason);
        Ok(Done { message, effect: Some(effect) })
    }

    /// Lifts the hold on a release that a person wants all the same, and says at the end of a message that there
    /// was one: who held it, and why, is what that person may not have known.
    fn lifting(&mut self, release: &Release) -> String {
        let said = self.record.hold_on(&release.digest).map(|hold| {
            format!("; {} was {}: that hold is lifted", release.nickname(), held(hold))
        });
        self.lift(&release.digest);
        said.unwrap_or_default()
    }

    /// Ends the rollout at work because a person wants something else.
    fn supersede(&mut self, by_what: &str) {
        if let Some(rollout) = self.record.take_rollout() {
            self.end(rollout, Phase::Failed, format!("superseded by {by_what}"));
        }
    }

    /// What is in the image field, or on its way there.
    fn leaving(&self, workload: &Workload) -> Option<Release> {
        match &self.record.rollout {
            Some(rollout) => Some(rollout.release.clone()),
            None => workload
                .digest()
                .and_then(|digest| self.known_release(workload, &digest))
                .or_else(|| self.record.running.as_ref().map(|running| running.release.clone())),
        }
    }

    /// Whether this is what runs and what passed everything.
    fn is_good(&self, release: &Release) -> bool {
        [&self.record.running, &self.record.last_good]
            .into_iter()
            .all(|known| known.as_ref().is_some_and(|known| known.release.digest == release.digest))
    }

    /// The newest release that was good once, is not held, and is not this one.
    fn last_succeeded(&self, leaving: Option<&Digest>) -> Option<Release> {
        let good = self.record.last_good.as_ref().map(|good| &good.release);
        proven(&self.record.history)
            .map(|(release, _)| release)
            .chain(good)
            .find(|release| {
                Some(&release.digest) != leaving
                    && self.is_own(release)
                    && self.record.hold_on(&release.digest).is_none()
            })
            .cloned()
    }

    fn nothing_to_go_back_to(&self) -> String {
        format!(
            "there is nothing to go back to: no other release of {} succeeded here that is not held; name one \
             with `mercurious rollback NAME --to RELEASE`",
            self.desired.repository
        )
    }

    fn refuse_foreign(&self, release: &Release) -> Result<(), String> {
        if self.is_own(release) {
            return Ok(());
        }
        Err(format!(
            "{} lies in {}, not in {}, the policy's repository",
            release.nickname(),
            release.repository,
            self.desired.repository
        ))
    }
}

/// The workload, where it is there and can move.
fn movable(workload: Found<'_>) -> Result<&Workload, String> {
    match workload {
        Ok(workload) if workload.paused => {
            Err("the workload is paused; unpause it, then ask again".to_owned())
        }
        Ok(workload) => Ok(workload),
        Err(why) => Err(why.to_owned()),
    }
}

/// Whether this rollout ends with this digest proven, if it ends well.
fn proves(rollout: &Rollout, digest: &Digest) -> bool {
    rollout.phase != Phase::RollingBack && rollout.release.digest == *digest
}

fn person<'r>(kind: Kind, release: &'r Release, by: &Actor) -> Beginning<'r> {
    Beginning { kind, release, trigger: Trigger::Person, by: by.clone(), token: None }
}
