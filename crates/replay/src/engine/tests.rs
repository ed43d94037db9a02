use super::*;
use crate::{
    Decisions, JudgeOptions, Player, TraceBuilder, judge, run, run_asked, run_at,
    score::tally::{Tally, tally},
    unwatched,
};
use apportion_core::{Forecast, WorkloadId, traits::ForecastInput};
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

/// CPU and memory of one workload and requests of another.
fn mixed(step_s: i64) -> Trace {
    let mut builder = TraceBuilder::default();
    for k in 1..=1_500_i64 {
        let value = 1.0 + 0.4 * (k as f64 / 200.0).sin() + (k * 7_919 % 13) as f64 / 10.0;
        builder.push("a", "cpu_cores", k * step_s, value).unwrap();
        builder.push("a", "memory_bytes", k * step_s, 1e9 * value).unwrap();
        builder.push("b", "requests_per_s", k * step_s, 10.0 * value).unwrap();
    }
    builder.finish().unwrap()
}

/// Also at minutes' steps, where a workload that outgrew its allotment is looked at sooner, so that some ask at other times than others.
#[test]
fn several_shares_together_decide_as_each_alone() {
    let engine = Engine::apportion("seasonal-naive", 3_600).unwrap();
    for trace in [mixed(60), mixed(300)] {
        let shares = [0.001, 0.01, 0.1];
        let together = run_asked(&trace, &engine, &shares, &Options::default(), &unwatched).unwrap();
        assert_eq!(together.iter().map(|made| made.limits.len()).collect::<Vec<_>>(), [0, 2, 0]);
        for (share, made) in shares.iter().zip(&together) {
            let alone = run_at(&trace, Player::Engine(&engine), *share, &Options::default(), &unwatched).unwrap();
            assert_eq!(*made, alone, "{share}");
        }
    }
}

#[test]
fn nothing_is_forecast_twice_for_several_shares() {
    let forecaster = Arc::new(Counting::default());
    let engine = Engine::with(forecaster.clone(), 6 * 3_600);
    let asked = |step_s: i64, shares: &[f64]| {
        run_asked(&mixed(step_s), &engine, shares, &Options::default(), &unwatched).unwrap();
        *forecaster.0.lock().unwrap()
    };
    assert_eq!(asked(300, &[0.001, 0.01, 0.1]), asked(300, &[0.001]));
    assert!(asked(60, &[0.001, 0.01, 0.1]) < asked(60, &[0.001]) + asked(60, &[0.01]) + asked(60, &[0.1]));
}

/// What is over the slowing limit is slowed, and killed only above the other, which is larger; what peers are compared by is as it was.
#[test]
fn with_both_limits_little_is_killed() {
    let mut builder = TraceBuilder::default();
    for k in 1..=6 * 288_i64 {
        let spike = if k % 97 == 0 { 3.0 } else { 0.0 };
        builder.push("a", "memory_bytes", k * 300, 1e9 * (1.0 + (k * 7_919 % 13) as f64 / 30.0 + spike)).unwrap();
    }
    let trace = builder.finish().unwrap();
    let engine = Engine::apportion("recent", 6 * 3_600).unwrap();
    let options = Options { violation: 0.05, ..Options::default() };
    let made = run(&trace, Player::Engine(&engine), &options, &unwatched).unwrap();
    let names: Vec<&str> = made.limits.iter().map(|limit| &*limit.metric).collect();
    assert_eq!(names, ["memory_bytes/high", "memory_bytes/max"]);
    let of = |decided: &[Decided]| tally(&trace.series()[0], decided, 86_400);
    let [high, max] = [0, 1].map(|at| of(&made.limits[at].decided));
    assert!(high.over > 0 && max.over < high.over && max.allotted >= 1.1 * high.allotted, "{high:?} {max:?}");
    let judged = judge(&trace, std::slice::from_ref(&made), &[], &JudgeOptions::default());
    let limits = judged.rows[0].limits.clone().unwrap();
    assert_eq!((limits.slowing.over, limits.killing.over), (share(&high), share(&max)));
    assert_eq!(judged.rows[0].scores.over, share(&of(&made.series[0].decided)));
    let rows = made.rows().map(|(workload, metric, time, allocation)| (&**workload, &**metric, time, allocation));
    assert_eq!(Decisions::from_rows("apportion", &trace, rows).unwrap(), made);
    let elsewhere = Options { violation: 0.01, ..options };
    assert!(run_at(&trace, Player::Engine(&engine), 0.05, &elsewhere, &unwatched).unwrap().series == made.series);
}

fn share(tally: &Tally) -> f64 {
    f64::from(tally.over) / f64::from(tally.samples)
}

/// One loop may be the whole of a replay: it tells on the way how far it has come, and ends where it is told to.
#[test]
fn a_long_loop_tells_how_far_it_has_come() {
    let engine = Engine::apportion("seasonal-naive", 6 * 3_600).unwrap();
    let (trace, told) = (mixed(300), Mutex::new(Vec::new()));
    let play = |ends_at: usize| {
        let progress = |done: usize, total: usize| {
            told.lock().unwrap().push((done, total));
            if done < ends_at { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) }
        };
        let made = run(&trace, Player::Engine(&engine), &Options::default(), &progress);
        (made.map(|_| ()), std::mem::take(&mut *told.lock().unwrap()))
    };
    let (made, told_all) = play(usize::MAX);
    assert_eq!((made, told_all.last()), (Ok(()), Some(&(200, 200))));
    assert!(told_all.len() > 90 && told_all.is_sorted(), "{told_all:?}");
    let (made, told_some) = play(5);
    assert_eq!((made, told_some.len() < 8), (Err(ReplayError::BrokenOff), true), "{told_some:?}");
}
