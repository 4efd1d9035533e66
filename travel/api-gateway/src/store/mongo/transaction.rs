use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use mongodb::{
    ClientSession,
    error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT},
};

use super::connect::Collections;

/// How long is waited in all for others that a transaction meets; less than what the whole call may take.
const PATIENCE: Duration = Duration::from_secs(6);
/// How often the end of a transaction is asked for.
const COMMITS: u32 = 5;
/// The first wait after a conflict and the longest, less what chance adds: those who met must not meet again.
const PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(256)];
/// What a broken unique index is numbered.
const DUPLICATE: i32 = 11000;

/// How a transaction's work ended.
pub(super) enum End<T> {
    /// To be committed.
    Commit(T),
    /// Nothing is to be stored.
    Abort(T),
}

/// What is done in a transaction; more than once where it meets another one.
#[async_trait]
pub(super) trait Work: Sync {
    /// What comes of it.
    type Result: Send;

    /// Does it.
    async fn run(
        &self,
        collections: &Collections,
        session: &mut ClientSession,
    ) -> Result<End<Self::Result>, Error>;
}

/// Runs `work` in a transaction, again where it meets another one.
pub(super) async fn transact<W: Work>(
    collections: &Collections,
    work: &W,
) -> Result<W::Result, Error> {
    let mut session = collections.client.start_session().await?;
    let pauses = ExponentialBuilder::new().with_min_delay(PAUSES[0]).with_max_delay(PAUSES[1]);
    let mut pauses =
        pauses.with_jitter().with_total_delay(Some(PATIENCE)).without_max_times().build();
    loop {
        session.start_transaction().await?;
        let ended = match work.run(collections, &mut session).await {
            Ok(End::Abort(result)) => {
                session.abort_transaction().await?;
                return Ok(result);
            }
            Ok(End::Commit(result)) => commit(&mut session).await.map(|()| result),
            Err(error) => {
                // The server forgets it by itself when this does not arrive.
                let _ = session.abort_transaction().await;
                Err(error)
            }
        };
        match ended {
            Err(error) if error.contains_label(TRANSIENT_TRANSACTION_ERROR) => {
                match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                }
            }
            ended => return ended,
        }
    }
}

async fn commit(session: &mut ClientSession) -> Result<(), Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        match session.commit_transaction().await {
            Err(error)
                if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) && tries < COMMITS => {}
            ended => return ended,
        }
    }
}

/// Whether a unique index said no.
pub(super) fn is_duplicate(error: &Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Write(mongodb::error::WriteFailure::WriteError(write)) => {
            write.code == DUPLICATE
        }
        ErrorKind::InsertMany(insert) => {
            let errors = insert.write_errors.iter().flatten();
            errors.into_iter().any(|write| write.code == DUPLICATE)
        }
        ErrorKind::Command(command) => command.code == DUPLICATE,
        _ => false,
    }
}
