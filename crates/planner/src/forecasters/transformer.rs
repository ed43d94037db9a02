//! The networks of `crates/model` as forecasters: one batched pass for all inputs, on the caller's thread.

use super::finish;
use apportion_core::{Forecast, Forecaster, Metric, time::CALENDAR_FROM_S, traits::ForecastInput};
use apportion_model::{
    bolt::BoltModel,
    telemetry::{Mixer, QuantileForecast, SeriesInput, TelemetryModel},
};
use std::{collections::BTreeMap, sync::Arc};

/// A telemetry network: the Transformer or its recurrent baseline with the weights of this binary, or what a user has trained; for
/// some metrics perhaps with weights that were tuned on a user's own series. Clones share the weights.
#[derive(Clone, Debug)]
pub struct Transformer {
    general: Arc<TelemetryModel>,
    tuned: BTreeMap<Metric, Tuned>,
}

/// Weights of a metric's own, and the step at which they were found to be better: what they do at another is not known.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The network.
    pub model: Arc<TelemetryModel>,
    /// Seconds from one value to the next.
    pub step_s: u32,
}

impl Transformer {
    /// `None` where the weights are not those that were committed, which the model's tests rule out.
    #[must_use]
    pub fn embedded() -> Option<Self> {
        TelemetryModel::embedded().ok().map(Self::new)
    }
    /// The recurrent network of this binary: a baseline; `None` as above.
    #[must_use]
    pub fn recurrent() -> Option<Self> {
        TelemetryModel::embedded_recurrent().ok().map(Self::new)
    }
    /// A network with weights of the user's own.
    #[must_use]
    pub fn new(model: TelemetryModel) -> Self {
        Self { general: Arc::new(model), tuned: BTreeMap::new() }
    }
    /// The same with other weights for some metrics.
    #[must_use]
    pub fn with_tuned(self, tuned: BTreeMap<Metric, Tuned>) -> Self {
        Self { tuned, ..self }
    }
    /// The weights for metrics that have none of their own.
    #[must_use]
    pub fn general(&self) -> &TelemetryModel {
        &self.general
    }
    /// The weights for a metric at a step.
    #[must_use]
    pub fn model(&self, metric: &Metric, step_s: u32) -> &TelemetryModel {
        let tuned = self.tuned.get(metric).filter(|tuned| tuned.step_s == step_s);
        tuned.map_or(&self.general, |tuned| &tuned.model)
    }
}

/// Chronos-Bolt with weights that the user has.
#[derive(Clone, Debug)]
pub struct Bolt(pub BoltModel);

impl Forecaster for Bolt {
    fn name(&self) -> &'static str {
        "bolt"
    }
    /// The network knows nothing of what is announced, so that is applied to its forecast.
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        let series: Vec<SeriesInput<'_>> = inputs.iter().map(series).collect();
        let made = self.0.forecast_batch(&series, horizon, 1);
        inputs.iter().zip(made).map(|(input, made)| finish(input, "bolt", rows(&made), f32::NEG_INFINITY)).collect()
    }
}

impl Forecaster for Transformer {
    fn name(&self) -> &'static str {
        match self.general.config().mixer {
            Mixer::Attention => "transformer",
            Mixer::Gru => "gru",
        }
    }

    /// On the caller's thread: whoever has more of them gives each its own batch.
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        let mut batches: Vec<(&TelemetryModel, Vec<usize>)> = Vec::new();
        for (place, input) in inputs.iter().enumerate() {
            let model = self.model(&input.metric, input.past.step_s);
            match batches.iter_mut().find(|(known, _)| std::ptr::eq(*known, model)) {
                Some((_, places)) => places.push(place),
                None => batches.push((model, vec![place])),
            }
        }
        let mut made = vec![None; inputs.len()];
        for (model, places) in batches {
            let series: Vec<SeriesInput<'_>> = places.iter().map(|place| series(&inputs[*place])).collect();
            for (place, rows) in places.into_iter().zip(model.forecast_batch(&series, horizon, 1)) {
                made[place] = Some(forecast(&inputs[place], self.name(), &rows));
            }
        }
        made.into_iter().flatten().collect()
    }
}

