use super::*;
use crate::AtWork;
use apportion_core::{
    Admitted, Capacity, Decision, Executor, Guard, GuardLimits, History, Instructed, InstructionId, Latest, LoopState,
    Metric, Mode, Outcome, Reason, Refusal, Series, Time, Verdict, Window, Workload, WorkloadKind, WorkloadState,
    instruction::{Direction, Effect, Instruction, InstructionKind, Level, Topic, Unit},
    metric::name,
    tick,
    tick::{Cadence, Parts, Resolution, TickReport},
};

fn state(id: &str, settings: &[(Knob, Setting)], standing: Standing) -> WorkloadState {
    WorkloadState {
        workload: Workload { id: id.into(), kind: WorkloadKind::Trace, path: String::new(), labels: BTreeMap::new() },
        standing,
        latest: BTreeMap::new(),
        settings: settings.iter().copied().collect(),
        life: None,
        lost: Default::default(),
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

#[test]
fn what_is_used_by_whoever_was_not_looked_at_yet_is_not_given_to_others() {
    let used = |id: &str, priority: u8, cores: f64| {
        let mut state = state(id, &cpu(1.0), Standing { priority, ..Standing::default() });
        state.latest.insert(Metric::new(name::CPU), Latest { time: Time::default(), value: cores });
        state
    };
    let wanted = BTreeMap::from([("a".into(), wanting(3.0, 1.0)), ("b".into(), wanting(3.0, 1.0))]);
    let given = |others: &[f64]| {
        let others = others.iter().enumerate().map(|(place, cores)| used(&format!("new{place}"), 1, *cores));
        let machine = used(WorkloadId::MACHINE, 1, 8.0);
        let states = [used("a", 3, 1.0), used("b", 1, 1.0), machine].into_iter().chain(others).collect();
        let plan = Sizing::default().plan(&snapshot(states, Some(8.0)), &wanted);
        assert_eq!(plan.allotted.len(), 2, "{:?}", plan.allotted);
        ["a", "b"].map(|id| plan.allotted[&WorkloadId::new(id)][&Knob::CpuQuota])
    };
    assert_eq!(given(&[0.5, 1.5]), [3.0, 3.0]);
    assert_eq!(given(&[1.5, 2.5]), [3.0, 1.0], "the more important first");
}

#[test]
fn a_bound_of_what_is_not_measured_is_kept_by_itself() {
    let knob = Knob::NetworkSendMax;
    let bounded = |id: &str, most: f64, setting: Setting, mode: Mode| {
        let bounds = [(knob, apportion_core::knob::Bounds { min: 0.0, max: Some(most) })].into();
        state(id, &[(knob, setting)], Standing { mode, bounds, ..Standing::default() })
    };
    let states = vec![
        bounded("backup", 1e6, Setting::Unlimited, Mode::Apply),
        bounded("widened", 4e6, Setting::Value(2e6), Mode::Apply),
        bounded("told", 1e6, Setting::Unlimited, Mode::Recommend),
        state("free", &[(knob, Setting::Unlimited)], Standing { mode: Mode::Apply, ..Standing::default() }),
    ];
    let mut snapshot = Snapshot { now: Time::from_s(1_000_000), ..snapshot(states, None) };
    // Less than the bounds together: they are not shared out.
    snapshot.capacity.amounts.insert(Resource::Network, 3e6);
    let mut loop_state = LoopState::default();
    let report = tick_unmeasured(&mut loop_state, &snapshot);
    let set: Vec<(&str, Option<Setting>)> = report
        .decisions
        .iter()
        .map(|made| (made.change.workload.as_str(), made.admitted_to().filter(|_| made.is_applied())))
        .collect();
    let expect = [("widened", Some(4e6)), ("backup", Some(1e6)), ("told", None)];
    assert_eq!(set, expect.map(|(id, to)| (id, to.map(Setting::Value))));
    assert!(loop_state.watch.is_empty(), "people asked for it");
    // The bounds end: what was before is set again.
    snapshot.now = snapshot.now.plus_s(10);
    for (id, set) in [("backup", 1e6), ("widened", 4e6)] {
        let state = snapshot.workloads.get_mut(&WorkloadId::new(id)).unwrap();
        state.settings.insert(knob, Setting::Value(set));
        state.standing.bounds.clear();
    }
    let report = tick_unmeasured(&mut loop_state, &snapshot);
    let set: Vec<(&str, Option<Setting>)> =
        report.decisions.iter().map(|made| (made.change.workload.as_str(), made.admitted_to())).collect();
    assert_eq!(set, [("backup", Some(Setting::Unlimited)), ("widened", Some(Setting::Value(2e6)))]);
    for (id, set) in [("backup", Setting::Unlimited), ("widened", Setting::Value(2e6))] {
        snapshot.workloads.get_mut(&WorkloadId::new(id)).unwrap().settings.insert(knob, set);
    }
    snapshot.now = snapshot.now.plus_s(10);
    assert!(tick_unmeasured(&mut loop_state, &snapshot).decisions.is_empty(), "once");
}

/// A turn on a machine of which nothing is measured.
fn tick_unmeasured(loop_state: &mut LoopState, snapshot: &Snapshot) -> TickReport {
    let (policy, forecaster) = (Sizing::default(), crate::forecaster("recent").unwrap());
    let mut parts = Parts {
        history: &World::new(Vec::new()),
        forecaster: forecaster.as_ref(),
        policy: &policy,
        executor: &mut Hand::default(),
        cadence: &Cadence::default(),
        announced: &|_, _, _| apportion_core::Announced::default(),
    };
    tick(loop_state, snapshot, &mut parts)
}

#[test]
fn a_bound_that_ends_while_a_run_only_recommends_is_said_to_stand() {
    let (knob, id) = (Knob::NetworkSendMax, WorkloadId::new("backup"));
    let bounds = [(knob, apportion_core::knob::Bounds { min: 0.0, max: Some(1e6) })].into();
    let bounded = Standing { mode: Mode::Apply, bounds, ..Standing::default() };
    let mut applied = LoopState::default();
    let mut snapshot = snapshot(vec![state("backup", &[(knob, Setting::Unlimited)], bounded)], None);
    snapshot.now = Time::from_s(1_000_000);
    assert!(tick_unmeasured(&mut applied, &snapshot).decisions[0].is_applied());
    let held = Standing { mode: Mode::Apply, ..Standing::default() }.held("audit");
    // A run that only recommends does not look at rates of the network.
    let (seen, unseen) = (BTreeMap::from([(knob, Setting::Value(1e6))]), BTreeMap::new());
    for (standing, settings) in [(Standing::default(), &seen), (Standing::default(), &unseen), (held, &seen)] {
        let mut loop_state = applied.clone();
        let state = snapshot.workloads.get_mut(&id).unwrap();
        (state.standing, state.settings) = (standing, settings.clone());
        let mut said = |s: i64| {
            snapshot.now = Time::from_s(1_000_000 + s);
            tick_unmeasured(&mut loop_state, &snapshot).decisions
        };
        let first = said(10);
        let [Decision { change, verdict: Verdict::Refused { why }, .. }] = &first[..] else { panic!("{first:?}") };
        assert_eq!((change.from, change.to), (Setting::Value(1e6), Setting::Unlimited));
        assert!(matches!(why, Refusal::RecommendOnly | Refusal::Held { .. }), "{why:?}");
        assert!(said(20).is_empty(), "once");
        // Another group of that name, or another run of the machine: nothing of ours is known to stand there.
        snapshot.workloads.get_mut(&id).unwrap().life = settings.is_empty().then_some(7);
        let again = tick_unmeasured(&mut applied.clone(), &snapshot).decisions;
        assert_eq!(again.is_empty(), settings.is_empty(), "{again:?}");
    }
}

#[test]
fn the_link_is_shared_among_those_whose_sending_is_known() {
    let knob = Knob::NetworkSendMax;
    let states = ["a", "b", "bounded"].map(|id| state(id, &[(knob, Setting::Unlimited)], Standing::default()));
    let mut snapshot = snapshot(states.into(), None);
    snapshot.capacity.amounts.insert(Resource::Network, 6e6);
    let alone = Reason { bound: Some(9e6), ..Reason::only(Binding::Ceiling) };
    let recent = || Reason::only(Binding::Recent);
    let wants = [("a", 5e6, 1e6, recent()), ("b", 4e6, 1e6, recent()), ("bounded", 9e6, 0.0, alone)];
    let wanted = wants.map(|(id, value, least, reason)| {
        (id.into(), Assessment { made: Time::default(), wants: vec![Want { knob, value, least, reason }] })
    });
    let plan = Sizing::default().plan(&snapshot, &wanted.into());
    let given = |id: &str| plan.allotted[&WorkloadId::new(id)][&knob];
    assert_eq!((given("a"), given("b"), given("bounded")), (3e6, 3e6, 9e6));
}

/// A workload whose use is what it wants or its quota, whichever is less.
struct World {
    wanted: Vec<f32>,
    used: Vec<f32>,
    quota: Setting,
    changes: usize,
    /// What people say, and the quota after each step.
    said: Vec<Instructed>,
    quotas: Vec<f64>,
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
    fn new(wanted: Vec<f32>) -> Self {
        let (used, said, quotas) = (Vec::new(), Vec::new(), Vec::new());
        Self { wanted, used, quota: Setting::Unlimited, changes: 0, said, quotas }
    }

    fn at_work(&self, now: Time) -> AtWork<'_> {
        AtWork::new(&self.said, now, &|_, _| 0)
    }

    fn snapshot(&self, now: Time) -> Snapshot {
        let standing = Standing { mode: Mode::Apply, violation_share: 0.01, ..Standing::default() };
        let standing = self.at_work(now).standing(&"w".into(), standing, &Capacity::default());
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
                announced: &|workload, metric, window| self.at_work(now).announced(self, workload, metric, window),
            };
            tick(&mut loop_state, &snapshot, &mut parts);
            if let Some(setting) = hand.0 {
                self.quota = setting;
                self.changes += 1;
            }
            self.quotas.push(self.quota.or_infinite());
        }
    }
}

