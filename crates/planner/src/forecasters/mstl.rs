//! MSTL (augurs): the season is taken out by LOESS, the last of the rest is forecast by exponential smoothing, the last season put back.
//! Outliers drawn in; what comes out is held to the range of the past. Without two seasons it is exponential smoothing.

use super::{
    Ets, Past, Row, Rule,
    ets::{FITTED, hold, is_constant, model, rows},
};
use crate::prepare::clamp_outliers;
use augurs::{
    Fit, Predict,
    mstl::{FittedTrendModel, MSTLModel, TrendModel},
};
use std::{borrow::Cow, error::Error};

/// Season and trend by LOESS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mstl;

impl Rule for Mstl {
    fn name(&self) -> &'static str {
        "mstl"
    }
    fn rows(&self, past: &Past, horizon: usize) -> Vec<Row> {
        let mut values = past.filled.clone();
        clamp_outliers(&mut values);
        let seasonal = past.season > 1 && values.len() >= 2 * past.season && !is_constant(&values);
        let rows = seasonal.then(|| decompose(&values, past.season, horizon)).flatten();
        rows.map_or_else(|| Ets.rows(past, horizon), |rows| hold(rows, &values))
    }
}

fn decompose(values: &[f32], season: usize, horizon: usize) -> Option<Vec<Row>> {
    let unit = values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let scaled: Vec<f64> = values.iter().map(|value| f64::from(*value / unit)).collect();
    let model = MSTLModel::new(vec![season], Last(model()?.into_trend_model()));
    let forecast = model.fit(&scaled).ok()?.predict(horizon, 0.8).ok()?;
    rows(&forecast, unit)
}

/// A trend model that sees the last values only, as [`Ets`] does: nine tenths of a forecast went into the others.
#[derive(Debug)]
struct Last<T>(T);

impl<T: TrendModel> TrendModel for Last<T> {
    fn name(&self) -> Cow<'_, str> {
        self.0.name()
    }
    fn fit(&self, y: &[f64]) -> Result<Box<dyn FittedTrendModel + Sync + Send>, Box<dyn Error + Send + Sync>> {
        self.0.fit(&y[y.len().saturating_sub(FITTED)..])
    }
}
