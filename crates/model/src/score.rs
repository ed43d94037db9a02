//! Scores of forecasts, as the benchmark defines them: weighted quantile loss relative to simple forecasts.

use crate::telemetry::{LEVELS, QUANTILES};

/// Weighted quantile loss: `2 Σ_{t,τ} ρ_τ(y_t − q) / (9 Σ_t |y_t|)`; missing truths are left out, `None` where Σ|y| is 0.
pub fn weighted_quantile_loss(truth: &[f32], levels: impl Fn(usize) -> [f32; LEVELS]) -> Option<f64> {
    let (mut loss, mut size) = (0.0_f64, 0.0_f64);
    for (step, y) in truth.iter().enumerate().filter(|(_, y)| y.is_finite()) {
        size += f64::from(y.abs());
        for (tau, q) in QUANTILES.iter().zip(levels(step)) {
            let (error, tau) = (f64::from(*y) - f64::from(q), f64::from(*tau));
            loss += 2.0 / LEVELS as f64 * (tau * error).max((tau - 1.0) * error);
        }
    }
    (size > 0.0).then(|| loss / size)
}

/// Quantiles of the last `count` values: the simple forecast to beat. Zeros where nothing is known.
pub fn recent_quantiles(history: &[f32], count: usize) -> [f32; LEVELS] {
    let mut last: Vec<f64> =
        history.iter().rev().filter(|x| x.is_finite()).take(count).map(|x| f64::from(*x)).collect();
    last.sort_unstable_by(f64::total_cmp);
    crate::telemetry::sorted_window::quantiles_of_sorted(&last).map_or([0.0; LEVELS], |levels| levels.map(|q| q as f32))
}

/// Seasonal naive with normal intervals from the in-sample seasonal differences: the denominator of relative scores.
pub fn seasonal_naive(history: &[f32], season: usize, step: usize) -> [f32; LEVELS] {
    const Z: [f64; LEVELS] = [
        -1.281_551_6,
        -0.841_621_2,
        -0.524_400_5,
        -0.253_347_1,
        0.0,
        0.253_347_1,
        0.524_400_5,
        0.841_621_2,
        1.281_551_6,
    ];
    let season = season.clamp(1, history.len().max(1));
    let point = history.get(history.len() - season + step % season).copied().unwrap_or(0.0);
    let differences = || history[season.min(history.len())..].iter().zip(history).map(|(a, b)| f64::from(a - b));
    let n = differences().count().max(1) as f64;
    let mean = differences().sum::<f64>() / n;
    let spread = (differences().map(|d| (d - mean).powi(2)).sum::<f64>() / n).sqrt();
    let ahead = ((step / season + 1) as f64).sqrt();
    Z.map(|z| (f64::from(point) + spread * ahead * z) as f32)
}
