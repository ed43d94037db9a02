use super::*;
use apportion_core::{
    Admitted, Capacity, Executor, Guard, GuardLimits, History, Latest, LoopState, Metric, Mode, Outcome, Reason,
    Series, Time, Window, Workload, WorkloadKind, WorkloadState,
    metric::name,
    tick,
    tick::{Cadence, Parts, Resolution},
};

fn state(id: &str, settings: &[(Knob, Setting)], standing: Standing) -> WorkloadState {
    WorkloadState {
        workload: Workload { id: id.into(), kind: WorkloadKind::Trace, path: String::new(), labels: BTreeMap::new() },
        standing,
        latest: BTreeMap::new(),
        settings: settings.iter().copied().collect(),
        started: None,
        own: false,
    }
}

fn snapshot(states: Vec<WorkloadState>, cores: Option<f64>) -> Snapshot {
    let amounts = cores.map(|cores| (Resource::Cpu, cores)).into_iter().collect();
    let workloads = states.into_iter().map(|state| (state.workload.id.clone(), state)).collect();
    Snapshot { now: Time::default(), capacity: Capacity { amounts }, workloads }
}

fn wanting(value: f64, least: f64) -> Assessment {
    let want = Want { knob: Knob::CpuQuota, value, least, reason: Reason::only(Binding::Recent) };
    Assessment { made: Time::default(), wants: vec![want] }
}

fn cpu(value: f64) -> [(Knob, Setting); 1] {
    [(Knob::CpuQuota, Setting::Value(value))]
}

#[test]
fn raises_come_before_cuts_and_trifles_are_left() {
    let states = vec![
        state("a", &cpu(4.0), Standing::default()),
        state("b", &cpu(1.0), Standing::default()),
        state("c", &cpu(2.0), Standing::default()),
        state("d", &[], Standing::default()),
    ];
    let wanted: BTreeMap<WorkloadId, Assessment> = [("a", 1.0), ("b", 2.0), ("c", 1.95), ("d", 5.0), ("gone", 1.0)]
        .into_iter()
        .map(|(id, value)| (id.into(), wanting(value, 0.0)))
        .collect();
    let plan = Sizing::default().plan(&snapshot(states, None), &wanted);
    let order: Vec<&str> = plan.changes.iter().map(|change| change.workload.as_str()).collect();
    assert_eq!(order, ["b", "a"]);
    assert_eq!(plan.allotted.len(), 4, "also of those that nothing is changed of: {:?}", plan.allotted);
}

#[test]
fn a_small_raise_goes_far_enough_for_the_guard() {
    let states = vec![state("a", &cpu(1.0), Standing::default())];
    let wanted = BTreeMap::from([("a".into(), wanting(1.05, 0.0))]);
    let plan = Sizing::default().plan(&snapshot(states, None), &wanted);
    assert_eq!(plan.changes[0].to, Setting::Value(1.105));
}

#[test]
fn what_is_short_is_shared_and_said_to_be() {
    let important = Standing { priority: 3, ..Standing::default() };
    let states = vec![state("a", &cpu(8.0), important), state("b", &cpu(8.0), Standing::default())];
    let wanted = BTreeMap::from([("a".into(), wanting(5.0, 1.0)), ("b".into(), wanting(5.0, 2.0))]);
    let plan = Sizing::default().plan(&snapshot(states, Some(8.0)), &wanted);
    let given = |id: &str| plan.allotted[&WorkloadId::new(id)][&Knob::CpuQuota];
    assert_eq!((given("a"), given("b")), (5.0, 3.0));
    let reason = &plan.changes.iter().find(|change| change.workload.as_str() == "b").unwrap().reason;
    assert_eq!(reason.binding, Binding::Share { wanted: 10.0, capacity: 8.0 });
}

/// A workload whose use is what it wants or its quota, whichever is less.
struct World {
    wanted: Vec<f32>,
    used: Vec<f32>,
    quota: Setting,
    changes: usize,
}

