use std::{fmt, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ErrorKind,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
};
use thiserror::Error;
use tokio::time::timeout;

use crate::settings::SecretUrl;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_millis(500);
/// The longest wait before connecting again.
const AGAIN: Duration = Duration::from_secs(2);

/// Why Redis cannot be used.
#[derive(Debug, Error)]
pub enum RedisError {
    /// The address is none.
    #[error("the address of Redis cannot be read: {0}")]
    Address(String),
    /// Wrong password, missing password, or no rights.
    #[error("Redis at {at} refuses: {detail}")]
    Refused {
        /// Where.
        at: String,
        /// What it says.
        detail: String,
    },
    /// It does not answer.
    #[error("Redis at {at} does not answer: {detail}")]
    Unavailable {
        /// Where.
        at: String,
        /// What the client says.
        detail: String,
    },
}

/// A connection that comes back by itself.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    manager: ConnectionManager,
    url: SecretUrl,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.url)
    }
}

impl Redis {
    /// Connects, and makes sure that this user may do what is needed.
    pub async fn connect(url: &SecretUrl) -> Result<Self, RedisError> {
        let client = Client::open(url.expose())
            .map_err(|error| RedisError::Address(url.redact(&error.to_string())))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_max_delay(AGAIN)
            .set_number_of_retries(1);
        let connecting = ConnectionManager::new_with_config(client.clone(), config);
        let manager = if let Ok(connected) = timeout(CONNECT * 2, connecting).await {
            connected.map_err(|error| failure(url, &error))?
        } else {
            let detail = format!("not connected within {} s", (CONNECT * 2).as_secs());
            return Err(RedisError::Unavailable { at: url.to_string(), detail });
        };
        let redis = Self { client, manager, url: url.clone() };
        // A missing password shows at the first command only.
        let mut connection = redis.manager.clone();
        let () = redis::cmd("PING")
            .query_async(&mut connection)
            .await
            .map_err(|error| failure(url, &error))?;
        Ok(redis)
    }

    /// The connection that everybody shares.
    pub(super) fn shared(&self) -> ConnectionManager {
        self.manager.clone()
    }

    /// A connection of one's own, for commands that wait up to `answer`.
    pub(super) async fn own(&self, answer: Duration) -> redis::RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(answer));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// What the client says, without the address' password.
    pub(super) fn say(&self, error: &redis::RedisError) -> String {
        failure(&self.url, error).to_string()
    }
}

fn failure(url: &SecretUrl, error: &redis::RedisError) -> RedisError {
    let (at, detail) = (url.to_string(), url.redact(&error.to_string()));
    let refused = ["NOAUTH", "WRONGPASS", "NOPERM"];
    if error.kind() == ErrorKind::AuthenticationFailed
        || error.code().is_some_and(|code| refused.contains(&code))
    {
        RedisError::Refused { at, detail }
    } else {
        RedisError::Unavailable { at, detail }
    }
}
