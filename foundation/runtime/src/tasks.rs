use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A set of tasks that end together: a task that must not end and does, or panics, stops them all.
///
/// Clones share the same set. Each task is expected to watch [`Tasks::stopping`].
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the set is to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Asks all tasks to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Runs a task that may end at any time. A panic stops the set.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the supervised set that everything else uses"
    )]
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        // Of a task that panicked nothing is used any more. An `async` block around it would have room for it twice.
        let task = AssertUnwindSafe(task).catch_unwind().map(move |ended| {
            if ended.is_err() {
                tracing::error!(task.name = name, "task panicked; stopping");
                stop.cancel();
            }
        });
        tokio::spawn(self.tracker.track_future(task));
    }

    /// Runs a task that must live as long as the set: its end, good or bad, stops the set.
    pub fn spawn_critical<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_until(name, self.stop.clone(), task);
    }

    /// The same for a task that may end once `until` is cancelled, as a child of [`Tasks::stopping`].
    pub fn spawn_until<F>(&self, name: &'static str, until: CancellationToken, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        let task = task.map(move |()| {
            if !until.is_cancelled() {
                tracing::error!(task.name = name, "task ended unexpectedly; stopping");
                stop.cancel();
            }
        });
        self.spawn(name, task);
    }

    /// Stops the set and waits until every task has ended, at most `deadline`. Returns how many are left.
    pub async fn shut_down(&self, deadline: Duration) -> usize {
        self.stop.cancel();
        self.tracker.close();
        match tokio::time::timeout(deadline, self.tracker.wait()).await {
            Ok(()) => 0,
            Err(_) => self.tracker.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_critical_task_stops_the_set() {
        let tasks = Tasks::new();
        tasks.spawn_critical("brief", async {});
        tasks.stopping().cancelled().await;
        assert_eq!(tasks.shut_down(Duration::from_secs(5)).await, 0);
    }

    #[tokio::test]
    async fn a_task_may_end_once_it_was_told_to_and_not_before() {
        let tasks = Tasks::new();
        let until = tasks.stopping().child_token();
        let told = until.clone();
        tasks.spawn_until("told", until.clone(), async move { told.cancelled().await });
        until.cancel();
        tasks.tracker.close();
        tasks.tracker.wait().await;
        assert!(!tasks.stopping().is_cancelled());
        tasks.spawn_until("brief", tasks.stopping().child_token(), async {});
        tasks.stopping().cancelled().await;
    }

    #[tokio::test]
    async fn a_panic_stops_the_set() {
        let tasks = Tasks::new();
        tasks.spawn("panics", async { panic!("on purpose") });
        tasks.stopping().cancelled().await;
        assert_eq!(tasks.shut_down(Duration::from_secs(5)).await, 0);
    }

    #[tokio::test]
    async fn stopping_waits_for_the_tasks() {
        let tasks = Tasks::new();
        let stopping = tasks.stopping();
        tasks.spawn_critical("lives", async move { stopping.cancelled().await });
        assert_eq!(tasks.shut_down(Duration::from_secs(5)).await, 0);
    }
}
