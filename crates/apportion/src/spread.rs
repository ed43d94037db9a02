//! Forecasting on all cores.

use apportion_core::{
    Forecast, Forecaster, Metric, WorkloadId,
    traits::{ForecastInput, MayChoose},
};
use apportion_planner::forecasters::{Recent, Simple};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Mutex,
    thread,
};

/// A forecaster that works on several batches of series at once. Which series share a batch does not depend on the number of threads, and
/// what a forecaster remembers is per series, so that the bytes do not depend on it either. Its weights are in memory once.
pub struct Spread<F> {
    forecaster: F,
    batch: usize,
    threads: usize,
}

type Make<'a> = dyn Fn(&[ForecastInput]) -> Vec<Forecast> + Sync + 'a;

impl<F: AsRef<dyn Forecaster + Send + Sync> + Sync> Spread<F> {
    /// Batches of `batch` series, each forecast on one of `threads` threads.
    pub const fn new(forecaster: F, batch: usize, threads: usize) -> Self {
        Self { forecaster, batch, threads }
    }

    /// What `make` makes of all batches, in the order of the series. What is long comes first and by itself, so that the others are
    /// made meanwhile.
    fn on_all(
        &self,
        inputs: &[ForecastInput],
        horizon: usize,
        is_long: impl Fn(&ForecastInput) -> bool,
        make: &Make<'_>,
    ) -> Vec<Forecast> {
        let kinds: (Vec<usize>, Vec<usize>) = (0..inputs.len()).partition(|place| is_long(&inputs[*place]));
        // An even number of batches of about the same size: two threads end together, whatever the number of series.
        let batches = |count: usize| 2 * count.div_ceil(2 * self.batch).max(1);
        let share = |places: &[usize]| places.len().div_ceil(batches(places.len())).max(1);
        let batches: Vec<&[usize]> = [&kinds.0, &kinds.1].into_iter().flat_map(|of| of.chunks(share(of))).collect();
        let threads = self.threads.min(batches.len());
        let waiting = Mutex::new(batches.into_iter());
        let work = || self.work(&waiting, inputs, horizon, make);
        let mut made = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut made = work();
            made.extend(
                others.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|fault| resume_unwind(fault))),
            );
            made
        });
        made.sort_by_key(|(place, _)| *place);
        made.into_iter().map(|(_, made)| made).collect()
    }

    /// What is made of the batches that nobody else has taken, with the places of the series.
    fn work<'a>(
        &self,
        waiting: &Mutex<impl Iterator<Item = &'a [usize]>>,
        inputs: &[ForecastInput],
        horizon: usize,
        make: &Make<'_>,
    ) -> Vec<(usize, Forecast)> {
        let mut made = Vec::new();
        while let Some(places) = waiting.lock().ok().and_then(|mut waiting| waiting.next()) {
            let batch: Vec<ForecastInput> = places.iter().map(|place| inputs[*place].clone()).collect();
            made.extend(places.iter().copied().zip(self.forecast_batch(&batch, horizon, make)));
        }
        made
    }

    /// One forecast for each series, whatever happens: a fault that one series brings to light must neither end the program nor move
    /// the forecasts of others onto it. What the forecaster remembers is behind locks that outlive a panic.
    fn forecast_batch(&self, batch: &[ForecastInput], horizon: usize, make: &Make<'_>) -> Vec<Forecast> {
        let made = catch_unwind(AssertUnwindSafe(|| make(batch)));
        made.ok().filter(|made| made.len() == batch.len()).unwrap_or_else(|| {
            let workloads: Vec<&str> = batch.iter().map(|input| input.workload.as_str()).collect();
            let (by, instead) = (self.name(), Simple(Recent::SHORT));
            tracing::error!(?workloads, "`{by}` failed on these, so they are forecast by `{}`", instead.name());
            instead.forecast(batch, horizon)
        })
    }
}

