//! The page.

use super::{
    CANNOT_SHOW, amount, percent,
    svg::{self, escape},
};
use crate::{
    ClassRow, Example, Judged, Matched, Played, Point, Reading, Row, Sweep, peers,
    quantity::Kind,
    score::{
        bootstrap::Interval,
        class::Class,
        scaling::Scaling,
        together::Together,
        total::{Scores, ratio},
    },
    share::Claim,
};
use std::{fmt::Write, iter::once};

/// One self-contained page: no script, nothing fetched.
#[must_use]
pub fn html(judged: &Judged) -> String {
    let mut page = String::from(HEAD);
    page += "<h1>Replay</h1>";
    page += &lead(judged);
    for reading in &judged.conditions.metrics {
        let metric = reading.metric.as_str();
        if judged.rows.iter().any(|row| row.metric == metric) {
            let _ = write!(page, "<section><h2>{}</h2>", escape(metric));
            page += &table(judged, metric, reading.quantity.kind);
            if judged.sweeps.iter().any(|sweep| sweep.points.iter().any(|point| point.scores.contains_key(metric))) {
                page += &svg::pareto(judged, metric);
            }
            page += &more(judged, metric, reading.quantity.kind);
            page += &scaling(judged, metric);
            page += &asked(judged, metric);
            page += &matched(judged, metric);
            page += &classes(judged, metric);
            page += "</section>";
        }
    }
    page += &together(judged);
    page += &examples("Ten cheapest workloads", &judged.best);
    page += &examples("Ten dearest workloads", &judged.worst);
    page += &conditions(judged);
    page + "</main></body></html>\n"
}

/// What the page is about, in a sentence or two.
fn lead(judged: &Judged) -> String {
    let days = (judged.conditions.last_s - judged.conditions.first_s) as f64 / 86_400.0;
    let workloads = judged.conditions.metrics.iter().map(|reading| reading.workloads).max().unwrap_or(0);
    format!(
        "<p>{workloads} workloads over {days:.1} days ({} samples), replayed to each policy. Footprint is what was allotted over what was used: 1 would \
         serve all exactly. Over is the share of samples with usage above the allotment. Lower is better for both, and one can be bought with the other: \
         compare at equal share over.</p>",
        judged.conditions.samples
    )
}

fn table(judged: &Judged, metric: &str, kind: Kind) -> String {
    let harm = if kind == Kind::Memory { "kills a day" } else { "work waits" };
    let heads = [
        "policy",
        "footprint",
        "95 % interval",
        "slack",
        "over",
        "95 % interval",
        "overwork",
        "hit",
        "changes",
        "clean days",
        harm,
        "relative slack",
        "saving against static",
        "above best static",
        "above oracle",
    ];
    let rows = judged.rows.iter().filter(|row| row.metric == metric);
    grid("", &heads, rows.map(|row| line(judged, row, kind)))
}

fn line(judged: &Judged, row: &Row, kind: Kind) -> String {
    let (scores, wide) = (&row.scores, &row.intervals);
    let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), percent);
    let harm = if kind == Kind::Memory { format!("{:.3}", scores.ooms_per_day) } else { percent(scores.throttled) };
    let cells = [
        format!("{:.3}", scores.footprint),
        format!("{:.2} – {:.2}", wide.footprint.low, wide.footprint.high),
        percent(scores.slack),
        percent(scores.over),
        format!("{} – {}", percent(wide.over.low), percent(wide.over.high)),
        percent(scores.overwork),
        percent(scores.hit),
        format!("{:.2}", scores.changes),
        percent(scores.clean_days),
        harm,
        percent(scores.relative_slack_median),
        optional(row.saving),
        optional(row.regret_best_static),
        optional(row.regret_oracle),
    ];
    let ahead =
        if peers::Peer::named(&row.policy).is_some_and(|peer| peer.clairvoyant) { " (looks ahead)" } else { "" };
    let colour = svg::colour(judged, &row.policy);
    format!("<tr><th class=\"name {colour}\">{}{ahead}{}</tr>", escape(&row.policy), tds(&cells))
}

