use mercurious_core::{
    policy::Policy,
    resources::{AutoDeploy, ImagePolicy},
};

use super::Remarks;
use crate::{
    Sourced,
    WarningKind::{Rollback, Suspicious},
};

pub(crate) fn image_policy(object: &Sourced<ImagePolicy>, remarks: &mut Remarks<'_>) {
    // A policy that cannot be used is a fault, see `check`.
    let warnings = Policy::from_resource(&object.value).map(|(_, warnings)| warnings);
    for warning in warnings.unwrap_or_default() {
        remarks.add(Suspicious, object, "spec.filterTags", warning.to_string());
    }
}

pub(crate) fn auto_deploy(object: &Sourced<AutoDeploy>, remarks: &mut Remarks<'_>) {
    let spec = &object.value.spec;
    if !spec.rollback.automatic {
        let message = "a rollout that fails stays as it is until somebody goes back by hand";
        remarks.add(Rollback, object, "spec.rollback.automatic", message);
    }
    if spec.rollout.bake.0 >= spec.rollout.timeout.0 && !spec.rollout.timeout.0.is_zero() {
        let message = "the bake is not shorter than the timeout, which says how long the rollout itself may take";
        remarks.add(Suspicious, object, "spec.rollout.bake", message);
    }
}
