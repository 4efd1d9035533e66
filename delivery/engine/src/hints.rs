//! Hints on their way to a watcher.

use std::sync::{Arc, Mutex, PoisonError};

use mercurious_core::image::Tag;
use tokio::sync::{Notify, oneshot};

/// Asks for a look now.
#[derive(Debug)]
pub(crate) struct Hint {
    /// The tag that is said to have moved.
    pub(crate) tag: Option<Tag>,
    /// Told when the look that answers the hint has ended.
    pub(crate) done: Option<oneshot::Sender<()>>,
}

/// So many hints wait at most.
const MOST: usize = 64;

/// Where hints are given. Clones share the queue.
///
/// A channel keeps room for dozens of messages from the start, and an engine has one queue for each repository.
#[derive(Clone, Debug)]
pub(crate) struct HintSender(Arc<Queue>);

/// Where hints are taken. Once it is dropped, who waits for an answer gets none.
#[derive(Debug)]
pub(crate) struct HintReceiver(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    /// Nothing once nobody takes hints any more.
    waiting: Mutex<Option<Vec<Hint>>>,
    bell: Notify,
}

/// A queue of hints.
pub(crate) fn queue() -> (HintSender, HintReceiver) {
    let queue = Arc::new(Queue { waiting: Mutex::new(Some(Vec::new())), bell: Notify::new() });
    (HintSender(Arc::clone(&queue)), HintReceiver(queue))
}

impl Queue {
    fn with<T>(&self, change: impl FnOnce(&mut Option<Vec<Hint>>) -> T) -> T {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HintSender {
    /// Adds a hint. One that finds the queue full, and that nobody waits for, adds nothing: a full look is due anyway.
    pub(crate) fn give(&self, hint: Hint) {
        self.0.with(|waiting| {
            if let Some(waiting) = waiting
                && (waiting.len() < MOST || hint.done.is_some())
            {
                waiting.push(hint);
            }
        });
        self.0.bell.notify_one();
    }
}

impl HintReceiver {
    /// All hints that wait, once there are any.
    pub(crate) async fn take(&self) -> Vec<Hint> {
        loop {
            let hints = self.0.with(|waiting| waiting.as_mut().map(std::mem::take));
            match hints {
                Some(hints) if !hints.is_empty() => return hints,
                _ => self.0.bell.notified().await,
            }
        }
    }
}

impl Drop for HintReceiver {
    fn drop(&mut self) {
        drop(self.0.with(Option::take));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> (Hint, oneshot::Receiver<()>) {
        let (done, answered) = oneshot::channel();
        (Hint { tag: None, done: Some(done) }, answered)
    }

    #[tokio::test]
    async fn hints_that_came_before_and_meanwhile_are_taken_together() {
        let (sender, receiver) = queue();
        let taken = tokio::join!(receiver.take(), async {
            sender.give(Hint { tag: None, done: None });
            sender.give(Hint { tag: None, done: None });
        });
        assert_eq!(taken.0.len(), 2);
    }

    #[tokio::test]
    async fn a_full_queue_takes_only_what_somebody_waits_for() {
        let (sender, receiver) = queue();
        for _ in 0..MOST + 3 {
            sender.give(Hint { tag: None, done: None });
        }
        sender.give(asked().0);
        let taken = receiver.take().await;
        assert_eq!(taken.len(), MOST + 1);
        assert!(taken[MOST].done.is_some());
    }

    #[tokio::test]
    async fn who_waits_learns_that_nobody_takes_hints_any_more() {
        let (sender, receiver) = queue();
        let (before, answered_before) = asked();
        sender.give(before);
        drop(receiver);
        let (after, answered_after) = asked();
        sender.give(after);
        assert!(answered_before.await.is_err() && answered_after.await.is_err());
    }
}