/// What is compared less often, and how far scores would move with other workloads.
fn more(judged: &Judged, metric: &str, kind: Kind) -> String {
    let lost = if kind == Kind::Memory { "restarting" } else { "longest wait" };
    let heads = [
        "policy",
        "unused, own unit",
        "slack, interval",
        "changes a day, interval",
        "99 % of workloads",
        "size of a change",
        "never changed",
        "severe days",
        "kills a day, interval",
        lost,
        "above best static, interval",
        "above oracle, interval",
    ];
    let rows = judged.rows.iter().filter(|row| row.metric == metric);
    let before = "<h3>More scores</h3><p>Intervals: the middle 95 % over draws of workloads.</p>";
    grid(before, &heads, rows.map(|row| tr(&row.policy, &more_of(row, kind))))
}

fn more_of(row: &Row, kind: Kind) -> [String; 11] {
    let (scores, wide) = (&row.scores, &row.intervals);
    let shares = |of: Interval| format!("{} – {}", percent(of.low), percent(of.high));
    let numbers = |of: Interval| format!("{:.2} – {:.2}", of.low, of.high);
    let [best_static, oracle] = row.regret_intervals.map(|of| of.map_or_else(|| "–".to_owned(), shares));
    [
        format!("{:.4}", scores.unused),
        shares(wide.slack),
        numbers(wide.changes),
        format!("{:.2}", scores.changes_p99),
        percent(scores.change_size),
        percent(scores.unchanged),
        percent(scores.severe_days),
        if kind == Kind::Memory { numbers(wide.ooms_per_day) } else { "–".to_owned() },
        if kind == Kind::Memory { percent(scores.restart_share) } else { format!("{:.0} s", scores.longest_wait_s) },
        best_static,
        oracle,
    ]
}

/// What our policy was asked for, and what was measured.
fn asked(judged: &Judged, metric: &str) -> String {
    let points = judged.sweeps.iter().flat_map(|sweep| &sweep.points);
    let rows: Vec<_> =
        points.filter_map(|point| Some((point, point.scores.get(metric)?, point.met.get(metric)?))).collect();
    if rows.is_empty() {
        return String::new();
    }
    let before = "<h3>Asked and measured</h3><p>Met: share of workloads over as often as asked, give or take a fifth. Below peaks: how much less than if each workload were held at the most that it ever uses.</p>";
    let row = |(point, scores, met): (&Point, &Scores, &f64)| {
        let (footprint, changes) = (format!("{:.3}", scores.footprint), format!("{:.2}", scores.changes));
        let below = percent(scores.below_peak());
        tr(&percent(point.margin), &[percent(scores.over), percent(*met), footprint, below, changes])
    };
    grid(before, &["asked", "over", "met", "footprint", "below peaks", "changes"], rows.into_iter().map(row))
}

fn matched(judged: &Judged, metric: &str) -> String {
    let rows: Vec<_> = judged.matched.iter().filter(|row| row.metric == metric).collect();
    if rows.is_empty() {
        return String::new();
    }
    let row = |row: &Matched| {
        let ours = row.ours.map_or_else(|| "not reached".to_owned(), |ours| format!("{ours:.3}"));
        let kind = row.class.map_or("all", Class::name).to_owned();
        let smaller = row.smaller.map_or_else(|| "–".to_owned(), percent);
        tr(&row.peer, &[kind, percent(row.over), format!("{:.3}", row.footprint), ours, smaller])
    };
    let heads = ["peer", "workloads", "over", "its footprint", "ours", "smaller by"];
    grid("<h3>At each peer's own share over</h3>", &heads, rows.into_iter().map(row))
}

