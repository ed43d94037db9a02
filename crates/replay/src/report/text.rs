//! The table of a terminal.

use super::percent;
use crate::Judged;
use std::fmt::Write;

/// One line per policy and metric, and one per comparison at equal violation.
#[must_use]
pub fn text(judged: &Judged) -> String {
    let mut page = String::new();
    for reading in &judged.conditions.metrics {
        let _ = writeln!(
            page,
            "{} ({} workloads)\n  {:16} {:>9} {:>8} {:>9} {:>9} {:>8} {:>8}",
            reading.metric, reading.workloads, "policy", "footprint", "slack", "over", "overwork", "hit", "changes"
        );
        for row in judged.rows.iter().filter(|row| row.metric == reading.metric) {
            let scores = &row.scores;
            let _ = writeln!(
                page,
                "  {:16} {:>9.3} {:>8} {:>9} {:>9} {:>8} {:>8.2}",
                row.policy,
                scores.footprint,
                percent(scores.slack),
                percent(scores.over),
                percent(scores.overwork),
                percent(scores.hit),
                scores.changes
            );
        }
        for row in judged.scaling.iter().filter(|row| row.metric == reading.metric) {
            let made = &row.scaling;
            let _ = writeln!(
                page,
                "  {:16} {:.0} replica-hours, {:.0} minutes in violation, lag {:.0} s, {:.1} changes a day",
                row.policy, made.replica_hours, made.violation_minutes, made.lag_s, made.changes
            );
        }
        for matched in judged.matched.iter().filter(|matched| matched.metric == reading.metric) {
            if let Some((ours, smaller)) = matched.ours.zip(matched.smaller) {
                let (peer, over) = (&matched.peer, percent(matched.over));
                let (size, word) = (percent(smaller.abs()), if smaller < 0.0 { "larger" } else { "smaller" });
                let _ = writeln!(page, "  as often over as {peer} ({over}): footprint {ours:.3}, {size} {word}");
            }
        }
    }
    page
}
