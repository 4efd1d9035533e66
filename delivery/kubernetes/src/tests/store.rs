use std::sync::Arc;

use jiff::Timestamp;
use mercurious_core::{decide::Reason, resources::AutoDeployStatus, rollout::Record};
use mercurious_engine::{
    AuditEntry,
    ports::{Commit, Store as _, StoreError},
};
use serde_json::json;

use super::api_server::{api_server, auto_deploy, free, read, web};
use crate::StatusStore;

const STATUS: &str = "/apis/mercurious.dev/v1alpha1/namespaces/app/autodeploys/web/status";
const OBJECT: &str = "/apis/mercurious.dev/v1alpha1/namespaces/app/autodeploys/web";

async fn commit(store: &StatusStore, rollouts: u64) -> Result<(), StoreError> {
    let record = Arc::new(Record { rollouts, ..Record::default() });
    let entry = AuditEntry {
        at: Timestamp::UNIX_EPOCH,
        auto_deploy: web(),
        reason: Reason::Starting,
        message: "a decision".to_owned(),
        rollout: None,
        phase: None,
        from: None,
        to: None,
        by: "engine".to_owned(),
    };
    let status = Arc::<AutoDeployStatus>::default();
    store.commit(&web(), Commit { record: &record, status: &status, entry: &entry }).await
}

#[tokio::test]
async fn a_status_is_written_with_the_version_that_was_read_and_can_be_read_again() {
    let (client, mut server) = api_server();
    let store = StatusStore::new(client, free());
    store.learn(&web(), &read(auto_deploy("7", None, &json!({}))));
    let (written, ()) = tokio::join!(commit(&store, 3), async {
        let call = server.expect("PUT", STATUS).await;
        assert_eq!(call.body["metadata"]["resourceVersion"], "7");
        assert_eq!(call.body["status"]["observedGeneration"], 1);
        let status = call.body["status"].clone();
        let again = read(auto_deploy("8", Some(&status), &json!({})));
        assert_eq!(again.stored().unwrap().memory.record.unwrap().rollouts, 3);
        call.answer(&auto_deploy("8", Some(&status), &json!({})));
    });
    written.unwrap();
    assert_eq!(store.record(&web()).await.unwrap().unwrap().rollouts, 3);
    assert_eq!(store.audit(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_request_that_came_in_between_is_no_obstacle() {
    let (client, mut server) = api_server();
    let store = StatusStore::new(client, free());
    store.learn(&web(), &read(auto_deploy("7", None, &json!({}))));
    let asked = json!({"request.mercurious.dev/1-a": r#"{"id":"1-a","ask":"Restart","by":"ada","at":"2026-01-01T00:00:00Z"}"#});
    let (written, ()) = tokio::join!(commit(&store, 1), async {
        server.expect("PUT", STATUS).await.refuse(409, "Conflict", "the object has been modified");
        server.expect("GET", OBJECT).await.answer(&auto_deploy("9", None, &asked));
        let call = server.expect("PUT", STATUS).await;
        assert_eq!(call.body["metadata"]["resourceVersion"], "9");
        call.answer(&auto_deploy("10", None, &asked));
    });
    written.unwrap();
    assert_eq!(store.requests(&web()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn r18_what_another_engine_wrote_is_not_written_over() {
    let (client, mut server) = api_server();
    let store = StatusStore::new(client, free());
    store.learn(&web(), &read(auto_deploy("7", None, &json!({}))));
    let theirs = json!({"engine": {"record": {"rollouts": 5}}});
    let (written, ()) = tokio::join!(commit(&store, 1), async {
        server.expect("PUT", STATUS).await.refuse(409, "Conflict", "the object has been modified");
        server.expect("GET", OBJECT).await.answer(&auto_deploy("9", Some(&theirs), &json!({})));
    });
    let error = written.unwrap_err().to_string();
    assert!(error.contains("another engine"), "{error}");
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_found_to_be_done() {
    let (client, mut server) = api_server();
    let store = StatusStore::new(client, free());
    store.learn(&web(), &read(auto_deploy("7", None, &json!({}))));
    let (written, ()) = tokio::join!(commit(&store, 1), async {
        let call = server.expect("PUT", STATUS).await;
        let status = call.body["status"].clone();
        call.refuse(409, "Conflict", "the object has been modified");
        let found = auto_deploy("8", Some(&status), &json!({}));
        server.expect("GET", OBJECT).await.answer(&found);
    });
    written.unwrap();
    assert_eq!(store.record(&web()).await.unwrap().unwrap().rollouts, 1);
}

#[tokio::test]
async fn what_did_not_change_is_not_written() {
    let (client, _server) = api_server();
    let store = StatusStore::new(client, free());
    let status = json!({
        "observedGeneration": 1, "conditions": [], "engine": {"record": {"rollouts": 1}},
    });
    store.learn(&web(), &read(auto_deploy("7", Some(&status), &json!({}))));
    // The server answers nothing: a write would wait for ever.
    store.save_status(&web(), &Arc::default()).await.unwrap();
    store.flush().await.unwrap();
}

#[tokio::test]
async fn a_half_written_status_is_an_error_and_not_an_empty_one() {
    let (client, _server) = api_server();
    let store = StatusStore::new(client, free());
    for status in [
        json!({"engine": {"record": {"rollouts": "many"}}}),
        json!({"engine": {"record": {"rollouts": 1}}, "history": [{"id": 1}]}),
        json!({"rollout": {"id": 1}}),
    ] {
        store.retain(|_| false);
        store.learn(&web(), &read(auto_deploy("7", Some(&status), &json!({}))));
        let error = store.record(&web()).await.unwrap_err().to_string();
        assert!(
            error.contains("AutoDeploy app/web: status.") && error.contains("damaged"),
            "{error}"
        );
        assert!(commit(&store, 1).await.is_err());
    }
}

#[tokio::test]
async fn r19_a_missing_right_is_named() {
    let (client, mut server) = api_server();
    let store = StatusStore::new(client, free());
    store.learn(&web(), &read(auto_deploy("7", None, &json!({}))));
    let message = r#"autodeploys.mercurious.dev "web" is forbidden: User "system:serviceaccount:app:mercurious" cannot update resource "autodeploys/status""#;
    let (written, ()) = tokio::join!(commit(&store, 1), async {
        server.expect("PUT", STATUS).await.refuse(403, "Forbidden", message);
    });
    let error = written.unwrap_err().to_string();
    assert!(error.contains(message) && error.contains("grant it"), "{error}");
}

#[tokio::test]
async fn an_object_made_anew_remembers_nothing_of_the_old_one() {
    let (client, _server) = api_server();
    let store = StatusStore::new(client, free());
    let status = json!({"engine": {"record": {"rollouts": 4}}});
    store.learn(&web(), &read(auto_deploy("7", Some(&status), &json!({}))));
    let mut anew = auto_deploy("20", None, &json!({}));
    anew["metadata"]["uid"] = "u-2".into();
    store.learn(&web(), &read(anew));
    assert_eq!(store.record(&web()).await.unwrap(), None);
}