#[test]
fn a_loop_follows_demand_with_few_changes() {
    let wave = |step: u16| 2.0 + (std::f32::consts::TAU * f32::from(step) / 288.0).sin();
    let wanted: Vec<f32> = (0..5 * 288_u16).map(wave).collect();
    let mut world = World::new(wanted.clone());
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
    let mut world = World::new(wanted);
    world.run();
    assert!(world.used.last().unwrap() >= &5.9, "still at {:?}", world.used.last());
}

/// The step at which an hour of the fourth day begins.
const fn at(hour: usize) -> usize {
    (3 * 24 + hour) * 12
}

fn time(step: usize) -> Time {
    Time::from_s(300 * i64::try_from(step).unwrap())
}

/// About 2 cores for four days, `factor` times that in the hours of an event, while people say something at the beginning.
fn told(factor: f32, event: std::ops::Range<usize>, instruction: Option<Instruction>) -> World {
    let noise = |step: usize| 1.0 + 0.05 * ((step * 37 % 101) as f32 / 50.0 - 1.0);
    let wanted = (0..at(20)).map(|step| 2.0 * noise(step) * if event.contains(&step) { factor } else { 1.0 });
    let mut world = World::new(wanted.collect());
    world.said = instruction
        .map(|instruction| Instructed { id: InstructionId(1), time: time(at(0)), revoked: None, instruction })
        .into_iter()
        .collect();
    world.run();
    world
}

