use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use mercurious_runtime::CancellationToken;
use tokio::sync::watch;

use super::ExampleServerArgs;

/// What all requests share.
#[derive(Clone, Debug)]
pub(super) struct State(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    args: ExampleServerArgs,
    environment: BTreeMap<String, String>,
    stopping: CancellationToken,
    requests: AtomicU64,
    running: watch::Sender<usize>,
}

impl State {
    /// `environment` is what `/env` may show.
    pub(super) fn new(
        args: ExampleServerArgs,
        environment: BTreeMap<String, String>,
        stopping: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            args,
            environment,
            stopping,
            requests: AtomicU64::new(0),
            running: watch::Sender::new(0),
        }))
    }

    pub(super) fn args(&self) -> &ExampleServerArgs {
        &self.0.args
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.0.environment.get(name).map(String::as_str)
    }

    pub(super) fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.0.args.never_ready && !self.0.stopping.is_cancelled()
    }

    /// Counts a request from now until the guard is dropped.
    pub(super) fn begin(&self) -> Running {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.0.running.send_modify(|running| *running += 1);
        Running(self.clone())
    }

    pub(super) fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    pub(super) fn running(&self) -> usize {
        *self.0.running.borrow()
    }

    /// Resolves as soon as no request is running.
    pub(super) async fn idle(&self) {
        let mut running = self.0.running.subscribe();
        // The sender lives as long as this state does.
        let _ = running.wait_for(|running| *running == 0).await;
    }

    /// `1.2.0`, or `1.2.0 0a1b2c…` where the commit is known.
    pub(super) fn name(&self) -> String {
        match &self.0.args.commit {
            Some(commit) => format!("{} {commit}", self.0.args.version),
            None => self.0.args.version.clone(),
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Running(State);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.running.send_modify(|running| *running = running.saturating_sub(1));
    }
}
