use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{image::ImageReference, rollout::Record};

/// What the engine does next, or why it does nothing: what `explain`, conditions, events and history render.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// A stable code.
    pub reason: Reason,
    /// The reason in words, with names, times and what would change it.
    pub message: String,
    /// What it waits on, by name, while a rollout is at work.
    pub waiting_on: Option<String>,
    /// What to remember; equal to the observed record when nothing changed. Written before the effect.
    pub record: Record,
    /// What to do to the workload.
    pub effect: Option<Effect>,
    /// Whether the checks are to be asked now.
    pub ask_checks: bool,
    /// Look again no later than this, even if nothing is reported.
    pub again_in: Option<Duration>,
}

impl Decision {
    /// A decision that changes nothing.
    pub fn nothing(reason: Reason, message: impl Into<String>, record: Record) -> Self {
        Self {
            reason,
            message: message.into(),
            waiting_on: None,
            record,
            effect: None,
            ask_checks: false,
            again_in: None,
        }
    }
}

/// Something done to the workload. Doing it twice is the same as doing it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write this reference into the image field of one existing container.
    SetImage {
        /// The container, where the spec names it.
        container: Option<String>,
        /// `repository[:tag]@digest`
        image: ImageReference,
    },
    /// Replace all replicas, one after the other, by new ones of the same spec.
    Restart {
        /// A second restart with the same token does nothing.
        token: String,
    },
}

/// A stable code for every decision.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// The candidate runs already.
    UpToDate,
    /// Suspended by a person or in the spec.
    Suspended,
    /// The candidate is held, or no newer than what is held.
    Held,
    /// The candidate is older than what runs.
    Older,
    /// The policy matches nothing in the registry.
    PolicyEmpty,
    /// What the policy selects cannot be deployed; what runs stays.
    ImageUnusable,
    /// The first look at the registry has not ended yet.
    Waiting,
    /// The registry could not be looked at; what runs stays.
    LookFailed,
    /// The workload is not there.
    WorkloadMissing,
    /// The workload has no such container.
    ContainerMissing,
    /// The workload could not be read.
    WorkloadUnreadable,
    /// The workload is paused.
    Paused,
    /// The candidate lies in another repository than the policy's.
    ForeignRepository,
    /// A rollout was written down and its effect is being applied.
    Starting,
    /// New replicas are starting.
    Progressing,
    /// Everything must stay healthy for a while.
    Baking,
    /// A rollout succeeded.
    Succeeded,
    /// The last good release is being applied again.
    RollingBack,
    /// The last good release serves again.
    RolledBack,
    /// A rollout failed with nothing to go back to.
    Failed,
    /// A person changed the workload; what they replaced is held.
    PersonChanged,
    /// A person's request was obeyed.
    Obeyed,
    /// A person's request could not be obeyed.
    Refused,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}
