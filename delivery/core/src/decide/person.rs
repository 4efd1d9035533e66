use std::sync::Arc;

use super::{
    Decision, Reason, Workload,
    case::Case,
    wording::{UNTIL_RESUMED, apart, somebody},
};
use crate::{
    image::{Digest, Release},
    rollout::{Actor, Deployed, Kind, Phase, Rollout},
};

impl Case<'_> {
    /// Takes note of what others did to the workload; a decision if that is all there is to it.
    pub(super) fn notice(&mut self, workload: &Workload) -> Option<Decision> {
        match self.record.take_rollout() {
            Some(rollout) => self.notice_during(rollout, workload),
            None => self.notice_idle(workload),
        }
    }

    fn notice_idle(&mut self, workload: &Workload) -> Option<Decision> {
        let Some(digest) = workload.digest() else {
            // Only the tag is known. The same tag may well be the same release.
            let changed = self.in_place().is_some_and(|release| !names_tag_of(workload, &release));
            return changed.then(|| self.changed_by_somebody(workload));
        };
        let running = self.record.running.as_ref().map(|running| &running.release.digest);
        match &self.record.written {
            Some(written) if *written == digest => {
                // What we wrote and what failed: what runs is what ran before, until this one is up after all.
                if workload.is_complete()
                    && let Some(release) = self.known_release(workload, &digest)
                {
                    self.now_runs(&release);
                }
            }
            None if running.is_none() => {
                let release = self.known_release(workload, &digest)?;
                self.now_runs(&release);
            }
            None if running == Some(&digest) => {}
            Some(_) | None => return Some(self.changed_by_somebody(workload)),
        }
        self.trust_what_baked(workload);
        None
    }

    /// What should be in the image field: what was written last, else what runs.
    fn in_place(&self) -> Option<Release> {
        self.record
            .written
            .as_ref()
            .and_then(|written| self.known(written))
            .or_else(|| self.record.running.as_ref().map(|running| &running.release))
            .cloned()
    }

    /// What runs without a rollout of ours, unheld and healthy when the bake has passed, is where rollback goes.
    fn trust_what_baked(&mut self, workload: &Workload) {
        if self.trust_due(workload).is_some_and(|left| left.is_zero()) {
            self.record.last_good = self.record.running.clone();
        }
    }

    /// How long until what runs is trusted; nothing where that is no question.
    pub(super) fn trust_due(&self, workload: &Workload) -> Option<std::time::Duration> {
        let Deployed { release, since } = self.record.running.as_ref()?;
        let good = self
            .record
            .last_good
            .as_ref()
            .is_some_and(|good| good.release.digest == release.digest);
        let healthy = workload.is_complete() && workload.evidence.is_empty();
        let asked = !good
            && healthy
            && workload.digest().as_ref() == Some(&release.digest)
            && self.record.hold_on(&release.digest).is_none();
        asked.then(|| self.bake().saturating_sub(self.elapsed(*since)))
    }

    fn notice_during(&mut self, mut rollout: Rollout, workload: &Workload) -> Option<Decision> {
        let digest = workload.digest();
        let on_release = digest.as_ref() == Some(&rollout.release.digest);
        let on_previous = digest.is_some()
            && digest.as_ref() == rollout.previous.as_ref().map(|release| &release.digest);
        let untouched = rollout.replaces.as_ref().is_none_or(|image| *image == workload.image);
        let ours = match (rollout.phase, rollout.kind) {
            (Phase::Pending, _) | (_, Kind::Restart) => on_release || untouched,
            (Phase::RollingBack, _) => on_release || on_previous || untouched,
            _ => on_release,
        };
        if ours {
            if !workload.is_complete() {
                // Noted here, so that no lapse is overlooked because a request is handled first.
                rollout.healthy_since = None;
            }
            self.record.rollout = Some(Box::new(rollout));
            return None;
        }
        Some(self.taken_over(rollout, workload, on_previous || untouched))
    }

    /// Ends a rollout because somebody wrote another image.
    fn taken_over(&mut self, rollout: Rollout, workload: &Workload, undone: bool) -> Decision {
        let who = somebody(workload);
        if rollout.phase == Phase::Pending {
            let message =
                format!("{who} set the image to {} before the rollout was applied", workload.image);
            self.record.written = rollout.replaced_digest();
            self.end(rollout, Phase::Failed, message);
            return self.changed_by_somebody(workload);
        }
        let release = rollout.release.clone();
        let theirs = workload.digest().and_then(|digest| self.known_release(workload, &digest));
        let message = if undone {
            format!("undone by a person: {who} put {} back", workload.image)
        } else {
            format!(
                "{who} set the image to {} while {} was on its way",
                workload.image,
                release.nickname()
            )
        };
        self.end(rollout, Phase::Failed, message.clone());
        if self.record.hold_on(&release.digest).is_none() {
            self.hold(&release, message.clone(), Actor::somebody());
        }
        self.adopt(theirs);
        self.conclude(
            Reason::PersonChanged,
            format!("{message}; {} is held: {UNTIL_RESUMED}", release.nickname()),
        )
    }

    /// Respects what somebody set while nothing was at work: what it replaced is held.
    fn changed_by_somebody(&mut self, workload: &Workload) -> Decision {
        let who = somebody(workload);
        let theirs = workload.digest().and_then(|digest| self.known_release(workload, &digest));
        let replaced = self.in_place();
        let same =
            |release: &Release| theirs.as_ref().is_some_and(|own| own.digest == release.digest);
        let Some(replaced) = replaced.filter(|replaced| !same(replaced)) else {
            self.adopt(theirs);
            return self.conclude(
                Reason::PersonChanged,
                format!("{who} set the image to {}; it is left as it is", workload.image),
            );
        };
        let (new, old) = match &theirs {
            Some(theirs) => apart(theirs, &replaced),
            None => (workload.image.clone(), replaced.nickname()),
        };
        if self.record.hold_on(&replaced.digest).is_none() {
            let reason = format!("{who} replaced it by {new}");
            self.hold(&replaced, reason, Actor::somebody());
        }
        self.adopt(theirs);
        self.conclude(
            Reason::PersonChanged,
            format!(
                "{who} set the image to {new}; {old}, which was there before, is held: {UNTIL_RESUMED}"
            ),
        )
    }

    /// Takes what somebody set for what runs; they want it, so that it is not held.
    fn adopt(&mut self, theirs: Option<Release>) {
        self.record.written = None;
        match theirs {
            Some(theirs) => {
                self.lift(&theirs.digest);
                self.now_runs(&theirs);
            }
            // Its digest comes with its first replica; then it is adopted as at first sight.
            None => self.record.running = None,
        }
    }

    /// A release that was met before.
    fn known(&self, digest: &Digest) -> Option<&Release> {
        let record = &self.record;
        let deployed =
            [&record.running, &record.last_good].into_iter().flatten().map(|known| &known.release);
        let attempts = record
            .history
            .iter()
            .flat_map(|attempt| [Some(&attempt.release), attempt.previous.as_ref()])
            .flatten();
        deployed
            .chain(self.desired.candidate.release())
            .chain(attempts)
            .chain(record.holds.iter().map(|hold| &hold.release))
            .find(|known| known.digest == *digest)
    }

    /// All that is known of the release that the image field names; it is called as it is called there.
    pub(super) fn known_release(&self, workload: &Workload, digest: &Digest) -> Option<Release> {
        let reference = workload.field().or_else(|| workload.reference.clone())?;
        let named = Release {
            repository: reference.repository().clone(),
            digest: digest.clone(),
            tag: reference.tag().cloned(),
            commit: None,
            built_at: None,
            platforms: Arc::default(),
        };
        Some(match self.known(digest) {
            Some(known) => Release {
                repository: named.repository,
                tag: named.tag.or_else(|| known.tag.clone()),
                ..known.clone()
            },
            None => named,
        })
    }
}

/// Whether the image field names the repository and the tag of this release.
fn names_tag_of(workload: &Workload, release: &Release) -> bool {
    workload.field().or_else(|| workload.reference.clone()).is_some_and(|field| {
        *field.repository() == release.repository && field.tag() == release.tag.as_ref()
    })
}
