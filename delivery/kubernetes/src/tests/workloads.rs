use mercurious_core::{
    decide::{Effect, WorkloadState},
    image::{Digest, ImageReference},
    resources::ObjectName,
};
use mercurious_engine::{
    Target,
    ports::{Attention, Workloads as _},
};
use mercurious_runtime::Tasks;
use serde_json::{Value, json};

use super::api_server::{ApiServer, api_server, free, web};
use crate::ClusterWorkloads;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/app/deployments/web";

fn target(container: Option<&str>) -> Target {
    Target {
        auto_deploy: web(),
        kind: "Deployment".to_owned(),
        workload: ObjectName::new("app", "web"),
        container: container.map(str::to_owned),
        repository: "registry.test/team/web".parse().unwrap(),
    }
}

fn image(tag: &str) -> ImageReference {
    let repository = "registry.test/team/web".parse().unwrap();
    ImageReference::pinned(repository, Some(tag.parse().unwrap()), Digest::of(tag.as_bytes()))
}

fn set(tag: &str) -> Effect {
    Effect::SetImage { container: None, image: image(tag) }
}

/// A Deployment that has rolled out, with a sidecar.
fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "web", "namespace": "app", "uid": "d-1", "resourceVersion": "41", "generation": 3,
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                {"name": "app", "image": image},
                {"name": "proxy", "image": "registry.test/other/proxy:1"},
            ]}},
        },
        "status": {
            "observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2,
        },
    })
}

fn workloads() -> (ClusterWorkloads, ApiServer, Tasks) {
    let (client, server) = api_server();
    let tasks = Tasks::new();
    (ClusterWorkloads::new(client, free(), tasks.clone()), server, tasks)
}

#[tokio::test]
async fn an_apply_holds_the_one_image_field_and_the_version_that_proves_the_container() {
    let (workloads, mut server, _tasks) = workloads();
    let wanted = target(None);
    let effect = set("v2");
    let (applied, ()) = tokio::join!(workloads.apply(&wanted, &effect), async {
        let found = deployment("registry.test/team/web:v1");
        server.expect("GET", DEPLOYMENT).await.answer(&found);
        let call = server.expect("PATCH", DEPLOYMENT).await;
        assert!(
            call.query.contains("fieldManager=mercurious") && call.query.contains("force=true")
        );
        assert_eq!(
            call.body,
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "app", "resourceVersion": "41"},
                "spec": {"template": {"spec": {"containers": [
                    {"name": "app", "image": image("v2").to_string()},
                ]}}},
            })
        );
        call.answer(&deployment(&image("v2").to_string()));
    });
    applied.unwrap();
}

#[tokio::test]
async fn an_effect_that_is_in_place_is_not_written_again() {
    let (workloads, mut server, _tasks) = workloads();
    let wanted = target(Some("app"));
    let effect = set("v2");
    let (applied, ()) = tokio::join!(workloads.apply(&wanted, &effect), async {
        server.expect("GET", DEPLOYMENT).await.answer(&deployment(&image("v2").to_string()));
    });
    applied.unwrap();
}

#[tokio::test]
async fn r15_a_container_that_is_not_there_is_never_added() {
    let (workloads, mut server, _tasks) = workloads();
    let wanted = target(Some("web"));
    let effect = set("v2");
    let (applied, ()) = tokio::join!(workloads.apply(&wanted, &effect), async {
        let found = deployment("registry.test/team/web:v1");
        server.expect("GET", DEPLOYMENT).await.answer(&found);
    });
    let error = applied.unwrap_err().to_string();
    assert!(error.contains("has no container web; it has app"), "{error}");
}

#[tokio::test]
async fn a_deployment_that_changed_in_the_same_moment_is_not_written() {
    let (workloads, mut server, _tasks) = workloads();
    let wanted = target(None);
    let effect = set("v2");
    let (applied, ()) = tokio::join!(workloads.apply(&wanted, &effect), async {
        let found = deployment("registry.test/team/web:v1");
        server.expect("GET", DEPLOYMENT).await.answer(&found);
        server.expect("PATCH", DEPLOYMENT).await.refuse(409, "Conflict", "the object was modified");
    });
    assert!(applied.unwrap_err().to_string().contains("in the same moment"));
}

