//! Names of application figures: those with a meaning, and what people write for them.

use apportion_core::{edits, metric::name};

/// The name with a meaning, and its words.
const KNOWN: [(&str, &[&str]); 3] = [
    (name::REQUESTS, &["request", "requests", "rps", "qps"]),
    (name::LATENCY, &["latency", "latencies"]),
    (name::ERRORS, &["error", "errors"]),
];
/// Ends that say a unit or a quantile, not another figure.
const ENDS: [&str; 17] = [
    "s",
    "ms",
    "us",
    "sec",
    "second",
    "seconds",
    "per_s",
    "per_sec",
    "per_second",
    "per_min",
    "per_minute",
    "rate",
    "count",
    "total",
    "p50",
    "p95",
    "p99",
];

/// The name that was probably meant by another one, under which the figure would count for nothing.
pub(super) fn meant(given: &str) -> Option<&'static str> {
    let lower = given.to_lowercase();
    let is_near = |known: &str, words: &[&str]| {
        edits(&lower, known) <= 1 || words.iter().any(|word| is_word_with_end(&lower, word))
    };
    let near = KNOWN.iter().find(|(known, words)| is_near(known, words)).map(|(known, _)| *known);
    near.filter(|known| *known != given)
}

fn is_word_with_end(name: &str, word: &str) -> bool {
    name.strip_prefix(word).is_some_and(|end| end.is_empty() || ENDS.contains(&end.strip_prefix('_').unwrap_or(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_not_names_of_ones_own() {
        let check = |given: &str, expect: Option<&str>| assert_eq!(meant(given), expect, "{given}");
        for given in ["latency", "Latency_s", "latency_ms", "latency_p99", "latncy_s", "latecny_s", "latency_seconds"] {
            check(given, Some("latency_s"));
        }
        for given in ["requests", "rps", "request_per_s", "requests_total", "requests_per_second"] {
            check(given, Some("requests_per_s"));
        }
        check("errors", Some("errors_per_s"));
        for given in ["latency_s", "requests_per_s", "errors_per_s", "baskets_per_s", "requests_mobile_per_s", "s", ""]
        {
            check(given, None);
        }
    }
}
