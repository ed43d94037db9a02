//! Forecasts each series now and then, and gives the forecast made before in between: nothing is forecast twice.
//!
//! A series is forecast anew after a while; sooner where what came lay outside the forecast for most of an hour, and where what is
//! announced for the steps that it covers has changed.

use apportion_core::{Forecast, Forecaster, Metric, Series, Time, WorkloadId, traits::ForecastInput};
use std::{cell::RefCell, collections::BTreeMap};

/// A forecast is looked at again once so many steps have come, and again after each so many.
const LOOKED_AT: usize = 12;
/// Of these, so many outside the middle 80 % of the forecast (two or three are to be expected) make it worth a new one.
const SURPRISES: usize = 10;

/// When a forecast was made, on which grid, how far it reaches, and what was announced for its steps.
#[derive(Clone)]
struct Made {
    at: Time,
    step_s: u32,
    horizon: usize,
    announced: Vec<f32>,
    forecast: Forecast,
}

impl Made {
    /// Most of the last steps lay outside the middle of the forecast.
    fn is_surprised(&self, past: &Series) -> bool {
        let since = past.end().since_s(self.at) / f64::from(self.step_s);
        let is_time = since > 0.0 && (since / LOOKED_AT as f64).fract() == 0.0;
        let outside = |index: usize| {
            let (time, value) = (Time::from_s(past.time_s(index)), past.values[index]);
            let row = self.forecast.index_at(time).and_then(|step| self.forecast.quantiles().get(step));
            row.is_some_and(|row| value < row[0] || value > row[8])
        };
        let last = past.len().saturating_sub(LOOKED_AT)..past.len();
        is_time && last.filter(|index| outside(*index)).count() >= SURPRISES
    }

    /// The same is announced for the steps that both cover.
    fn is_told_the_same(&self, input: &ForecastInput) -> bool {
        let start_s = input.past.time_s(input.past.len());
        let ahead = (start_s - self.forecast.start_s) / i64::from(self.step_s);
        let factor = |of: &[f32], step: usize| of.get(step).copied().unwrap_or(1.0);
        let Ok(ahead) = usize::try_from(ahead) else { return false };
        (ahead..self.horizon).all(|step| factor(&self.announced, step) == factor(&input.announced, step - ahead))
    }
}

/// A forecaster with a memory of its own forecasts.
pub(crate) struct Seldom<'a> {
    inner: &'a dyn Forecaster,
    every_s: f64,
    memory: RefCell<BTreeMap<(WorkloadId, Metric), Made>>,
}

impl<'a> Seldom<'a> {
    pub(crate) fn new(inner: &'a dyn Forecaster, every_s: i64) -> Self {
        Self { inner, every_s: every_s as f64, memory: RefCell::default() }
    }

    fn known(&self, input: &ForecastInput, horizon: usize) -> Option<Forecast> {
        let memory = self.memory.borrow();
        let made = memory.get(&(input.workload.clone(), input.metric.clone()))?;
        let same = made.step_s == input.past.step_s && made.horizon == horizon;
        let fresh = input.past.end().since_s(made.at) < self.every_s;
        let good = same && fresh && made.is_told_the_same(input) && !made.is_surprised(&input.past);
        good.then(|| made.forecast.clone())
    }
}

impl Forecaster for Seldom<'_> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        let known: Vec<Option<Forecast>> = inputs.iter().map(|input| self.known(input, horizon)).collect();
        let unknown = inputs.iter().zip(&known).filter(|(_, known)| known.is_none());
        let asked: Vec<ForecastInput> = unknown.map(|(input, _)| input.clone()).collect();
        let mut made = if asked.is_empty() { Vec::new() } else { self.inner.forecast(&asked, horizon) }.into_iter();
        for (input, forecast) in asked.iter().zip(made.as_slice()) {
            let key = (input.workload.clone(), input.metric.clone());
            let (at, step_s) = (input.past.end(), input.past.step_s);
            let (announced, forecast) = (input.announced.clone(), forecast.clone());
            self.memory.borrow_mut().insert(key, Made { at, step_s, horizon, announced, forecast });
        }
        known.into_iter().filter_map(|known| known.or_else(|| made.next())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Forecasts the last value, and counts how often it is asked.
    #[derive(Default)]
    struct Last(Cell<usize>);

    impl Forecaster for Last {
        fn name(&self) -> &str {
            "last"
        }
        fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
            self.0.set(self.0.get() + inputs.len());
            let one = |input: &ForecastInput| {
                let last = input.past.values.last().copied().unwrap_or(0.0);
                Forecast::new(
                    input.past.time_s(input.past.len()),
                    input.past.step_s,
                    "last",
                    vec![[last; 9]; horizon],
                    0.0,
                )
            };
            inputs.iter().map(one).collect()
        }
    }

    fn input(name: &str, end_s: i64, value: f32) -> ForecastInput {
        ForecastInput {
            workload: name.into(),
            metric: "cpu_cores".into(),
            past: Series { start_s: end_s, step_s: 300, values: vec![value] },
            announced: Vec::new(),
        }
    }

    #[test]
    fn a_series_is_forecast_anew_only_after_a_while() {
        let last = Last::default();
        let seldom = Seldom::new(&last, 3_600);
        let check = |time_s: i64, names: [(&str, f32); 2], expect: [f32; 2], count: usize| {
            let inputs = names.map(|(name, value)| input(name, time_s, value));
            let made = seldom.forecast(&inputs, 12);
            let found: Vec<f32> = made.iter().map(|forecast| forecast.quantiles()[0][4]).collect();
            assert_eq!((found, last.0.get()), (expect.to_vec(), count), "{time_s}");
        };
        check(0, [("a", 1.0), ("b", 2.0)], [1.0, 2.0], 2);
        check(300, [("a", 5.0), ("c", 6.0)], [1.0, 6.0], 3);
        check(3_600, [("a", 7.0), ("c", 8.0)], [7.0, 6.0], 4);
    }

    /// Values on a grid of five minutes, the last one at `end_s`.
    fn ending(end_s: i64, values: &[f32], announced: &[f32]) -> ForecastInput {
        let steps = i64::try_from(values.len()).unwrap() - 1;
        let past = Series { start_s: end_s - 300 * steps, step_s: 300, values: values.to_vec() };
        ForecastInput { past, announced: announced.to_vec(), ..input("a", end_s, 0.0) }
    }

    #[test]
    fn a_surprise_or_news_is_worth_a_new_forecast() {
        let last = Last::default();
        let seldom = Seldom::new(&last, 86_400);
        let check = |input: ForecastInput, count: usize| {
            seldom.forecast(&[input], 48);
            assert_eq!(last.0.get(), count);
        };
        check(ending(0, &[1.0], &[]), 1);
        // As forecast; then two of twelve outside; then eleven, looked at between the hours and at one.
        check(ending(3_600, &[1.0; 12], &[]), 1);
        check(ending(7_200, &[[1.0; 10].as_slice(), &[2.0; 2]].concat(), &[]), 1);
        check(ending(10_500, &[2.0; 12], &[]), 1);
        check(ending(10_800, &[2.0; 12], &[]), 2);
        // News; the same news a step later; the news is taken back.
        check(ending(11_100, &[2.0], &[1.0, 1.0, 3.0]), 3);
        check(ending(11_400, &[2.0], &[1.0, 3.0]), 3);
        check(ending(11_700, &[2.0], &[]), 4);
    }
}
