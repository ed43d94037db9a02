//! What a metric is expected to be: nine quantiles a step. Never crossing, never NaN.

use crate::Time;
use serde::{Deserialize, Serialize};

/// The quantile levels of every forecast.
pub const LEVELS: [f32; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// Quantiles of a metric at `start_s`, `start_s + step_s`, ..., in the metric's own unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Time of the first step, seconds since 1970.
    pub start_s: i64,
    /// Seconds between steps; at least 1.
    pub step_s: u32,
    /// Which forecaster made it ("mstl", "seasonal-naive", ...).
    pub by: String,
    /// Its back-test score relative to seasonal naive (weighted quantile loss; below 1 is better), where there is one.
    #[serde(default)]
    pub score: Option<f32>,
    quantiles: Vec<[f32; 9]>,
}

impl Forecast {
    /// Makes a forecast of whatever was computed: a value that is not finite takes its neighbour's (or 0), levels are put
    /// in ascending order, and nothing is below `floor` (0 for usage; negative infinity for a metric that may be negative).
    #[must_use]
    pub fn new(start_s: i64, step_s: u32, by: &str, mut quantiles: Vec<[f32; 9]>, floor: f32) -> Self {
        let mut before = [floor.max(0.0); 9];
        for row in &mut quantiles {
            repair(row, &before, floor);
            before = *row;
        }
        Self { start_s, step_s: step_s.max(1), by: by.to_owned(), score: None, quantiles }
    }
    /// With its back-test score.
    #[must_use]
    pub fn with_score(self, score: Option<f32>) -> Self {
        Self { score, ..self }
    }
    /// Nine quantiles a step.
    #[must_use]
    pub fn quantiles(&self) -> &[[f32; 9]] {
        &self.quantiles
    }
    /// Number of steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.quantiles.len()
    }
    /// True when there is no step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.quantiles.is_empty()
    }
    /// Time of step `index`, seconds since 1970.
    #[must_use]
    pub fn time_s(&self, index: usize) -> i64 {
        self.start_s + i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(i64::from(self.step_s))
    }
    /// The step in force at `now`: the first one that ends at or after it; `None` when the forecast has run out.
    #[must_use]
    pub fn index_at(&self, now: Time) -> Option<usize> {
        let ahead_s = u64::try_from(now.s() - self.start_s).unwrap_or(0);
        let index = usize::try_from(ahead_s.div_ceil(u64::from(self.step_s))).ok()?;
        (index < self.len()).then_some(index)
    }
    /// The value of `level` at step `index`, linear between the nine levels and flat beyond them.
    #[must_use]
    pub fn at(&self, index: usize, level: f32) -> Option<f32> {
        self.quantiles.get(index).map(|row| interpolate(row, level))
    }
}

fn repair(row: &mut [f32; 9], before: &[f32; 9], floor: f32) {
    for (value, old) in row.iter_mut().zip(before) {
        if !value.is_finite() {
            *value = *old;
        }
        *value = value.max(floor);
    }
    row.sort_by(f32::total_cmp);
}

/// The value of `level` in one row of nine.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of nine")]
pub fn interpolate(row: &[f32; 9], level: f32) -> f32 {
    let place = ((level - LEVELS[0]) * 10.0).clamp(0.0, 8.0);
    let low = (place.floor() as usize).min(7);
    row[low] + (row[low + 1] - row[low]) * (place - place.floor().min(7.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repairs_crossing_missing_and_negative() {
        let mut row = [1.0; 9];
        row[0] = 5.0;
        row[1] = f32::NAN;
        row[2] = -3.0;
        let forecast = Forecast::new(0, 60, "test", vec![row], 0.0);
        let made = forecast.quantiles()[0];
        assert!(made.windows(2).all(|pair| pair[0] <= pair[1]), "{made:?}");
        assert_eq!((made[0], made[8]), (0.0, 5.0));
    }

    #[test]
    fn interpolates_between_levels_and_is_flat_beyond() {
        let row: [f32; 9] = std::array::from_fn(|k| LEVELS[k] * 10.0);
        for (level, value) in [(0.0, 1.0), (0.1, 1.0), (0.55, 5.5), (0.9, 9.0), (0.99, 9.0)] {
            assert!((interpolate(&row, level) - value).abs() < 1e-4, "{level}");
        }
    }

    #[test]
    fn finds_the_step_in_force() {
        let forecast = Forecast::new(60, 60, "test", vec![[1.0; 9]; 3], 0.0);
        for (now, index) in [(0, Some(0)), (60, Some(0)), (61, Some(1)), (180, Some(2)), (181, None)] {
            assert_eq!(forecast.index_at(Time::from_s(now)), index, "{now}");
        }
    }
}
