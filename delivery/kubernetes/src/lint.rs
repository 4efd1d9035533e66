//! What about a Deployment costs requests, or keeps a rollout from being judged or taken back.

use std::time::Duration;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec},
        autoscaling::v2::HorizontalPodAutoscaler,
        core::v1::Container,
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use mercurious_core::image::{ImageReference, Repository};

/// Something that is odd, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: String,
    /// The remedy.
    pub remedy: String,
}

pub(crate) fn finding(what: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { what: what.into(), remedy: remedy.into() }
}

/// What is steered: of which a Deployment may be right or wrong for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steered<'a> {
    /// The container.
    pub(crate) container: &'a str,
    /// Whose image is moved.
    pub(crate) repository: &'a Repository,
    /// How long a new release must stay healthy.
    pub(crate) bake: Duration,
}

/// Goes through what is known to hurt.
pub(crate) fn lint(deployment: &Deployment, steered: Steered<'_>) -> Vec<Finding> {
    let Some(spec) = &deployment.spec else { return Vec::new() };
    let mut findings = Vec::new();
    let mut found = |what: &str, remedy: &str| findings.push(finding(what, remedy));
    if spec.paused == Some(true) {
        found(
            "it is paused: nothing rolls out and nothing can be taken back",
            "kubectl rollout resume deployment NAME",
        );
    }
    let strategy = spec.strategy.as_ref();
    if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate") {
        found(
            "strategy Recreate ends every pod before a new one starts: each rollout is an outage",
            "set spec.strategy.type: RollingUpdate, with maxUnavailable: 0",
        );
    } else if unavailable(spec) > 0 {
        found(
            "maxUnavailable lets pods that serve go before new ones are ready",
            "set spec.strategy.rollingUpdate.maxUnavailable: 0",
        );
    }
    let pod = spec.template.spec.as_ref();
    let containers = pod.map(|pod| pod.containers.as_slice()).unwrap_or_default();
    if let Some(container) = containers.iter().find(|own| own.name == steered.container) {
        lint_container(container, &mut found);
        let grace = pod.and_then(|pod| pod.termination_grace_period_seconds).unwrap_or(30);
        if pause(container).is_some_and(|seconds| seconds >= grace) {
            found(
                "preStop sleeps as long as the pod may take to end: it is killed with requests open",
                "set terminationGracePeriodSeconds above the sleep and the time to drain",
            );
        }
    }
    if containers
        .iter()
        .flat_map(|own| own.ports.iter().flatten())
        .any(|port| port.host_port.is_some())
    {
        found(
            "a hostPort is taken by the old pod: a new one cannot start on that node before it is gone",
            "leave hostPort out and use a Service, or have more nodes than replicas",
        );
    }
    let init = pod.and_then(|pod| pod.init_containers.as_deref()).unwrap_or_default();
    if let Some(name) = init.iter().find(|own| is_of(own, steered.repository)).map(|own| &own.name)
    {
        found(
            &format!(
                "init container {name} has an image of the same repository, which is not moved along"
            ),
            "do in the container itself what must fit its release, migrations above all",
        );
    }
    if steered.bake.is_zero() && spec.min_ready_seconds.unwrap_or(0) == 0 {
        found(
            "neither bake nor minReadySeconds: a program that crashes after its first answer is a success",
            "set spec.rollout.bake of the AutoDeploy, 30s for one",
        );
    }
    if spec.revision_history_limit == Some(0) {
        found(
            "revisionHistoryLimit: 0 leaves kubectl nothing to undo",
            "set spec.revisionHistoryLimit to 2 or more",
        );
    }
    let (deadline, ready) =
        (spec.progress_deadline_seconds.unwrap_or(600), spec.min_ready_seconds.unwrap_or(0));
    if deadline <= ready {
        found(
            "progressDeadlineSeconds is not longer than minReadySeconds: every rollout runs out of time",
            "set spec.progressDeadlineSeconds well above spec.minReadySeconds",
        );
    }
    findings
}

