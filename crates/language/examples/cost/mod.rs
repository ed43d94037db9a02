//! What a piece of work costs, for the examples that measure.

use std::time::Duration;

/// Time that this process had of a processor (Linux): on a busy machine worth more than that of the clock.
pub(crate) fn processor() -> Duration {
    // The kernel adds up what ran when a thread gives way, else only at its next tick.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or_default())
}
