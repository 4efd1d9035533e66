use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    image::{Digest, Release, Repository},
    printable::printable,
    resources::RolloutSpec,
    rollout::{Actor, RequestId},
};

/// The wish: what the auto-deploy's spec says, what the registry offers, what a person asks.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The policy's own repository: nothing else is ever written.
    pub repository: Repository,
    /// The container to patch, where the spec names it.
    pub container: Option<String>,
    /// Nothing moves by itself while this is set.
    pub suspended: bool,
    /// Timeout and bake.
    pub rollout: RolloutSpec,
    /// Whether a failed rollout goes back by itself.
    pub automatic_rollback: bool,
    /// The names of the checks that must pass, in the spec's order.
    pub checks: Vec<String>,
    /// How many ended rollouts are remembered.
    pub history_limit: usize,
    /// What the policy selects now.
    pub candidate: Candidate,
    /// What a person asks, oldest first; those in `Record::handled` are ignored.
    pub requests: Vec<Request>,
}

/// What the policy selects from the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// A release whose manifest was seen to exist for the platform of the nodes.
    Selected {
        /// Which.
        release: Box<Release>,
        /// By which order: `newest`, `semver`, …
        order: &'static str,
        /// Why this one, for people.
        why: String,
        /// How it stands to what runs, by the policy's own order.
        versus_running: Comparison,
        /// How it stands to each held release, by the policy's own order.
        versus_held: BTreeMap<Digest, Comparison>,
    },
    /// The registry answered and nothing matches: an error of the policy, shown as such.
    Empty {
        /// What was looked for and how much was there.
        message: String,
    },
    /// No look has ended yet since the first start: nothing is wrong, there is nothing to go by.
    Awaited {
        /// What is waited for.
        message: String,
    },
    /// What the policy selects cannot be deployed: another platform's, damaged, or no image at all.
    Unusable {
        /// Which, and what is wrong with it.
        message: String,
    },
    /// The look failed: the answer stays what it was.
    Unknown {
        /// What failed.
        message: String,
    },
}

impl Candidate {
    /// The release, where one is selected.
    pub fn release(&self) -> Option<&Release> {
        match self {
            Self::Selected { release, .. } => Some(release),
            Self::Empty { .. }
            | Self::Unusable { .. }
            | Self::Awaited { .. }
            | Self::Unknown { .. } => None,
        }
    }
}

/// How one release stands to another by a policy's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same digest.
    Same,
    /// Later.
    Newer,
    /// Earlier.
    Older,
    /// The order cannot tell, as where no build time is known.
    Unknown,
}

/// What a person asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Names it, so that it is obeyed once.
    pub id: RequestId,
    /// What is asked.
    pub ask: Ask,
    /// Who asks.
    pub by: Actor,
    /// When it was asked.
    pub at: Timestamp,
}

/// The things that a person can ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Deploy this release, held or not; its hold is lifted.
    Deploy(Box<Release>),
    /// Go back to this release, or to the one before what runs; what runs is held.
    Rollback(Option<Box<Release>>),
    /// New replicas of what runs.
    Restart,
    /// Hold this release, or the candidate if none is named.
    Hold {
        /// Which.
        release: Option<Box<Release>>,
        /// Why.
        reason: String,
    },
    /// Lift the hold on this digest, or all holds.
    Resume(Option<Digest>),
}

impl Ask {
    /// To hold a release, or the candidate. The reason becomes one line; where there is none it says so.
    pub fn hold(release: Option<Box<Release>>, reason: Option<&str>) -> Self {
        let words: Vec<&str> = reason.unwrap_or_default().split_whitespace().collect();
        let reason = match words.as_slice() {
            [] => "held by hand".to_owned(),
            words => printable(&words.join(" ")),
        };
        Self::Hold { release, reason }
    }
}
