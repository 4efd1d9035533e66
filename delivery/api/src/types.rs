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

/// Why it did, or did not, deploy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The auto-deploy as it is.
    #[schema(value_type = Object)]
    pub auto_deploy: AutoDeployView,
    /// Every tag, with the reason why it was chosen or not.
    #[schema(value_type = Vec<Object>)]
    pub tags: Vec<TagChoice>,
}
