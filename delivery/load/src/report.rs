use std::{fmt, time::Duration};

use tokio::time::Instant;

/// What a load saw, so far or in the end.
#[derive(Clone, Debug)]
pub struct LoadReport {
    /// When the first request could be sent.
    pub started: Instant,
    /// Requests that ended, well or not.
    pub sent: u64,
    /// Those answered with 2xx, completely.
    pub ok: u64,
    /// Those that were not.
    pub failed: u64,
    /// The first of the failures.
    pub failures: Vec<Failure>,
    /// The first lines of the answers, in the order of their first appearance.
    pub versions: Vec<VersionSeen>,
    /// Of the good answers.
    pub latencies: Latencies,
}

/// One request that was not answered well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When it was known.
    pub at: Instant,
    /// Since the start of the load.
    pub after: Duration,
    /// Whether it had a connection of its own.
    pub is_fresh: bool,
    /// What went wrong.
    pub reason: String,
}

/// A version that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSeen {
    /// The first line of its answer.
    pub version: String,
    /// The end of its first answer.
    pub first: Instant,
    /// The end of its last answer.
    pub last: Instant,
    /// How many answers.
    pub answers: u64,
}

/// Failures kept for the report: enough to see a pattern.
const MOST_FAILURES: usize = 20;
/// Versions kept: a demonstration has a handful, and an endpoint that never answers twice alike must not fill memory.
const MOST_VERSIONS: usize = 100;

impl LoadReport {
    pub(crate) fn new(started: Instant) -> Self {
        Self {
            started,
            sent: 0,
            ok: 0,
            failed: 0,
            failures: Vec::new(),
            versions: Vec::new(),
            latencies: Latencies::default(),
        }
    }

    pub(crate) fn record(
        &mut self,
        sent: Instant,
        is_fresh: bool,
        outcome: Result<String, String>,
    ) {
        let now = Instant::now();
        self.sent += 1;
        match outcome {
            Ok(version) => {
                self.ok += 1;
                self.latencies.record(now - sent);
                let there_is_room = self.versions.len() < MOST_VERSIONS;
                match self.versions.iter_mut().find(|seen| seen.version == version) {
                    Some(seen) => {
                        seen.last = now;
                        seen.answers += 1;
                    }
                    None if there_is_room => {
                        self.versions.push(VersionSeen {
                            version,
                            first: now,
                            last: now,
                            answers: 1,
                        });
                    }
                    None => {}
                }
            }
            Err(reason) => {
                self.failed += 1;
                if self.failures.len() < MOST_FAILURES {
                    let after = now - self.started;
                    self.failures.push(Failure { at: now, after, is_fresh, reason });
                }
            }
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} requests, {} failed", self.sent, self.failed)?;
        let latencies = &self.latencies;
        let (Some(half), Some(most), Some(longest)) =
            (latencies.quantile(0.5), latencies.quantile(0.99), latencies.longest())
        else {
            return Ok(());
        };
        let [half, most, longest] = [half, most, longest].map(|time| time.as_secs_f64() * 1000.0);
        write!(
            formatter,
            "; half answered within {half:.1} ms, 99 % within {most:.1} ms, all within {longest:.1} ms"
        )
    }
}

/// Counts by size, each bucket some 3 % wide: memory does not grow with the length of a load.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    buckets: Vec<u64>,
    count: u64,
    longest: Duration,
}

/// Sub-buckets of each power of two, as a power of two.
const PRECISION: u32 = 5;

impl Latencies {
    fn record(&mut self, latency: Duration) {
        let bucket = bucket(latency.as_micros().try_into().unwrap_or(u64::MAX));
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.longest = self.longest.max(latency);
    }

    /// The time within which this share (0 to 1) of the requests was answered; none if there were none.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut below = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            below += count;
            if below >= rank {
                return Some(Duration::from_micros(upper_bound(bucket)).min(self.longest));
            }
        }
        None
    }

    /// The longest of all, exactly.
    pub fn longest(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.longest)
    }
}

fn bucket(micros: u64) -> usize {
    let exponent = u64::BITS - micros.leading_zeros();
    let shift = exponent.saturating_sub(PRECISION + 1);
    ((shift as usize) << PRECISION) + (micros >> shift) as usize
}

/// The largest number of the bucket.
fn upper_bound(bucket: usize) -> u64 {
    let shift = (bucket >> PRECISION).saturating_sub(1);
    let start = (bucket - (shift << PRECISION)) as u64;
    ((start + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_lies_in_a_bucket_that_is_not_much_wider() {
        let mut last = 0;
        for micros in (0..10_000).chain((10_000..100_000_000).step_by(9_973)) {
            let found = bucket(micros);
            assert!(found >= last, "{micros}");
            last = found;
            let bound = upper_bound(found);
            assert!(bound >= micros && (bound - micros) * 32 <= micros, "{micros} {bound}");
        }
    }

    #[test]
    fn a_report_reads_as_a_line() {
        let mut report = LoadReport::new(Instant::now());
        report.record(Instant::now(), true, Err("refused".to_owned()));
        assert_eq!(report.to_string(), "1 requests, 1 failed");
        report.latencies.record(Duration::from_millis(2));
        assert_eq!(
            report.to_string(),
            "1 requests, 1 failed; half answered within 2.0 ms, 99 % within 2.0 ms, all within 2.0 ms"
        );
    }

    #[test]
    fn quantiles_are_those_of_the_numbers() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.5), None);
        for millis in 1..=100 {
            latencies.record(Duration::from_millis(millis));
        }
        let median = latencies.quantile(0.5).unwrap().as_secs_f64();
        assert!((0.050..0.0516).contains(&median), "{median}");
        assert_eq!(latencies.quantile(1.0), Some(Duration::from_millis(100)));
        assert_eq!(latencies.longest(), Some(Duration::from_millis(100)));
    }
}
