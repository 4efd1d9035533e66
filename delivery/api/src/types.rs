use mercurious_engine::{AutoDeployView, TagChoice};
use serde::{Deserialize, Serialize};

/// The body of every changing call; each reads what it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// A tag, a commit, a digest or a full reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Why, for a hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What can be asked of an auto-deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Brings the workload to a release, or to the candidate.
    Deploy,
    /// Replaces all replicas, one after the other.
    Restart,
    /// Goes back to a release, or to the last good one, and holds what runs.
    Rollback,
    /// Keeps a release from being deployed.
    Hold,
    /// Ends a suspension; where there is none, lifts all holds, or the one named.
    Resume,
    /// Nothing moves by itself any more.
    Suspend,
    /// Looks at the repository now.
    Scan,
}

impl Verb {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Restart => "restart",
            Self::Rollback => "rollback",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::Suspend => "suspend",
            Self::Scan => "scan",
        }
    }
}

/// Why it did, or did not, deploy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The auto-deploy as it is.
    pub auto_deploy: AutoDeployView,
    /// Every tag, with the reason why it was chosen or not.
    pub tags: Vec<TagChoice>,
}

/// Something in the manifests that is legal and deserves a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestWarning {
    /// A stable code: `NoEffect`, `Downtime`, `MutableTag`, `Rollback`, `Credential` or `Suspicious`.
    pub kind: String,
    /// `FILE:LINE:COLUMN`
    pub origin: String,
    /// The object and field, as `Deployment app/api: spec.strategy`.
    pub subject: String,
    /// What, and what to do about it.
    pub message: String,
}

/// Which auto-deploy.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct NamePath {
    /// The namespace; `-` finds it by the name
    pub(crate) namespace: String,
    /// The name
    pub(crate) name: String,
}

/// Which auto-deploy, and what is asked of it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ChangePath {
    /// The namespace; `-` finds it by the name
    pub(crate) namespace: String,
    /// The name
    pub(crate) name: String,
    /// What is asked
    #[param(inline)]
    pub(crate) verb: Verb,
}

/// How much.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Limit {
    /// How many entries at most
    #[serde(default = "hundred")]
    pub(crate) limit: usize,
}

/// How much, and whether to go on.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// How many of the newest lines at most
    #[serde(default = "hundred")]
    pub(crate) lines: usize,
    /// Whether to answer by Server-Sent Events, and go on with the lines to come
    #[serde(default)]
    pub(crate) follow: bool,
}

/// No answer has more entries than this.
pub(crate) const MOST: usize = 10_000;

fn hundred() -> usize {
    100
}
