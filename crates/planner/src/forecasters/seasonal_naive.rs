//! Seasonal naive: the last season again, `y[t+h] = x[t+h-s*k]` with `k` the least that reaches back to what is known; quantiles
//! are normal, with the standard deviation of `x[i] - x[i-s]` times the root of the number of seasons ahead. The reference that
//! every score is relative to, so it is kept as the field defines it (Hyndman and Athanasopoulos, *Forecasting*, 5.2 and 5.5).

use super::{NORMAL, Past, Row, Rule};

/// The last season again.
#[derive(Clone, Copy, Debug, Default)]
pub struct SeasonalNaive;

impl Rule for SeasonalNaive {
    fn name(&self) -> &'static str {
        "seasonal-naive"
    }
    #[allow(clippy::cast_precision_loss, reason = "seasons ahead")]
    fn rows(&self, past: &Past, horizon: usize) -> Vec<Row> {
        let season = past.season.min(past.filled.len()).max(1);
        let last = &past.filled[past.filled.len() - season..];
        let spread = spread(&past.filled, season);
        let row = |step: usize| {
            let wide = spread * ((step / season + 1) as f32).sqrt();
            NORMAL.map(|z| last[step % season] + wide * z)
        };
        (0..horizon).map(row).collect()
    }
}

/// Population standard deviation of the seasonal differences; 0 where there is none.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a spread of f32 is an f32")]
fn spread(filled: &[f32], season: usize) -> f32 {
    let differences = || filled[season..].iter().zip(filled).map(|(now, then)| f64::from(*now) - f64::from(*then));
    let count = (filled.len() - season).max(1) as f64;
    let mean = differences().sum::<f64>() / count;
    (differences().map(|difference| (difference - mean).powi(2)).sum::<f64>() / count).sqrt() as f32
}
