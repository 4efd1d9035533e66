use std::sync::Arc;

use mercurious_core::{
    resources::AutoDeployStatus,
    rollout::{Attempt, Record},
};
use mercurious_engine::{AuditEntry, Seen};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// So many decisions are kept beside the rollouts that ended.
const DECISIONS: usize = 20;

/// `AutoDeploy.status` as it lies in the cluster: what people read, and what the engine remembers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StoredStatus {
    /// What people read. Nothing where it was never written, or cannot be read by this version.
    pub(crate) shown: Option<Arc<AutoDeployStatus>>,
    /// What the engine remembers.
    pub(crate) memory: Memory,
    /// The generation of the spec that it is about.
    pub(crate) generation: i64,
}

/// `AutoDeploy.status.engine`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    /// The record, less the history, which people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<Arc<Record>>,
    /// What was seen of the repository, cut to what the next pass needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seen: Option<Arc<Seen>>,
    /// The newest decisions that changed something, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) decisions: Vec<AuditEntry>,
    /// The request to look again that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) looked_for: Option<String>,
}

/// Why a status cannot be used. It is never taken for an empty one: nothing moves.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "status.{part} is damaged ({problem}); repair it, or remove it with `kubectl edit autodeploy --subresource=status` to start anew"
)]
pub(crate) struct DamagedStatus {
    part: &'static str,
    problem: String,
}

impl StoredStatus {
    pub(crate) fn read(status: Option<&Value>) -> Result<Self, DamagedStatus> {
        let Some(status) = status else { return Ok(Self::default()) };
        let damaged = |part: &'static str| move |problem: String| DamagedStatus { part, problem };
        let mut shown: Map<String, Value> =
            status.as_object().cloned().ok_or_else(|| damaged("")("it is no object".to_owned()))?;
        let generation = shown.remove("observedGeneration").and_then(|value| value.as_i64());
        // Written anew each time, from what is remembered.
        shown.remove("decision");
        for condition in
            shown.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten()
        {
            if let Some(condition) = condition.as_object_mut() {
                condition.remove("observedGeneration");
            }
        }
        let memory = match shown.remove("engine") {
            Some(memory) => serde_json::from_value(memory)
                .map_err(|error| damaged("engine")(error.to_string()))?,
            None => Memory::default(),
        };
        let mut memory: Memory = memory;
        let history: Result<Arc<Vec<Attempt>>, DamagedStatus> = match shown.remove("history") {
            Some(history) => serde_json::from_value(history)
                .map_err(|error| damaged("history")(error.to_string())),
            None => Ok(Arc::default()),
        };
        if let Some(record) = &mut memory.record {
            Arc::make_mut(record).history = history.clone()?;
        } else if shown.contains_key("rollout") {
            // A rollout is at work and what is known of it is gone: to start anew would forget it.
            return Err(damaged("engine")(
                "the record of the rollout at work is missing".to_owned(),
            ));
        }
        // What people read is written anew by each decision: another version's is no loss.
        let shown = serde_json::from_value(Value::Object(shown)).ok().zip(history.ok());
        let shown = shown.map(|(shown, history)| Arc::new(AutoDeployStatus { history, ..shown }));
        Ok(Self { shown, memory, generation: generation.unwrap_or_default() })
    }

    pub(crate) fn write(&self) -> Value {
        let mut status = match serde_json::to_value(&self.shown) {
            Ok(Value::Object(status)) => status,
            _ => Map::new(),
        };
        let mut memory = self.memory.clone();
        if let Some(record) = &mut memory.record {
            Arc::make_mut(record).history = Arc::default();
        }
        status.insert("observedGeneration".to_owned(), self.generation.into());
        let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
        for condition in conditions.into_iter().flatten().filter_map(Value::as_object_mut) {
            condition.insert("observedGeneration".to_owned(), self.generation.into());
        }
        if let Some(last) = memory.decisions.first() {
            let decision = json!({
                "at": last.at, "reason": last.reason, "message": last.message, "by": last.by,
                "from": last.from, "to": last.to, "rollout": last.rollout, "phase": last.phase,
            });
            let known = decision.as_object().into_iter().flatten();
            let known = known.filter(|(_, value)| !value.is_null());
            status.insert(
                "decision".to_owned(),
                known.map(|(key, value)| (key.clone(), value.clone())).collect(),
            );
        }
        status.insert("engine".to_owned(), serde_json::to_value(memory).unwrap_or_default());
        Value::Object(status)
    }
}

impl Memory {
    pub(crate) fn remember(&mut self, entry: &AuditEntry) {
        self.decisions.insert(0, entry.clone());
        self.decisions.truncate(DECISIONS);
    }
}
