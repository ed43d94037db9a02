//! Forecasts each series now and then, and gives the forecast made before in between: nothing is forecast twice.

use apportion_core::{Forecast, Forecaster, Metric, Time, WorkloadId, traits::ForecastInput};
use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

/// When a forecast was made, on which grid, and how far it reaches.
#[derive(Clone)]
struct Made {
    at: Time,
    step_s: u32,
    horizon: usize,
    forecast: Forecast,
}

/// A forecaster with a memory of its own forecasts.
pub(crate) struct Seldom {
    inner: Arc<dyn Forecaster>,
    every_s: f64,
    memory: RefCell<BTreeMap<(WorkloadId, Metric), Made>>,
}

impl Seldom {
    pub(crate) fn new(inner: Arc<dyn Forecaster>, every_s: i64) -> Self {
        Self { inner, every_s: every_s as f64, memory: RefCell::default() }
    }

    fn known(&self, input: &ForecastInput, horizon: usize) -> Option<Forecast> {
        let memory = self.memory.borrow();
        let made = memory.get(&(input.workload.clone(), input.metric.clone()))?;
        let same = made.step_s == input.past.step_s && made.horizon == horizon;
        let fresh = input.past.end().since_s(made.at) < self.every_s;
        (same && fresh && input.announced.is_empty()).then(|| made.forecast.clone())
    }
}

impl Forecaster for Seldom {
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
            self.memory.borrow_mut().insert(key, Made { at, step_s, horizon, forecast: forecast.clone() });
        }
        known.into_iter().filter_map(|known| known.or_else(|| made.next())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use apportion_core::Series;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Forecasts the last value, and counts how often it is asked.
    struct Last(Arc<AtomicUsize>);

    impl Forecaster for Last {
        fn name(&self) -> &str {
            "last"
        }
        fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
            self.0.fetch_add(inputs.len(), Ordering::Relaxed);
            let one = |input: &ForecastInput| {
                let last = input.past.values.last().copied().unwrap_or(0.0);
                Forecast::new(input.past.end().s(), input.past.step_s, "last", vec![[last; 9]; horizon], 0.0)
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
        let asked = Arc::new(AtomicUsize::new(0));
        let seldom = Seldom::new(Arc::new(Last(asked.clone())), 3_600);
        let check = |time_s: i64, names: [(&str, f32); 2], expect: [f32; 2], count: usize| {
            let inputs = names.map(|(name, value)| input(name, time_s, value));
            let made = seldom.forecast(&inputs, 12);
            let found: Vec<f32> = made.iter().map(|forecast| forecast.quantiles()[0][4]).collect();
            assert_eq!((found, asked.load(Ordering::Relaxed)), (expect.to_vec(), count), "{time_s}");
        };
        check(0, [("a", 1.0), ("b", 2.0)], [1.0, 2.0], 2);
        check(300, [("a", 5.0), ("c", 6.0)], [1.0, 6.0], 3);
        check(3_600, [("a", 7.0), ("c", 8.0)], [7.0, 6.0], 4);
    }
}
