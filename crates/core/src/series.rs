//! A metric over time on a regular grid. A gap is NaN.

use crate::{Time, Window, stats};
use serde::{Deserialize, Serialize};

/// Values at `start_s`, `start_s + step_s`, ...; the value at `t` is the mean over the step that ends at `t`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Time of the first value, seconds since 1970.
    pub start_s: i64,
    /// Seconds between values; at least 1.
    pub step_s: u32,
    /// Values in the metric's own unit; NaN is a gap.
    pub values: Vec<f32>,
}

impl Series {
    /// A series that is all gap over a window.
    #[must_use]
    pub fn gap(window: Window) -> Self {
        Self { start_s: window.from_s, step_s: window.step_s, values: vec![f32::NAN; window.len()] }
    }
    /// Number of grid points, gaps included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }
    /// True when there is no grid point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
    /// Time of grid point `index`, seconds since 1970.
    #[must_use]
    pub fn time_s(&self, index: usize) -> i64 {
        self.start_s + i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(i64::from(self.step_s))
    }
    /// Time of the last grid point, or of the start when empty.
    #[must_use]
    pub fn end(&self) -> Time {
        Time::from_s(self.time_s(self.len().saturating_sub(1)))
    }
    /// The values that are there, in order.
    pub fn present(&self) -> impl Iterator<Item = f32> + '_ {
        self.values.iter().copied().filter(|value| value.is_finite())
    }
    /// The last `steps` values as a series of their own.
    #[must_use]
    pub fn tail(&self, steps: usize) -> Self {
        let from = self.len().saturating_sub(steps);
        Self { start_s: self.time_s(from), step_s: self.step_s, values: self.values[from..].to_vec() }
    }
    /// Quantile of the values that are there; `None` when there are none.
    #[must_use]
    pub fn quantile(&self, level: f32) -> Option<f32> {
        let mut sorted: Vec<f32> = self.present().collect();
        sorted.sort_by(f32::total_cmp);
        stats::quantile_sorted(&sorted, level)
    }
    /// Means over blocks of `factor` values, aligned to multiples of the coarser step; a block with no value is a gap.
    #[must_use]
    pub fn coarser(&self, factor: usize) -> Self {
        let step_s = self.step_s.saturating_mul(u32::try_from(factor.max(1)).unwrap_or(u32::MAX));
        let phase = self.start_s.rem_euclid(i64::from(step_s)) / i64::from(self.step_s.max(1));
        let skip = if phase == 0 { 0 } else { factor - usize::try_from(phase).unwrap_or(0) };
        let blocks = self.values.get(skip..).unwrap_or_default().chunks_exact(factor.max(1));
        let values = blocks.map(|block| stats::mean(block).unwrap_or(f32::NAN)).collect();
        Self { start_s: self.time_s(skip), step_s, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarser_keeps_gaps_and_aligns() {
        let series = Series { start_s: 20, step_s: 10, values: vec![9.0, 1.0, 3.0, f32::NAN, 5.0, f32::NAN, f32::NAN] };
        let coarse = series.coarser(2);
        assert_eq!((coarse.start_s, coarse.step_s), (20, 20));
        assert_eq!(coarse.values[..2], [5.0, 3.0]);
        let odd = Series { start_s: 10, ..series }.coarser(2);
        assert_eq!((odd.start_s, odd.values[0], odd.values.len()), (20, 2.0, 3));
        assert!(odd.values[2].is_nan());
    }

    #[test]
    fn quantile_skips_gaps() {
        let series = Series { start_s: 0, step_s: 1, values: vec![f32::NAN, 1.0, 3.0] };
        assert_eq!(series.quantile(0.5), Some(2.0));
        assert_eq!(Series::default().quantile(0.5), None);
    }
}
