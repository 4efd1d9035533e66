use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// What goes on over one client connection, which counts as open while this is held: by the connection, or by what
/// it was upgraded to.
#[derive(Debug)]
pub(crate) struct Activity {
    in_flight: AtomicUsize,
    quiet_since: Mutex<Instant>,
    _place: OwnedSemaphorePermit,
    _open: TaskTrackerToken,
}

impl Activity {
    pub(crate) fn new(place: OwnedSemaphorePermit, open: TaskTrackerToken) -> Arc<Self> {
        Arc::new(Self {
            in_flight: AtomicUsize::new(0),
            quiet_since: Mutex::new(Instant::now()),
            _place: place,
            _open: open,
        })
    }

    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(Arc::clone(self))
    }

    /// Since when no request is in flight; the present while one is.
    pub(crate) fn quiet_since(&self) -> Instant {
        if self.in_flight.load(Ordering::Acquire) > 0 {
            return Instant::now();
        }
        *self.quiet_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request, from its head's arrival until its answer's end.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        *self.0.quiet_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