fn lint_container(container: &Container, found: &mut impl FnMut(&str, &str)) {
    if container.readiness_probe.is_none() {
        found(
            "the container has no readinessProbe: it counts as ready the moment it starts",
            "give it a readinessProbe that fails until it can serve",
        );
    }
    if container.lifecycle.as_ref().is_none_or(|lifecycle| lifecycle.pre_stop.is_none()) {
        found(
            "the container has no preStop: requests still come while it stops",
            "set lifecycle.preStop.sleep.seconds: 3, and terminationGracePeriodSeconds above that and the time to drain",
        );
    }
}

/// For how long it sleeps before it is told to end.
fn pause(container: &Container) -> Option<i64> {
    let hook = container.lifecycle.as_ref()?.pre_stop.as_ref()?;
    hook.sleep.as_ref().map(|sleep| sleep.seconds)
}

fn is_of(container: &Container, repository: &Repository) -> bool {
    let image = container.image.as_deref().and_then(|image| image.parse::<ImageReference>().ok());
    image.is_some_and(|image| image.repository() == repository)
}

/// How many pods may be missing during a rollout, as the controller computes it.
fn unavailable(spec: &DeploymentSpec) -> i32 {
    let replicas = spec.replicas.unwrap_or(1);
    let rolling = spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
    let percent = |text: &str| text.trim_end_matches('%').parse::<i32>().unwrap_or(25);
    match rolling.and_then(|rolling| rolling.max_unavailable.as_ref()) {
        Some(IntOrString::Int(count)) => *count,
        Some(IntOrString::String(text)) => replicas * percent(text) / 100,
        None => replicas * 25 / 100,
    }
}

/// Whether somebody fixes the number of replicas that an autoscaler chooses.
pub(crate) fn lint_autoscalers(
    deployment: &Deployment,
    autoscalers: &[HorizontalPodAutoscaler],
) -> Option<Finding> {
    let name = deployment.metadata.name.as_deref()?;
    let autoscaler = autoscalers.iter().find(|autoscaler| {
        autoscaler.spec.as_ref().is_some_and(|spec| {
            spec.scale_target_ref.kind == "Deployment" && spec.scale_target_ref.name == name
        })
    })?;
    let applied = deployment
        .metadata
        .annotations
        .as_ref()?
        .get("kubectl.kubernetes.io/last-applied-configuration")?;
    let applied: serde_json::Value = serde_json::from_str(applied).ok()?;
    applied["spec"].get("replicas")?;
    Some(finding(
        format!(
            "HorizontalPodAutoscaler {} chooses the number of replicas, and the applied manifest fixes it: each apply \
             undoes the autoscaler",
            autoscaler.metadata.name.as_deref().unwrap_or_default()
        ),
        "take spec.replicas out of the manifest",
    ))
}

