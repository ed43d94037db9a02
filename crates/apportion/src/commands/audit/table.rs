//! The audit as a table, for people and for programs.

use super::{Found, Judged};
use apportion_planner::audit::{LEAST_CASES, Tally};
use std::fmt::Write as _;

/// A group a line; what misses is marked.
pub(super) fn text(found: &Found) -> String {
    let mut table = format!(
        "{:<11} {:<34} {:>6}  {:>11} {:>11} {:>11}  {:>5} {:>5}  miss, without and with correction\n",
        "", "group", "cases", "q0.1", "q0.5", "q0.9", "WQL", "MASE"
    );
    for group in &found.groups {
        let (before, after) = (&group.before, &group.after);
        let [low, middle, high] = [0, 1, 2].map(|place| covered(before, place));
        let _ = writeln!(
            table,
            "{:<11} {:<34} {:>6}  {low:>11} {middle:>11} {high:>11}  {:>5.2} {:>5.2}  {:.3} → {:.3}{}",
            before.group.by.name(),
            before.group.name,
            before.cases,
            before.wql,
            before.mase,
            before.miss(),
            after.miss(),
            mark(group, found.tolerance)
        );
    }
    let worst = |of: fn(&Judged) -> &Tally| {
        let large = found.groups.iter().filter(|group| group.is_large());
        (large.clone().filter(|group| of(group).miss() > found.tolerance).count(), large.count())
    };
    let ((before, large), (after, _)) = (worst(|group| &group.before), worst(|group| &group.after));
    let _ = write!(
        table,
        "{} forecasts by {}, of which the correction knows none: {before} of {large} groups ({LEAST_CASES} forecasts or more) miss by more than {}; \
         with {} corrections fitted on the {} before them, {after}.",
        found.judged_on,
        found.model,
        found.tolerance,
        found.corrections.patches.len(),
        found.fitted_on
    );
    table
}

/// Share at or below a quantile; where values lie exactly on it, from the share below to that.
fn covered(tally: &Tally, place: usize) -> String {
    let (below, at_most) = (tally.below[place], tally.at_most[place]);
    if at_most - below < 0.005 { format!("{at_most:.2}") } else { format!("{below:.2}–{at_most:.2}") }
}

fn mark(group: &Judged, tolerance: f32) -> &'static str {
    match (group.is_large(), group.before.miss() > tolerance, group.after.miss() > tolerance) {
        (false, ..) => "  (few)",
        (true, _, true) => "  MISSES",
        (true, true, false) => "  corrected",
        (true, false, false) => "",
    }
}

/// The same for programs.
pub(super) fn csv(found: &Found) -> String {
    let mut table =
        "correction,by,group,cases,below_q0.1,at_q0.1,below_q0.5,at_q0.5,below_q0.9,at_q0.9,wql,mase,miss\n".to_owned();
    for group in &found.groups {
        for (stage, tally) in [("without", &group.before), ("with", &group.after)] {
            let shares: Vec<String> = tally
                .below
                .iter()
                .zip(&tally.at_most)
                .map(|(below, at_most)| format!("{below:.4},{at_most:.4}"))
                .collect();
            let name = tally.group.name.replace('"', "\"\"");
            let _ = writeln!(
                table,
                "{stage},{},\"{name}\",{},{},{:.4},{:.4},{:.4}",
                tally.group.by.name(),
                tally.cases,
                shares.join(","),
                tally.wql,
                tally.mase,
                tally.miss()
            );
        }
    }
    table
}
