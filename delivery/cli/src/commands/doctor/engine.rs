use mercurious_api::ManifestWarning;
use mercurious_core::{decide::Reason, rollout::Actor};
use mercurious_engine::AutoDeployView;

use super::{Examination, remedy};
use crate::commands::session::{name_of, status_of};

/// What a running engine knows.
pub(super) fn examine(
    views: &[AutoDeployView],
    warnings: &[ManifestWarning],
    examination: &mut Examination,
) {
    examination.checked(format!("a running engine with {} auto-deploys", views.len()));
    if views.is_empty() {
        let remedy = "write an AutoDeploy that names the Deployment and its ImagePolicy";
        examination.warning("engine", "no AutoDeploy: nothing is deployed by itself", remedy);
    }
    for view in views {
        auto_deploy(view, examination);
    }
    for warning in warnings {
        let subject = format!("{}: {}", warning.origin, warning.subject);
        examination.warning(subject, warning.message.clone(), "change the manifest, or leave it");
    }
}

fn auto_deploy(view: &AutoDeployView, examination: &mut Examination) {
    let name = name_of(view);
    let message = &view.decision.message;
    if let Some(failure) = &view.repository.failure {
        examination.error(&name, failure, remedy::of_look(failure));
    }
    if view.suspended {
        let remedy = format!("mercurious resume {name}");
        examination.warning(&name, "is suspended: nothing moves by itself", remedy);
    }
    let remedy = match view.decision.reason {
        Reason::PolicyEmpty if view.repository.tags == 0 => {
            format!("push an image to {}, or correct spec.image", view.repository.repository)
        }
        Reason::PolicyEmpty => {
            "compare the ImagePolicy's filterTags and order with the tags that your build pushes"
                .to_owned()
        }
        Reason::ImageUnusable => remedy::of_look(message).to_owned(),
        Reason::Held => format!("push a newer image, or `mercurious resume {name}`"),
        Reason::WorkloadMissing => {
            "check spec.target: the Deployment must be in the AutoDeploy's own namespace".to_owned()
        }
        Reason::ContainerMissing => {
            "check spec.container: it must be a container of the Deployment".to_owned()
        }
        Reason::ForeignRepository => {
            "let the ImagePolicy's repository and the Deployment's image be the same".to_owned()
        }
        Reason::Older => format!("`mercurious deploy {name} --to RELEASE` goes there all the same"),
        Reason::Paused => "set spec.paused of the Deployment to false".to_owned(),
        Reason::Failed => format!("push a better image; `mercurious logs {name}` tells more"),
        _ => String::new(),
    };
    let status = status_of(view);
    // What a person wants is no fault.
    let wanted = match view.decision.reason {
        Reason::Held => status.hold.as_ref().is_some_and(|hold| hold.by != Actor::engine()),
        Reason::Paused => true,
        _ => false,
    };
    match (remedy.is_empty(), wanted) {
        (true, _) => {}
        (false, true) => examination.warning(&name, message, remedy),
        (false, false) => examination.error(&name, message, remedy),
    }
    for problem in &view.workload.problems {
        examination.error(&name, problem, remedy::of_problem(problem, &name));
    }
    if view.repository.looked_at.is_some() && status.candidate.is_none() && status.running.is_none()
    {
        let finding = "nothing has ever been deployed";
        examination.warning(&name, finding, format!("`mercurious explain {name}` tells why"));
    }
    for warning in &view.warnings {
        examination.warning(&name, warning, "correct the ImagePolicy");
    }
}
