use std::{sync::Arc, time::Duration};

use mercurious_backends::{Mongo, or_skip};

use super::MongoStore;
use crate::{
    service::Retention,
    settings::SecretUrl,
    store::{Store as _, StoreError, tests::contract},
};

/// Times of the tests lie in the past: nothing must expire meanwhile.
const RETENTION: Retention = Retention {
    jobs: Duration::from_secs(3650 * 86_400),
    keys: Duration::from_secs(3650 * 86_400),
};

async fn connect(url: &str) -> Result<Arc<MongoStore>, StoreError> {
    Ok(Arc::new(MongoStore::connect(&SecretUrl::new(url), RETENTION).await?))
}

#[tokio::test]
async fn mongodb_keeps_the_contract() {
    let Some(server) = or_skip(Mongo::start) else { return };
    let (one, other) =
        (connect(&server.url()).await.unwrap(), connect(&server.url()).await.unwrap());
    contract(one, other).await;
}

#[tokio::test]
async fn r46_a_server_that_is_gone_and_a_wrong_password_have_names_and_show_nothing() {
    let Some(mut server) = or_skip(Mongo::start) else { return };
    let error = connect(&server.url_with("wr0ng-one")).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert!(!error.to_string().contains("wr0ng-one"), "{error}");

    let store = connect(&server.url()).await.unwrap();
    server.kill();
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    server.start_again().unwrap();
    store.check().await.unwrap();
}
