//! Fine-tuning: a short training on a user's own series, judged on the last tenth of their time, which it does not see.

use super::windows::TRAINED_SHARE;
use super::{Mixture, Progress, Schedule, TrainConfig, TrainSeries, TrainSet, Trainer};
use crate::score::weighted_quantile_loss;
use crate::telemetry::{SeriesInput, TelemetryModel};

/// How to fine-tune.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TuneConfig {
    /// Steps; 200 to 2,000 are minutes on two cores.
    pub steps: u64,
    /// The highest learning rate.
    pub peak: f32,
    /// Share of windows from synthetic series, so that what is general is not forgotten.
    pub replay: f32,
    /// Seed of every draw.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
}

impl Default for TuneConfig {
    fn default() -> Self {
        Self { steps: 400, peak: 1e-4, replay: 0.5, seed: 1, threads: 2 }
    }
}

/// What fine-tuning changed for one group of series, on the last tenth of their time.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupOutcome {
    /// The group, as in [`TrainSeries::group`].
    pub group: String,
    /// Forecasts compared.
    pub forecasts: usize,
    /// Geometric mean of (weighted quantile loss after / before); below 1 the tuned weights win.
    pub ratio: f64,
}

/// Most steps forecast in judging.
const HORIZON: usize = 64;
/// Most values of history in judging.
const CONTEXT: usize = 2016;
/// Bounds of one ratio, so that one series cannot decide alone.
const BOUNDS: (f64, f64) = (0.1, 10.0);

/// Trains `model` further on `set` and compares the result with it, group by group (in the order of their names). The
/// caller keeps the tuned weights for the groups where they win and the old ones elsewhere.
pub fn tune(
    model: &TelemetryModel,
    set: &TrainSet,
    config: &TuneConfig,
    mut progress: impl FnMut(&Progress),
) -> (TelemetryModel, Vec<GroupOutcome>) {
    let schedule =
        Schedule { peak: config.peak, end: 0.0, steps: config.steps, warm_up_steps: config.steps / 20 + 1, decay: 0.5 };
    let mixture = Mixture { synthetic: config.replay, ..Mixture::default() };
    let train = TrainConfig { model: model.config(), schedule, mixture, seed: config.seed, ..TrainConfig::default() };
    let mut trainer = Trainer::from_model(model, &train, set, config.threads);
    while let Some(step) = trainer.step() {
        progress(&step);
    }
    let tuned = trainer.model();
    let outcomes = compare(model, &tuned, set, config.threads);
    (tuned, outcomes)
}

/// The weighted quantile loss of `new` over that of `old` on the last tenth of every series.
fn compare(old: &TelemetryModel, new: &TelemetryModel, set: &TrainSet, threads: usize) -> Vec<GroupOutcome> {
    let cuts: Vec<(&TrainSeries, usize)> =
        set.series.iter().filter_map(|series| Some((series, cut(series)?))).collect();
    let inputs: Vec<SeriesInput<'_>> = cuts.iter().map(|(series, origin)| input(series, *origin)).collect();
    let [before, after] = [old, new].map(|model| model.forecast_batch(&inputs, HORIZON, threads));
    let mut by_group = std::collections::BTreeMap::<&str, (usize, f64)>::new();
    for ((series, origin), (before, after)) in cuts.iter().zip(before.iter().zip(&after)) {
        let truth = &series.values[*origin..series.values.len().min(origin + HORIZON)];
        let loss = |forecast: &crate::telemetry::QuantileForecast| {
            weighted_quantile_loss(truth, |step| std::array::from_fn(|level| forecast.at(step)[level]))
        };
        if let (Some(before), Some(after)) = (loss(before).filter(|loss| *loss > 0.0), loss(after)) {
            let entry = by_group.entry(&series.group).or_default();
            entry.0 += 1;
            entry.1 += (after / before).clamp(BOUNDS.0, BOUNDS.1).ln();
        }
    }
    let outcome = |(group, (forecasts, sum)): (&str, (usize, f64))| GroupOutcome {
        group: group.to_owned(),
        forecasts,
        ratio: (sum / forecasts as f64).exp(),
    };
    by_group.into_iter().map(outcome).collect()
}

/// Where the judged part of a series begins; `None` for one too short to judge by.
fn cut(series: &TrainSeries) -> Option<usize> {
    let origin = (series.values.len() as f32 * TRAINED_SHARE) as usize;
    (series.values.len() >= origin + 8 && origin >= 64).then_some(origin)
}

fn input(series: &TrainSeries, origin: usize) -> SeriesInput<'_> {
    SeriesInput {
        values: &series.values[origin.saturating_sub(CONTEXT)..origin],
        step_s: series.step_s,
        end_time_s: series.start_time_s.map(|start| start + (origin as i64 - 1) * i64::from(series.step_s)),
        season_steps: None,
        future_multiplier: None,
    }
}
