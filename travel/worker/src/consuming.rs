//! Whether the group gets on with its requests: what a rollout of a worker is proved by.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use mercurious_messaging::Standing;
use tokio::time::Instant;

/// What was seen when somebody asked before.
#[derive(Debug, Default)]
pub(crate) struct Consuming(Mutex<Option<Seen>>);

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Since when requests are known to wait with none of them finished.
    since: Instant,
    /// How many waited.
    lag: u64,
    /// The sum of what was committed.
    committed: i64,
}

/// How the group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gait {
    /// How many requests wait or are being worked on.
    pub(crate) lag: u64,
    /// For how long none was finished while some waited, as far as anybody looked.
    pub(crate) still: Duration,
}

impl Consuming {
    /// Takes a look at the group into account.
    pub(crate) fn note(&self, standings: &[Standing], now: Instant) -> Gait {
        let lag: u64 = standings.iter().map(Standing::lag).sum();
        let committed = standings.iter().map(|standing| standing.committed).sum();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match *last {
            Some(seen) if lag > 0 && seen.lag > 0 && committed <= seen.committed => seen.since,
            // One that has come since the last look has not waited long.
            _ => now,
        };
        *last = Some(Seen { since, lag, committed });
        Gait { lag, still: now.saturating_duration_since(since) }
    }
}

impl fmt::Display for Gait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lag, still } = self;
        if still.is_zero() {
            return write!(f, "the group gets on; its lag is {lag}");
        }
        write!(f, "{lag} requests wait, and none was finished for {} s", still.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use mercurious_messaging::Partition;

    use super::*;

    fn standings(pairs: &[(i64, i64)]) -> Vec<Standing> {
        let standing = |(number, (committed, end)): (usize, &(i64, i64))| {
            let partition = Partition { topic: "work".to_owned(), number: number as i32 };
            Standing { partition, committed: *committed, end: *end }
        };
        pairs.iter().enumerate().map(standing).collect()
    }

    #[test]
    fn a_group_stands_still_while_requests_wait_and_none_is_finished() {
        let (consuming, begin) = (Consuming::default(), Instant::now());
        let after = |seconds| begin + Duration::from_secs(seconds);
        let still = |pairs: &[(i64, i64)], seconds| {
            consuming.note(&standings(pairs), after(seconds)).still.as_secs()
        };
        assert_eq!(still(&[(5, 9), (0, 0)], 0), 0, "nobody has looked before");
        assert_eq!(still(&[(5, 12), (0, 3)], 4), 4, "the lag grows");
        assert_eq!(still(&[(5, 12), (1, 3)], 6), 0, "one was finished");
        assert_eq!(still(&[(5, 12), (1, 3)], 9), 3);
        assert_eq!(still(&[(12, 12), (3, 3)], 10), 0, "none waits");
        assert_eq!(still(&[(12, 12), (3, 3)], 99), 0, "none has waited");
        assert_eq!(still(&[(12, 13), (3, 3)], 999), 0, "one came since");
        assert_eq!(still(&[(12, 13), (3, 3)], 1000), 1, "and waits");
    }
}
