use std::collections::BTreeMap;

use super::{
    Candidate, Comparison, Decision, Reason, Workload,
    case::{Beginning, Case},
    wording::{UNTIL_RESUMED, ailing, apart, held},
};
use crate::{
    image::{Digest, Release},
    rollout::{Actor, Hold, Kind, Trigger},
};

/// A candidate that was selected.
struct Selected<'a> {
    release: &'a Release,
    why: &'a str,
    versus_running: Comparison,
    versus_held: &'a BTreeMap<Digest, Comparison>,
}

impl Case<'_> {
    /// Nothing is at work: starts what should be started, or says why nothing is.
    pub(super) fn look_for_work(&mut self, workload: &Workload) -> Decision {
        let trust_due = self.trust_due(workload);
        let mut decision = self.judge(workload);
        if decision.effect.is_none() {
            decision.waiting_on = ailing(workload);
            decision.again_in = trust_due;
        }
        decision
    }

    fn judge(&mut self, workload: &Workload) -> Decision {
        let running = self.record.running.as_ref().map(|running| running.release.clone());
        let runs = running.as_ref().map_or_else(|| workload.image.clone(), Release::nickname);
        let desired = self.desired;
        let selected = match &desired.candidate {
            _ if desired.suspended => {
                let message = self.suspended(running.as_ref(), &runs);
                return self.conclude(Reason::Suspended, message);
            }
            Candidate::Awaited { message } => {
                return self
                    .conclude(Reason::Waiting, format!("{message}; {runs} stays until then"));
            }
            Candidate::Unknown { message } => {
                return self.conclude(Reason::LookFailed, format!("{message}; {runs} stays"));
            }
            Candidate::Unusable { message } => {
                return self.conclude(Reason::ImageUnusable, format!("{message}; {runs} stays"));
            }
            Candidate::Empty { message } => {
                return self.conclude(Reason::PolicyEmpty, format!("{message}; {runs} stays"));
            }
            Candidate::Selected { release, why, versus_running, versus_held, .. } => {
                Selected { release, why, versus_running: *versus_running, versus_held }
            }
        };
        let release = selected.release;
        if !self.is_own(release) {
            let message = format!(
                "{} lies in {}, not in {}, the policy's repository: it is not deployed",
                release.nickname(),
                release.repository,
                desired.repository
            );
            return self.conclude(Reason::ForeignRepository, message);
        }
        let found =
            workload.digest().or_else(|| running.as_ref().map(|running| running.digest.clone()));
        if found.as_ref() == Some(&release.digest) {
            return self.runs_already(release, workload);
        }
        if let Some(message) = self.blocked(&selected) {
            return self.conclude(Reason::Held, message);
        }
        let (new, old) = match &running {
            Some(running) => apart(release, running),
            None => (release.nickname(), workload.image.clone()),
        };
        match selected.versus_running {
            Comparison::Older => {
                let message =
                    format!("{new} is older than {old}, which runs: only a person can go back");
                return self.conclude(Reason::Older, message);
            }
            Comparison::Same => {
                return self.conclude(Reason::UpToDate, format!("{new} is what runs"));
            }
            Comparison::Newer | Comparison::Unknown => {}
        }
        // Where not even the digest was known, all that happens may be that the tag is pinned.
        let tag_only = workload.digest().is_none()
            && workload.field().is_some_and(|field| field.repository() == &release.repository);
        let trigger = if running.is_none() && tag_only { Trigger::Pin } else { Trigger::NewImage };
        self.start(release, trigger, workload, format!("{new} replaces {old}: {}", selected.why))
    }

    /// The image field names the candidate already, perhaps only by a tag that can move.
    fn runs_already(&mut self, release: &Release, workload: &Workload) -> Decision {
        let name = release.nickname();
        if let Some(hold) = self.record.hold_on(&release.digest) {
            let message = format!("{name} is in place, and {}; {UNTIL_RESUMED}", held(hold));
            return self.conclude(Reason::Held, message);
        }
        if workload.is_pinned() {
            return self.conclude(Reason::UpToDate, format!("{name} runs and is the newest"));
        }
        if self.record.written.as_ref() == Some(&release.digest) {
            let message = format!(
                "{name} runs and is the newest; its digest was removed from the image field ({}) after it was \
                 pinned, and is not written again over somebody else",
                workload.image
            );
            return self.conclude(Reason::UpToDate, message);
        }
        // Pinning replaces replicas. A sick workload is not moved for that, nor to a digest that it may not have.
        if !workload.is_complete() || !workload.evidence.is_empty() || workload.digest().is_none() {
            let message = format!(
                "{name} is in place by a tag that can move ({}); it is pinned once it is ready",
                workload.image
            );
            return self.conclude(Reason::UpToDate, message);
        }
        let message =
            format!("{} can move: it is pinned to {}", workload.image, release.digest.short());
        self.start(release, Trigger::Pin, workload, message)
    }

    fn start(
        &mut self,
        release: &Release,
        trigger: Trigger,
        workload: &Workload,
        message: String,
    ) -> Decision {
        if workload.paused {
            let message =
                format!("{message}; the workload is paused, and nothing moves until it is not");
            return self.conclude(Reason::Paused, message);
        }
        let beginning =
            Beginning { kind: Kind::Deploy, release, trigger, by: Actor::engine(), token: None };
        let effect = self.begin(beginning, workload);
        let mut decision = self.conclude(Reason::Starting, message);
        decision.effect = Some(effect);
        decision
    }

    /// Why a hold keeps the candidate from being deployed, if one does: only what is newer than all that is
    /// held goes out by itself.
    fn blocked(&self, selected: &Selected<'_>) -> Option<String> {
        let release = selected.release;
        if let Some(hold) = self.record.hold_on(&release.digest) {
            return Some(format!("{} is {}; {UNTIL_RESUMED}", release.nickname(), held(hold)));
        }
        let hold = self.record.holds.iter().find(|hold| {
            let versus = selected.versus_held.get(&hold.digest).copied();
            matches!(
                versus.unwrap_or_else(|| by_build_time(release, hold)),
                Comparison::Older | Comparison::Same
            )
        })?;
        let (new, old) = apart(release, &hold.release);
        Some(format!("{new} is not newer than {old}, which is {}; {UNTIL_RESUMED}", held(hold)))
    }

    fn suspended(&self, running: Option<&Release>, runs: &str) -> String {
        match &self.desired.candidate {
            Candidate::Selected { release, .. }
                if running.is_none_or(|running| running.digest != release.digest) =>
            {
                let (new, runs) = match running {
                    Some(running) => apart(release, running),
                    None => (release.nickname(), runs.to_owned()),
                };
                format!(
                    "suspended: {runs} stays, {new} is not deployed by itself until this is lifted"
                )
            }
            _ => format!(
                "suspended: {runs} stays, nothing is deployed by itself until this is lifted"
            ),
        }
    }
}

/// For a hold that is younger than the comparison.
fn by_build_time(release: &Release, hold: &Hold) -> Comparison {
    match (release.built_at, hold.release.built_at) {
        (Some(own), Some(held)) if own > held => Comparison::Newer,
        (Some(own), Some(held)) if own < held => Comparison::Older,
        _ => Comparison::Unknown,
    }
}
