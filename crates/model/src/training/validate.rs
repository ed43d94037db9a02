//! Scores on held-out series: weighted quantile loss relative to seasonal naive, geometric mean over cuts, by group.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::TrainSeries;
use crate::score::{recent_quantiles, seasonal_naive, weighted_quantile_loss};
use crate::telemetry::{SeriesInput, TelemetryModel};

const CUTS_A_GROUP: usize = 60;
/// (context, horizon) as the benchmark has them.
const TASKS: [(usize, usize); 2] = [(2016, 288), (512, 64)];

struct Cut<'a> {
    group: String,
    history: &'a [f32],
    truth: &'a [f32],
    step_s: u32,
    end_time_s: Option<i64>,
}

/// One line: per group `group context (cuts) model recent 64` and the shares of truths below q0.1 and q0.9, then the
/// geometric means over groups; `None` where no held-out series is long enough to judge by.
#[must_use]
pub fn validate(model: &TelemetryModel, held: &[TrainSeries], threads: usize) -> Option<String> {
    let mut text = String::new();
    let mut all = [Vec::new(), Vec::new()];
    for (context, horizon) in TASKS {
        for (group, cuts) in cuts(held, context, horizon) {
            let [ours, recent, below, above] = score(model, &cuts, horizon, threads);
            let count = cuts.len();
            let _ =
                write!(text, "{group} {context} ({count}) {ours:.3} recent {recent:.3} cover {below:.2}/{above:.2}; ");
            all[0].push(ours.ln());
            all[1].push(recent.ln());
        }
    }
    if all[0].is_empty() {
        return None;
    }
    let [ours, recent] = all.map(|logs| (logs.iter().sum::<f64>() / logs.len().max(1) as f64).exp());
    let _ = write!(text, "mean {ours:.4} recent {recent:.4}");
    Some(text)
}

fn cuts(held: &[TrainSeries], context: usize, horizon: usize) -> BTreeMap<String, Vec<Cut<'_>>> {
    let mut by_group = BTreeMap::<String, Vec<Cut<'_>>>::new();
    for series in held {
        let n = series.values.len();
        let origins: &[f64] = if n > 3 * (context + horizon) { &[0.5, 1.0] } else { &[1.0] };
        for share in origins.iter().filter(|_| n >= context + horizon) {
            let origin = context + ((n - context - horizon) as f64 * share) as usize;
            let (history, truth) = (&series.values[origin - context..origin], &series.values[origin..origin + horizon]);
            let varied = history.iter().any(|x| x.is_finite() && *x != history[0]);
            if !varied || !truth.iter().all(|x| x.is_finite()) || history.iter().any(|x| !x.is_finite()) {
                continue;
            }
            let end_time_s = series.start_time_s.map(|start| start + (origin as i64 - 1) * i64::from(series.step_s));
            let cut = Cut { group: series.group.clone(), history, truth, step_s: series.step_s, end_time_s };
            by_group.entry(cut.group.clone()).or_default().push(cut);
        }
    }
    by_group.into_iter().map(|(group, cuts)| (group, thin(cuts))).collect()
}

fn thin(cuts: Vec<Cut<'_>>) -> Vec<Cut<'_>> {
    let every = cuts.len().div_ceil(CUTS_A_GROUP).max(1);
    cuts.into_iter().step_by(every).collect()
}

/// Relative WQL of the model and of the last 64 values, and the shares of truths at or below q0.1 and q0.9.
fn score(model: &TelemetryModel, cuts: &[Cut<'_>], horizon: usize, threads: usize) -> [f64; 4] {
    let inputs: Vec<SeriesInput<'_>> = cuts
        .iter()
        .map(|cut| SeriesInput {
            values: cut.history,
            step_s: cut.step_s,
            end_time_s: cut.end_time_s,
            season_steps: None,
            future_multiplier: None,
        })
        .collect();
    let forecasts = model.forecast_batch(&inputs, horizon, threads);
    let (mut ours, mut recent, mut counted) = (0.0, 0.0, 0.0_f64);
    let (mut below, mut above, mut points) = (0.0, 0.0, 0.0_f64);
    for (cut, forecast) in cuts.iter().zip(&forecasts) {
        let season = season_of(cut.step_s, cut.history.len());
        let last = recent_quantiles(cut.history, 64);
        let wql = |levels: &dyn Fn(usize) -> [f32; 9]| weighted_quantile_loss(cut.truth, levels);
        let row = |step: usize| std::array::from_fn(|level| forecast.at(step)[level]);
        let (Some(base), Some(model), Some(simple)) =
            (wql(&|step| seasonal_naive(cut.history, season, step)), wql(&row), wql(&|_| last))
        else {
            continue;
        };
        if base > 0.0 {
            ours += (model / base).clamp(1e-2, 1e2).ln();
            recent += (simple / base).clamp(1e-2, 1e2).ln();
            counted += 1.0;
        }
        for (step, y) in cut.truth.iter().enumerate() {
            let levels = forecast.at(step);
            below += f64::from(u8::from(*y <= levels[0]));
            above += f64::from(u8::from(*y <= levels[8]));
            points += 1.0;
        }
    }
    [
        (ours / counted.max(1.0)).exp(),
        (recent / counted.max(1.0)).exp(),
        below / points.max(1.0),
        above / points.max(1.0),
    ]
}

/// One day in steps where the context holds two of them, else one hour, else 1.
fn season_of(step_s: u32, length: usize) -> usize {
    [86_400, 3_600].into_iter().map(|span| (span / step_s) as usize).find(|s| *s > 1 && length >= 2 * s).unwrap_or(1)
}
