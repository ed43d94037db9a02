//! The loop, with a machine, a forecaster and a policy made for the test.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use apportion_core::{
    Announced, Binding, Forecast, Forecaster, GuardLimits, History, Knob, LoopState, Metric, Refusal, Series, Setting,
    Snapshot, TickReport, Verdict, Window, WorkloadId,
    metric::name,
    tick,
    tick::{Cadence, Parts},
    traits::ForecastInput,
};
use common::{
    NOW,
    parts::{Flat, Machine, Refuses, Twice},
    read, snapshot, state,
};
use std::collections::BTreeMap;

/// Seen from a time on only.
struct Since(i64);
impl History for Since {
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        let mut seen = Flat.series(workload, metric, window)?;
        let before = (0..seen.len()).filter(|index| seen.time_s(*index) < self.0).count();
        seen.values[..before].fill(f32::NAN);
        Some(seen)
    }
}

struct Rig {
    state: LoopState,
    machine: Machine,
    snapshot: Snapshot,
    history: Box<dyn History>,
    /// What is read of the workload at each tick, beside its CPU usage.
    readings: BTreeMap<&'static str, f64>,
}

impl Rig {
    fn new(quota_cores: f64) -> Self {
        let mut state_now = LoopState::default();
        state_now.guard.limits = GuardLimits { cut_share: 0.6, ..GuardLimits::default() };
        let machine = Machine([(("web".into(), Knob::CpuQuota), Setting::Value(quota_cores))].into(), Refuses::Nothing);
        let snapshot = snapshot(vec![state("web", quota_cores)]);
        Self { state: state_now, machine, snapshot, history: Box::new(Flat), readings: BTreeMap::new() }
    }

    /// One tick `after_s` later, with fresh readings and settings as the machine has them.
    fn tick(&mut self, after_s: i64) -> TickReport {
        self.snapshot.now = self.snapshot.now.plus_s(after_s);
        let now = self.snapshot.now;
        let web = self.snapshot.workloads.get_mut(&WorkloadId::new("web")).unwrap();
        read(web, name::CPU, now, 0.5);
        self.readings.iter().for_each(|(metric, value)| read(web, metric, now, *value));
        web.settings = [(Knob::CpuQuota, self.machine.0[&("web".to_owned(), Knob::CpuQuota)])].into();
        let mut parts = Parts {
            history: self.history.as_ref(),
            forecaster: &Flat,
            policy: &Twice,
            executor: &mut self.machine,
            cadence: &Cadence::default(),
            announced: &|_, _, _| Announced::default(),
        };
        tick(&mut self.state, &self.snapshot, &mut parts)
    }

    fn throttle(&mut self, share: f64) {
        self.readings.extend([(name::CPU_PERIODS, 10.0), (name::CPU_THROTTLED_PERIODS, 10.0 * share)]);
    }

    fn quota(&self) -> Setting {
        self.machine.0[&("web".to_owned(), Knob::CpuQuota)]
    }
}

#[test]
fn sizes_a_workload_and_says_so_once() {
    let mut rig = Rig::new(2.0);
    let first = rig.tick(0);
    assert_eq!(first.decisions.len(), 1);
    assert!(first.decisions[0].is_applied());
    assert_eq!(rig.quota(), Setting::Value(1.0));
    let second = rig.tick(10);
    assert!(matches!(&second.decisions[0].verdict, Verdict::Refused { why: Refusal::DeadBand { .. } }));
    assert!(rig.tick(10).decisions.is_empty(), "the same refusal is not recorded twice");
    assert_eq!(rig.state.next_id.0, 2, "one number a record");
}

#[test]
fn takes_back_what_hurt_and_remembers() {
    let mut rig = Rig::new(2.0);
    rig.tick(0);
    rig.throttle(0.5);
    assert!(rig.tick(10).harms.is_empty(), "one look is not enough");
    let report = rig.tick(10);
    assert_eq!(report.harms.len(), 1);
    assert_eq!((report.harms[0].now, report.harms[0].after_s), (0.5, 20.0));
    assert_eq!(rig.quota(), Setting::Value(2.0), "the former value is back");
    assert!(matches!(report.decisions[0].change.reason.binding, Binding::TakeBack { of } if of.0 == 0));
    rig.throttle(0.0);
    rig.tick(600);
    assert_eq!(
        rig.quota(),
        Setting::Value(0.5 * 2.0 * rig.state.margins.factor(&"web".into(), Knob::CpuQuota, rig.snapshot.now))
    );
    assert!(rig.quota().value().unwrap() > 1.2, "the margin is higher now");
}

