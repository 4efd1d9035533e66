//! The objects that a person writes and reads: `AutoDeploy` (ours), `ImageRepository` and `ImagePolicy`
//! (Flux's API, so that existing manifests keep working).
//!
//! These are shapes: unknown fields are refused when they are read, values become domain types as they parse.

mod auto_deploy;
mod check;
mod image_policy;
mod image_repository;
mod metadata;
mod status;

pub use auto_deploy::{AutoDeploy, AutoDeploySpec, RollbackSpec, RolloutSpec, TargetRef};
pub use check::{CheckSpec, HttpCheck, LogsCheck};
pub use image_policy::{
    AlphabeticalPolicy, DigestReflectionPolicy, FilterTags, ImagePolicy, ImagePolicySpec,
    ImageRepositoryRef, NumericalPolicy, PolicyChoice, SemverPolicy, SortOrder,
};
pub use image_repository::{
    AccessFrom, ImageRepository, ImageRepositorySpec, NamespaceSelector, Provider,
};
pub use metadata::{Metadata, NameRef, ObjectName, ObjectNameError, ServerFilled};
pub use status::{
    AutoDeployStatus, CandidateStatus, Condition, ConditionStatus, HoldStatus, ReleaseStatus,
    RolloutStatus,
};
