use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An Event and a condition say no more.
const LONGEST_MESSAGE: usize = 32768;

/// One observation about an object, as Flux writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) observed_generation: i64,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) last_transition_time: Timestamp,
}

/// The conditions of an object, kept as kstatus wants them: `Ready` always, `Reconciling` and `Stalled` only when
/// they are true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Conditions(Vec<Condition>);

/// When a condition is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) generation: i64,
    pub(crate) now: Timestamp,
}

impl Conditions {
    /// All is as it should be.
    pub(crate) fn succeed(&mut self, at: Moment, message: &str) {
        self.remove("Reconciling");
        self.remove("Stalled");
        self.set(at, "Ready", "True", "Succeeded", message);
    }

    /// It failed, and is tried again.
    pub(crate) fn fail(&mut self, at: Moment, reason: &str, message: &str) {
        self.remove("Stalled");
        self.set(at, "Ready", "False", reason, message);
        self.set(at, "Reconciling", "True", "ProgressingWithRetry", "tried again after a while");
    }

    /// It failed, and trying again is no use: somebody must change the object.
    pub(crate) fn stall(&mut self, at: Moment, reason: &str, message: &str) {
        self.remove("Reconciling");
        self.set(at, "Stalled", "True", reason, message);
        self.set(at, "Ready", "False", reason, message);
    }

    pub(crate) fn ready(&self) -> Option<&Condition> {
        self.get("Ready")
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready().is_some_and(|ready| ready.status == "True")
    }

    /// Whether it says an end, good or bad: only then the status is about the object as it is now.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_ready() || self.get("Stalled").is_some()
    }

    fn get(&self, kind: &str) -> Option<&Condition> {
        self.0.iter().find(|condition| condition.kind == kind)
    }

    fn remove(&mut self, kind: &str) {
        self.0.retain(|condition| condition.kind != kind);
    }

    fn set(&mut self, at: Moment, kind: &str, status: &str, reason: &str, message: &str) {
        let message: String = message.chars().take(LONGEST_MESSAGE / 4).collect();
        let same = self.get(kind).filter(|known| {
            (known.status.as_str(), known.reason.as_str(), &known.message)
                == (status, reason, &message)
        });
        let last_transition_time =
            same.map_or(whole_seconds(at.now), |known| known.last_transition_time);
        let condition = Condition {
            kind: kind.to_owned(),
            status: status.to_owned(),
            observed_generation: at.generation,
            reason: reason.to_owned(),
            message,
            last_transition_time,
        };
        match self.0.iter_mut().find(|known| known.kind == kind) {
            Some(known) => *known = condition,
            None => self.0.push(condition),
        }
    }
}

/// Kubernetes keeps no part of a second.
pub(crate) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Moment {
        Moment { generation: second, now: Timestamp::from_millisecond(second * 1000 + 7).unwrap() }
    }

    #[test]
    fn a_transition_is_another_status_reason_or_message_and_nothing_else() {
        let mut conditions = Conditions::default();
        conditions.succeed(at(1), "a");
        conditions.succeed(at(2), "a");
        let ready = conditions.ready().unwrap().clone();
        assert_eq!(ready.last_transition_time, Timestamp::from_second(1).unwrap());
        assert_eq!(ready.observed_generation, 2);
        conditions.succeed(at(3), "b");
        assert_eq!(conditions.ready().unwrap().last_transition_time.as_second(), 3);
    }

    #[test]
    fn reconciling_and_stalled_are_there_only_when_they_are_true() {
        let kinds = |conditions: &Conditions| {
            let mut kinds: Vec<_> =
                conditions.0.iter().map(|it| format!("{}={}", it.kind, it.status)).collect();
            kinds.sort();
            kinds.join(" ")
        };
        let mut conditions = Conditions::default();
        conditions.fail(at(1), "ReadOperationFailed", "m");
        assert_eq!(kinds(&conditions), "Ready=False Reconciling=True");
        assert!(!conditions.is_settled());
        conditions.stall(at(1), "ImageURLInvalid", "m");
        assert_eq!(kinds(&conditions), "Ready=False Stalled=True");
        assert!(conditions.is_settled() && !conditions.is_ready());
        conditions.succeed(at(1), "m");
        assert_eq!(kinds(&conditions), "Ready=True");
    }
}