#[test]
fn what_hurt_is_taken_back_as_soon_as_it_can_be() {
    let mut rig = Rig::new(2.0);
    rig.tick(0);
    rig.throttle(0.5);
    rig.tick(10);
    rig.machine.1 = Refuses::FullDisk;
    let harms: Vec<usize> = (0..100).map(|_| rig.tick(10).harms.len()).collect();
    assert_eq!(harms.iter().sum::<usize>(), 1, "one harm is one harm, and raises the margin once");
    assert_eq!(rig.quota(), Setting::Value(1.0));
    rig.machine.1 = Refuses::Nothing;
    rig.tick(10);
    assert_eq!(rig.quota(), Setting::Value(2.0), "long after the watch's window");
    assert!(rig.state.watch.is_empty());
}

/// What became of a cut of a knob: the signals of each look, ten seconds apart, given what is read before and at each of them (`None` is
/// that nothing new was read).
fn looks(knob: Knob, before: &[(&str, f64)], after: &[Option<&[(&str, f64)]>]) -> Vec<Option<String>> {
    let mut rig = Rig::new(2.0);
    let id = WorkloadId::new("web");
    let set = |rig: &mut Rig, readings: &[(&str, f64)]| {
        let (now, web) = (rig.snapshot.now, rig.snapshot.workloads.get_mut(&id).unwrap());
        readings.iter().for_each(|(metric, value)| read(web, metric, now, *value));
    };
    let demand = (knob.demand_metric(), 1.0);
    set(&mut rig, &[before, &[demand]].concat());
    let web = rig.snapshot.workloads.get_mut(&id).unwrap();
    web.settings.insert(knob, Setting::Value(2e9));
    let cut = common::change("web", knob, 2e9, 1.6e9);
    let cut = rig.state.guard.admit(apportion_core::DecisionId(7), &cut, &rig.snapshot).unwrap();
    rig.state.watch.begin(&cut, &rig.snapshot);
    rig.snapshot.workloads.get_mut(&id).unwrap().settings.insert(knob, cut.to());
    let look = |readings: &Option<&[(&str, f64)]>| {
        rig.snapshot.now = rig.snapshot.now.plus_s(10);
        if let Some(readings) = readings {
            set(&mut rig, readings);
        }
        rig.state.watch.review(&rig.snapshot).pop().and_then(|(harm, _)| Some(harm?.signal))
    };
    after.iter().map(look).collect()
}

#[test]
fn every_signal_tells_against_a_cut_after_two_readings_and_a_kill_at_once() {
    let check = |knob: Knob, metric: &str, (usual, harmful): (f64, f64), expect: &[bool]| {
        let (before, after) = ([(metric, usual)], [(metric, harmful)]);
        let seen = looks(knob, &before, &[Some(&before), Some(&after), Some(&after)]);
        let expect: Vec<Option<String>> = expect.iter().map(|harm| harm.then(|| metric.to_owned())).collect();
        assert_eq!(seen, expect, "{knob} {metric} {harmful}");
    };
    let (never, second, at_once) = ([false; 3], [false, false, true], [false, true, false]);
    check(Knob::MemoryMax, name::MEMORY_PRESSURE, (0.02, 0.15), &second);
    check(Knob::MemoryMax, name::MEMORY_PRESSURE, (0.02, 0.11), &never);
    check(Knob::MemoryHigh, name::MEMORY_PRESSURE, (0.0, 0.5), &second);
    check(Knob::CpuQuota, name::MEMORY_PRESSURE, (0.0, 0.5), &never);
    check(Knob::IoReadMax, name::IO_PRESSURE, (0.02, 0.15), &second);
    check(Knob::IoWriteMax, name::IO_PRESSURE, (0.02, 0.11), &never);
    check(Knob::MemoryMax, name::IO_PRESSURE, (0.0, 0.5), &never);
    check(Knob::MemoryMax, name::OOM_KILLS, (0.0, 0.1), &at_once);
    check(Knob::CpuQuota, name::OOM_KILLS, (0.0, 0.1), &never);
    for knob in [Knob::CpuQuota, Knob::MemoryMax, Knob::IoReadMax, Knob::NetworkSendMax] {
        check(knob, name::LATENCY, (0.2, 0.27), &second);
        check(knob, name::LATENCY, (0.2, 0.25), &never);
    }
}

