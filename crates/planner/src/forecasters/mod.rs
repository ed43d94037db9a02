//! The simple forecasters, each in a file with its formula. A [`Rule`] sees a prepared past and gives nine quantiles a step;
//! [`Simple`] makes a [`Forecaster`] of it: repaired, floored, with announced factors applied.

mod direct;
mod ets;
mod mstl;
mod past;
mod profile;
mod recent;
mod seasonal_naive;
mod transformer;
mod walk;

pub use direct::Direct;
pub use ets::Ets;
pub use mstl::Mstl;
pub use past::Past;
pub(crate) use past::floor;
pub use profile::Profile;
pub use recent::Recent;
pub use seasonal_naive::SeasonalNaive;
pub use transformer::{Bolt, Transformer, Tuned};
pub use walk::Walk;

use apportion_core::{Forecast, Forecaster, traits::ForecastInput};

/// Nine quantiles, at [`apportion_core::LEVELS`].
pub type Row = [f32; 9];

/// One way of forecasting one series.
pub trait Rule: Send + Sync {
    /// Name as given to `--model` and shown with every forecast.
    fn name(&self) -> &'static str;
    /// Quantiles of the next `horizon` steps, oldest first; `past` has at least one value.
    fn rows(&self, past: &Past, horizon: usize) -> Vec<Row>;
}

/// A rule as a forecaster.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simple<R>(pub R);

impl<R: Rule> Forecaster for Simple<R> {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        let one = |input: &ForecastInput| {
            let past = Past::new(&input.past);
            let rows = if past.filled.is_empty() { vec![[0.0; 9]; horizon] } else { self.0.rows(&past, horizon) };
            finish(input, self.0.name(), rows, past.floor)
        };
        inputs.iter().map(one).collect()
    }
}

/// The forecast of an input from its rows: announced factors applied, nothing below `floor`.
#[must_use]
pub(crate) fn finish(input: &ForecastInput, by: &str, mut rows: Vec<Row>, floor: f32) -> Forecast {
    for (row, factor) in rows.iter_mut().zip(&input.announced) {
        row.iter_mut().for_each(|value| *value *= factor);
    }
    let start_s = input.past.time_s(input.past.len());
    Forecast::new(start_s, input.past.step_s, by, rows, floor)
}

/// A quantile function in nine levels of a normal distribution, standard.
pub(crate) const NORMAL: [f32; 9] =
    [-1.281_551_6, -0.841_621_2, -0.524_400_5, -0.253_347_1, 0.0, 0.253_347_1, 0.524_400_5, 0.841_621_2, 1.281_551_6];

/// The nine quantiles of unsorted finite values; `None` where there is none.
pub(crate) fn nine(values: &mut [f32]) -> Option<Row> {
    values.sort_unstable_by(f32::total_cmp);
    let mut row = [0.0; 9];
    for (place, level) in row.iter_mut().zip(apportion_core::LEVELS) {
        *place = apportion_core::stats::quantile_sorted(values, level)?;
    }
    Some(row)
}

#[cfg(test)]
mod tests;