#[tokio::test]
async fn r09_r13_a_controller_that_would_write_its_own_image_back_is_named_and_not_fought() {
    let (workloads, mut server, _tasks) = workloads();
    let mut found = deployment("registry.test/team/web:v1");
    found["metadata"]["managedFields"] = json!([{
        "manager": "kustomize-controller", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"app\"}": {"f:image": {}, "f:name": {}}}}}}},
    }]);
    let wanted = target(None);
    let effect = set("v2");
    let (applied, ()) = tokio::join!(workloads.apply(&wanted, &effect), async {
        server.expect("GET", DEPLOYMENT).await.answer(&found);
    });
    let error = applied.unwrap_err().to_string();
    assert!(error.contains("Flux's kustomize-controller writes the image"), "{error}");
    found["metadata"]["annotations"]["mercurious.dev/take-over"] = "true".into();
    let (applied, ()) = tokio::join!(workloads.apply(&wanted, &effect), async {
        server.expect("GET", DEPLOYMENT).await.answer(&found);
        server.expect("PATCH", DEPLOYMENT).await.answer(&deployment(&image("v2").to_string()));
    });
    applied.unwrap();
}

#[tokio::test]
async fn a_restart_leaves_the_image_fields_owner_alone() {
    let (workloads, mut server, _tasks) = workloads();
    let wanted = target(None);
    let effect = Effect::Restart { token: "7-abc".to_owned() };
    let (applied, ()) = tokio::join!(workloads.apply(&wanted, &effect), async {
        let call = server.expect("PATCH", DEPLOYMENT).await;
        assert!(call.query.contains("fieldManager=mercurious-restart"), "{}", call.query);
        let template = &call.body["spec"]["template"];
        assert_eq!(template["metadata"]["annotations"]["mercurious.dev/restart"], "7-abc");
        assert!(template.get("spec").is_none());
        call.answer(&deployment("registry.test/team/web:v1"));
    });
    applied.unwrap();
}

#[tokio::test]
async fn a_casual_look_at_a_pinned_and_complete_deployment_asks_for_nothing_else() {
    let (workloads, mut server, _tasks) = workloads();
    let wanted = target(None);
    let (state, ()) = tokio::join!(workloads.observe(&wanted, Attention::Casual), async {
        server.expect("GET", DEPLOYMENT).await.answer(&deployment(&image("v1").to_string()));
    });
    let WorkloadState::Present(workload) = state else { panic!("{state:?}") };
    assert!(workload.is_complete());
    assert_eq!(workload.digest(), Some(Digest::of(b"v1")));
}

#[tokio::test]
async fn only_pods_of_the_newest_replica_set_are_evidence() {
    let (workloads, mut server, _tasks) = workloads();
    let mut found = deployment("registry.test/team/web:v2");
    found["status"]["updatedReplicas"] = 1.into();
    found["status"]["replicas"] = 3.into();
    let set = |name: &str, revision: &str, owner: &str| {
        json!({"metadata": {
            "name": name, "annotations": {"deployment.kubernetes.io/revision": revision},
            "labels": {"pod-template-hash": name}, "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": owner}],
        }})
    };
    let wanted = target(None);
    let (state, ()) = tokio::join!(workloads.observe(&wanted, Attention::Casual), async {
        server.expect("GET", DEPLOYMENT).await.answer(&found);
        let call = server.expect("GET", "/apis/apps/v1/namespaces/app/replicasets").await;
        assert!(call.query.contains("labelSelector=app%3Dweb"), "{}", call.query);
        call.answer(&json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {},
            "items": [set("old", "1", "d-1"), set("new", "2", "d-1"), set("other", "2", "d-9")],
        }));
        let call = server.expect("GET", "/api/v1/namespaces/app/pods").await;
        assert!(call.query.contains("pod-template-hash%3Dnew"), "{}", call.query);
        call.answer(&json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [{
            "metadata": {"name": "web-new-1"},
            "status": {"containerStatuses": [{
                "name": "app", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}},
            }]},
        }]}));
    });
    let WorkloadState::Present(workload) = state else { panic!("{state:?}") };
    assert_eq!(workload.evidence[0].reason, "ImagePullBackOff");
    assert_eq!(workload.evidence[0].message, "pod web-new-1, container app: not found");
    assert_eq!((workload.available, workload.updated, workload.total), (0, 1, 3));
}

#[tokio::test]
async fn r16_r19_what_is_missing_and_what_is_forbidden_are_told_apart() {
    let (workloads, mut server, _tasks) = workloads();
    let wanted = target(None);
    let (state, ()) = tokio::join!(workloads.observe(&wanted, Attention::Casual), async {
        server.expect("GET", DEPLOYMENT).await.refuse(404, "NotFound", "not found");
    });
    assert_eq!(state, WorkloadState::Missing { target: "Deployment app/web".to_owned() });
    let (state, ()) = tokio::join!(workloads.observe(&wanted, Attention::Casual), async {
        let call = server.expect("GET", DEPLOYMENT).await;
        call.refuse(403, "Forbidden", "cannot get resource \"deployments\"");
    });
    let WorkloadState::Unreadable { message } = state else { panic!("{state:?}") };
    assert!(message.contains("cannot get resource \"deployments\""), "{message}");
}
