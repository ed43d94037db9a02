//! Tables of workloads that run as replicas.

use super::{
    amount,
    html::{grid, tr},
    percent,
    svg::{self, Line, escape},
};
use crate::{
    Judged, Point, Sweep, TogetherRow,
    score::{scaling::Scaling, together::Together, total::ratio},
};

pub(super) fn scaling(judged: &Judged, metric: &str) -> String {
    let rows: Vec<_> = judged.scaling.iter().filter(|row| row.metric == metric).collect();
    if rows.is_empty() {
        return String::new();
    }
    let before = format!(
        "<h3>Replicas</h3><p>One replica is taken to serve a quarter of the greatest rate of the first hour, and serves {} s after it is asked for. Lag: mean time from the first sample over until enough replicas serve.</p>",
        judged.conditions.replica_start_s
    );
    let heads = [
        "policy",
        "replica-hours",
        "starting",
        "against exact",
        "violation minutes",
        "shortages",
        "lag",
        "longest",
        "spare replica-hours",
        "missing",
        "changes a day",
    ];
    grid(&before, &heads, rows.into_iter().map(|row| tr(&row.policy, &replicas(&row.scaling))))
}

fn replicas(made: &Scaling) -> [String; 10] {
    let over_exact = (made.least_hours > 0.0).then(|| percent(made.replica_hours / made.least_hours - 1.0));
    [
        format!("{:.0}", made.replica_hours),
        format!("{:.0}", made.starting_hours),
        over_exact.unwrap_or_else(|| "–".to_owned()),
        format!("{:.0}", made.violation_minutes),
        made.shortages.to_string(),
        format!("{:.0} s", made.lag_s),
        format!("{:.0} s", made.longest_lag_s),
        format!("{:.0}", made.spare_hours),
        format!("{:.1}", made.missing_hours),
        format!("{:.1}", made.changes),
    ]
}

/// Replicas and their size, policy by policy.
pub(super) fn together(judged: &Judged) -> String {
    let Some(first) = judged.together.first() else { return String::new() };
    let before = format!(
        "<section><h2>Replicas and their size together</h2><p>{} workloads whose requests and CPU were recorded at the same times, taken to have been four replicas; more or fewer use more or less by what each uses for nothing. Who decides only one of count and size leaves the other as it was, memory with half on top.</p>",
        first.together.workloads
    );
    let row = |row: &TogetherRow| tr(&row.policy, &of_both(&row.together));
    let table = grid(&before, &heads(&["policy"]), judged.together.iter().map(row));
    table + &swept(judged) + &compared(judged) + "</section>"
}

fn heads(first: &[&'static str]) -> Vec<&'static str> {
    let scores = [
        "core-hours",
        "used",
        "GiB-hours",
        "used",
        "replica-hours",
        "minutes short of CPU",
        "of memory",
        "changes of the count a day",
        "of the size",
    ];
    first.iter().copied().chain(scores).collect()
}

fn of_both(made: &Together) -> [String; 9] {
    let share = |minutes: f64| format!("{minutes:.0} ({})", percent(ratio(minutes, made.minutes)));
    [
        amount(made.core_hours),
        amount(made.used_core_hours),
        amount(made.gib_hours),
        amount(made.used_gib_hours),
        amount(made.replica_hours),
        share(made.short_minutes),
        share(made.killed_minutes),
        format!("{:.1}", made.count_changes),
        format!("{:.1}", made.size_changes),
    ]
}

/// Each policy at all its margins: the line of what is allotted against how often that is too little, and its points.
fn swept(judged: &Judged) -> String {
    let points = |sweep: &'_ Sweep| -> Vec<(f64, Together)> {
        sweep.points.iter().filter_map(|point: &Point| Some((point.margin, point.together?))).collect()
    };
    let drawn = |made: &Together| (made.short_share(), made.core_hours);
    let line = |sweep: &'_ Sweep| (sweep.policy.clone(), points(sweep).iter().map(|(_, made)| drawn(made)).collect());
    let lines: Vec<Line> = judged.sweeps.iter().map(line).filter(|line: &Line| !line.1.is_empty()).collect();
    if lines.is_empty() {
        return String::new();
    }
    let dots: Vec<_> = judged.together.iter().map(|row| (row.policy.clone(), drawn(&row.together))).collect();
    let axes = ["share of minutes short of CPU", "core-hours", "Core-hours against share of minutes short of CPU"];
    let rows = judged.sweeps.iter().flat_map(|sweep| {
        let row = |(margin, made): (f64, Together)| {
            let name = [escape(&sweep.margin_means), margin.to_string()];
            tr(&sweep.policy, &name.into_iter().chain(of_both(&made)).collect::<Vec<_>>())
        };
        points(sweep).into_iter().map(row).collect::<Vec<_>>()
    });
    let table = grid("<h3>At each margin</h3>", &heads(&["policy", "margin", "value"]), rows);
    svg::plot(judged, axes, &lines, &dots) + &table
}

/// Ours where it is short of CPU as often as each other policy.
fn compared(judged: &Judged) -> String {
    let rows: Vec<String> = judged
        .as_short()
        .into_iter()
        .map(|row| {
            let ours = row.ours.map(|(cores, bytes)| [amount(cores), amount(bytes)]);
            let ours = ours.unwrap_or_else(|| ["not reached".to_owned(), "–".to_owned()]);
            let peer = [percent(row.short_share), amount(row.peer.core_hours), amount(row.peer.gib_hours)];
            tr(&row.policy, &peer.into_iter().chain(ours).collect::<Vec<_>>())
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads = ["peer", "short of CPU", "its core-hours", "its GiB-hours", "ours: core-hours", "GiB-hours"];
    grid("<h3>Where ours is short of CPU as often</h3>", &heads, rows.into_iter())
}