fn scaling(judged: &Judged, metric: &str) -> String {
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
fn together(judged: &Judged) -> String {
    let Some(first) = judged.together.first() else { return String::new() };
    let before = format!(
        "<section><h2>Replicas and their size together</h2><p>{} workloads whose requests and CPU were recorded at the same times, taken to have been four replicas; more or fewer use more or less by what each uses for nothing. Who decides only one of count and size leaves the other as it was, memory with half on top.</p>",
        first.together.workloads
    );
    let heads = [
        "policy",
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
    grid(&before, &heads, judged.together.iter().map(|row| tr(&row.policy, &of_both(&row.together)))) + "</section>"
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

fn classes(judged: &Judged, metric: &str) -> String {
    let rows: Vec<&ClassRow> = judged.classes.iter().filter(|row| row.metric == metric).collect();
    let there: Vec<Class> = Class::ALL.into_iter().filter(|class| rows.iter().any(|row| row.class == *class)).collect();
    let head = |class: &Class| {
        let size = rows.iter().find(|row| row.class == *class).map_or(0, |row| row.scores.workloads);
        format!("{} ({size})", class.name())
    };
    let heads: Vec<String> = once("policy".to_owned()).chain(there.iter().map(head)).collect();
    let cell = |policy: &str, class: &Class| {
        let row = rows.iter().find(|row| row.policy == policy && row.class == *class);
        row.map_or_else(String::new, |row| {
            let (scores, wide) = (&row.scores, &row.intervals.footprint);
            format!("{:.2} ({:.2} – {:.2}), {}", scores.footprint, wide.low, wide.high, percent(scores.over))
        })
    };
    let policies = judged.rows.iter().filter(|row| row.metric == metric).map(|row| row.policy.as_str());
    let row = |policy: &str| tr(policy, &there.iter().map(|class| cell(policy, class)).collect::<Vec<_>>());
    grid("<h3>By kind of workload: footprint (95 % interval), share over</h3>", &heads, policies.map(row))
}

/// A table under `before`, as wide as it needs to be.
fn grid(before: &str, heads: &[impl AsRef<str>], rows: impl Iterator<Item = String>) -> String {
    let heads: String = heads.iter().map(|head| format!("<th>{}", head.as_ref())).collect();
    let rows: String = rows.collect();
    format!("{before}<div class=\"wide\"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>")
}

/// A row with its name, as written by whoever made the trace or policy, and its cells.
fn tr(name: &str, cells: &[String]) -> String {
    format!("<tr><th>{}{}</tr>", escape(name), tds(cells))
}

fn tds(cells: &[String]) -> String {
    cells.iter().map(|cell| format!("<td>{cell}")).collect()
}

fn examples(title: &str, examples: &[Example]) -> String {
    let Some(first) = examples.first() else { return String::new() };
    let mut text = format!(
        "<section><h2>{title} under {}</h2><p>Ranked by unused allotment and ten times unmet usage, over usage. Grey: usage, mean and peak; blue: allotment.</p><div class=\"small\">",
        escape(&first.policy)
    );
    for shown in examples {
        let _ = write!(
            text,
            "<figure>{}<figcaption>{} {} ({}): footprint {:.2}, over {}</figcaption></figure>",
            svg::example(shown),
            escape(&shown.workload),
            escape(&shown.metric),
            shown.class.name(),
            shown.footprint,
            percent(shown.over)
        );
    }
    text + "</div></section>"
}

fn conditions(judged: &Judged) -> String {
    let about = &judged.conditions;
    let mut text = String::from("<section><h2>What a trace cannot show</h2><ul>");
    for item in CANNOT_SHOW {
        let _ = write!(text, "<li>{}</li>", escape(item));
    }
    let _ = write!(
        text,
        "</ul><h2>Conditions</h2><dl><dt>version<dd>{}<dt>data (SHA-256)<dd><code>{}</code><dt>samples<dd>{}<dt>from, to (seconds since 1970)<dd>{}, {}<dt>warm-up<dd>{} s<dt>seed<dd>{}<dt>mended<dd>{} series put in order, {} duplicate rows, {} rows without a number{}{}</dl>",
        escape(&about.version),
        about.data_digest,
        about.samples,
        about.first_s,
        about.last_s,
        about.warmup_s,
        about.seed,
        about.repairs.reordered_series,
        about.repairs.duplicate_rows,
        about.repairs.missing_rows,
        if about.repairs.is_cut_off { "; the last row has no line end and may be cut off" } else { "" },
        about.played.as_ref().map_or_else(String::new, played)
    );
    let row = |reading: &Reading| {
        let quantity = reading.quantity;
        let floors = if quantity.absolute { "yes" } else { "no" };
        let kind = format!("{:?}", quantity.kind).to_lowercase();
        let step = format!("{} s", reading.step_s);
        tr(&reading.metric.to_string(), &[kind, quantity.unit.to_string(), floors.to_owned(), step])
    };
    let heads = ["metric", "counts as", "base units in one", "peers' floors apply", "step"];
    text += &grid("<h3>How metrics were read</h3>", &heads, about.metrics.iter().map(row));
    text += &margins(judged);
    text + "</section>"
}

/// What decisions rest on beside the trace.
fn played(played: &Played) -> String {
    let amounts: Vec<String> = played.capacity.iter().map(|(metric, amount)| format!("{metric}={amount}")).collect();
    let node = if amounts.is_empty() { "none".to_owned() } else { escape(&amounts.join(", ")) };
    let (asked, model) = (percent(played.violation), escape(&played.model));
    let asked = if played.as_configured { format!("{asked}; apportion: as configured") } else { asked };
    let usual = |claim: &Claim| *claim == Claim::default();
    let claims = played.claims.iter().filter(|(_, claim)| !usual(claim));
    let claims: Vec<String> = claims
        .map(|(name, claim)| format!("{} priority {}, weight {}", escape(name), claim.priority, claim.weight))
        .collect();
    let claims = if claims.is_empty() { "none".to_owned() } else { claims.join("; ") };
    let changes = played.oracle_changes;
    format!(
        "<dt>share over asked for<dd>{asked}<dt>forecaster of apportion<dd>{model}<dt>shared node<dd>{node}<dt>not equal on it<dd>{claims}<dt>changes a day of oracle<dd>{changes}"
    )
}

fn margins(judged: &Judged) -> String {
    if judged.sweeps.is_empty() {
        return String::new();
    }
    let row = |sweep: &Sweep| {
        let values: Vec<String> = sweep.points.iter().map(|point| point.margin.to_string()).collect();
        let (policy, means) = (escape(&sweep.policy), escape(&sweep.margin_means));
        format!("<tr><th>{policy}<td class=\"words\">{means}<td class=\"words\">{}</tr>", values.join(", "))
    };
    let heads = ["policy", "what its margin is", "values"];
    grid("<h3>Margins swept</h3>", &heads, judged.sweeps.iter().map(row))
}

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Apportion replay</title>
<style>
:root { color-scheme: light dark; --text: light-dark(#1b1f24, #e4e7eb); --soft: light-dark(#5d6672, #9aa4b0); --line: light-dark(#dde1e6, #333a43); --page: light-dark(#fff, #14171b);
  --c0: light-dark(#0057b8, #6cb2ff); --c1: light-dark(#b3410e, #ff9b66); --c2: light-dark(#1a7f37, #5fd07a); --c3: light-dark(#8a2be2, #c99bff); --c4: light-dark(#b80050, #ff7bb0);
  --c5: light-dark(#7a5c00, #e0b93a); --c6: light-dark(#007c89, #4fd0df); --c7: light-dark(#5b3a1e, #c9a27d); --c8: light-dark(#3d5a00, #a8d14a); --c9: light-dark(#6b0000, #ff8080);
  --c10: light-dark(#2f3fb8, #9aa6ff); --c11: light-dark(#86007d, #f08ee8); --c12: light-dark(#555, #b5b5b5); --c13: light-dark(#000, #fff); }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1100px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 26px; } h2 { margin-top: 40px; font-size: 20px; } h3 { font-size: 16px; margin: 24px 0 8px; }
p, li { max-width: 75ch; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; white-space: nowrap; }
th, td { padding: 4px 10px; border-bottom: 1px solid var(--line); text-align: right; font-weight: normal; }
thead th { color: var(--soft); vertical-align: bottom; } tbody th, thead th:first-child { text-align: left; }
td.words { text-align: left; white-space: normal; }
svg { width: 100%; max-width: 760px; height: auto; display: block; margin: 12px 0; }
.grid { stroke: var(--line); } .tick { fill: var(--soft); font-size: 11px; } .middle { text-anchor: middle; } .end { text-anchor: end; }
svg .name { font-size: 12px; } .line { fill: none; stroke: currentColor; stroke-width: 1.6; } .dot { fill: currentColor; stroke: var(--page); }
svg .name { fill: currentColor; } tbody th.name { font-weight: 600; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); } .c6 { color: var(--c6); }
.c7 { color: var(--c7); } .c8 { color: var(--c8); } .c9 { color: var(--c9); } .c10 { color: var(--c10); } .c11 { color: var(--c11); } .c12 { color: var(--c12); } .c13 { color: var(--c13); }
.small { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 16px; }
figure { margin: 0; } figcaption { font-size: 13px; color: var(--soft); overflow-wrap: anywhere; }
.peak { fill: none; stroke: var(--line); stroke-width: 1; } .mean { fill: none; stroke: var(--soft); stroke-width: 1; } .given { fill: none; stroke: var(--c0); stroke-width: 1.5; }
dt { color: var(--soft); } dd { margin: 0 0 6px; overflow-wrap: anywhere; }
</style></head><body><main>"#;
