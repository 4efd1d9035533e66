use mercurious_runtime::Tasks;
use serde_json::{Value, json};

use super::api_server::{api_server, auto_deploy, web};
use crate::{
    FluxVersion, Scope,
    reading::{Change, Reading},
};

const LIST: &str = "/apis/mercurious.dev/v1alpha1/namespaces/app/autodeploys";

fn list(version: &str, items: &[Value]) -> Value {
    json!({
        "apiVersion": "mercurious.dev/v1alpha1", "kind": "AutoDeployList",
        "metadata": {"resourceVersion": version}, "items": items,
    })
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_expired_lists_again_and_what_is_gone_is_forgotten() {
    let (client, mut server) = api_server();
    let tasks = Tasks::new();
    let scope = Scope { namespaces: vec!["app".to_owned()] };
    let (mut reading, mut hears) =
        Reading::new(client, (scope, Vec::new()), FluxVersion::V1Beta2, tasks.clone());
    reading.watch_what_matters();
    let api = async {
        let call = server.expect("GET", LIST).await;
        assert!(call.query.contains("limit=50"), "{}", call.query);
        call.answer(&list("10", &[auto_deploy("7", None, &json!({}))]));
        let call = server.expect("GET", LIST).await;
        assert!(call.query.contains("watch=true") && call.query.contains("resourceVersion=10"));
        call.stream(&[json!({"type": "ERROR", "object": {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired",
            "message": "too old resource version",
        }})]);
        let call = server.expect("GET", LIST).await;
        assert!(!call.query.contains("watch=true"), "{}", call.query);
        call.answer(&list("30", &[]));
        server.next().await
    };
    let hear = async {
        let mut states = Vec::new();
        while states.len() < 3 {
            let (watch, heard) = hears.recv().await.unwrap();
            if let Change::Objects | Change::AutoDeploy { .. } = reading.hear(&watch, heard) {
                states.push((reading.is_complete(), reading.objects.auto_deploys.len()));
            }
        }
        states
    };
    let (_watching, states) = tokio::join!(api, hear);
    assert_eq!(states, [(false, 1), (true, 1), (true, 0)]);
    assert!(!reading.objects.auto_deploys.contains_key(&web()));
    tasks.stop();
}

#[tokio::test]
async fn r06_an_object_that_cannot_be_understood_is_a_fault_and_no_silence() {
    let mut objects = crate::Objects::default();
    let mut object = auto_deploy("7", None, &json!({}));
    object["spec"]["filterTags"] = json!({"pattern": "x"});
    objects.add_auto_deploy(serde_json::from_value(object).unwrap());
    let fault = &objects.faults[&("AutoDeploy", web())];
    assert!(fault.contains("unknown field `filterTags`"), "{fault}");
}
