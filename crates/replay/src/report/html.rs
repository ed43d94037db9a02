//! The page.

use super::{
    CANNOT_SHOW, percent, replicas,
    svg::{self, escape},
};
use crate::{
    ClassRow, Example, Judged, Limits, Matched, Played, Point, Reading, Row, Sweep,
    engine::{SCALING, SIZING},
    quantity::Kind,
    score::{bootstrap::Interval, class::Class, total::Scores},
    share::Claim,
};
use std::{fmt::Write, iter::once};

/// All before the body's text, with the style.
const HEAD: &str = include_str!("head.html");
/// What columns mean.
const WORDS: &str = include_str!("words.html");
/// What kinds of workloads are, as `score::class` has it.
const KINDS: &str = "<h3>By kind of workload: footprint (95 % interval), share over</h3><p>In brackets after a kind: how many workloads. short: less than two days; new: begins more than a day after the trace; flat: nearly constant; growing: rises throughout; periodic: repeats daily or weekly; bursty: mostly low, sometimes high; noisy: none of these. Read a column from top to bottom: a policy that is smaller in it but over more often is not better.</p>";

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
            page += &limits(judged, metric);
            page += &replicas::scaling(judged, metric);
            page += &asked(judged, metric);
            page += &matched(judged, metric);
            page += &classes(judged, metric);
            page += "</section>";
        }
    }
    page += &replicas::together(judged);
    page += &examples("Ten cheapest workloads", &judged.best);
    page += &examples("Ten dearest workloads", &judged.worst);
    page += &conditions(judged);
    page + "</main></body></html>\n"
}

/// What the page is about, the result in a line per metric, and what the words mean.
fn lead(judged: &Judged) -> String {
    let days = (judged.conditions.last_s - judged.conditions.first_s) as f64 / 86_400.0;
    let workloads = judged.conditions.metrics.iter().map(|reading| reading.workloads).max().unwrap_or(0);
    let short: String =
        judged.conditions.metrics.iter().filter_map(|reading| in_short(judged, &reading.metric)).collect();
    format!(
        "<p>{workloads} workloads over {days:.1} days ({} samples), replayed to each policy. <b>Footprint</b> is what was allotted over what was used: 1 would \
         serve all exactly. <b>Over</b> is the share of samples with usage above the allotment. Lower is better for both, and one can be bought with the other: \
         compare at equal share over.</p><ul>{short}</ul>{WORDS}",
        judged.conditions.samples
    )
}

