use std::{
    cmp::Ordering as Order,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{Endpoint, Failure, Lease, Pool};

/// Why a request gets no instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("no instance took the request within {0:?}")]
    Late(Duration),
    #[error("{0} requests wait for an instance already")]
    Crowded(usize),
    #[error("the proxy is stopping")]
    Stopping,
}

impl Unavailable {
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::Crowded(_) => Failure::Crowded,
            Self::Late(_) | Self::Stopping => Failure::Unavailable,
        }
    }
}

/// What one request has met so far: whom it tried in vain, and until when it may wait.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    tried: Vec<Arc<Endpoint>>,
    until: Option<Instant>,
}

impl Patience {
    /// Others are preferred from now on, and the time to wait runs.
    pub(crate) fn avoid(&mut self, endpoint: &Arc<Endpoint>, wait: Duration) {
        self.until.get_or_insert_with(|| Instant::now() + wait);
        self.tried.push(Arc::clone(endpoint));
    }

    fn tried(&self, endpoint: &Arc<Endpoint>) -> bool {
        self.tried.iter().any(|tried| Arc::ptr_eq(tried, endpoint))
    }
}

/// How willingly an instance is chosen, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Preference {
    Fresh,
    /// This request failed there before, but the rest is over.
    TriedBefore,
    /// It refused someone a moment ago; nobody better is here.
    Resting,
}

enum Choice {
    Taken(Lease),
    /// Nobody now; at the instant, if any, one ends its rest.
    Nobody(Option<Instant>),
}

impl Pool {
    /// The instance whose turn it is; waits for one where there is none.
    pub(crate) async fn lease(&self, patience: &mut Patience) -> Result<Lease, Unavailable> {
        if let Choice::Taken(lease) = self.choose(patience) {
            return Ok(lease);
        }
        let wait = self.shared.settings.wait_for_endpoint;
        let until = *patience.until.get_or_insert_with(|| Instant::now() + wait);
        let _place = self.waiting_place()?;
        self.shared.counters.wait();
        loop {
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            let rested = match self.choose(patience) {
                Choice::Taken(lease) => return Ok(lease),
                Choice::Nobody(rested) => rested,
            };
            if Instant::now() >= until {
                return Err(Unavailable::Late(wait));
            }
            tokio::select! {
                () = changed => {}
                () = sleep_until(rested.map_or(until, |rested| rested.min(until))) => {}
                () = self.shared.stopping.cancelled() => return Err(Unavailable::Stopping),
            }
        }
    }

    fn choose(&self, patience: &Patience) -> Choice {
        let mut members = self.lock();
        let count = members.endpoints.len();
        let mut best: Option<(Preference, usize, usize)> = None;
        let mut first_rested: Option<Instant> = None;
        let mut now = None;
        for offset in 0..count {
            let index = (members.turn + offset) % count;
            let endpoint = &members.endpoints[index];
            if endpoint.is_draining() {
                continue;
            }
            let now = *now.get_or_insert_with(Instant::now);
            let preference = match (patience.tried(endpoint), endpoint.rests_until(now)) {
                (false, None) => Preference::Fresh,
                (true, None) => Preference::TriedBefore,
                (false, Some(_)) => Preference::Resting,
                (true, Some(until)) => {
                    first_rested = Some(first_rested.map_or(until, |first| first.min(until)));
                    continue;
                }
            };
            let rank = (preference, endpoint.in_flight());
            if best.is_none_or(|(preference, load, _)| rank.cmp(&(preference, load)) == Order::Less)
            {
                best = Some((rank.0, rank.1, index));
            }
        }
        match best {
            Some((_, _, index)) => {
                members.turn = index + 1;
                Choice::Taken(Lease::new(Arc::clone(&members.endpoints[index])))
            }
            None => Choice::Nobody(first_rested),
        }
    }

    fn waiting_place(&self) -> Result<WaitingPlace<'_>, Unavailable> {
        let most = self.shared.settings.waiting_requests;
        let place = WaitingPlace(self);
        if self.shared.waiting.fetch_add(1, Ordering::AcqRel) >= most {
            // Dropping the place takes the addition back.
            return Err(Unavailable::Crowded(most));
        }
        Ok(place)
    }
}

struct WaitingPlace<'a>(&'a Pool);

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        self.0.shared.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
