//! Fine-tuning: a short training on a user's own series. What it is worth is for [`judge`](super::judge()) to say.

use std::ops::ControlFlow;

use super::{Mixture, Progress, Schedule, TrainConfig, TrainSet, Trainer};
use crate::telemetry::TelemetryModel;

/// How to fine-tune.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TuneConfig {
    /// Steps; 200 to 2,000 are minutes on two cores.
    pub steps: u64,
    /// The highest learning rate.
    pub peak: f32,
    /// Share of windows that are not the user's own, so that what is general is not forgotten: synthetic, and half of them
    /// from [`TrainSet::replay`] where there is any.
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

impl TuneConfig {
    fn mixture(&self, set: &TrainSet) -> Mixture {
        let traces = if set.replay.is_empty() { 0.0 } else { self.replay / 2.0 };
        let synthetic = self.replay - traces;
        Mixture {
            synthetic,
            replay: traces / (1.0 - synthetic).max(traces).max(f32::MIN_POSITIVE),
            ..Mixture::default()
        }
    }
}

/// Part of the steps over which weights are averaged: the longer average of a full training would end half way back at where
/// a short one began.
const AVERAGED_SHARE: f32 = 0.125;

/// Trains `model` further on `set`; `None` where `progress`, told of each step, says to break off.
pub fn tune(
    model: &TelemetryModel,
    set: &TrainSet,
    config: &TuneConfig,
    mut progress: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Option<TelemetryModel> {
    let schedule =
        Schedule { peak: config.peak, end: 0.0, steps: config.steps, warm_up_steps: config.steps / 20 + 1, decay: 0.5 };
    let mixture = config.mixture(set);
    let average_keep = 1.0 - 1.0 / (AVERAGED_SHARE * config.steps as f32).max(1.0);
    let train = TrainConfig { schedule, mixture, seed: config.seed, average_keep, ..TrainConfig::default() };
    let mut trainer = Trainer::from_model(model, &train, set, config.threads);
    while let Some(step) = trainer.step() {
        if progress(&step).is_break() {
            return None;
        }
    }
    Some(trainer.model())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::TrainSeries;

    #[test]
    fn half_of_what_is_replayed_comes_from_traces_where_there_are_any() {
        let check = |replay: f32, traces: bool, expected: (f32, f32)| {
            let series = TrainSeries { group: String::new(), values: Vec::new(), step_s: 300, start_time_s: None };
            let set = TrainSet { series: Vec::new(), replay: vec![series; usize::from(traces)] };
            let mixture = TuneConfig { replay, ..TuneConfig::default() }.mixture(&set);
            assert_eq!((mixture.synthetic, mixture.replay), expected, "{replay} {traces}");
        };
        check(0.5, false, (0.5, 0.0));
        check(0.5, true, (0.25, 0.25 / 0.75));
        check(0.0, true, (0.0, 0.0));
        check(1.0, true, (0.5, 1.0));
        check(1.0, false, (1.0, 0.0));
    }
}
