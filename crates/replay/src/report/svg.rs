//! Plots as SVG text. Colours are classes, so that the page's light and dark styles apply.

use crate::{Example, Judged, Sweep, peers, sweep::LEAST_OVER};
use std::fmt::Write;

/// Text safe inside HTML and SVG.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 120.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;

/// A logarithmic axis from data to pixels.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn around(values: &[f64], from: f64, to: f64) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        Self { low: low.ln() - 0.05, high: high.ln().max(low.ln() + 0.1) + 0.05, from, to }
    }
    fn at(&self, value: f64) -> f64 {
        self.from + (value.ln() - self.low) / (self.high - self.low) * (self.to - self.from)
    }
    /// Powers of ten with the given leading digits that fall inside.
    fn ticks(&self, leading: &[f64]) -> Vec<f64> {
        let all = (-7..12).flat_map(|power| leading.iter().map(move |digit| digit * 10_f64.powi(power)));
        all.filter(|tick| (self.low..=self.high).contains(&tick.ln())).collect()
    }
}

/// A policy's name and its points: a share (at least [`LEAST_OVER`] is drawn) and what is allotted.
pub(super) type Line = (String, Vec<(f64, f64)>);

/// Footprint against share of samples over, a line per policy over its margins, a dot at its own margin.
pub(super) fn pareto(judged: &Judged, metric: &str) -> String {
    let line = |sweep: &Sweep| -> Line {
        let scores = sweep.points.iter().filter_map(|point| point.scores.get(metric));
        (sweep.policy.clone(), scores.map(|scores| (scores.over, scores.footprint)).collect())
    };
    let lines: Vec<Line> = judged.sweeps.iter().map(line).collect();
    let rows = judged.rows.iter().filter(|row| row.metric == metric);
    let dots: Vec<_> = rows.map(|row| (row.policy.clone(), (row.scores.over, row.scores.footprint))).collect();
    let title = format!("Footprint against share of samples over, {metric}");
    plot(judged, ["share of samples with usage above the allotment", "allotted / used", &title], &lines, &dots)
}

/// Lines and a dot of each policy; `axes` are what goes right, what goes up, and what the plot shows.
pub(super) fn plot(judged: &Judged, axes: [&str; 3], lines: &[Line], dots: &[(String, (f64, f64))]) -> String {
    let is_drawn = |point: &&(f64, f64)| point.1 > 0.0;
    let all = || lines.iter().flat_map(|line| &line.1).chain(dots.iter().map(|dot| &dot.1)).filter(is_drawn);
    let x = Axis::around(&all().map(|point| point.0.max(LEAST_OVER)).collect::<Vec<_>>(), LEFT, WIDTH - RIGHT);
    let y = Axis::around(&all().map(|point| point.1).collect::<Vec<_>>(), HEIGHT - BOTTOM, TOP);
    let place = |(share, size): &(f64, f64)| (x.at(share.max(LEAST_OVER)), y.at(*size));
    let mut plot = frame(&x, &y, axes);
    for (policy, line) in lines {
        let points: String =
            line.iter().filter(is_drawn).map(place).map(|(left, top)| format!("{left:.1},{top:.1} ")).collect();
        let bound = if looks_ahead(policy) { " bound" } else { "" };
        let _ = write!(plot, "<polyline class=\"line{bound} {}\" points=\"{points}\"/>", colour(judged, policy));
    }
    let mut labels: Vec<(f64, &str)> = Vec::new();
    for (policy, point) in dots.iter().filter(|dot| is_drawn(&&dot.1)) {
        let ((left, top), class) = (place(point), colour(judged, policy));
        let _ = write!(
            plot,
            "<circle class=\"dot {class}\" cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"4\"><title>{}: {} {:.3}, {}</title></circle>",
            escape(policy),
            escape(axes[1]),
            point.1,
            super::percent(point.0)
        );
        labels.push((top, policy));
    }
    let caption = "Lower and further left is better. A dot: a policy at its own margin; its line: at all its margins, where they were swept; dashed: bounds, which look ahead.";
    format!("<figure>{plot}{}</svg><figcaption>{caption}</figcaption></figure>", legend(judged, labels))
}

fn frame(x: &Axis, y: &Axis, [right, up, title]: [&str; 3]) -> String {
    let mut plot = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", escape(title));
    for tick in x.ticks(&[1.0]) {
        let (left, bottom) = (x.at(tick), HEIGHT - BOTTOM);
        let _ = write!(
            plot,
            "<line class=\"grid\" x1=\"{left:.1}\" y1=\"{TOP}\" x2=\"{left:.1}\" y2=\"{bottom}\"/><text class=\"tick middle\" x=\"{left:.1}\" y=\"{}\">{}</text>",
            bottom + 15.0,
            super::percent(tick)
        );
    }
    for tick in y.ticks(&[1.0, 2.0, 5.0]) {
        let (top, right) = (y.at(tick), WIDTH - RIGHT);
        let _ = write!(
            plot,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{top:.1}\" x2=\"{right}\" y2=\"{top:.1}\"/><text class=\"tick end\" x=\"{}\" y=\"{:.1}\">{tick}</text>",
            LEFT - 6.0,
            top + 4.0
        );
    }
    let _ = write!(
        plot,
        "<text class=\"tick middle\" x=\"{}\" y=\"{}\">{right}</text><text class=\"tick middle\" transform=\"translate(14 {}) rotate(-90)\">{up}</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 6.0,
        f64::midpoint(TOP, HEIGHT - BOTTOM)
    );
    plot
}

