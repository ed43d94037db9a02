use super::*;
use crate::{Player, TraceBuilder, run, unwatched};
use apportion_core::{Forecast, traits::ForecastInput};
use std::sync::Mutex;

/// Expects as much as it was asked before.
#[derive(Default)]
struct Counting(Mutex<f32>);

impl Forecaster for Counting {
    fn name(&self) -> &str {
        "counting"
    }
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        let mut asked = self.0.lock().unwrap();
        *asked += 1.0;
        let start_s = |input: &ForecastInput| input.past.time_s(input.past.len());
        let one = |input: &ForecastInput| {
            Forecast::new(start_s(input), input.past.step_s, "counting", vec![[*asked; 9]; horizon], 0.0)
        };
        inputs.iter().map(one).collect()
    }
    fn forget(&self, _: &dyn Fn(&WorkloadId) -> bool) {
        *self.0.lock().unwrap() = 0.0;
    }
}

/// A second play by the same engine is the same as the first.
#[test]
fn nothing_is_remembered_from_an_earlier_play() {
    let mut builder = TraceBuilder::default();
    (1..=500).for_each(|k| builder.push("a", "cpu_cores", k * 300, 1.0).unwrap());
    let trace = builder.finish().unwrap();
    let forecaster = Arc::new(Counting::default());
    let engine = Engine::with(forecaster.clone(), 6 * 3_600);
    let play = || {
        run(&trace, Player::Engine(&engine), &Options::default(), &unwatched).unwrap();
        *forecaster.0.lock().unwrap()
    };
    let first = play();
    assert!(first > 1.0 && play() == first);
}