impl<F: AsRef<dyn Forecaster + Send + Sync> + Sync> Forecaster for Spread<F> {
    fn name(&self) -> &str {
        self.forecaster.as_ref().name()
    }

    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        self.forecast_choosing(inputs, horizon, &|_| true)
    }

    fn is_due(&self, input: &ForecastInput, horizon: usize) -> bool {
        self.forecaster.as_ref().is_due(input, horizon)
    }

    fn forecast_choosing(&self, inputs: &[ForecastInput], horizon: usize, may_choose: &MayChoose<'_>) -> Vec<Forecast> {
        let is_long = |input: &ForecastInput| may_choose(input) && self.is_due(input, horizon);
        let make = |batch: &[ForecastInput]| self.forecaster.as_ref().forecast_choosing(batch, horizon, may_choose);
        self.on_all(inputs, horizon, is_long, &make)
    }

    fn settled<'a>(&'a self, input: &ForecastInput, horizon: usize) -> Option<Box<dyn Forecaster + 'a>> {
        self.forecaster.as_ref().settled(input, horizon)
    }

    fn scores(&self, workload: &WorkloadId, metric: &Metric) -> Vec<(String, f32)> {
        self.forecaster.as_ref().scores(workload, metric)
    }

    fn forget(&self, is_there: &dyn Fn(&WorkloadId) -> bool) {
        self.forecaster.as_ref().forget(is_there);
    }
}

/// As many threads as asked for, or all that there are cores for.
#[must_use]
pub fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use apportion_core::Series;

    fn input(index: usize) -> ForecastInput {
        let values = (0..400).map(|step| ((step * (index + 3)) % 17) as f32).collect();
        let past = Series { start_s: 1_700_000_000 / 300 * 300, step_s: 300, values };
        let workload = format!("w{index}").as_str().into();
        ForecastInput { workload, metric: "cpu_cores".into(), past, announced: Vec::new() }
    }

    /// Says the place of a series; a series named `bad` ends the thread, one named `lost` is left out.
    struct Fails;

    impl Forecaster for Fails {
        fn name(&self) -> &str {
            "fails"
        }
        fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
            let one = |input: &ForecastInput| {
                let place: f32 = input.workload.as_str()[1..].parse().unwrap();
                Forecast::new(0, 300, "fails", vec![[place; 9]; horizon], 0.0)
            };
            inputs.iter().filter(|input| input.workload.as_str() != "lost").map(one).collect()
        }
    }

    #[test]
    fn a_batch_that_fails_moves_no_forecast_onto_another_series() {
        for name in ["bad", "lost"] {
            let mut inputs: Vec<ForecastInput> = (0..12).map(input).collect();
            inputs[4].workload = name.into();
            for threads in [1, 3] {
                let forecaster: Box<dyn Forecaster + Send + Sync> = Box::new(Fails);
                let made = Spread::new(forecaster, 2, threads).forecast(&inputs, 3);
                let by: Vec<&str> = made.iter().map(|made| made.by.as_str()).collect();
                assert_eq!((by.len(), by[4], by[5]), (12, "recent", "recent"), "{name}, {threads} threads: {by:?}");
                let others = (0..12).filter(|place| !(4..6).contains(place));
                assert!(others.into_iter().all(|place| made[place].at(0, 0.5) == Some(place as f32)), "{made:?}");
            }
        }
    }

    #[test]
    fn workloads_that_are_gone_are_forgotten_by_whoever_remembers_them() {
        let auto = std::sync::Arc::new(apportion_planner::Auto::default());
        let spread = Spread::new(std::sync::Arc::clone(&auto) as std::sync::Arc<dyn Forecaster + Send + Sync>, 2, 2);
        spread.forecast(&[input(0), input(1)], 16);
        let known = || ["w0", "w1"].map(|name| auto.choice(&name.into(), &"cpu_cores".into()).is_some());
        assert_eq!(known(), [true, true]);
        spread.forget(&|workload| workload.as_str() == "w1");
        assert_eq!(known(), [false, true]);
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bytes() {
        let inputs: Vec<ForecastInput> = (0..19).map(input).collect();
        let with = |threads: usize| {
            let forecaster: Box<dyn Forecaster + Send + Sync> = Box::new(apportion_planner::Auto::default());
            Spread::new(forecaster, 4, threads).forecast(&inputs, 32)
        };
        let alone = with(1);
        assert_eq!(alone.len(), inputs.len());
        assert!(alone == with(2) && alone == with(7), "threads changed a forecast");
        let forecaster: Box<dyn Forecaster + Send + Sync> = Box::new(apportion_planner::Auto::default());
        assert!(Spread::new(forecaster, 4, 3).forecast(&[], 32).is_empty());
    }
}
