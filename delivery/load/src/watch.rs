use std::time::Duration;

use mercurious_runtime::Tasks;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    TargetError,
    connection::{Target, ask_afresh},
};

/// Why a version was not seen.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Nowhere to look.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The time was up.
    #[error("`{url}` did not answer with version {version} in time; it last said: {last}")]
    Deadline {
        /// Where was looked.
        url: String,
        /// What was waited for.
        version: String,
        /// The last answer or failure.
        last: String,
    },
}

/// How often is looked: finer than a person sees.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until the first line of the answer has `version` as its first word, or as the whole line; returns the
/// moment. Every look opens a connection of its own, as a new user would.
pub async fn watch_until_version(
    url: &str,
    version: &str,
    deadline: Duration,
) -> Result<Instant, WatchError> {
    let target = Target::parse(url)?;
    let tasks = Tasks::new();
    let mut last = "nothing".to_owned();
    let seen = async {
        loop {
            match ask_afresh(&target, &tasks, deadline).await {
                Ok(line) if line == version || line.split_whitespace().next() == Some(version) => {
                    return Instant::now();
                }
                Ok(text) | Err(text) => last = text,
            }
            sleep(PAUSE).await;
        }
    };
    match timeout_at(Instant::now() + deadline, seen).await {
        Ok(at) => Ok(at),
        Err(_) => {
            Err(WatchError::Deadline { url: url.to_owned(), version: version.to_owned(), last })
        }
    }
}
