use std::time::Duration;

use mongodb::{
    ClientSession,
    error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT},
};

use super::connect::Collections;

/// How often a transaction is tried that met another one.
const TRIES: u32 = 30;
/// How often the end of a transaction is asked for.
const COMMITS: u32 = 5;
/// The first wait after a conflict; it doubles, up to sixteen times as long.
const PAUSE: Duration = Duration::from_millis(2);
/// What a broken unique index is numbered.
const DUPLICATE: i32 = 11000;

/// How a transaction's work ended.
pub(super) enum End<T> {
    /// To be committed.
    Commit(T),
    /// Nothing is to be stored.
    Abort(T),
}

/// Runs `work` in a transaction, again where it meets another one.
pub(super) async fn transact<T, F>(collections: &Collections, work: F) -> Result<T, Error>
where
    F: AsyncFn(&mut ClientSession) -> Result<End<T>, Error>,
{
    let mut session = collections.client.start_session().await?;
    let mut tries = 0;
    loop {
        tries += 1;
        session.start_transaction().await?;
        let ended = match work(&mut session).await {
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
            Err(error) if error.contains_label(TRANSIENT_TRANSACTION_ERROR) && tries < TRIES => {
                let random = u32::from(crate::random::random::<1>()[0]);
                let pause = PAUSE * 2_u32.pow(tries.min(4));
                tokio::time::sleep(pause / 2 + pause * random / 256).await;
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
