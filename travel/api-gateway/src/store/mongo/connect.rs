use std::time::Duration;

use mongodb::{
    Client, Database, IndexModel,
    bson::{Document, doc},
    error::{Error, ErrorKind},
    options::{Acknowledgment, ClientOptions, IndexOptions, ReadConcern, WriteConcern},
};

use crate::{settings::SecretUrl, store::StoreError};

/// The database, where the address names none.
const DATABASE: &str = "travel";
/// How long finding a server may take.
const SELECTION: Duration = Duration::from_secs(4);
/// How long connecting to it may take.
const CONNECT: Duration = Duration::from_secs(4);
/// How many connections at most.
const POOL: u32 = 32;
/// What an authentication that fails is numbered.
const WRONG_CREDENTIALS: i32 = 18;
/// What a missing right is numbered.
const NO_RIGHT: i32 = 13;

/// The collections.
#[derive(Debug, Clone)]
pub(super) struct Collections {
    pub(super) client: Client,
    pub(super) database: Database,
    pub(super) url: SecretUrl,
}

impl Collections {
    /// Connects, and makes the indexes where there are none.
    pub(super) async fn connect(url: &SecretUrl) -> Result<Self, StoreError> {
        let mut options =
            ClientOptions::parse(url.expose()).await.map_err(|error| failure(url, &error))?;
        options.app_name.get_or_insert_with(|| "api-gateway".to_owned());
        options.server_selection_timeout = Some(SELECTION);
        options.connect_timeout = Some(CONNECT);
        options.max_pool_size.get_or_insert(POOL);
        let majority = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
        options.write_concern = Some(majority);
        options.read_concern = Some(ReadConcern::majority());
        let database = options.default_database.clone().unwrap_or_else(|| DATABASE.to_owned());
        let client = Client::with_options(options).map_err(|error| failure(url, &error))?;
        let database = client.database(&database);
        let collections = Self { client, database, url: url.clone() };
        collections.indexes().await.map_err(|error| failure(url, &error))?;
        Ok(collections)
    }

    pub(super) fn of(&self, name: &str) -> mongodb::Collection<Document> {
        self.database.collection(name)
    }

    pub(super) fn failure(&self, error: &Error) -> StoreError {
        failure(&self.url, error)
    }

    async fn indexes(&self) -> Result<(), Error> {
        let index = |keys: Document, unique: bool| {
            let options = IndexOptions::builder().unique(unique).build();
            IndexModel::builder().keys(keys).options(options).build()
        };
        let expiry = || {
            let options = IndexOptions::builder().expire_after(Duration::ZERO).build();
            IndexModel::builder().keys(doc! { "expires": 1 }).options(options).build()
        };
        for (collection, indexes) in [
            ("jobs", vec![index(doc! { "finished": 1, "deadline": 1 }, false), expiry()]),
            ("events", vec![index(doc! { "job": 1, "sequence": 1 }, true), expiry()]),
            (
                "outbox",
                vec![
                    index(doc! { "claimed_until": 1, "_id": 1 }, false),
                    index(doc! { "key": 1, "_id": 1 }, false),
                    index(doc! { "claim": 1 }, false),
                ],
            ),
            ("set_aside", vec![index(doc! { "key": 1 }, false)]),
            ("keys", vec![index(doc! { "created": 1 }, false), expiry()]),
            ("facts", vec![expiry()]),
            ("trips", vec![expiry()]),
            ("shares", vec![index(doc! { "job": 1 }, false), expiry()]),
        ] {
            self.of(collection).create_indexes(indexes).await?;
        }
        Ok(())
    }
}

/// What the driver says, as the store's error, without the address' password.
pub(super) fn failure(url: &SecretUrl, error: &Error) -> StoreError {
    let detail: String = url.redact(&error.to_string()).chars().take(500).collect();
    let store = "MongoDB";
    let code = match error.kind.as_ref() {
        ErrorKind::Authentication { .. } => Some(WRONG_CREDENTIALS),
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    };
    let login = detail.contains("Authentication failed") || detail.contains("SCRAM failure");
    match code {
        Some(WRONG_CREDENTIALS) => {
            let detail = format!("wrong user or password at {url}");
            StoreError::Refused { store, detail }
        }
        Some(NO_RIGHT) => StoreError::Refused { store, detail },
        _ if login => {
            let detail = format!("wrong user or password at {url}");
            StoreError::Refused { store, detail }
        }
        _ if matches!(error.kind.as_ref(), ErrorKind::InvalidArgument { .. }) => {
            StoreError::Refused { store, detail }
        }
        _ => StoreError::Unavailable { store, detail },
    }
}
