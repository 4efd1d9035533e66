use std::{sync::Arc, time::Duration};

use super::MongoStore;
use crate::{
    service::Retention,
    settings::SecretUrl,
    store::{Store as _, StoreError, tests::contract},
    tests::servers,
};

/// Times of the tests lie in the past: nothing must expire meanwhile.
const RETENTION: Retention =
    Retention { jobs: Duration::from_hours(87600), keys: Duration::from_hours(87600) };

async fn connect(port: u16) -> Arc<MongoStore> {
    let url = SecretUrl::new(&format!("mongodb://127.0.0.1:{port}/travel?directConnection=true"));
    Arc::new(MongoStore::connect(&url, RETENTION).await.unwrap())
}

#[tokio::test]
#[ignore = "needs a server that speaks MongoDB's wire protocol"]
async fn mongodb_keeps_the_contract() {
    let server = servers::mongodb();
    let (one, other) = (connect(server.port).await, connect(server.port).await);
    contract(one, other).await;
}

#[tokio::test]
#[ignore = "needs a server that speaks MongoDB's wire protocol"]
async fn a_server_that_is_gone_is_told_in_time_and_without_the_password() {
    let server = servers::mongodb();
    let store = connect(server.port).await;
    drop(server);
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    let url = format!("mongodb://user:s3cret@127.0.0.1:{}/travel", servers::free_port());
    let error = MongoStore::connect(&SecretUrl::new(&url), RETENTION).await.unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}
