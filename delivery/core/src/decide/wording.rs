use std::time::Duration;

use super::Workload;
use crate::{duration::Span, image::Release, rollout::Hold};

/// What would change a hold, at the end of each message about one.
pub(super) const UNTIL_RESUMED: &str = "a newer image, or `mercurious resume NAME`, changes that";

/// A time in whole seconds, begun ones counted: `18s`, `1m30s`.
pub(super) fn seconds(time: Duration) -> Span {
    Span::seconds(time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)))
}

/// A time in whole seconds, begun ones not counted.
pub(super) fn full_seconds(time: Duration) -> Span {
    Span::seconds(time.as_secs())
}

/// What two releases are called beside each other: a tag that both have tells nothing.
pub(super) fn apart(one: &Release, other: &Release) -> (String, String) {
    (one.nickname_among([other]), other.nickname_among([one]))
}

/// Who holds, since when and why.
pub(super) fn held(hold: &Hold) -> String {
    format!(
        "held by {} since {}: {}",
        hold.by,
        hold.since.strftime("%Y-%m-%d %H:%M:%SZ"),
        hold.reason
    )
}

/// What a workload lacks to be complete.
pub(super) fn lacking(workload: &Workload) -> String {
    let Workload { desired, updated, available, total, .. } = workload;
    if !workload.current {
        "the home to take up the change".to_owned()
    } else if workload.paused {
        "the workload, which is paused, to be unpaused".to_owned()
    } else if available < desired || available < updated {
        format!("{available} of {} replicas ready", desired.max(updated))
    } else if total > updated {
        match total - updated {
            1 => "1 old replica to leave".to_owned(),
            old => format!("{old} old replicas to leave"),
        }
    } else {
        format!("{updated} of {desired} replicas started")
    }
}

/// What is wrong with a workload that has no rollout, if anything is.
pub(super) fn ailing(workload: &Workload) -> Option<String> {
    match workload.evidence.first() {
        Some(evidence) => Some(format!("{}: {}", evidence.reason, evidence.message)),
        None if workload.is_complete() => None,
        None => Some(lacking(workload)),
    }
}

/// Who changed the image field, as far as the home knows.
pub(super) fn somebody(workload: &Workload) -> String {
    match workload.foreign_writers.as_slice() {
        [] => "somebody".to_owned(),
        writers => format!("somebody ({})", writers.join(", ")),
    }
}