impl History for World {
    fn series(&self, _: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        let mut series = Series::gap(window);
        for index in 0..series.len() {
            let step = usize::try_from(series.time_s(index) / 300 - 1).ok();
            series.values[index] = step.and_then(|step| self.used.get(step)).copied().unwrap_or(f32::NAN);
        }
        (metric.as_str() == name::CPU && !self.used.is_empty()).then_some(series)
    }
}

#[derive(Default)]
struct Hand(Option<Setting>);

impl Executor for Hand {
    fn name(&self) -> &'static str {
        "hand"
    }
    fn observe(&self, _: &Workload, _: Knob) -> Option<Setting> {
        self.0
    }
    fn apply(&mut self, change: &Admitted) -> Outcome {
        self.0 = Some(change.to());
        Outcome::Applied { read_back: change.to() }
    }
}

impl World {
    fn snapshot(&self, now: Time) -> Snapshot {
        let standing = Standing { mode: Mode::Apply, violation_share: 0.01, ..Standing::default() };
        let mut one = state("w", &[(Knob::CpuQuota, self.quota)], standing);
        let value = f64::from(*self.used.last().unwrap());
        one.latest.insert(Metric::new(name::CPU), Latest { time: now, value });
        Snapshot { now, ..snapshot(vec![one], Some(64.0)) }
    }

    fn run(&mut self) {
        let (policy, forecaster) = (Sizing::default(), crate::forecaster("recent").unwrap());
        let resolution = Resolution { step_s: 300, context: 288, horizon: 24, enough: 0 };
        let cadence = Cadence { resolutions: vec![resolution], ..Cadence::default() };
        let mut loop_state = LoopState::default();
        loop_state.guard = Guard::new(GuardLimits { stale_after_s: 600.0, ..GuardLimits::default() });
        for step in 0..self.wanted.len() {
            self.used.push(self.wanted[step].min(self.quota.value().unwrap_or(f64::INFINITY) as f32));
            let now = Time::from_s(300 * (i64::try_from(step).unwrap() + 1));
            let snapshot = self.snapshot(now);
            let mut hand = Hand::default();
            let mut parts = Parts {
                history: self,
                forecaster: forecaster.as_ref(),
                policy: &policy,
                executor: &mut hand,
                cadence: &cadence,
                announced: &|_, _, _| apportion_core::Announced::default(),
            };
            tick(&mut loop_state, &snapshot, &mut parts);
            if let Some(setting) = hand.0 {
                self.quota = setting;
                self.changes += 1;
            }
        }
    }
}

#[test]
fn a_loop_follows_demand_with_few_changes() {
    let wave = |step: u16| 2.0 + (std::f32::consts::TAU * f32::from(step) / 288.0).sin();
    let wanted: Vec<f32> = (0..5 * 288_u16).map(wave).collect();
    let mut world = World { wanted: wanted.clone(), used: Vec::new(), quota: Setting::Unlimited, changes: 0 };
    world.run();
    let settled = 2 * 288..5 * 288;
    let held_back = settled.clone().filter(|step| world.used[*step] < wanted[*step]).count();
    assert!(held_back <= 30, "held back in {held_back} of {} steps", settled.len());
    assert!(world.changes <= 5 * 16, "{} changes in five days", world.changes);
    let quota = world.quota.value().unwrap();
    assert!((1.9..3.5).contains(&quota), "{quota}");
}

#[test]
fn a_loop_comes_back_from_a_quota_that_is_too_small() {
    // Usage under a quota says "at the quota": seen as over, so each look raises, until usage no longer fills it.
    let mut wanted = vec![0.5; 288];
    wanted.extend([6.0; 40]);
    let mut world = World { wanted, used: Vec::new(), quota: Setting::Unlimited, changes: 0 };
    world.run();
    assert!(world.used.last().unwrap() >= &5.9, "still at {:?}", world.used.last());
}
