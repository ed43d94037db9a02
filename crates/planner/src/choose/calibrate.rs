//! Conformal calibration: each quantile is shifted by what the back-test says it was off by, in units of the fan's width, per
//! stretch of the horizon (near, middle, far). With few ends the shift is drawn towards none.

use super::backtest::{clearly_below, relative_loss};
use crate::forecasters::Row;
use apportion_core::{LEVELS, stats::quantile};

/// Where the stretches end, as eighths of the horizon.
const STRETCHES: [usize; 3] = [1, 4, 8];
/// No shift counts as so many ends.
const PRIOR_ENDS: f32 = 2.0;
/// A shift is at most this many widths of the fan.
const MOST: f32 = 2.0;

/// Shifts of the nine quantiles per stretch of the horizon, in widths of the fan.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Calibration {
    shifts: [Row; STRETCHES.len()],
}

impl Calibration {
    /// From what was said and what came, per end of the back-test. Each end is also shifted by what the other ends say; where that
    /// does not clearly lower the loss, nothing is shifted.
    #[must_use]
    pub fn fit(said: &[Vec<Row>], truth: &[&[f32]]) -> Self {
        let ends: Vec<(&[Row], &[f32])> = said.iter().map(Vec::as_slice).zip(truth.iter().copied()).collect();
        let changes: Vec<f32> = (0..ends.len())
            .map(|out| {
                let others: Vec<_> = ends.iter().enumerate().filter(|(k, _)| *k != out).map(|(_, end)| *end).collect();
                let mut rows = ends[out].0.to_vec();
                Self::of(&others).apply(&mut rows);
                relative_loss(&rows, ends[out].0, ends[out].1)
            })
            .collect();
        if clearly_below(&changes, &vec![0.0; changes.len()]) { Self::of(&ends) } else { Self::default() }
    }

    #[allow(clippy::cast_precision_loss, reason = "a count of few")]
    fn of(ends: &[(&[Row], &[f32])]) -> Self {
        let trust = ends.len() as f32 / (ends.len() as f32 + PRIOR_ENDS);
        let shift = |stretch: usize, level: usize| {
            let off = ends.iter().flat_map(|(rows, truth)| {
                let steps = rows.iter().zip(*truth).enumerate();
                let here = steps.filter(move |(step, _)| stretch_of(*step, rows.len()) == stretch);
                here.filter_map(move |(_, (row, y))| off_by(row, level, *y))
            });
            let off: Vec<f32> = off.collect();
            trust * quantile(&off, LEVELS[level]).unwrap_or(0.0).clamp(-MOST, MOST)
        };
        Self { shifts: std::array::from_fn(|stretch| std::array::from_fn(|level| shift(stretch, level))) }
    }

    /// Shifts rows in place; keeps their order.
    pub fn apply(&self, rows: &mut [Row]) {
        let horizon = rows.len();
        for (step, row) in rows.iter_mut().enumerate() {
            let (width, shifts) = (width(row), &self.shifts[stretch_of(step, horizon)]);
            row.iter_mut().zip(shifts).for_each(|(value, shift)| *value += shift * width);
            row.sort_unstable_by(f32::total_cmp);
        }
    }
}

fn stretch_of(step: usize, horizon: usize) -> usize {
    STRETCHES.iter().position(|eighths| step * 8 < eighths * horizon).unwrap_or(STRETCHES.len() - 1)
}

/// How far apart the lowest and the highest quantile are.
pub(crate) fn width(row: &Row) -> f32 {
    row[8] - row[0]
}

/// How far the truth is from a quantile, in widths of the fan; `None` where either says nothing.
pub(crate) fn off_by(row: &Row, level: usize, truth: f32) -> Option<f32> {
    let off = (truth - row[level]) / width(row);
    (width(row) > 0.0 && off.is_finite()).then_some(off)
}
