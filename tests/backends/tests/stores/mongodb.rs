use std::{sync::Arc, time::Duration};

use mercurious_api_gateway::{
    service::Retention,
    settings::SecretUrl,
    store::{MongoStore, Store as _, StoreError},
};
use mercurious_backends::{Mongo, or_skip};

use crate::contract::contract;

/// Times of the tests lie in the past: nothing must expire meanwhile.
const RETENTION: Retention =
    Retention { jobs: Duration::from_hours(87600), keys: Duration::from_hours(87600) };

async fn connect(url: &str) -> Result<MongoStore, StoreError> {
    let url = url.replacen("/?", "/travel?", 1);
    MongoStore::connect(&SecretUrl::new(&url), RETENTION).await
}

#[tokio::test]
async fn mongodb_keeps_the_contract() {
    let Some(mongo) = or_skip(Mongo::start) else { return };
    let (one, other) = (connect(&mongo.url()).await.unwrap(), connect(&mongo.url()).await.unwrap());
    contract(Arc::new(one), Arc::new(other)).await;
}

#[tokio::test]
async fn r46_a_wrong_password_and_a_server_that_is_gone_are_told_without_the_password() {
    let Some(mut mongo) = or_skip(Mongo::start) else { return };
    let error = connect(&mongo.url_with("wr0ng")).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert!(!error.to_string().contains("wr0ng"), "{error}");
    let store = connect(&mongo.url()).await.unwrap();
    mongo.kill();
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    let error = connect(&mongo.url_with("s3cret")).await.unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}
