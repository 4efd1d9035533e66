use jiff::Timestamp;
use mercurious_core::{decide::Reason, resources::ObjectName, rollout::Phase};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::ports::Notifier;

/// Something that happened, as the terminal, the live stream and the tests see it.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What it is about: an auto-deploy or an image repository.
    pub object: ObjectName,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EventKind {
    /// A decision about an auto-deploy differs from the one before.
    Decision {
        /// As a code.
        reason: Reason,
        /// In words.
        message: String,
        /// The phase of the rollout at work or just ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phase: Option<Phase>,
        /// Which release it is about: its nickname.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        release: Option<String>,
    },
    /// A look at a repository found something new.
    Found {
        /// What.
        message: String,
    },
    /// A look at a repository failed; said once until it works again.
    LookFailed {
        /// Why.
        message: String,
    },
}

/// Hands events to whoever listens; a slow listener loses the oldest.
#[derive(Clone, Debug)]
pub struct EventBus(broadcast::Sender<Event>);

impl Default for EventBus {
    fn default() -> Self {
        Self(broadcast::channel(1024).0)
    }
}

impl EventBus {
    /// All events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

impl Notifier for EventBus {
    fn notify(&self, event: &Event) {
        // Without a listener there is nobody to tell.
        let _ = self.0.send(event.clone());
    }
}