#[test]
fn more_failures_of_as_many_requests_tell_against_a_cut() {
    let read = |requests: f64, errors: f64| [(name::REQUESTS, requests), (name::ERRORS, errors)];
    let after = |(requests, errors): (f64, f64)| {
        let after = read(requests, errors);
        looks(Knob::CpuQuota, &read(100.0, 1.0), &[Some(&after), Some(&after)]).pop().unwrap()
    };
    assert_eq!(after((100.0, 3.0)).as_deref(), Some(name::ERRORS));
    assert_eq!(after((100.0, 1.9)), None);
    assert_eq!(after((1_000.0, 10.0)), None, "as many of more");
    assert_eq!(after((0.0, 5.0)), None, "a share of nothing");
    let (requests, failing) = ([(name::REQUESTS, 100.0)], read(100.0, 50.0));
    let from_none = looks(Knob::CpuQuota, &requests, &[Some(&requests), Some(&failing), Some(&failing)]);
    assert_eq!(from_none[2].as_deref(), Some(name::ERRORS), "the first failures have no count before them");
}

#[test]
fn an_old_reading_hides_no_newer_one() {
    let read = |errors: f64| [(name::REQUESTS, 100.0), (name::ERRORS, errors)];
    let before = [&[(name::LATENCY, 0.2)][..], &read(1.0)].concat();
    let slow = [&[(name::LATENCY, 0.3)][..], &read(1.0)].concat();
    // Nothing succeeds any more, so that no latency is read.
    let seen = looks(Knob::CpuQuota, &before, &[Some(&slow), Some(&read(50.0)), Some(&read(50.0))]);
    assert_eq!(seen[1].as_deref(), Some(name::ERRORS), "{seen:?}");
}

#[test]
fn one_reading_is_one_look_however_often_it_is_seen() {
    let (usual, slow) = ([(name::LATENCY, 0.2)], [(name::LATENCY, 0.3)]);
    let look = |after: &[Option<&[(&str, f64)]>]| {
        looks(Knob::CpuQuota, &usual, after).iter().filter(|signal| signal.is_some()).count()
    };
    // The source is asked every 30 s.
    assert_eq!(look(&[Some(&slow), None, None, Some(&usual), None, None]), 0, "one outlier");
    assert_eq!(look(&[Some(&slow), None, None, Some(&slow)]), 1);
    assert_eq!(look(&[Some(&slow), None, None, Some(&usual), None, None, Some(&slow), None, None]), 0, "in a row");
}

#[test]
fn a_reading_of_before_the_cut_is_no_look_at_it() {
    let mut rig = Rig::new(2.0);
    rig.readings.insert(name::LATENCY, 0.2);
    rig.tick(0);
    rig.readings.clear();
    let since = rig.snapshot.now;
    // It was asked before the cut, and answered after it.
    for late in [since.plus_s(-5), since] {
        read(rig.snapshot.workloads.get_mut(&WorkloadId::new("web")).unwrap(), name::LATENCY, late, 0.9);
        assert!(rig.tick(10).harms.is_empty());
    }
    rig.readings.insert(name::LATENCY, 0.9);
    assert!(rig.tick(10).harms.is_empty(), "the first reading after it");
    assert_eq!(rig.tick(10).harms.len(), 1);
}

