//! How long something keeps a core busy.

use std::time::Instant;

/// The milliseconds that `work` takes: of this thread on a core where Linux tells, else by the clock.
pub(crate) fn measured<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let (clock, begun) = (Instant::now(), on_core());
    let result = work();
    let by_clock = clock.elapsed().as_secs_f64() * 1000.0;
    let milliseconds = match (begun, on_core()) {
        (Some(begun), Some(ended)) => ended - begun,
        _ => by_clock,
    };
    (result, milliseconds)
}

/// Milliseconds that this thread has had a core for.
fn on_core() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e6)
}
