//! The table of a terminal.

use super::{amount, percent};
use crate::{
    Judged, Point, TogetherRow,
    score::{together::Together, total::ratio},
};
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
        let rows = || judged.rows.iter().filter(|row| row.metric == reading.metric);
        for row in rows() {
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
        for (policy, of) in rows().filter_map(|row| Some((&row.policy, row.limits.as_ref()?))) {
            let slowed = percent((of.slowing.over - of.killing.over).max(0.0));
            let (kills, size) = (of.killing.ooms_per_day, of.killing.footprint);
            let _ = writeln!(
                page,
                "  {policy:16} with both limits: {slowed} slowed, at most {kills:.4} kills a day above memory.max (footprint {size:.3})"
            );
        }
        page += &asked(judged, &reading.metric);
        page += &matched(judged, &reading.metric);
    }
    page + &together(judged)
}

/// Replicas and their size, one line per policy, of ours one per margin, and one per comparison.
fn together(judged: &Judged) -> String {
    let Some(first) = judged.together.first() else { return String::new() };
    let mut lines = format!("replicas and their size together ({} workloads)\n", first.together.workloads);
    for TogetherRow { policy, together } in &judged.together {
        let _ = writeln!(lines, "  {policy:18} {}", of_both(together));
    }
    let is_asked = |point: &&Point| !point.met.is_empty();
    for (sweep, point) in judged.sweeps.iter().flat_map(|sweep| sweep.points.iter().map(move |point| (sweep, point))) {
        let Some(together) = Some(point).filter(is_asked).and_then(|point| point.together) else { continue };
        let _ = writeln!(lines, "  {} asked {}: {}", sweep.policy, percent(point.margin), of_both(&together));
    }
    for row in judged.as_short() {
        let Some((cores, bytes)) = row.ours else { continue };
        let (peer, share) = (&row.policy, percent(row.short_share));
        let core_hours = less(cores, row.peer.core_hours);
        let has_memory = bytes > 0.0 && row.peer.gib_hours > 0.0;
        let memory = if has_memory { format!(", memory {}", less(bytes, row.peer.gib_hours)) } else { String::new() };
        let _ = writeln!(lines, "  as often short of CPU as {peer} ({share}): CPU {core_hours}{memory}");
    }
    lines
}

fn of_both(made: &Together) -> String {
    format!(
        "{} core-hours, {} GiB-hours, {} replica-hours, {:.0} minutes short of CPU, {:.0} of memory, {:.1} changes of the count and {:.1} of the size a day",
        amount(made.core_hours),
        amount(made.gib_hours),
        amount(made.replica_hours),
        made.short_minutes,
        made.killed_minutes,
        made.count_changes,
        made.size_changes
    )
}

/// How much less than another, in words.
fn less(ours: f64, other: f64) -> String {
    let smaller = 1.0 - ratio(ours, other);
    format!("{} {}", percent(smaller.abs()), if smaller < 0.0 { "more" } else { "less" })
}

/// What to ask our policy for so that it saves so much against holding each workload at its own peak, metric by metric.
#[must_use]
pub fn saving(judged: &Judged, wanted: f64) -> String {
    let mut lines = String::new();
    let ours = judged.sweeps.iter().find(|sweep| sweep.points.iter().any(|point| !point.met.is_empty()));
    for metric in judged.conditions.metrics.iter().map(|reading| &reading.metric) {
        let Some(point) = ours.and_then(|sweep| sweep.saving(metric, wanted)) else { continue };
        let Some(scores) = point.scores.get(metric) else { continue };
        let (saved, over, asked) = (scores.below_peak(), percent(scores.over), point.margin);
        let told = if saved >= wanted { "violation =" } else { "not to be had; most is saved with violation =" };
        let (wanted, saved) = (percent(wanted), percent(saved));
        let _ = writeln!(
            lines,
            "{metric}: {wanted} less than every workload's own peak: {told} {asked} ({saved} less, {over} over)"
        );
    }
    lines
}

/// What our policy was asked for and what was measured, one line per asked share.
fn asked(judged: &Judged, metric: &str) -> String {
    let mut lines = String::new();
    for (sweep, point) in judged.sweeps.iter().flat_map(|sweep| sweep.points.iter().map(move |point| (sweep, point))) {
        let Some((scores, met)) = point.scores.get(metric).zip(point.met.get(metric)) else { continue };
        let (asked, over, met) = (percent(point.margin), percent(scores.over), percent(*met));
        let (footprint, changes, saved) = (scores.footprint, scores.changes, percent(scores.below_peak()));
        let _ = writeln!(
            lines,
            "  {} asked {asked}: {over} over, met by {met} of workloads, footprint {footprint:.3}, {saved} below peaks, {changes:.2} changes",
            sweep.policy
        );
    }
    lines
}

/// Ours against each peer, over all workloads and over those of each kind.
fn matched(judged: &Judged, metric: &str) -> String {
    let mut lines = String::new();
    for matched in judged.matched.iter().filter(|matched| matched.metric == metric) {
        let Some((ours, smaller)) = matched.ours.zip(matched.smaller) else { continue };
        let (peer, over) = (&matched.peer, percent(matched.over));
        let kind = matched.class.map_or_else(String::new, |class| format!(" on {}", class.name()));
        let (size, word) = (percent(smaller.abs()), if smaller < 0.0 { "larger" } else { "smaller" });
        let _ = writeln!(lines, "  as often over as {peer}{kind} ({over}): footprint {ours:.3}, {size} {word}");
    }
    lines
}
