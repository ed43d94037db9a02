//! What 8-bit products cost: `cargo run --release -p apportion --example precision -- [--horizon N] [--context N] TRACE...`.
//!
//! Each series is forecast from three ends, a horizon apart, by the shipped weights in 8 bits and in f32. Printed per
//! trace: the weighted quantile loss of each relative to seasonal naive, and of one to the other; geometric means over forecasts.
//! Where the processor has no AVX-512 VNNI both are f32, and the same.

#![allow(clippy::print_stdout, reason = "an example")]

use anyhow::Context as _;
use apportion_host::trace::Trace;
use apportion_model::{
    score::{seasonal_naive, weighted_quantile_loss},
    telemetry::{Precision, QuantileForecast, SeriesInput, TelemetryModel},
};
use std::path::Path;

/// Ends a series.
const ENDS: usize = 3;
/// What seasonal naive repeats where a history holds two of it; else the last value.
const DAY_S: u32 = 86_400;
/// A loss that vanishes beside seasonal naive's counts as this part of it.
const FLOOR: f64 = 1e-3;

struct Cut {
    history: Vec<f32>,
    truth: Vec<f32>,
    step_s: u32,
}

fn main() -> anyhow::Result<()> {
    let (mut horizon, mut context, mut traces) = (288, 2_016, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|it| it.parse().ok()).with_context(|| format!("{argument} N"));
        match argument.as_str() {
            "--horizon" => horizon = number()?,
            "--context" => context = number()?,
            _ => traces.push(argument),
        }
    }
    let model = TelemetryModel::embedded()?;
    let models = [model.clone(), model.with_precision(Precision::F32)];
    println!("| trace | forecasts | 8 bits | f32 | 8 bits / f32 |\n|---|--:|--:|--:|--:|");
    for path in &traces {
        let cuts = cuts(&Trace::read(Path::new(path))?, context, horizon);
        let [eight, full] = models.each_ref().map(|model| logs(model, &cuts, horizon));
        let pairs: Vec<(f64, f64)> = eight.into_iter().zip(full).filter_map(|(a, b)| Some((a?, b?))).collect();
        let mean = |of: fn(&(f64, f64)) -> f64| (pairs.iter().map(of).sum::<f64>() / pairs.len().max(1) as f64).exp();
        let (eight, full, ratio) = (mean(|(a, _)| *a), mean(|(_, b)| *b), mean(|(a, b)| a - b));
        println!("| {path} | {} | {eight:.4} | {full:.4} | {ratio:.4} |", pairs.len());
    }
    Ok(())
}

fn cuts(trace: &Trace, context: usize, horizon: usize) -> Vec<Cut> {
    let mut all = Vec::new();
    for series in trace.iter().map(|(_, _, series)| series.series()) {
        let ends = (1..=ENDS).map_while(|back| series.len().checked_sub(back * horizon));
        all.extend(ends.filter(|end| *end >= horizon).map(|end| Cut {
            history: series.values[end.saturating_sub(context)..end].to_vec(),
            truth: series.values[end..end + horizon].to_vec(),
            step_s: series.step_s,
        }));
    }
    all
}

/// Per cut the log of the loss relative to seasonal naive; none where that has no loss, or nothing was seen.
fn logs(model: &TelemetryModel, cuts: &[Cut], horizon: usize) -> Vec<Option<f64>> {
    let inputs = cuts.iter().map(|Cut { history, step_s, .. }| SeriesInput {
        values: history,
        step_s: *step_s,
        end_time_s: None,
        season_steps: None,
        future_multiplier: None,
    });
    let inputs: Vec<SeriesInput<'_>> = inputs.collect();
    let made = model.forecast_batch(&inputs, horizon, 2);
    let log = |(cut, made): (&Cut, &QuantileForecast)| {
        let season = usize::try_from(DAY_S / cut.step_s.max(1)).ok().filter(|day| cut.history.len() >= 2 * day);
        let ours = weighted_quantile_loss(&cut.truth, |step| std::array::from_fn(|level| made.at(step)[level]))?;
        let naive = weighted_quantile_loss(&cut.truth, |step| seasonal_naive(&cut.history, season.unwrap_or(1), step))?;
        (naive > 0.0).then(|| (ours / naive).max(FLOOR).ln())
    };
    cuts.iter().zip(&made).map(log).collect()
}