/// Whether a disruption budget lets no pod go although all are there: nodes cannot be drained.
pub(crate) fn lint_budgets(
    deployment: &Deployment,
    budgets: &[PodDisruptionBudget],
) -> Option<Finding> {
    let labels = deployment.spec.as_ref()?.template.metadata.as_ref()?.labels.as_ref()?;
    let budget = budgets.iter().find(|budget| {
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        let wanted = selector.and_then(|selector| selector.match_labels.as_ref());
        let covers = wanted
            .is_some_and(|wanted| wanted.iter().all(|(key, value)| labels.get(key) == Some(value)));
        let stuck = budget.status.as_ref().is_some_and(|status| {
            status.disruptions_allowed == 0 && status.current_healthy >= status.desired_healthy
        });
        covers && stuck
    })?;
    Some(finding(
        format!(
            "PodDisruptionBudget {} lets no pod go: nodes cannot be drained",
            budget.metadata.name.as_deref().unwrap_or_default()
        ),
        "set its maxUnavailable: 1, or run one replica more than its minAvailable",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(spec: &serde_json::Value) -> Deployment {
        serde_json::from_value(serde_json::json!({"metadata": {"name": "web"}, "spec": spec}))
            .unwrap()
    }

    fn whats(deployment: &Deployment) -> String {
        let repository = "h.io/web".parse().unwrap();
        let steered =
            Steered { container: "app", repository: &repository, bake: Duration::from_secs(1) };
        lint(deployment, steered).into_iter().map(|finding| finding.what + "\n").collect()
    }

    #[test]
    fn each_pitfall_is_named_and_a_sound_deployment_has_none() {
        let sound = deployment(&serde_json::json!({
            "replicas": 3, "selector": {}, "progressDeadlineSeconds": 300,
            "strategy": {"rollingUpdate": {"maxUnavailable": 0}},
            "template": {"spec": {"containers": [{
                "name": "app", "readinessProbe": {"httpGet": {"port": 80}},
                "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
            }]}},
        }));
        assert_eq!(whats(&sound), "");
        let bad = deployment(&serde_json::json!({
            "replicas": 4, "selector": {}, "paused": true, "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": 10, "minReadySeconds": 10,
            "template": {"spec": {"containers": [{"name": "app"}]}},
        }));
        let said = whats(&bad);
        for word in [
            "paused",
            "maxUnavailable",
            "readinessProbe",
            "preStop",
            "revisionHistoryLimit",
            "progressDeadline",
        ] {
            assert!(said.contains(word), "{word}: {said}");
        }
        let mut recreated = sound;
        recreated.spec.as_mut().unwrap().strategy =
            serde_json::from_value(serde_json::json!({"type": "Recreate"})).unwrap();
        assert!(whats(&recreated).contains("outage"));
    }

    #[test]
    fn what_outlives_its_release_is_named() {
        let own = |more: &str| {
            let spec: serde_json::Value = serde_json::from_str(more).unwrap();
            let mut pod = serde_json::json!({"containers": [{
                "name": "app", "readinessProbe": {"httpGet": {"port": 80}},
                "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
            }]});
            pod.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
            whats(&deployment(&serde_json::json!({
                "replicas": 1, "selector": {}, "template": {"spec": pod},
            })))
        };
        assert_eq!(own("{}"), "");
        assert!(own(r#"{"terminationGracePeriodSeconds": 3}"#).contains("preStop sleeps as long"));
        let init = r#"{"initContainers": [{"name": "migrate", "image": "h.io/web:v1"}]}"#;
        assert!(own(init).contains("init container migrate"));
        assert_eq!(own(r#"{"initContainers": [{"name": "wait", "image": "h.io/wait"}]}"#), "");
        let port = r#"{"containers": [{"name": "other", "ports": [{"containerPort": 1, "hostPort": 1}]}]}"#;
        assert!(own(port).contains("hostPort"));
    }

    #[test]
    fn a_quarter_of_three_replicas_is_none() {
        for (replicas, expected) in [(1, 0), (3, 0), (4, 1)] {
            let spec = serde_json::json!({"replicas": replicas, "selector": {}, "template": {}});
            assert_eq!(unavailable(deployment(&spec).spec.as_ref().unwrap()), expected);
        }
    }

    #[test]
    fn r35_a_manifest_that_fixes_what_an_autoscaler_chooses_is_found() {
        let mut web = deployment(&serde_json::json!({"selector": {}, "template": {}}));
        let scaler: HorizontalPodAutoscaler = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web"},
            "spec": {"maxReplicas": 4, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
        }))
        .unwrap();
        assert_eq!(lint_autoscalers(&web, std::slice::from_ref(&scaler)), None);
        web.metadata.annotations = Some(
            [(
                "kubectl.kubernetes.io/last-applied-configuration".to_owned(),
                r#"{"spec":{"replicas":2}}"#.to_owned(),
            )]
            .into(),
        );
        assert!(lint_autoscalers(&web, &[scaler]).unwrap().what.contains("undoes the autoscaler"));
    }
}
