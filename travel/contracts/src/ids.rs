//! What jobs and messages are known by.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "schema", schema(value_type = String, format = "uuid"))]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one (UUID version 7) from the time and ten random bytes.
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self(text.parse()?))
            }
        }
    };
}

id! {
    /// What a job is known by: the key and the correlation id of all its messages, and the id of its trip.
    JobId
}
id! {
    /// What a message is known by.
    MessageId
}

impl MessageId {
    /// The id of the `number`-th message of a kind that `cause` leads to (UUID version 5). Whoever does the
    /// same work twice sends the same ids, so that readers know the second for what it is.
    #[must_use]
    pub fn derived(cause: Self, event_type: &str, number: u64) -> Self {
        Self(Uuid::new_v5(&cause.0, format!("{event_type}/{number}").as_bytes()))
    }

    /// The id of the first message of a job: the same whenever it is asked for.
    #[must_use]
    pub fn first(job: JobId, event_type: &str) -> Self {
        Self(Uuid::new_v5(&job.0, event_type.as_bytes()))
    }
}
