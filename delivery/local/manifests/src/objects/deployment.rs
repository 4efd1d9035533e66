use std::collections::BTreeMap;

use mercurious_core::resources::{Metadata, ObjectName};
use serde::Deserialize;

use super::PodTemplate;

/// A number of replicas of one template, kept running and rolled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Namespace and name.
    pub name: ObjectName,
    /// Labels of the Deployment itself.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Deployment itself.
    pub annotations: BTreeMap<String, String>,
    /// How many replicas; 1 where it is left out.
    pub replicas: u32,
    /// `matchLabels`: never empty, and part of the template's labels once validated.
    pub selector: BTreeMap<String, String>,
    /// How replicas are replaced.
    pub strategy: Strategy,
    /// So long a replica must be ready before it counts as available; 0 where it is left out.
    pub min_ready_seconds: u32,
    /// So long without progress is a failure; 600 where it is left out.
    pub progress_deadline_seconds: u32,
    /// How many old templates are remembered; 10 where it is left out.
    pub revision_history_limit: u32,
    /// No template change is rolled out while this is true.
    pub paused: bool,
    /// What a replica is.
    pub template: PodTemplate,
}

impl Deployment {
    /// The strategy's limits for the replicas it asks for.
    pub fn limits(&self) -> RollingLimits {
        self.strategy.limits(self.replicas)
    }
}

/// How replicas are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// New ones beside old ones; both are 25 % where they are left out.
    RollingUpdate {
        /// How many more than asked for may exist.
        max_surge: IntOrPercent,
        /// How many fewer than asked for may be available.
        max_unavailable: IntOrPercent,
    },
    /// All old ones stop before the first new one starts.
    Recreate,
}

/// A strategy's limits in replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollingLimits {
    /// How many more than asked for may exist.
    pub max_surge: u32,
    /// How many fewer than asked for may be available.
    pub max_unavailable: u32,
}

impl Strategy {
    /// The limits in replicas: the surge rounds up, the unavailable round down, and where both come out as zero one may be
    /// unavailable, as Kubernetes has it (`ResolveFenceposts`). `Recreate` makes all of them unavailable.
    pub fn limits(self, replicas: u32) -> RollingLimits {
        match self {
            Self::Recreate => RollingLimits { max_surge: 0, max_unavailable: replicas },
            Self::RollingUpdate { max_surge, max_unavailable } => {
                let max_surge = max_surge.of_rounded_up(replicas);
                let unavailable = max_unavailable.of_rounded_down(replicas).min(replicas);
                let max_unavailable =
                    if max_surge == 0 && unavailable == 0 { 1 } else { unavailable };
                RollingLimits { max_surge, max_unavailable }
            }
        }
    }
}

/// A number, or a part of the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "IntOrPercentText")]
pub enum IntOrPercent {
    /// `2`
    Int(u32),
    /// `25%`
    Percent(u32),
}

impl IntOrPercent {
    fn of_rounded_up(self, replicas: u32) -> u32 {
        match self {
            Self::Int(number) => number,
            Self::Percent(percent) => part(replicas, percent, 99),
        }
    }

    fn of_rounded_down(self, replicas: u32) -> u32 {
        match self {
            Self::Int(number) => number,
            Self::Percent(percent) => part(replicas, percent, 0),
        }
    }

    /// `25%`: what stands before the sign.
    pub(crate) fn parse_percent(text: &str) -> Option<u32> {
        let digits = text.strip_suffix('%')?;
        let valid = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        valid.then(|| digits.parse().ok()).flatten()
    }
}

fn part(replicas: u32, percent: u32, round: u64) -> u32 {
    let hundredths = u64::from(replicas) * u64::from(percent) + round;
    u32::try_from(hundredths / 100).unwrap_or(u32::MAX)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum IntOrPercentText {
    Int(u32),
    Text(String),
}

impl TryFrom<IntOrPercentText> for IntOrPercent {
    type Error = String;

    fn try_from(text: IntOrPercentText) -> Result<Self, String> {
        match text {
            IntOrPercentText::Int(number) => Ok(Self::Int(number)),
            IntOrPercentText::Text(text) => Self::parse_percent(&text)
                .map(Self::Percent)
                .ok_or_else(|| "expected a number or a percentage".to_owned()),
        }
    }
}

/// The object as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DeploymentObject {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    spec: DeploymentSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeploymentSpec {
    #[serde(default = "one")]
    replicas: u32,
    selector: Selector,
    #[serde(default)]
    strategy: StrategySpec,
    #[serde(default)]
    min_ready_seconds: u32,
    #[serde(default = "ten_minutes")]
    progress_deadline_seconds: u32,
    #[serde(default = "ten")]
    revision_history_limit: u32,
    #[serde(default)]
    paused: bool,
    template: PodTemplate,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StrategySpec {
    #[serde(default, rename = "type")]
    kind: StrategyKind,
    #[serde(default)]
    rolling_update: RollingUpdateSpec,
}

#[derive(Default, Deserialize)]
enum StrategyKind {
    #[default]
    RollingUpdate,
    Recreate,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RollingUpdateSpec {
    max_surge: Option<IntOrPercent>,
    max_unavailable: Option<IntOrPercent>,
}

fn one() -> u32 {
    1
}

fn ten() -> u32 {
    10
}

fn ten_minutes() -> u32 {
    600
}

impl From<DeploymentObject> for Deployment {
    fn from(object: DeploymentObject) -> Self {
        let spec = object.spec;
        let quarter = IntOrPercent::Percent(25);
        let rolling = spec.strategy.rolling_update;
        Self {
            name: object.metadata.object_name(),
            labels: object.metadata.labels,
            annotations: object.metadata.annotations,
            replicas: spec.replicas,
            selector: spec.selector.match_labels,
            strategy: match spec.strategy.kind {
                StrategyKind::Recreate => Strategy::Recreate,
                StrategyKind::RollingUpdate => Strategy::RollingUpdate {
                    max_surge: rolling.max_surge.unwrap_or(quarter),
                    max_unavailable: rolling.max_unavailable.unwrap_or(quarter),
                },
            },
            min_ready_seconds: spec.min_ready_seconds,
            progress_deadline_seconds: spec.progress_deadline_seconds,
            revision_history_limit: spec.revision_history_limit,
            paused: spec.paused,
            template: spec.template,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_round_as_kubernetes_does() {
        let limits = |surge, unavailable, replicas| {
            let limits = Strategy::RollingUpdate { max_surge: surge, max_unavailable: unavailable }
                .limits(replicas);
            (limits.max_surge, limits.max_unavailable)
        };
        let quarter = IntOrPercent::Percent(25);
        assert_eq!(limits(quarter, quarter, 1), (1, 0));
        assert_eq!(limits(quarter, quarter, 4), (1, 1));
        assert_eq!(limits(quarter, quarter, 10), (3, 2));
        assert_eq!(limits(IntOrPercent::Percent(0), IntOrPercent::Percent(10), 3), (0, 1));
        assert_eq!(limits(IntOrPercent::Int(2), IntOrPercent::Int(9), 3), (2, 3));
        assert_eq!(limits(IntOrPercent::Percent(9999), quarter, u32::MAX).0, u32::MAX);
        assert_eq!(
            Strategy::Recreate.limits(3),
            RollingLimits { max_surge: 0, max_unavailable: 3 }
        );
    }
}
