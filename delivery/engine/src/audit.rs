use jiff::Timestamp;
use mercurious_core::{
    decide::Reason,
    image::Digest,
    resources::ObjectName,
    rollout::{Phase, Record, RolloutId},
};
use serde::{Deserialize, Serialize};

/// One line of the audit history: a decision that changed something, kept for good.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Which auto-deploy.
    pub auto_deploy: ObjectName,
    /// What was decided, as a code.
    pub reason: Reason,
    /// What was decided, in words.
    pub message: String,
    /// The rollout that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
    /// The phase after the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// What ran before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    /// What is to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Digest>,
    /// Who caused it.
    pub by: String,
}

impl AuditEntry {
    /// The entry for the end of the newest rollout of a record, where the history does not have it: the engine was
    /// killed after it had written the record and before it had written this.
    pub(crate) fn overdue(
        auto_deploy: &ObjectName,
        record: &Record,
        history: &[Self],
    ) -> Option<Self> {
        let ended = record.history.first()?;
        let is_its_end = |entry: &Self| {
            entry.rollout == Some(ended.id) && entry.phase.is_some_and(Phase::is_end)
        };
        if history.iter().any(is_its_end) {
            return None;
        }
        let reason = match ended.phase {
            Phase::Succeeded => Reason::Succeeded,
            Phase::RolledBack => Reason::RolledBack,
            _ => Reason::Failed,
        };
        Some(Self {
            at: ended.ended_at,
            auto_deploy: auto_deploy.clone(),
            reason,
            message: ended.message.clone(),
            rollout: Some(ended.id),
            phase: Some(ended.phase),
            from: ended.previous.as_ref().map(|release| release.digest.clone()),
            to: Some(ended.release.digest.clone()),
            by: ended.by.0.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use mercurious_core::{
        image::Release,
        rollout::{Actor, Attempt, Kind, Trigger},
    };

    use super::*;

    fn record(id: u64) -> Record {
        let release = Release {
            repository: "registry.test/team/app".parse().unwrap(),
            digest: Digest::of(b"one"),
            tag: None,
            commit: None,
            built_at: None,
            platforms: std::sync::Arc::default(),
        };
        let attempt = Attempt {
            id: RolloutId(id),
            kind: Kind::Deploy,
            phase: Phase::RolledBack,
            release,
            previous: None,
            started_at: Timestamp::UNIX_EPOCH,
            ended_at: Timestamp::UNIX_EPOCH,
            trigger: Trigger::NewImage,
            by: Actor::engine(),
            message: "went back".to_owned(),
        };
        Record { history: vec![attempt].into(), ..Record::default() }
    }

    #[test]
    fn r21_an_end_that_a_kill_kept_out_of_the_audit_history_is_added_once() {
        let name = ObjectName::new("app", "api-gateway");
        let before = AuditEntry::overdue(&name, &record(1), &[]).unwrap();
        assert_eq!((before.reason, before.rollout), (Reason::RolledBack, Some(RolloutId(1))));
        assert_eq!(AuditEntry::overdue(&name, &record(1), std::slice::from_ref(&before)), None);
        let second = AuditEntry::overdue(&name, &record(2), &[before]).unwrap();
        assert_eq!(second.rollout, Some(RolloutId(2)));
        assert_eq!(AuditEntry::overdue(&name, &Record::default(), &[]), None);
    }
}
