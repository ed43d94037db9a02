//! A past, prepared once for all rules.

use crate::{
    prepare::{SHORT_GAP_S, bridge, fill},
    season::season_steps,
};
use apportion_core::Series;

/// What is not forecast below: 0 where the past never was, else negative infinity.
pub(crate) fn floor(past: &Series) -> f32 {
    if past.present().all(|value| value >= 0.0) { 0.0 } else { f32::NEG_INFINITY }
}

/// A series as the rules see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// Values with short gaps bridged; long ones are NaN.
    pub values: Vec<f32>,
    /// Values without gaps; empty where nothing is there.
    pub filled: Vec<f32>,
    /// Steps in a season; 1 where there is none.
    pub season: usize,
    /// Nothing is forecast below this: 0 where the past never was, else negative infinity.
    pub floor: f32,
}

impl Past {
    /// Prepares a series.
    #[must_use]
    pub fn new(series: &Series) -> Self {
        let mut values = series.values.clone();
        bridge(&mut values, (SHORT_GAP_S / series.step_s.max(1)).max(2) as usize);
        let filled = fill(&values);
        let floor = floor(series);
        let season = season_steps(&filled, series.step_s);
        Self { values, filled, season, floor }
    }
    /// The values of the last `steps` steps that are there; those of all steps where there are none in these.
    #[must_use]
    pub fn last_present(&self, steps: usize) -> Vec<f32> {
        let present = |values: &[f32]| values.iter().copied().filter(|value| value.is_finite()).collect::<Vec<_>>();
        let last = present(&self.values[self.values.len().saturating_sub(steps)..]);
        if last.is_empty() { present(&self.values) } else { last }
    }
    /// The last value there is; 0 where there is none.
    #[must_use]
    pub fn last(&self) -> f32 {
        self.filled.last().copied().unwrap_or(0.0)
    }
}
