use std::sync::Arc;

use super::{
    Committed, SqliteStore, Store,
    contract::{LEASE, accepted, contract, later, next, start},
};
use crate::{job::Input, tests::fixtures::facts};

#[tokio::test]
async fn memory_keeps_the_contract() {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory().unwrap());
    contract(Arc::clone(&store), store).await;
}

#[tokio::test]
async fn a_file_that_two_replicas_share_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.db");
    let one = Arc::new(SqliteStore::open(&path).unwrap());
    let other = Arc::new(SqliteStore::open(&path).unwrap());
    contract(one, other).await;
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.db");
    let store = SqliteStore::open(&path).unwrap();
    let job = accepted(&store, 1).await;
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.job(job.id).await.unwrap(), Some(job));
    assert_eq!(store.claim(start(), 10, LEASE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_change_that_fails_half_way_leaves_nothing() {
    let store = SqliteStore::in_memory().unwrap();
    let job = accepted(&store, 1).await;
    let mut change = next(&job, Input::Facts(facts()), later(1));
    // An event that is there already: the change breaks after the job and before the message.
    change.events[0].sequence = 1;
    store.commit(change).await.unwrap_err();
    assert_eq!(store.job(job.id).await.unwrap(), Some(job.clone()));
    assert_eq!(store.facts(job.id).await.unwrap(), None);
    assert_eq!(store.waiting().await.unwrap(), 1);
    let change = next(&job, Input::Facts(facts()), later(1));
    assert_eq!(store.commit(change).await.unwrap(), Committed::Stored, "the store goes on");
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.db");
    drop(SqliteStore::open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = SqliteStore::open(&path).unwrap_err().to_string();
    assert!(error.contains("newer"), "{error}");
}

#[tokio::test]
async fn no_file_no_store_and_the_error_says_which() {
    let error = SqliteStore::open("/nowhere/at/all.db".as_ref()).unwrap_err();
    assert!(matches!(error, super::StoreError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/at/all.db"), "{error}");
}
