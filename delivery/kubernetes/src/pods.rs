//! What Pods tell of a release: the early evidence that it cannot work.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use mercurious_core::{
    decide::Evidence,
    image::{Digest, ImageReference},
};

/// The waiting reasons that do not pass by themselves: kubectl's own list of what is wrong with a rollout.
const DEFINITE: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
];

/// The names of pods of this ReplicaSet that are not being deleted, with what each tells.
pub(crate) struct PodFacts {
    pub(crate) name: String,
    pub(crate) restarts: u32,
    pub(crate) evidence: Option<Evidence>,
    pub(crate) digest: Option<Digest>,
    /// Whether a log of the run before this one may tell more.
    pub(crate) crashed: bool,
}

impl PodFacts {
    /// `None` for a pod that leaves.
    pub(crate) fn of(pod: &Pod, container: &str) -> Option<Self> {
        if pod.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let name = pod.metadata.name.clone().unwrap_or_default();
        let status = pod.status.as_ref();
        let init = status.and_then(|status| status.init_container_statuses.as_deref());
        let main = status.and_then(|status| status.container_statuses.as_deref());
        let statuses = || init.into_iter().flatten().chain(main.into_iter().flatten());
        let own = main.into_iter().flatten().find(|status| status.name == container);
        let troubled = statuses().find_map(|status| Some((status, definite(status)?)));
        let restarts: i32 = main.into_iter().flatten().map(|status| status.restart_count).sum();
        Some(Self {
            restarts: u32::try_from(restarts).unwrap_or(0),
            evidence: troubled.as_ref().map(|(status, reason)| Evidence {
                reason: reason.clone(),
                message: said(&name, status),
            }),
            crashed: troubled.is_some_and(|(_, reason)| reason == "CrashLoopBackOff"),
            digest: own.and_then(|status| digest(&status.image_id)),
            name,
        })
    }
}

fn definite(status: &ContainerStatus) -> Option<String> {
    let reason = status.state.as_ref()?.waiting.as_ref()?.reason.clone()?;
    DEFINITE.contains(&reason.as_str()).then_some(reason)
}

fn said(pod: &str, status: &ContainerStatus) -> String {
    let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
    let ended = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let mut text = format!("pod {pod}, container {}", status.name);
    if let Some(ended) = ended {
        text.push_str(&format!(": ended with exit code {}", ended.exit_code));
        if let Some(reason) = ended.reason.as_deref().filter(|reason| *reason != "Error") {
            text.push_str(&format!(" ({reason})"));
        }
        let times = status.restart_count;
        if times > 0 {
            text.push_str(&format!(", {times} restarts"));
        }
    } else if let Some(message) = waiting.and_then(|waiting| waiting.message.as_deref()) {
        text.push_str(": ");
        text.extend(message.lines().next().unwrap_or_default().chars().take(300));
    }
    text
}

/// `ghcr.io/team/app@sha256:…`, as nodes report what they pulled.
fn digest(image_id: &str) -> Option<Digest> {
    let text = image_id.rsplit_once("://").map_or(image_id, |(_, rest)| rest);
    text.parse::<ImageReference>().ok()?.digest().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(statuses: &serde_json::Value) -> Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web-1"}, "status": {"containerStatuses": statuses},
        }))
        .unwrap()
    }

    #[test]
    fn what_does_not_pass_by_itself_is_evidence_and_a_slow_start_is_not() {
        let crashing = pod(&serde_json::json!([{
            "name": "app", "image": "a", "imageID": "", "ready": false, "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        }]));
        let facts = PodFacts::of(&crashing, "app").unwrap();
        let evidence = facts.evidence.unwrap();
        assert_eq!(evidence.reason, "CrashLoopBackOff");
        assert_eq!(
            evidence.message,
            "pod web-1, container app: ended with exit code 137 (OOMKilled), 2 restarts"
        );
        assert_eq!((facts.restarts, facts.crashed), (2, true));
        let starting = pod(&serde_json::json!([{
            "name": "app", "image": "a", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ContainerCreating"}},
        }]));
        assert!(PodFacts::of(&starting, "app").unwrap().evidence.is_none());
    }

    #[test]
    fn the_digest_that_a_node_pulled_is_read_from_every_spelling() {
        let hex = "a".repeat(64);
        for text in [
            format!("ghcr.io/a/b@sha256:{hex}"),
            format!("docker-pullable://ghcr.io/a/b@sha256:{hex}"),
        ] {
            assert_eq!(digest(&text).unwrap().hex(), hex, "{text}");
        }
        assert_eq!(digest(&format!("sha256:{hex}")), None);
        assert_eq!(digest(""), None);
    }
}
