use std::sync::Arc;

use jiff::Timestamp;

use super::{Candidate, Decision, Reason};
use crate::{
    image::Release,
    resources::{
        AutoDeployStatus, CandidateStatus, Condition, ConditionStatus, HoldStatus, ReleaseStatus,
        RolloutStatus,
    },
    rollout::{Actor, Deployed, Hold, Record},
};

/// The status object that people and programs read, from what is remembered and what was decided.
///
/// `previous` is the status as it was written last: a condition whose status is the same keeps its
/// `lastTransitionTime`, and where the registry gave no usable answer the candidate stays what it was.
///
/// The conditions are kstatus-compatible (`Ready` is true when all is as it should be, `Stalled` when nothing
/// gets better by itself):
///
/// | | |
/// |---|---|
/// | `Ready` | what should run does, complete; the newest release is not one that failed |
/// | `Progressing` | a rollout is at work |
/// | `Held` | a hold keeps the candidate from being deployed |
/// | `Stalled` | a person, or a newer image, must come to its help |
pub fn auto_deploy_status(
    record: &Record,
    decision: &Decision,
    candidate: &Candidate,
    previous: Option<&AutoDeployStatus>,
    now: Timestamp,
) -> AutoDeployStatus {
    let candidate = match candidate {
        Candidate::Selected { release, order, why, .. } => Some(CandidateStatus {
            image: release.image(),
            digest: release.digest.clone(),
            tag: release.tag.clone(),
            commit: release.commit.clone(),
            built_at: release.built_at,
            order: (*order).to_owned(),
            why: why.clone(),
        }),
        Candidate::Empty { .. } => None,
        Candidate::Unusable { .. } | Candidate::Awaited { .. } | Candidate::Unknown { .. } => {
            previous.and_then(|previous| previous.candidate.clone())
        }
    };
    let on_candidate = candidate.as_ref().and_then(|candidate| record.hold_on(&candidate.digest));
    AutoDeployStatus {
        conditions: conditions(record, decision, on_candidate, previous, now),
        running: record.running.as_ref().map(deployed),
        last_good: record.last_good.as_ref().map(deployed),
        hold: on_candidate.or(record.holds.first()).map(hold_status),
        holds: record.holds.iter().map(hold_status).collect(),
        rollout: record.rollout.as_ref().map(|rollout| {
            Box::new(RolloutStatus {
                id: rollout.id,
                kind: rollout.kind,
                phase: rollout.phase,
                release: release_status(&rollout.release, None),
                previous: rollout.previous.as_ref().map(|release| release_status(release, None)),
                started_at: rollout.started_at,
                waiting_on: decision.waiting_on.clone(),
                reason: decision.reason,
            })
        }),
        history: Arc::clone(&record.history),
        candidate,
    }
}

fn conditions(
    record: &Record,
    decision: &Decision,
    on_candidate: Option<&Hold>,
    previous: Option<&AutoDeployStatus>,
    now: Timestamp,
) -> Vec<Condition> {
    let at_work = record.rollout.is_some();
    // A candidate that failed is not what should be; one that a person holds is as the person wants it.
    let failed = on_candidate.is_some_and(|hold| hold.by == Actor::engine());
    let stalled = !at_work
        && (failed
            || matches!(
                decision.reason,
                Reason::PolicyEmpty
                    | Reason::Degraded
                    | Reason::ImageUnusable
                    | Reason::WorkloadMissing
                    | Reason::ContainerMissing
                    | Reason::ForeignRepository
                    | Reason::Failed
            ));
    let held = on_candidate.is_some() || decision.reason == Reason::Held;
    let before = |kind: &str| {
        previous.and_then(|previous| {
            previous.conditions.iter().find(|condition| condition.kind == kind)
        })
    };
    let ready = match decision.reason {
        Reason::WorkloadUnreadable => ConditionStatus::Unknown,
        _ if at_work || stalled || decision.reason == Reason::Paused => ConditionStatus::False,
        _ if decision.waiting_on.is_some() => ConditionStatus::False,
        // A registry that is away for a while takes nothing from what runs.
        Reason::LookFailed | Reason::Waiting => {
            before("Ready").map_or(ConditionStatus::Unknown, |before| before.status)
        }
        _ => ConditionStatus::True,
    };
    let condition = |kind: &str, status: ConditionStatus, message: String| Condition {
        kind: kind.to_owned(),
        status,
        reason: decision.reason.to_string(),
        message,
        last_transition_time: before(kind)
            .filter(|before| before.status == status)
            .map_or(now, |before| before.last_transition_time),
    };
    let hold_message = match on_candidate {
        Some(hold) => {
            format!("{} is held by {}: {}", hold.release.nickname(), hold.by, hold.reason)
        }
        None if held => decision.message.clone(),
        None => "no hold is in the way of the candidate".to_owned(),
    };
    vec![
        condition("Ready", ready, decision.message.clone()),
        condition("Progressing", truth(at_work), decision.message.clone()),
        condition("Held", truth(held), hold_message),
        condition("Stalled", truth(stalled), decision.message.clone()),
    ]
}

fn truth(is: bool) -> ConditionStatus {
    if is { ConditionStatus::True } else { ConditionStatus::False }
}

fn deployed(deployed: &Deployed) -> ReleaseStatus {
    release_status(&deployed.release, Some(deployed.since))
}

fn release_status(release: &Release, since: Option<Timestamp>) -> ReleaseStatus {
    ReleaseStatus {
        image: release.image(),
        digest: release.digest.clone(),
        tag: release.tag.clone(),
        commit: release.commit.clone(),
        built_at: release.built_at,
        since,
    }
}

fn hold_status(hold: &Hold) -> HoldStatus {
    HoldStatus {
        digest: hold.digest.clone(),
        tag: hold.release.tag.clone(),
        reason: hold.reason.clone(),
        since: hold.since,
        by: hold.by.clone(),
    }
}