fn series(input: &ForecastInput) -> SeriesInput<'_> {
    SeriesInput {
        values: &input.past.values,
        step_s: input.past.step_s,
        end_time_s: (input.past.start_s >= CALENDAR_FROM_S).then_some(input.past.end().s()),
        season_steps: None,
        future_multiplier: (!input.announced.is_empty()).then_some(&input.announced),
    }
}

/// The network has seen what is announced, so it is not applied again.
fn forecast(input: &ForecastInput, by: &str, made: &QuantileForecast) -> Forecast {
    let plain = ForecastInput { announced: Vec::new(), ..input.clone() };
    finish(&plain, by, rows(made), f32::NEG_INFINITY)
}

fn rows(made: &QuantileForecast) -> Vec<super::Row> {
    made.values.as_chunks::<9>().0.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use apportion_core::Series;

    fn input(values: Vec<f32>, announced: Vec<f32>) -> ForecastInput {
        let past = Series { start_s: 1_700_000_000 / 300 * 300, step_s: 300, values };
        ForecastInput { workload: "web".into(), metric: "cpu_cores".into(), past, announced }
    }

    #[test]
    fn follows_a_day_and_never_crosses() {
        let day = |step: usize| 1.0 + (step as f32 / 288.0 * std::f32::consts::TAU).sin();
        let past = input((0..2_016).map(day).collect(), Vec::new());
        let made = Transformer::embedded().unwrap().forecast(&[past], 288).remove(0);
        assert_eq!((made.len(), made.by.as_str()), (288, "transformer"));
        assert!(made.quantiles().iter().all(|row| row.is_sorted() && row[0] >= 0.0));
        let error = (0..288).map(|step| (made.at(step, 0.5).unwrap() - day(2_016 + step)).abs()).sum::<f32>() / 288.0;
        assert!(error < 0.25, "mean error {error} of a wave of 1");
    }

    #[test]
    fn an_announcement_moves_its_steps() {
        let past: Vec<f32> = (0..600).map(|step| 1.0 + 0.1 * ((step * 7) % 5) as f32).collect();
        let announced: Vec<f32> = (0..64).map(|step| if step < 32 { 1.0 } else { 3.0 }).collect();
        let made = Transformer::embedded().unwrap().forecast(&[input(past, announced)], 64).remove(0);
        let mean = |from: usize| (from..from + 16).map(|step| made.at(step, 0.5).unwrap()).sum::<f32>() / 16.0;
        assert!(mean(40) > 1.8 * mean(8), "{} then {}", mean(8), mean(40));
    }

    #[test]
    fn tuned_weights_serve_their_metrics_at_their_step_and_no_others() {
        let past: Vec<f32> = (0..300).map(|step| ((step * 7) % 5) as f32).collect();
        let mut inputs: Vec<ForecastInput> = ["memory_bytes", "cpu_cores", "memory_bytes", "cpu_cores"]
            .map(|metric| ForecastInput { metric: metric.into(), ..input(past.clone(), Vec::new()) })
            .into();
        inputs[3].past.step_s = 60;
        let shipped = Transformer::embedded().unwrap();
        let model = Arc::new(TelemetryModel::untrained(apportion_model::telemetry::ModelConfig::tiny(), 1));
        let tuned = shipped.clone().with_tuned([(Metric::new("cpu_cores"), Tuned { model, step_s: 300 })].into());
        let (before, after) = (shipped.forecast(&inputs, 16), tuned.forecast(&inputs, 16));
        // A batch of three is summed in another order than a batch of four.
        let apart = |index: usize| {
            let pairs = after[index].quantiles().iter().flatten().zip(before[index].quantiles().iter().flatten());
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let apart = [0, 1, 2, 3].map(apart);
        assert!(apart[0] < 1e-4 && apart[1] > 1e-2 && apart[2] < 1e-4 && apart[3] < 1e-4, "{apart:?}");
    }

    #[test]
    fn anything_degenerate_still_gets_a_forecast() {
        for values in [vec![], vec![f32::NAN; 50], vec![3.0], vec![0.0; 500], vec![1e12; 300], vec![1e-12; 300]] {
            let made = Transformer::embedded().unwrap().forecast(&[input(values, Vec::new())], 16).remove(0);
            assert!(made.quantiles().iter().flatten().all(|value| value.is_finite()));
        }
    }
}
