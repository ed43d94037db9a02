//! What the loop spreads over ticks: first looks beside a long past, and choices of forecasters.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use apportion_core::{
    Announced, Forecast, Forecaster, Knob, LoopState, Metric, Setting, WorkloadId, WorkloadState,
    knob::Bounds,
    metric::name,
    tick,
    tick::{Cadence, Parts},
    traits::{ForecastInput, MayChoose},
};
use common::{
    parts::{Flat, Machine, Refuses, Twice},
    read, snapshot, state,
};

/// Says of every series once that a choice is due, and notes of which ones it made one.
#[derive(Default)]
struct Chooses(std::cell::RefCell<std::collections::BTreeSet<(WorkloadId, Metric)>>);

fn series_of(input: &ForecastInput) -> (WorkloadId, Metric) {
    (input.workload.clone(), input.metric.clone())
}

impl Forecaster for Chooses {
    fn name(&self) -> &str {
        "chooses"
    }
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        self.forecast_choosing(inputs, horizon, &|_| true)
    }
    fn is_due(&self, input: &ForecastInput, _: usize) -> bool {
        !self.0.borrow().contains(&series_of(input))
    }
    fn forecast_choosing(&self, inputs: &[ForecastInput], horizon: usize, may_choose: &MayChoose<'_>) -> Vec<Forecast> {
        self.0.borrow_mut().extend(inputs.iter().filter(|input| may_choose(input)).map(series_of));
        Flat.forecast(inputs, horizon)
    }
}

/// Who was looked at in each tick, and how many choices there are after it.
type Looks = Vec<(Vec<String>, usize)>;

/// Ticks over twelve workloads with a week of history each, given what is read and told of each before each tick.
fn restart(cadence: &Cadence, ticks: usize, told: &dyn Fn(usize, &mut WorkloadState)) -> Looks {
    let (mut loop_state, forecaster) = (LoopState::default(), Chooses::default());
    let names: Vec<String> = (10..22).map(|number| format!("w{number}")).collect();
    let mut snapshot = snapshot(names.iter().map(|name| state(name, 2.0)).collect());
    let settings = names.iter().map(|name| ((name.clone(), Knob::CpuQuota), Setting::Value(2.0))).collect();
    let mut machine = Machine(settings, Refuses::Nothing);
    let tick_once = |index: usize| {
        snapshot.now = snapshot.now.plus_s(10);
        let now = snapshot.now;
        for known in snapshot.workloads.values_mut() {
            read(known, name::CPU, now, 0.5);
            told(index, known);
        }
        let mut parts = Parts {
            history: &Flat,
            forecaster: &forecaster,
            policy: &Twice,
            executor: &mut machine,
            cadence,
            announced: &|_, _, _| Announced::default(),
        };
        let report = tick(&mut loop_state, &snapshot, &mut parts);
        let looked_at: Vec<String> = report.assessed.iter().map(ToString::to_string).collect();
        let settled = report.decisions.iter().all(|made| loop_state.wanted.contains_key(&made.change.workload));
        assert!(settled, "what was not looked at is not changed: {:?}", report.decisions);
        (looked_at, forecaster.0.borrow().len())
    };
    (0..ticks).map(tick_once).collect()
}

/// Sets what is used of CPU now.
fn uses(known: &mut WorkloadState, cores: f64) {
    let now = known.latest[&Metric::new(name::CPU)].time;
    read(known, name::CPU, now, cores);
}

#[test]
fn first_looks_and_choices_beside_a_long_past_are_spread_over_ticks() {
    let counts = |cadence: &Cadence, ticks| -> Vec<(usize, usize)> {
        restart(cadence, ticks, &|_, _| ()).into_iter().map(|(looked_at, chosen)| (looked_at.len(), chosen)).collect()
    };
    // Two series of a week are 4,032 steps: the third workload passes 8,065 of them.
    let spread = Cadence { first_steps_per_tick: 8_065, choices_per_tick: 2, ..Cadence::default() };
    assert_eq!(counts(&spread, 4), [(3, 2), (3, 4), (3, 6), (3, 8)]);
    let at_once = Cadence { first_steps_per_tick: usize::MAX, choices_per_tick: usize::MAX, ..Cadence::default() };
    assert_eq!(counts(&at_once, 2), [(12, 24), (0, 24)]);
    // Whoever was not chosen for is chosen for at later looks.
    let later: Vec<usize> = counts(&spread, 130).into_iter().map(|(_, chosen)| chosen).collect();
    assert_eq!((later[29], later[31], later[129]), (8, 12, 24), "{later:?}");
}

#[test]
fn a_workload_that_outgrew_its_allotment_does_not_wait_for_first_looks_of_others() {
    let cadence = Cadence { first_steps_per_tick: 1, ..Cadence::default() };
    let looks = restart(&cadence, 4, &|index, known| {
        if index == 2 && known.workload.id.as_str() == "w10" {
            uses(known, 1.5);
        }
    });
    let of = |index: usize| looks[index].0.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!((of(0), of(1), of(2), of(3)), (vec!["w10"], vec!["w11"], vec!["w12", "w10"], vec!["w13"]));
}

#[test]
fn whoever_is_at_its_limit_or_outside_its_bounds_does_not_wait_for_its_first_look() {
    let cadence = Cadence { first_steps_per_tick: 1, ..Cadence::default() };
    let bounds = Bounds { min: 0.0, max: Some(1.0) };
    let looks = restart(&cadence, 2, &|_, known| match known.workload.id.as_str() {
        "w18" => uses(known, 1.8),
        "w19" => uses(known, 1.95),
        "w20" => known.standing.bounds = [(Knob::CpuQuota, bounds)].into(),
        "w21" => read(known, name::MEMORY_WORKING_SET, known.latest[&Metric::new(name::CPU)].time, 2e9),
        _ => {}
    });
    assert_eq!(looks[0].0, ["w19", "w20", "w21"], "beyond what a tick has for first looks");
    assert_eq!(looks[1].0[0], "w10");
}

#[test]
fn what_is_read_a_turn_later_than_the_rest_is_forecast_then() {
    let late = |from: usize| {
        let told = |index: usize, known: &mut WorkloadState| {
            if index < from {
                known.latest.remove(&Metric::new(name::CPU));
            }
        };
        let cadence = Cadence { first_steps_per_tick: usize::MAX, ..Cadence::default() };
        restart(&cadence, 4, &told).into_iter().map(|(looked_at, _)| looked_at.len()).collect::<Vec<_>>()
    };
    assert_eq!(late(0), [12, 0, 0, 0]);
    // Once, and then again when it is half as old again, as whatever is young.
    assert_eq!(late(1)[..2], [12, 8], "at most eight a tick");
}
