//! The chooser with one choice held fixed: for asking what a forecast rests on.

use super::{Auto, Choice};
use crate::forecasters::Row;
use apportion_core::{Forecast, Forecaster, traits::ForecastInput};

/// Runs what was chosen for one series, on any input; remembers nothing.
pub(super) struct Settled<'a> {
    auto: &'a Auto,
    choice: Choice,
}

impl<'a> Settled<'a> {
    /// With the choice for a series, made now where it is due; the chooser's own memory is as after a forecast.
    pub(super) fn new(auto: &'a Auto, input: &ForecastInput, horizon: usize) -> Option<Self> {
        auto.choose(std::slice::from_ref(input), horizon, &|_| true);
        let choice = auto.choice(&input.workload, &input.metric)?;
        Some(Self { auto, choice })
    }
}

impl Forecaster for Settled<'_> {
    fn name(&self) -> &'static str {
        "auto"
    }
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        let run = |(index, weight): &(usize, f32)| {
            let made = self.auto.candidates[*index].forecaster.forecast(inputs, horizon);
            (made.iter().map(|made| made.quantiles().to_vec()).collect::<Vec<_>>(), *weight)
        };
        let parts: Vec<(Vec<Vec<Row>>, f32)> = self.choice.weights.iter().map(run).collect();
        let of =
            |place: usize| parts.iter().map(|(rows, weight)| (rows[place].as_slice(), *weight)).collect::<Vec<_>>();
        let one =
            |(place, input): (usize, &ForecastInput)| self.auto.put_together(&self.choice, input, &of(place), horizon);
        inputs.iter().enumerate().map(one).collect()
    }
}