/// True of a bound that no policy can reach.
pub(super) fn looks_ahead(policy: &str) -> bool {
    peers::Peer::named(policy).is_some_and(|peer| peer.clairvoyant)
}

/// Names on the right, in the order of the dots, kept apart.
fn legend(judged: &Judged, mut labels: Vec<(f64, &str)>) -> String {
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut text, mut last) = (String::new(), f64::NEG_INFINITY);
    let spare = HEIGHT - BOTTOM - TOP - 14.0 * labels.len() as f64;
    for (at, (top, policy)) in labels.iter().enumerate() {
        let below = 14.0 * (labels.len() - at) as f64;
        let place = top.min(HEIGHT - BOTTOM - below + 14.0).max(last + 14.0).max(TOP + 8.0);
        last = if spare > 0.0 { place } else { last.max(TOP) + 12.0 };
        let _ = write!(
            text,
            "<text class=\"name {}\" x=\"{}\" y=\"{:.1}\">{}</text>",
            colour(judged, policy),
            WIDTH - RIGHT + 10.0,
            last + 4.0,
            escape(policy)
        );
    }
    text
}

/// The class that colours a policy everywhere on the page.
pub(super) fn colour(judged: &Judged, policy: &str) -> String {
    let mut names: Vec<&str> = judged.rows.iter().map(|row| row.policy.as_str()).collect();
    names.dedup();
    format!("c{}", names.iter().position(|name| *name == policy).unwrap_or(0) % COLOURS)
}

/// Colours of the page's style.
const COLOURS: usize = 14;

const SMALL_WIDTH: f64 = 370.0;
const SMALL_HEIGHT: f64 = 110.0;
/// Room for the days below.
const SMALL_BELOW: f64 = 16.0;
/// Traces of earlier days count from their own beginning.
const FIRST_DATED_DAY: i64 = 3_650;

/// Usage (mean and peak) and allotment of one workload over time.
pub(super) fn example(example: &Example) -> String {
    let most = example.points.iter().flat_map(|point| [point[2], point[3]]).fold(f64::MIN_POSITIVE, f64::max);
    let (first, last) = match (example.points.first(), example.points.last()) {
        (Some(first), Some(last)) if last[0] > first[0] => (first[0], last[0]),
        _ => return String::new(),
    };
    let line = |value: usize| -> String {
        let place = |point: &[f64; 4]| {
            let x = (point[0] - first) / (last - first) * SMALL_WIDTH;
            format!("{x:.1},{:.1} ", (SMALL_HEIGHT - 2.0) * (1.0 - point[value] / most) + 1.0)
        };
        example.points.iter().map(place).collect()
    };
    let day = |time_s: f64| day_of(time_s as i64);
    format!(
        "<svg viewBox=\"0 0 {SMALL_WIDTH} {}\" role=\"img\" aria-label=\"Usage and allotment of {}\"><polyline class=\"peak\" points=\"{}\"/><polyline class=\"mean\" points=\"{}\"/><polyline class=\"given\" points=\"{}\"/><text class=\"tick\" x=\"2\" y=\"11\">{}</text><text class=\"tick\" x=\"2\" y=\"{}\">{}</text><text class=\"tick end\" x=\"{SMALL_WIDTH}\" y=\"{}\">{}</text></svg>",
        SMALL_HEIGHT + SMALL_BELOW,
        escape(&example.workload),
        line(2),
        line(1),
        line(3),
        super::amount(most),
        SMALL_HEIGHT + SMALL_BELOW - 3.0,
        day(first),
        SMALL_HEIGHT + SMALL_BELOW - 3.0,
        day(last)
    )
}

/// The day (UTC) of a time in seconds since 1970, as a person writes it; the number of the day where the trace begins at zero.
pub(super) fn day_of(time_s: i64) -> String {
    let days = time_s.div_euclid(86_400);
    if days < FIRST_DATED_DAY {
        return format!("day {days}");
    }
    let (year, month, day) = date(days);
    format!("{year}-{month:02}-{day:02}")
}

/// Year, month and day of a number of days since 1970 (Hinnant, "chrono-compatible low-level date algorithms").
const fn date(days: i64) -> (i64, i64, i64) {
    let from_march = days + 719_468;
    let era = from_march.div_euclid(146_097);
    let day_of_era = from_march.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let calendar_month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + if calendar_month <= 2 { 1 } else { 0 };
    (year, calendar_month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_told_by_date_or_by_number() {
        let check = |time_s: i64, expect: &str| assert_eq!(day_of(time_s), expect);
        check(1_372_636_800, "2013-07-01");
        check(951_782_400, "2000-02-29");
        check(1_795_737_600, "2026-11-27");
        check(86_400 * 40, "day 40");
        check(-86_400, "day -1");
    }
}
