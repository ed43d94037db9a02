//! Plots as SVG text. Colours are classes, so that the page's light and dark styles apply.

use crate::{Example, Judged, Sweep, sweep::LEAST_OVER};
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

/// Footprint against share of samples over, a line per policy over its margins, a dot at its own margin.
pub(super) fn pareto(judged: &Judged, metric: &str) -> String {
    let line = |sweep: &Sweep| -> Vec<(f64, f64)> {
        let scores = sweep.points.iter().filter_map(|point| point.scores.get(metric));
        let drawn = scores.filter(|scores| scores.footprint > 0.0);
        drawn.map(|scores| (scores.over.max(LEAST_OVER), scores.footprint)).collect()
    };
    let lines: Vec<(&str, Vec<(f64, f64)>)> =
        judged.sweeps.iter().map(|sweep| (sweep.policy.as_str(), line(sweep))).collect();
    let dots: Vec<(&str, f64, f64)> = judged
        .rows
        .iter()
        .filter(|row| row.metric == metric && row.scores.footprint > 0.0)
        .map(|row| (row.policy.as_str(), row.scores.over.max(LEAST_OVER), row.scores.footprint))
        .collect();
    let all = || lines.iter().flat_map(|line| line.1.iter().copied()).chain(dots.iter().map(|dot| (dot.1, dot.2)));
    let x = Axis::around(&all().map(|point| point.0).collect::<Vec<_>>(), LEFT, WIDTH - RIGHT);
    let y = Axis::around(&all().map(|point| point.1).collect::<Vec<_>>(), HEIGHT - BOTTOM, TOP);
    let mut plot = frame(&x, &y, metric);
    for (policy, line) in &lines {
        let points: String =
            line.iter().map(|(over, size)| format!("{:.1},{:.1} ", x.at(*over), y.at(*size))).collect();
        let _ = write!(plot, "<polyline class=\"line {}\" points=\"{points}\"/>", colour(judged, policy));
    }
    let mut labels: Vec<(f64, &str)> = Vec::new();
    for (policy, over, size) in &dots {
        let (left, top, class) = (x.at(*over), y.at(*size), colour(judged, policy));
        let _ = write!(
            plot,
            "<circle class=\"dot {class}\" cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"4\"><title>{policy}: footprint {size:.3}, over {}</title></circle>",
            super::percent(*over)
        );
        labels.push((top, policy));
    }
    plot + &legend(judged, labels) + "</svg>"
}

fn frame(x: &Axis, y: &Axis, metric: &str) -> String {
    let mut plot = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Footprint against share of samples over, {}\">",
        escape(metric)
    );
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
        "<text class=\"tick middle\" x=\"{}\" y=\"{}\">share of samples with usage above the allotment</text><text class=\"tick middle\" transform=\"translate(14 {}) rotate(-90)\">allotted / used</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 6.0,
        f64::midpoint(TOP, HEIGHT - BOTTOM)
    );
    plot
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
    format!(
        "<svg viewBox=\"0 0 {SMALL_WIDTH} {SMALL_HEIGHT}\" role=\"img\" aria-label=\"Usage and allotment of {}\"><polyline class=\"peak\" points=\"{}\"/><polyline class=\"mean\" points=\"{}\"/><polyline class=\"given\" points=\"{}\"/></svg>",
        escape(&example.workload),
        line(2),
        line(1),
        line(3)
    )
}
