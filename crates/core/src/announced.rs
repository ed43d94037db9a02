//! What people announced of a workload's demand: taken out of its past, so that what is usual can be seen, and put on what
//! is forecast.

use crate::{Forecast, Series};

/// Per step of a window, demand is `factor` times usual, plus `added` in the metric's unit. Empty for nothing announced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Announced {
    /// Factor per step; positive.
    pub factors: Vec<f32>,
    /// Added per step; as many as factors.
    pub added: Vec<f32>,
}

impl Announced {
    /// True where nothing was announced.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.factors.is_empty()
    }

    /// What demand would have been without what was announced for the steps of `series`.
    pub fn take_out(&self, series: &mut Series) {
        for (value, (factor, added)) in series.values.iter_mut().zip(self.steps()) {
            let without = (*value - added) / factor;
            *value = if without < 0.0 && added > 0.0 { 0.0 } else { without };
        }
    }

    /// A forecast of usual demand to which factors were applied already, with what is added on top.
    #[must_use]
    pub fn add_to(&self, forecast: Forecast) -> Forecast {
        if self.added.iter().all(|added| *added == 0.0) {
            return forecast;
        }
        let mut rows = forecast.quantiles().to_vec();
        for (row, added) in rows.iter_mut().zip(&self.added) {
            row.iter_mut().for_each(|value| *value += added);
        }
        let made = Forecast::new(forecast.start_s, forecast.step_s, &forecast.by, rows, f32::NEG_INFINITY);
        made.with_score(forecast.score)
    }

    /// The most that usual demand of `value` becomes in any step; `value` where nothing is announced.
    #[must_use]
    pub fn greatest(&self, value: f64) -> f64 {
        let announced = self.steps().map(|(factor, added)| value * f64::from(factor) + f64::from(added));
        announced.fold(f64::NEG_INFINITY, f64::max).max(if self.is_empty() { value } else { f64::NEG_INFINITY })
    }

    fn steps(&self) -> impl Iterator<Item = (f32, f32)> + '_ {
        self.factors.iter().copied().zip(self.added.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced() -> Announced {
        Announced { factors: vec![1.0, 3.0, 1.0], added: vec![0.0, 0.0, 2.0] }
    }

    #[test]
    fn what_is_taken_out_of_the_past_leaves_what_is_usual() {
        let mut series = Series { start_s: 0, step_s: 60, values: vec![5.0, 15.0, 7.0, 5.0] };
        announced().take_out(&mut series);
        assert_eq!(series.values, [5.0; 4]);
        let mut idle = Series { start_s: 0, step_s: 60, values: vec![f32::NAN, 0.0, 1.0] };
        announced().take_out(&mut idle);
        assert!(idle.values[0].is_nan());
        assert_eq!(idle.values[1..], [0.0, 0.0], "what was added and did not come leaves nothing, not less");
    }

    #[test]
    fn what_is_added_shifts_a_forecast_and_keeps_its_score() {
        let forecast = Forecast::new(60, 60, "x", vec![[1.0; 9]; 4], 0.0).with_score(Some(0.5));
        let more = announced().add_to(forecast.clone());
        let medians: Vec<f32> = more.quantiles().iter().map(|row| row[4]).collect();
        assert_eq!((medians, more.score), (vec![1.0, 1.0, 3.0, 1.0], Some(0.5)));
        assert_eq!(Announced::default().add_to(forecast.clone()), forecast);
    }

    #[test]
    fn the_greatest_step_counts() {
        assert_eq!(announced().greatest(2.0), 6.0);
        assert_eq!(announced().greatest(0.5), 2.5);
        assert_eq!(Announced::default().greatest(2.0), 2.0);
        let fewer = Announced { factors: vec![0.5, 0.5], added: vec![0.0, 0.0] };
        assert_eq!(fewer.greatest(2.0), 1.0);
    }
}