/// Ours on a metric (or the first policy, where ours was not played), in a sentence.
fn in_short(judged: &Judged, metric: &str) -> Option<String> {
    let of_metric = || judged.rows.iter().filter(|row| row.metric == metric);
    let named = |policy: &'static str| of_metric().find(|row| row.policy == policy);
    let row = named(SIZING).or_else(|| named(SCALING)).or_else(|| of_metric().next())?;
    let (policy, scores) = (escape(&row.policy), &row.scores);
    let (below, over) = (scores.below_peak(), percent(scores.over));
    let (size, word) = (percent(below.abs()), if below < 0.0 { "more" } else { "less" });
    let is_own = |matched: &&Matched| matched.metric == metric && matched.class.is_none() && row.policy == SIZING;
    let as_often = judged.matched.iter().filter(is_own);
    let as_often: Vec<String> = as_often
        .filter_map(|matched| {
            let smaller = matched.smaller?;
            let word = if smaller < 0.0 { "more" } else { "less" };
            Some(format!("{} {word} than {}", percent(smaller.abs()), escape(&matched.peer)))
        })
        .collect();
    let as_often = match as_often.is_empty() {
        true => String::new(),
        false => format!(" Where it is over as often as each other: {}.", as_often.join(", ")),
    };
    Some(format!(
        "<li><b>{}</b>: {policy} allots {:.2} times what is used, {size} {word} than if each workload were held at the most that it ever uses, and is over {over} of the time, with {:.1} changes a workload and day.{as_often}",
        escape(metric),
        scores.footprint,
        scores.changes
    ))
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
    let ahead = if svg::looks_ahead(&row.policy) { " (a bound: looks ahead)" } else { "" };
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

/// Policies that set a limit that slows and one that kills.
fn limits(judged: &Judged, metric: &str) -> String {
    let of = |row: &'_ Row| Some((row.policy.clone(), row.limits.clone()?));
    let rows: Vec<_> = judged.rows.iter().filter(|row| row.metric == metric).filter_map(of).collect();
    if rows.is_empty() {
        return String::new();
    }
    let before = "<h3>With a limit that slows and one that kills</h3><p>Above, all that is over counts as killed, as peers have one limit only. On a machine memory above memory.high is slowed, and killed only above memory.max. Played with both; memory is taken to grow as recorded however much it is slowed, so there are no more kills than these.</p>";
    let row = |(policy, of): (String, Limits)| {
        let cells = [
            format!("{:.3}", of.slowing.footprint),
            percent((of.slowing.over - of.killing.over).max(0.0)),
            format!("{:.3}", of.killing.footprint),
            percent(of.killing.over),
            format!("{:.4}", of.killing.ooms_per_day),
            percent(of.killing.hit),
            percent(of.killing.restart_share),
        ];
        tr(&policy, &cells)
    };
    let heads = [
        "policy",
        "memory.high: footprint",
        "slowed",
        "memory.max: footprint",
        "killed",
        "kills a day",
        "workloads killed",
        "time restarting",
    ];
    grid(before, &heads, rows.into_iter().map(row))
}

/// What our policies were asked for, and what was measured.
fn asked(judged: &Judged, metric: &str) -> String {
    judged.sweeps.iter().map(|sweep| asked_of(sweep, metric)).collect()
}

fn asked_of(sweep: &Sweep, metric: &str) -> String {
    let of = |point: &'_ Point| Some((point.margin, point.scores.get(metric)?.clone(), *point.met.get(metric)?));
    let rows: Vec<(f64, Scores, f64)> = sweep.points.iter().filter_map(of).collect();
    if rows.is_empty() {
        return String::new();
    }
    let before = format!(
        "<h3>Asked of {} and measured</h3><p>Met: share of workloads over as often as asked, give or take a fifth. Below peaks: how much less than if each workload were held at the most that it ever uses.</p>",
        escape(&sweep.policy)
    );
    let row = |(asked, scores, met): (f64, Scores, f64)| {
        let (footprint, changes) = (format!("{:.3}", scores.footprint), format!("{:.2}", scores.changes));
        tr(&percent(asked), &[percent(scores.over), percent(met), footprint, percent(scores.below_peak()), changes])
    };
    grid(&before, &["asked", "over", "met", "footprint", "below peaks", "changes"], rows.into_iter().map(row))
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
    grid(KINDS, &heads, policies.map(row))
}

/// A table under `before`, as wide as it needs to be.
pub(super) fn grid(before: &str, heads: &[impl AsRef<str>], rows: impl Iterator<Item = String>) -> String {
    let heads: String = heads.iter().map(|head| format!("<th>{}", head.as_ref())).collect();
    let rows: String = rows.collect();
    format!("{before}<div class=\"wide\"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>")
}

/// A row with its name, as written by whoever made the trace or policy, and its cells.
pub(super) fn tr(name: &str, cells: &[String]) -> String {
    format!("<tr><th>{}{}</tr>", escape(name), tds(cells))
}

fn tds(cells: &[String]) -> String {
    cells.iter().map(|cell| format!("<td>{cell}")).collect()
}

fn examples(title: &str, examples: &[Example]) -> String {
    let Some(first) = examples.first() else { return String::new() };
    let mut text = format!(
        "<section><h2>{title} under {}</h2><p>Ranked by unused allotment and ten times unmet usage, over usage. Grey: usage, mean (dark) and peak (light); blue: allotment. Left above: the top of the scale, in the metric's own unit; below: first and last day.</p><div class=\"small\">",
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
        "</ul><h2>Conditions</h2><dl><dt>version<dd>{}<dt>data (SHA-256)<dd><code>{}</code><dt>samples<dd>{}<dt>from, to (seconds since 1970)<dd>{} ({}), {} ({})<dt>warm-up<dd>{} s<dt>seed<dd>{}<dt>mended<dd>{} series put in order, {} duplicate rows, {} rows without a number{}{}</dl>",
        escape(&about.version),
        about.data_digest,
        about.samples,
        svg::day_of(about.first_s),
        about.first_s,
        svg::day_of(about.last_s),
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