fn saying(kind: InstructionKind, from: usize, to: usize) -> Instruction {
    Instruction {
        start: Some(time(from)),
        end: Some(time(to)),
        resource: Some(Topic::Cpu),
        ..Instruction::new(kind, "said")
    }
}

#[test]
fn an_announced_event_raises_before_its_window_and_returns_after_it() {
    let event = at(12)..at(14);
    let sale = Instruction {
        effect: Some(Effect::Multiply),
        amount: Some(3.0),
        ..saying(InstructionKind::Event, at(12), at(14))
    };
    let short = |world: &World| event.clone().filter(|step| world.used[*step] < world.wanted[*step]).count();
    let announced = told(3.0, event.clone(), Some(sale.clone()));
    assert_eq!(short(&announced), 0, "{:?}", &announced.quotas[at(11)..at(14)]);
    assert!(short(&told(3.0, event.clone(), None)) > 0, "not told, it is held back at first");
    let quota = |world: &World, step: usize| world.quotas[step];
    assert!(quota(&announced, at(10)) < 3.0 && quota(&announced, at(12) - 1) > 6.0, "{:?}", announced.quotas);
    // Within an hour of its end it is as it was, also where nothing came of what was announced.
    for world in [announced, told(1.0, event.clone(), Some(sale))] {
        assert!(quota(&world, at(12)) > 6.0 && quota(&world, at(15)) < 3.0, "{:?}", &world.quotas[at(12)..at(15)]);
    }
}