#[test]
fn a_group_that_ends_after_a_cut_of_its_memory_gets_it_back() {
    let mut rig = Rig::new(2.0);
    let id = WorkloadId::new("web");
    let (former, found) = (Setting::Value(4e9), Setting::Value(2e9));
    rig.state.resume(apportion_core::DecisionId(7), (&id, Knob::MemoryMax), (former, found), NOW);
    let state = rig.snapshot.workloads[&id].clone();
    rig.machine.0.insert(("web".to_owned(), Knob::MemoryMax), found);
    rig.snapshot.workloads.clear();
    rig.snapshot.workloads.insert("other".into(), common::state("other", 2.0));
    let absent = |rig: &mut Rig| {
        rig.snapshot.now = rig.snapshot.now.plus_s(10);
        rig.state.watch.review(&rig.snapshot)
    };
    assert!(absent(&mut rig).is_empty());
    rig.snapshot.workloads.insert(id.clone(), state);
    let hurt = absent(&mut rig);
    let (harm, change) = &hurt[0];
    assert_eq!(harm.as_ref().unwrap().signal, apportion_core::watch::RESTARTED);
    assert_eq!((change.from, change.to), (found, former));
}

#[test]
fn a_workload_missed_once_has_not_been_restarted() {
    let come_back = |life: u64| {
        let mut rig = Rig::new(2.0);
        let id = WorkloadId::new("web");
        rig.snapshot.workloads.get_mut(&id).unwrap().life = Some(1);
        let cut = common::change("web", Knob::MemoryMax, 2e9, 1.6e9);
        let cut = rig.state.guard.admit(apportion_core::DecisionId(7), &cut, &rig.snapshot).unwrap();
        rig.state.watch.begin(&cut, &rig.snapshot);
        let mut back = rig.snapshot.workloads[&id].clone();
        (back.life, back.settings) = (Some(life), [(Knob::MemoryMax, cut.to())].into());
        rig.snapshot.workloads.clear();
        assert!(rig.state.watch.review(&rig.snapshot).is_empty());
        rig.snapshot.workloads.insert(id, back);
        rig.state.watch.review(&rig.snapshot).len()
    };
    assert_eq!((come_back(1), come_back(2)), (0, 1));
}

#[test]
fn a_cut_of_an_earlier_run_is_ours_and_watched() {
    let mut rig = Rig::new(1.0);
    let id = WorkloadId::new("web");
    let settings = (Setting::Value(2.0), Setting::Value(1.0));
    rig.state.resume(apportion_core::DecisionId(7), (&id, Knob::CpuQuota), settings, NOW);
    assert_eq!(rig.state.watch.len(), 1);
    rig.throttle(0.5);
    rig.tick(10);
    assert_eq!(rig.tick(10).harms.len(), 1);
    assert_eq!(rig.quota(), Setting::Value(2.0));
}

#[test]
fn harm_that_was_there_before_the_cut_is_not_held_against_it() {
    let mut rig = Rig::new(2.0);
    rig.throttle(0.5);
    rig.tick(0);
    rig.throttle(0.52);
    for _ in 0..5 {
        assert!(rig.tick(10).harms.is_empty());
    }
}

#[test]
fn a_watch_ends_after_its_time() {
    let mut rig = Rig::new(2.0);
    rig.tick(0);
    assert_eq!(rig.state.watch.len(), 1);
    rig.tick(300);
    assert!(rig.state.watch.is_empty());
    rig.throttle(0.9);
    assert!(rig.tick(10).harms.is_empty() && rig.tick(10).harms.is_empty());
}

#[test]
fn looks_again_when_due_or_outgrown() {
    let mut known = Rig::new(2.0);
    let mut looks = |after_s| known.tick(after_s).assessed.len();
    assert_eq!([looks(0), looks(10), looks(280), looks(10)], [1, 0, 0, 1], "its past was known before: every 300 s");
    let mut rig = Rig::new(2.0);
    rig.history = Box::new(Since(NOW.s()));
    let mut looks = |after_s| rig.tick(after_s).assessed.len();
    assert_eq!([looks(0), looks(10), looks(4), looks(1)], [1, 1, 0, 1], "young: again when half as old again");
    assert_eq!([looks(10_000), looks(290), looks(10)], [1, 0, 1], "older: every 300 s");
    let web = WorkloadId::new("web");
    rig.state.wanted.get_mut(&web).unwrap().wants[0].value = 0.4;
    assert_eq!(rig.tick(10).assessed, [web], "0.5 cores are used, 0.4 were wanted");
}

