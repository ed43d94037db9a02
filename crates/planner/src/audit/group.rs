//! The groups that a series belongs to, by what its past shows: known before it is forecast, so a group can be corrected.

use crate::{prepare::fill, season::season_steps};
use apportion_core::{
    Series,
    stats::quantile,
    time::{CALENDAR_FROM_S, DAY_S},
    traits::ForecastInput,
};
use serde::{Deserialize, Serialize};

/// By what series are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// What is measured.
    Metric,
    /// The mean of the past, to the power of ten below it.
    Size,
    /// How much of the past is known.
    Age,
    /// The day (UTC) on which the forecast begins.
    Weekday,
    /// The highest hundredth over the median.
    Burstiness,
    /// The kind of workload.
    Class,
}

/// A group of series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Group {
    /// By what.
    pub by: By,
    /// Which.
    pub name: String,
}

impl By {
    /// As it is printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::Size => "size",
            Self::Age => "age",
            Self::Weekday => "weekday",
            Self::Burstiness => "burstiness",
            Self::Class => "class",
        }
    }
}

/// The groups of an input, one of each kind.
#[must_use]
pub fn groups(input: &ForecastInput) -> [Group; 6] {
    let seen: Vec<f32> = input.past.present().collect();
    let group = |by, name: &str| Group { by, name: name.to_owned() };
    [
        group(By::Metric, input.metric.as_str()),
        group(By::Size, &size(&seen)),
        group(By::Age, age(seen.len(), input.past.step_s)),
        group(By::Weekday, weekday(input)),
        group(By::Burstiness, burstiness(&seen)),
        group(By::Class, class(&input.past, &seen)),
    ]
}

#[allow(clippy::cast_precision_loss, reason = "a count of steps")]
fn mean(seen: &[f32]) -> f64 {
    seen.iter().map(|value| f64::from(*value)).sum::<f64>() / seen.len().max(1) as f64
}

fn size(seen: &[f32]) -> String {
    let mean = mean(seen).abs();
    if mean > 0.0 { format!("1e{:+03}", mean.log10().floor()) } else { "zero".to_owned() }
}

fn age(steps: usize, step_s: u32) -> &'static str {
    match i64::try_from(steps).unwrap_or(i64::MAX).saturating_mul(i64::from(step_s)) / DAY_S {
        0 => "under a day",
        1..=2 => "1 to 3 days",
        3..=5 => "3 to 6 days",
        _ => "6 days and more",
    }
}

fn weekday(input: &ForecastInput) -> &'static str {
    const NAMES: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    let start_s = input.past.time_s(input.past.len());
    if input.past.start_s < CALENDAR_FROM_S {
        return "unknown";
    }
    usize::try_from((start_s / DAY_S).rem_euclid(7)).ok().and_then(|day| NAMES.get(day)).copied().unwrap_or("unknown")
}

fn burstiness(seen: &[f32]) -> &'static str {
    let level = |level| quantile(seen, level).unwrap_or(0.0);
    let (median, high) = (level(0.5), level(0.99));
    match high / median {
        ratio if ratio <= 1.3 => "steady",
        ratio if ratio <= 3.0 => "uneven",
        _ if high <= 0.0 => "steady",
        _ => "bursty",
    }
}

/// In this order, the first that fits: idle (half of it at 0), short (less than two seasons), rhythmic (a season explains a
/// quarter of the variance), drifting (the last third is a quarter above or below the first), irregular.
fn class(past: &Series, seen: &[f32]) -> &'static str {
    if seen.iter().filter(|value| **value == 0.0).count() * 2 >= seen.len() {
        return "idle";
    }
    let begin = past.values.iter().position(|value| value.is_finite()).unwrap_or(0);
    let grid = &past.values[begin..];
    let season = season_steps(&fill(grid), past.step_s);
    if seen.len() < 2 * season.max(12) {
        return "short";
    }
    if season > 1 && explained(grid, season) >= 0.25 {
        return "rhythmic";
    }
    let third = seen.len() / 3;
    let (first, last) = (mean(&seen[..third]), mean(&seen[seen.len() - third..]));
    if (last - first).abs() > 0.25 * first.abs() { "drifting" } else { "irregular" }
}

/// Part of the variance that goes with the time of the season; corrected for what pure noise would show. Gaps stay where they are
/// on the grid: squeezed out, they would move all that follows to another time of the season.
#[allow(clippy::cast_precision_loss, reason = "a count of steps")]
fn explained(grid: &[f32], season: usize) -> f64 {
    let present = |phase: usize, every: usize| {
        let values = grid.iter().skip(phase).step_by(every).copied();
        values.filter(|value| value.is_finite()).collect::<Vec<f32>>()
    };
    let (seen, at) = (present(0, 1), |phase: usize| present(phase, season));
    let whole = mean(&seen);
    let total: f64 = seen.iter().map(|value| (f64::from(*value) - whole).powi(2)).sum();
    let between: f64 = (0..season).map(at).map(|values| (mean(&values) - whole).powi(2) * values.len() as f64).sum();
    let by_chance = season as f64 / seen.len() as f64;
    if total > 0.0 { (between / total - by_chance) / (1.0 - by_chance) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use apportion_core::Series;

    fn check(values: Vec<f32>, start_s: i64, expect: [&str; 5]) {
        let past = Series { start_s, step_s: 300, values };
        let input = ForecastInput { workload: "w".into(), metric: "m".into(), past, announced: Vec::new() };
        let found = groups(&input);
        let names: Vec<&str> = found[1..].iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, expect);
    }

    #[test]
    fn series_fall_into_groups_by_what_they_show() {
        // 24 November 2026 is a Tuesday; three days of steps later it is Friday.
        let tuesday_s = 1_795_478_400;
        let wave = |t: usize| 20.0 + 15.0 * (t as f32 / 288.0 * std::f32::consts::TAU).sin();
        check((0..864).map(wave).collect(), tuesday_s, ["1e+01", "3 to 6 days", "Friday", "uneven", "rhythmic"]);
        // A week of it, one value in ten missing where a hash says so, after a gap; the first value is there.
        let is_missing = |t: usize| t < 100 || (t as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 & 0xFF < 26;
        let gaps = (0..2_016).map(|t| if t != 100 && is_missing(t) { f32::NAN } else { wave(t) });
        check(gaps.collect(), tuesday_s, ["1e+01", "3 to 6 days", "Tuesday", "uneven", "rhythmic"]);
        check(vec![0.0; 100], 0, ["zero", "under a day", "unknown", "steady", "idle"]);
        check((0..2_016).map(|t| t as f32).collect(), 0, ["1e+03", "6 days and more", "unknown", "uneven", "drifting"]);
        let burst = |t: usize| if t.is_multiple_of(50) { 9.0 } else { 0.01 + ((t * 7_919) % 13) as f32 / 1e4 };
        check((0..600).map(burst).collect(), 0, ["1e-01", "1 to 3 days", "unknown", "bursty", "irregular"]);
    }
}
