//! Exponential smoothing (augurs), additive errors only: multiplicative ones can send intervals to 1e104. Of the last 512 values,
//! outliers drawn in. What comes out is held to the range of the past, widened by half of it, so that no trend runs away.

use super::{NORMAL, Past, Recent, Row, Rule};
use crate::prepare::clamp_outliers;
use augurs::{
    Fit, Forecast, Predict,
    ets::{AutoETS, AutoSpec},
};

/// The last values that are fitted: cost grows with them, skill does not.
pub(super) const FITTED: usize = 512;
/// Fewer are not worth a model.
const LEAST: usize = 16;
/// The interval that is asked for, and its half-width in standard deviations.
const INTERVAL: f64 = 0.8;
const INTERVAL_SIGMAS: f32 = 1.281_551_6;

/// Automatic exponential smoothing without a season.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ets;

impl Rule for Ets {
    fn name(&self) -> &'static str {
        "ets"
    }
    fn rows(&self, past: &Past, horizon: usize) -> Vec<Row> {
        let mut values = past.filled[past.filled.len().saturating_sub(FITTED)..].to_vec();
        clamp_outliers(&mut values);
        let rows = if values.len() < LEAST || is_constant(&values) { None } else { smooth(&values, horizon) };
        rows.map_or_else(|| Recent::SHORT.rows(past, horizon), |rows| hold(rows, &values))
    }
}

pub(super) fn is_constant(values: &[f32]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

/// The model that is tried: additive error, no or additive trend, no season.
pub(super) fn model() -> Option<AutoETS> {
    AutoSpec::try_from("AZN").ok().map(|spec| AutoETS::from_spec(1, spec))
}

fn smooth(values: &[f32], horizon: usize) -> Option<Vec<Row>> {
    // In units of the largest value: the optimiser's steps are absolute.
    let unit = values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let scaled: Vec<f64> = values.iter().map(|value| f64::from(*value / unit)).collect();
    let forecast = model()?.fit(&scaled).ok()?.predict(horizon, INTERVAL).ok()?;
    rows(&forecast, unit)
}

/// Normal quantiles from a point forecast with one interval, times `unit`.
#[allow(clippy::cast_possible_truncation, reason = "values are f32 outside")]
pub(super) fn rows(forecast: &Forecast, unit: f32) -> Option<Vec<Row>> {
    let intervals = forecast.intervals.as_ref()?;
    let points = forecast.point.iter().zip(intervals.lower.iter().zip(&intervals.upper));
    let row = |(point, (lower, upper)): (&f64, (&f64, &f64))| {
        let sigma = (upper - lower) as f32 / (2.0 * INTERVAL_SIGMAS);
        NORMAL.map(|z| (*point as f32 + sigma * z) * unit)
    };
    let rows: Vec<Row> = points.map(row).collect();
    rows.iter().flatten().all(|value| value.is_finite()).then_some(rows)
}

/// Holds rows to the range of `values`, widened by half of it to both sides.
pub(super) fn hold(mut rows: Vec<Row>, values: &[f32]) -> Vec<Row> {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let more = (high - low) / 2.0;
    rows.iter_mut().flatten().for_each(|value| *value = value.clamp(low - more, high + more));
    rows
}