#[test]
fn a_clock_set_back_does_not_keep_a_workload_from_being_looked_at() {
    let mut rig = Rig::new(2.0);
    rig.tick(0);
    rig.tick(300);
    assert_eq!(rig.tick(-6 * 3_600).assessed.len(), 1, "what was made in the future says nothing");
    rig.state.margins.raise(&"web".into(), Knob::CpuQuota, rig.snapshot.now.plus_s(30 * 86_400));
    rig.tick(10);
    assert!(rig.state.margins.factor(&"web".into(), Knob::CpuQuota, rig.snapshot.now) <= 1.25);
}

#[test]
fn what_a_run_that_only_recommends_cannot_take_back_stays_watched() {
    let mut rig = Rig::new(2.0);
    rig.tick(0);
    rig.throttle(0.5);
    rig.machine.1 = Refuses::DryRun;
    let recommended: Vec<_> = (0..3).map(|_| rig.tick(10)).collect();
    assert_eq!(recommended.iter().map(|report| report.harms.len()).sum::<usize>(), 1, "told once");
    assert_eq!((rig.quota(), rig.state.watch.len()), (Setting::Value(1.0), 1));
    rig.machine.1 = Refuses::Nothing;
    rig.tick(10);
    assert_eq!((rig.quota(), rig.state.watch.len()), (Setting::Value(2.0), 0));
}

#[test]
fn very_many_workloads_are_looked_at_in_time_too() {
    let mut rig = Rig::new(2.0);
    for index in 0..1_000 {
        let one = state(&format!("w{index}"), 2.0);
        rig.snapshot.workloads.insert(one.workload.id.clone(), one);
    }
    rig.tick(0);
    rig.tick(10_000);
    let looked: Vec<WorkloadId> = (0..60).flat_map(|_| rig.tick(10).assessed).collect();
    let workloads: std::collections::BTreeSet<&WorkloadId> = looked.iter().collect();
    assert_eq!(workloads.len(), 1_001, "each in ten minutes");
    assert!(looked.len() < 2_100, "{} looks", looked.len());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let run = || {
        let mut rig = Rig::new(2.0);
        let reports: Vec<TickReport> = (0..20).map(|_| rig.tick(30)).collect();
        serde_json::to_string(&reports).unwrap() + &serde_json::to_string(&rig.state).unwrap()
    };
    assert_eq!(run(), run());
    assert!(run().contains(&NOW.plus_s(30).0.to_string()));
}

#[test]
fn a_forecaster_is_told_which_workloads_are_left() {
    #[derive(Default)]
    struct Remembers(std::cell::RefCell<Vec<String>>);
    impl Forecaster for Remembers {
        fn name(&self) -> &str {
            "remembers"
        }
        fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
            self.0.borrow_mut().extend(inputs.iter().map(|input| input.workload.to_string()));
            Flat.forecast(inputs, horizon)
        }
        fn forget(&self, is_there: &dyn Fn(&WorkloadId) -> bool) {
            self.0.borrow_mut().retain(|workload| is_there(&workload.as_str().into()));
        }
    }
    let (mut rig, forecaster) = (Rig::new(2.0), Remembers::default());
    rig.snapshot = snapshot(vec![state("web", 2.0), state("job", 2.0)]);
    let mut tick_with = |names: &[&str]| {
        rig.snapshot.now = rig.snapshot.now.plus_s(10);
        let now = rig.snapshot.now;
        rig.snapshot.workloads.retain(|workload, _| names.contains(&workload.as_str()));
        rig.snapshot.workloads.values_mut().for_each(|known| read(known, name::CPU, now, 0.5));
        let mut parts = Parts {
            history: &Flat,
            forecaster: &forecaster,
            policy: &Twice,
            executor: &mut rig.machine,
            cadence: &Cadence::default(),
            announced: &|_, _, _| Announced::default(),
        };
        tick(&mut rig.state, &rig.snapshot, &mut parts);
        forecaster.0.borrow().iter().cloned().collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(tick_with(&["web", "job"]), ["job".to_owned(), "web".to_owned()].into());
    assert_eq!(tick_with(&["web"]), ["web".to_owned()].into());
}
