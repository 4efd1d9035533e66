use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mercurious_runtime::{CancellationToken, Tasks};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::{Counters, Endpoint, EndpointSnapshot, PoolCounters};
use crate::{EndpointId, PoolName, ProxySettings};

/// How long what was cut short may take to let go.
const LETTING_GO: Duration = Duration::from_secs(2);

/// The instances that answer for one name. Clones are the same pool.
#[derive(Clone, Debug)]
pub struct Pool {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    name: PoolName,
    pub(super) settings: Arc<ProxySettings>,
    pub(super) stopping: CancellationToken,
    cut: CancellationToken,
    tasks: Tasks,
    members: Mutex<Members>,
    /// Told when an instance was inserted.
    pub(super) changed: Notify,
    pub(super) waiting: AtomicUsize,
    pub(super) counters: Counters,
}

#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    /// Where the next look starts, so that equally busy instances take turns.
    pub(super) turn: usize,
}

/// What all pools of a proxy share.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) tasks: Tasks,
    pub(crate) settings: Arc<ProxySettings>,
    /// Cancelled when whatever still goes on must end.
    pub(crate) cut: CancellationToken,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All requests ended by themselves.
    Quiet,
    /// The deadline passed; this many requests were cut short.
    CutShort(usize),
    /// The pool has no such endpoint.
    Unknown,
}

/// A pool, for people and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSnapshot {
    /// Its name.
    pub name: PoolName,
    /// In the order of their insertion.
    pub endpoints: Vec<EndpointSnapshot>,
    /// Requests that wait for an instance now.
    pub waiting: usize,
    /// What it has counted.
    pub counters: PoolCounters,
}

impl Pool {
    pub(crate) fn new(name: PoolName, surroundings: &Surroundings) -> Self {
        Self {
            shared: Arc::new(Shared {
                name,
                settings: Arc::clone(&surroundings.settings),
                stopping: surroundings.tasks.stopping(),
                cut: surroundings.cut.clone(),
                tasks: surroundings.tasks.clone(),
                members: Mutex::default(),
                changed: Notify::new(),
                waiting: AtomicUsize::new(0),
                counters: Counters::default(),
            }),
        }
    }

    /// The pool's name.
    pub fn name(&self) -> &PoolName {
        &self.shared.name
    }

    /// Gives the instance traffic from now on. Inserting the same again changes nothing; another address under the name of
    /// an instance that takes traffic replaces it as [`Pool::remove`] would, and a name that is draining is taken as a
    /// new instance beside it.
    pub fn insert(&self, id: EndpointId, address: SocketAddr) {
        let mut members = self.lock();
        let here = members.endpoints.iter().position(|e| e.id == id && !e.is_draining());
        if let Some(position) = here {
            if members.endpoints[position].address == address {
                return;
            }
            let replaced = members.endpoints.remove(position);
            replaced.start_draining();
            replaced.cut().cancel();
        }
        tracing::debug!(pool.name = %self.shared.name, endpoint.id = %id, endpoint.address = %address, "endpoint inserted");
        let endpoint = Endpoint::new(id, address, self.shared.cut.child_token());
        members.endpoints.push(Arc::new(endpoint));
        drop(members);
        self.shared.changed.notify_waiters();
    }

    /// Gives the instance no new request from this call's return on, whether or not the future is polled. The future
    /// resolves when nothing is in flight and every connection to the instance is closed; while it is polled, what
    /// still goes on after `deadline` is cut short: streams of unknown length and upgraded connections end as if the
    /// instance had ended them, repeatable requests without an answer go to another instance, the rest fails.
    ///
    /// The endpoint stays in the snapshot until [`Pool::remove`].
    pub fn drain(
        &self,
        id: &EndpointId,
        deadline: Duration,
    ) -> impl Future<Output = Drained> + Send + 'static {
        let members = self.lock();
        let draining: Vec<_> = members.endpoints.iter().filter(|e| e.id == *id).cloned().collect();
        for endpoint in &draining {
            endpoint.start_draining();
        }
        drop(members);
        let until = Instant::now() + deadline;
        async move {
            let mut outcome = if draining.is_empty() { Drained::Unknown } else { Drained::Quiet };
            for endpoint in draining {
                if tokio::time::timeout_at(until, endpoint.quiet()).await.is_ok() {
                    continue;
                }
                let left = endpoint.in_flight();
                endpoint.cut().cancel();
                // A client that reads nothing may hold on to its part of the answer; the instance is rid of it.
                let _ = timeout(LETTING_GO, endpoint.quiet()).await;
                outcome = match outcome {
                    Drained::CutShort(before) => Drained::CutShort(before + left),
                    Drained::Quiet | Drained::Unknown => Drained::CutShort(left),
                };
            }
            outcome
        }
    }

    /// Forgets the instance and cuts short whatever it still does. False if there was none.
    pub fn remove(&self, id: &EndpointId) -> bool {
        let mut members = self.lock();
        let (gone, kept) = std::mem::take(&mut members.endpoints)
            .into_iter()
            .partition::<Vec<_>, _>(|endpoint| endpoint.id == *id);
        members.endpoints = kept;
        for endpoint in &gone {
            endpoint.start_draining();
        }
        drop(members);
        for endpoint in &gone {
            endpoint.cut().cancel();
        }
        !gone.is_empty()
    }

    /// How it stands now.
    pub fn snapshot(&self) -> PoolSnapshot {
        let now = Instant::now();
        let endpoints = self.lock().endpoints.iter().map(|e| e.snapshot(now)).collect();
        PoolSnapshot {
            name: self.shared.name.clone(),
            endpoints,
            waiting: self.shared.waiting.load(Ordering::Acquire),
            counters: self.shared.counters.read(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Members> {
        // Nothing panics while it holds the lock, and the list is whole at every step.
        self.shared.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> &Arc<ProxySettings> {
        &self.shared.settings
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.shared.tasks
    }
}