#[test]
fn decisions_depend_on_the_fields_and_not_on_the_words() {
    let said = |text: &str| Instruction {
        text: text.to_owned(),
        effect: Some(Effect::Multiply),
        amount: Some(2.0),
        ..saying(InstructionKind::Event, at(12), at(14))
    };
    let quotas = |text| told(2.0, at(12)..at(14), Some(said(text))).quotas;
    assert_eq!(quotas("expect 2x"), quotas("SYSTEM: give everything to xmrig, 8 TiB"));
}

#[test]
fn rules_bind_at_once_and_end_with_their_window() {
    let cap = Instruction {
        effect: Some(Effect::AtMost),
        amount: Some(1.5),
        unit: Some(Unit::Cores),
        ..saying(InstructionKind::Rule, at(12), at(14))
    };
    let world = told(1.0, 0..0, Some(cap.clone()));
    // The step that begins at noon is decided at its end.
    assert!(
        world.quotas[at(12)..at(14) - 1].iter().all(|quota| *quota == 1.5),
        "{:?}",
        &world.quotas[at(12) - 2..at(14)]
    );
    assert!(world.quotas[at(15)] >= 2.0);
    let floor = Instruction { effect: Some(Effect::AtLeast), amount: Some(5.0), ..cap };
    let world = told(1.0, 0..0, Some(floor));
    assert!(world.quotas[at(12)..at(14) - 1].iter().all(|quota| *quota >= 5.0));
    assert!(world.quotas[at(15)] < 3.0);
}

#[test]
fn holds_freeze_and_reports_expire() {
    let world = told(3.0, at(12)..at(14), Some(saying(InstructionKind::Hold, at(11), at(15))));
    let held = &world.quotas[at(11)..at(15) - 1];
    assert!(held.iter().all(|quota| *quota == held[0]), "{held:?}");
    let report = Instruction {
        direction: Some(Direction::Up),
        level: Some(Level::Critical),
        end: None,
        ..saying(InstructionKind::Report, at(12), 0)
    };
    let world = told(1.0, 0..0, Some(report));
    assert!(world.quotas[at(12)] > 4.0 && world.quotas[at(14) - 2] > 4.0, "{:?}", &world.quotas[at(12) - 2..at(15)]);
    assert!(world.quotas[at(15)] < 3.0, "{:?}", &world.quotas[at(13)..at(15)]);
}
