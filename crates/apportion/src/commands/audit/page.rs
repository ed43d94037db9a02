//! The audit as a page: one file, a plot of coverage by group, without and with the correction.

use super::{Found, Judged};
use apportion_planner::audit::{LEAST_CASES, Tally};
use apportion_replay::report::escape;
use std::fmt::Write as _;

const LEFT: f64 = 300.0;
const SPAN: f64 = 520.0;
const ROW: f64 = 20.0;
const TOP: f64 = 26.0;
const LEVELS: [f32; 3] = [0.1, 0.5, 0.9];

/// The page.
pub(super) fn html(found: &Found) -> String {
    let groups: Vec<&Judged> = found.groups.iter().filter(|group| group.is_large()).collect();
    format!(
        r#"<!doctype html><html lang="en"><meta charset="utf-8"><title>Apportion: forecasts by group</title>
<style>body{{font:14px system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em}}svg{{width:100%;height:auto}}
.band{{fill:#2563eb18}}.level{{stroke:#2563eb;stroke-dasharray:3 3}}.row{{stroke:#eee}}.before{{stroke:#9aa3af;fill:#9aa3af}}
.after{{stroke:#0a7d4b;fill:#0a7d4b}}.beyond{{stroke:#c2410c;fill:#c2410c}}text{{font-size:11px;stroke:none;fill:#222}}pre{{font-size:11px;overflow:auto}}</style>
<h1>Forecasts by group</h1>
<p>{} forecasts of {} steps by {} over {} series of {}. For each group the share of what came at or below q0.1, q0.5 and q0.9: it should
be 0.1, 0.5 and 0.9 (dashed; the band is the tolerance of {}). Grey: as forecast. Green: with corrections that were fitted on earlier
forecasts only; orange where it still misses. A bar instead of a dot: values lie exactly on the quantile, and the level may be anywhere
on it. Groups of fewer than {LEAST_CASES} forecasts are in the table only.</p>
{}<pre>{}</pre></html>
"#,
        found.judged_on,
        found.horizon_steps,
        escape(&found.model),
        found.series,
        escape(&found.sources.join(", ")),
        found.tolerance,
        plot(&groups, found.tolerance),
        escape(&super::table::text(found)),
    )
}

fn x(share: f32) -> f64 {
    LEFT + SPAN * f64::from(share)
}

#[allow(clippy::cast_precision_loss, reason = "a count of groups")]
fn plot(groups: &[&Judged], tolerance: f32) -> String {
    let bottom = TOP + ROW * groups.len() as f64;
    let mut plot = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"coverage by group\">",
        LEFT + SPAN + 20.0,
        bottom + 10.0
    );
    for level in LEVELS {
        let (middle, from) = (x(level), x((level - tolerance).max(0.0)));
        let width = x((level + tolerance).min(1.0)) - from;
        let _ = write!(
            plot,
            "<rect class=\"band\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{:.1}\"/><path class=\"level\" \
             d=\"M{middle:.1} {TOP}V{bottom:.1}\"/><text x=\"{middle:.1}\" y=\"16\" text-anchor=\"middle\">{level}</text>",
            bottom - TOP
        );
    }
    for (index, group) in groups.iter().enumerate() {
        let y = TOP + ROW * (index as f64 + 0.5);
        let name =
            escape(&format!("{}: {} ({})", group.before.group.by.name(), group.before.group.name, group.before.cases));
        let after = if group.after.miss() > tolerance { "beyond" } else { "after" };
        let _ = write!(
            plot,
            "<path class=\"row\" d=\"M{LEFT} {:.1}H{:.1}\"/><text x=\"0\" y=\"{:.1}\">{name}</text>{}{}",
            y + ROW / 2.0,
            LEFT + SPAN,
            y + 4.0,
            marks(&group.before, y - 3.0, "before"),
            marks(&group.after, y + 3.0, after)
        );
    }
    plot + "</svg>\n"
}

/// From the share below a quantile to the share at or below it.
fn marks(tally: &Tally, y: f64, class: &str) -> String {
    let mark = |(below, at_most): (&f32, &f32)| {
        let (from, to) = (x(*below), x(*at_most));
        format!(
            "<path class=\"{class}\" stroke-width=\"4\" stroke-linecap=\"round\" d=\"M{from:.1} {y:.1}H{:.1}\"/>",
            to.max(from + 0.1)
        )
    };
    tally.below.iter().zip(&tally.at_most).map(mark).collect()
}
