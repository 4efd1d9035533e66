//! Threads that own a connection each.

use std::{thread, time::Duration};

use rusqlite::{Connection, ErrorCode};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::store::StoreError;

/// How many pieces of work may wait.
const QUEUE: usize = 4096;
/// How many pieces of work go into one transaction at most.
const GROUP: usize = 512;
/// How long whoever asks waits.
const PATIENCE: Duration = Duration::from_secs(8);

/// What must have happened before whoever asked is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasts {
    /// It is on the disk.
    Always,
    /// The operating system has it: it outlives this process, and a later flush takes it along. A failure of power may
    /// undo it, which breaks no promise.
    UnlessPowerFails,
}

/// A piece of work for a connection.
trait Work: Send {
    /// How long it must last.
    fn lasts(&self) -> Lasts;
    /// Does it, in a savepoint that is rolled back where it fails.
    fn run(&mut self, connection: &Connection);
    /// Tells whoever asked, once the transaction has ended.
    fn answer(self: Box<Self>, committed: Result<(), String>);
}

struct Asked<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
    savepoint: bool,
    lasts: Lasts,
}

impl<T, F> Work for Asked<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
{
    fn lasts(&self) -> Lasts {
        self.lasts
    }

    fn run(&mut self, connection: &Connection) {
        let Some(work) = self.work.take() else { return };
        if self.answer.is_closed() {
            return;
        }
        if !self.savepoint {
            self.result = Some(work(connection));
            return;
        }
        let run = || {
            connection.execute_batch("SAVEPOINT work").map_err(failure)?;
            let result = work(connection);
            let end = match result {
                Ok(_) => "RELEASE work",
                Err(_) => "ROLLBACK TO work; RELEASE work",
            };
            connection.execute_batch(end).map_err(failure)?;
            result
        };
        self.result = Some(run());
    }

    fn answer(self: Box<Self>, committed: Result<(), String>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Err(detail), _) => Err(StoreError::Unavailable { store: "SQLite", detail }),
            (Ok(()), None) => Err(gone()),
        };
        // Whoever asked may have given up.
        let _ = self.answer.send(result);
    }
}

/// A thread with a connection, to which work can be given.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    queue: mpsc::Sender<Box<dyn Work>>,
    writes: bool,
}

impl Worker {
    /// Starts a thread. A writing one joins what waits into transactions.
    pub(super) fn start(connection: Connection, writes: bool) -> Result<Self, StoreError> {
        let (queue, mut asked) = mpsc::channel::<Box<dyn Work>>(QUEUE);
        let name = if writes { "sqlite-write" } else { "sqlite-read" };
        thread::Builder::new()
            .name(name.to_owned())
            .stack_size(512 * 1024)
            .spawn(move || {
                while let Some(first) = asked.blocking_recv() {
                    if writes {
                        together(&connection, first, &mut asked);
                    } else {
                        alone(&connection, first);
                    }
                }
            })
            .map_err(|error| StoreError::Unavailable {
                store: "SQLite",
                detail: format!("no thread for it: {error}"),
            })?;
        Ok(Self { queue, writes })
    }

    /// Has something done that lasts.
    pub(super) async fn ask<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.ask_for(Lasts::Always, work).await
    }

    /// Has something done.
    pub(super) async fn ask_for<T, F>(&self, lasts: Lasts, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let savepoint = self.writes;
        let asked = Asked { work: Some(work), result: None, answer, savepoint, lasts };
        let asking = async {
            self.queue.send(Box::new(asked)).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        };
        timeout(PATIENCE, asking).await.unwrap_or_else(|_| {
            let detail = format!("no answer within {} s", PATIENCE.as_secs());
            Err(StoreError::Unavailable { store: "SQLite", detail })
        })
    }
}

fn alone(connection: &Connection, mut work: Box<dyn Work>) {
    work.run(connection);
    work.answer(Ok(()));
}

fn together(
    connection: &Connection,
    first: Box<dyn Work>,
    asked: &mut mpsc::Receiver<Box<dyn Work>>,
) {
    let mut group = vec![first];
    while group.len() < GROUP
        && let Ok(next) = asked.try_recv()
    {
        group.push(next);
    }
    let flush = group.iter().any(|work| work.lasts() == Lasts::Always);
    let mut run = || {
        // With NORMAL a transaction is written to the log and not flushed; the next flush takes it along.
        let synchronous = if flush { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for work in &mut group {
            work.run(connection);
        }
        connection.execute_batch("COMMIT")
    };
    let committed = run().map_err(|error: rusqlite::Error| error.to_string());
    if committed.is_err() && !connection.is_autocommit() {
        // What cannot be rolled back either shows when the next transaction begins.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for work in group {
        work.answer(committed.clone());
    }
}

fn gone() -> StoreError {
    let detail = "its thread has ended".to_owned();
    StoreError::Unavailable { store: "SQLite", detail }
}

/// What SQLite says, as the store's error.
#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
pub(super) fn failure(error: rusqlite::Error) -> StoreError {
    let detail = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::NotADatabase
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::CannotOpen,
        ) => StoreError::Refused { store: "SQLite", detail },
        _ => StoreError::Unavailable { store: "SQLite", detail },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How the transaction that it runs in will be flushed: 1 is NORMAL, 2 is FULL.
    fn synchronous(connection: &Connection) -> Result<i64, StoreError> {
        connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).map_err(failure)
    }

    #[tokio::test]
    async fn only_what_must_last_waits_for_the_disk_and_takes_along_what_came_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let connection = Connection::open(directory.path().join("file")).unwrap();
        let writer = Worker::start(connection, true).unwrap();
        for (lasts, mode) in
            [(Lasts::UnlessPowerFails, 1), (Lasts::Always, 2), (Lasts::UnlessPowerFails, 1)]
        {
            assert_eq!(writer.ask_for(lasts, synchronous).await.unwrap(), mode);
        }
        // Two that wait while the thread is held up go into one transaction.
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let holding = writer.ask(move |_| {
            let _ = held.recv();
            Ok(())
        });
        let (_, one, other, ()) = tokio::join!(
            holding,
            writer.ask_for(Lasts::UnlessPowerFails, synchronous),
            writer.ask(synchronous),
            async {
                // The three before have been asked by now.
                drop(hold);
            }
        );
        assert_eq!((one.unwrap(), other.unwrap()), (2, 2));
    }
}
