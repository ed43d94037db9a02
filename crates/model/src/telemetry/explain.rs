//! What a forecast rests on, by occlusion: take something away, forecast again, and say by how much the forecast moved.
//! What is reported is therefore exactly what happens when that part is absent.

use super::forecast::{QuantileForecast, SeriesInput, TelemetryModel};
use super::{LEVELS, QUANTILES};

/// Something that can be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The history's values `from..to` (indices into the input).
    Past {
        /// The first value of the stretch.
        from: usize,
        /// One past the last.
        to: usize,
    },
    /// The announced multipliers.
    Announcement,
    /// The time of day and of week.
    Calendar,
}

/// How the forecast moves when a part is taken away.
#[derive(Clone, Debug, PartialEq)]
pub struct Influence {
    /// What was taken away.
    pub part: Part,
    /// Mean over the horizon of (median with the part − median without it), in the series' unit.
    pub shift: f32,
    /// Mean over the horizon of |median with − median without|.
    pub size: f32,
    /// Mean width from q0.1 to q0.9 with the part, less that without it: negative where the part makes the forecast surer.
    pub widening: f32,
}

impl TelemetryModel {
    /// Takes away each of `stretches` equal stretches of the history, the announcement and the calendar, one at a time, and
    /// forecasts anew. In the order of time; parts that the input does not have are left out.
    pub fn explain(
        &self,
        input: &SeriesInput<'_>,
        horizon_steps: usize,
        stretches: usize,
        threads: usize,
    ) -> Vec<Influence> {
        let parts = parts(input, stretches);
        let histories: Vec<Vec<f32>> = parts.iter().map(|part| without(input.values, part)).collect();
        let mut inputs = vec![*input];
        inputs.extend(parts.iter().zip(&histories).map(|(part, values)| SeriesInput {
            values,
            end_time_s: input.end_time_s.filter(|_| *part != Part::Calendar),
            future_multiplier: input.future_multiplier.filter(|_| *part != Part::Announcement),
            ..*input
        }));
        let forecasts = self.forecast_batch(&inputs, horizon_steps, threads);
        let Some((whole, others)) = forecasts.split_first() else { return Vec::new() };
        parts.into_iter().zip(others).map(|(part, other)| influence(part, whole, other)).collect()
    }
}

fn parts(input: &SeriesInput<'_>, stretches: usize) -> Vec<Part> {
    let (n, count) = (input.values.len(), stretches.min(input.values.len()));
    let past = (0..count).map(|k| Part::Past { from: k * n / count, to: (k + 1) * n / count });
    let announced = input.future_multiplier.map(|_| Part::Announcement);
    past.chain(announced).chain(input.end_time_s.map(|_| Part::Calendar)).collect()
}

fn without(values: &[f32], part: &Part) -> Vec<f32> {
    let mut left = values.to_vec();
    if let Part::Past { from, to } = part {
        left[*from..*to].fill(f32::NAN);
    }
    left
}

fn influence(part: Part, whole: &QuantileForecast, other: &QuantileForecast) -> Influence {
    let middle = QUANTILES.len() / 2;
    let mean = |value: &dyn Fn(&[f32], &[f32]) -> f32| {
        let sum: f64 = (0..whole.horizon()).map(|step| f64::from(value(whole.at(step), other.at(step)))).sum();
        (sum / whole.horizon().max(1) as f64) as f32
    };
    Influence {
        part,
        shift: mean(&|with, without| with[middle] - without[middle]),
        size: mean(&|with, without| (with[middle] - without[middle]).abs()),
        widening: mean(&|with, without| (with[LEVELS - 1] - with[0]) - (without[LEVELS - 1] - without[0])),
    }
}
