use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use mercurious_runtime::CancellationToken;
use tokio::{sync::Notify, time::Instant};

use super::connection::IdleConnections;
use crate::EndpointId;

/// How long an instance that refused a connection is left alone: from the first figure, doubled up to the second.
const SHORTEST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(2);

/// One instance.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(super) id: EndpointId,
    pub(super) address: SocketAddr,
    /// Written under the pool's lock, so that a lease and a drain see each other.
    draining: AtomicBool,
    in_flight: AtomicUsize,
    open_connections: AtomicUsize,
    served: AtomicU64,
    refusals: Mutex<Refusals>,
    pub(super) idle: IdleConnections,
    /// Cancelled when whatever still goes on with the instance must end.
    cut: CancellationToken,
    quieter: Notify,
}

#[derive(Debug, Default)]
struct Refusals {
    count: u32,
    rest_until: Option<Instant>,
}

/// An instance, for people and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSnapshot {
    /// Its name.
    pub id: EndpointId,
    /// Where it listens.
    pub address: SocketAddr,
    /// Requests that it works on, upgraded connections included.
    pub in_flight: usize,
    /// Connections to it, idle ones included.
    pub connections: usize,
    /// Requests that it was given since it was inserted.
    pub requests: u64,
    /// It gets no new requests.
    pub draining: bool,
    /// It refused a connection a moment ago and others are preferred.
    pub resting: bool,
}

impl Endpoint {
    pub(super) fn new(id: EndpointId, address: SocketAddr, cut: CancellationToken) -> Self {
        Self {
            id,
            address,
            draining: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            open_connections: AtomicUsize::new(0),
            served: AtomicU64::new(0),
            refusals: Mutex::default(),
            idle: IdleConnections::default(),
            cut,
            quieter: Notify::new(),
        }
    }

    pub(crate) fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Ends new leases and closes what is idle. The caller holds the pool's lock.
    pub(super) fn start_draining(&self) {
        self.draining.store(true, Ordering::Release);
        self.idle.close();
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// The end of the rest after a refusal, if it lies ahead.
    pub(super) fn rests_until(&self, now: Instant) -> Option<Instant> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.rest_until.filter(|until| *until > now)
    }

    pub(crate) fn refused(&self) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = SHORTEST_REST.saturating_mul(1 << refusals.count.min(10)).min(LONGEST_REST);
        refusals.count += 1;
        refusals.rest_until = Some(Instant::now() + rest);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn accepted(&self) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals = Refusals::default();
    }

    pub(super) fn connection_opened(&self) {
        self.open_connections.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn connection_closed(&self) {
        self.open_connections.fetch_sub(1, Ordering::AcqRel);
        self.quieter.notify_waiters();
    }

    /// Resolves when nothing is in flight and no connection is open. For an instance that is draining.
    pub(super) async fn quiet(&self) {
        loop {
            let mut quieter = std::pin::pin!(self.quieter.notified());
            quieter.as_mut().enable();
            if self.in_flight() == 0 && self.open_connections.load(Ordering::Acquire) == 0 {
                return;
            }
            quieter.await;
        }
    }

    pub(super) fn snapshot(&self, now: Instant) -> EndpointSnapshot {
        EndpointSnapshot {
            id: self.id.clone(),
            address: self.address,
            in_flight: self.in_flight(),
            connections: self.open_connections.load(Ordering::Acquire),
            requests: self.served.load(Ordering::Relaxed),
            draining: self.is_draining(),
            resting: self.rests_until(now).is_some(),
        }
    }
}

/// One request's claim on an instance; a drain waits for its drop.
#[derive(Debug)]
pub(crate) struct Lease {
    endpoint: Arc<Endpoint>,
}

impl Lease {
    /// The caller holds the pool's lock and has seen that the endpoint is not draining.
    pub(super) fn new(endpoint: Arc<Endpoint>) -> Self {
        endpoint.in_flight.fetch_add(1, Ordering::AcqRel);
        endpoint.served.fetch_add(1, Ordering::Relaxed);
        Self { endpoint }
    }

    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.endpoint.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.endpoint.quieter.notify_waiters();
        }
    }
}
