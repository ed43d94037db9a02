//! Loops over some workloads of a trace, one for each margin, that go through time together: what is forecast does not depend on the
//! margin, and so is forecast once for all of them.

use super::{Engine, Hear, Made, STRETCHES, Told, knob_of};
use crate::{
    Decided, Options, Trace, TraceSeries,
    parallel::Watch,
    past::{Past, Recorded},
    seldom::Seldom,
    world::{is_gone, is_over},
};
use apportion_core::{
    Admitted, Announced, Capacity, Executor, Forecaster, Guard, GuardLimits, Knob, Latest, LoopState, Metric, Mode,
    Outcome, Resource, Setting, Snapshot, Standing, Time, Workload, WorkloadId, WorkloadKind, WorkloadState,
    metric::name,
    tick,
    tick::{Cadence, Parts},
};
use apportion_planner::{AtWork, Sizing};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

/// Enforcement periods per second.
const PERIODS_PER_S: f64 = 10.0;
/// A forecast that one loop made is another's for no longer than a second: at the same time only.
const AT_ONCE_S: i64 = 1;

/// One series behind a knob.
#[derive(Clone)]
struct Held<'a> {
    /// Its place in the trace.
    at: usize,
    series: &'a TraceSeries,
    workload: WorkloadId,
    knob: Knob,
    /// Knob units in one unit of the metric.
    unit: f64,
    /// Samples seen.
    seen: usize,
    /// Greatest usage seen, in knob units.
    greatest: f64,
}

impl Held<'_> {
    /// Its last sample is not long ago.
    fn is_here(&self, now_s: i64) -> bool {
        let last = self.seen.checked_sub(1).and_then(|last| self.series.times_s.get(last));
        last.is_some_and(|last_s| !is_gone(self.series, *last_s, now_s))
    }
}

/// Puts each series behind a knob. A second series for the same knob of a workload gets a workload of its own beside it.
fn held<'a>(trace: &'a Trace, members: &[usize]) -> Vec<Held<'a>> {
    let mut held: Vec<Held<'a>> = Vec::new();
    for at in members.iter().copied() {
        let series = &trace.series()[at];
        let Some((knob, unit)) = knob_of(series) else { continue };
        let plain = WorkloadId::new(&series.workload);
        let taken = held.iter().any(|held| held.workload == plain && held.knob == knob);
        let workload = if taken { WorkloadId::new(&series.name()) } else { plain };
        held.push(Held { at, series, workload, knob, unit, seen: 0, greatest: 0.0 });
    }
    held
}

/// What is decided of some workloads, asked for each of some shares over. Asked for the share of `options`, memory is played a second
/// time with both of its limits, where these are wanted. Where the watch breaks, the rest is left out.
pub(super) fn play(
    trace: &Trace,
    members: &[usize],
    engine: &Engine<'_>,
    asked: &[f64],
    options: &Options,
    watch: &Watch<'_>,
) -> Vec<Made> {
    let shared = Seldom::new(&*engine.forecaster, AT_ONCE_S);
    let one = |asked: &f64| Loop::new(held(trace, members), engine, &shared, *asked, options);
    let mut loops: Vec<Loop<'_>> = asked.iter().map(one).collect();
    let both = with_both_limits(held(trace, members));
    let own = asked.iter().position(|asked| *asked == options.violation);
    let own = own.filter(|_| options.both_limits && !both.is_empty());
    loops.extend(own.map(|_| Loop::new(both, engine, &shared, options.violation, options)));
    let mut times: Vec<i64> = members.iter().flat_map(|at| trace.series()[*at].times_s.iter().copied()).collect();
    times.sort_unstable();
    times.dedup();
    let stretches = times.chunks(times.len().div_ceil(STRETCHES).max(1));
    let left = STRETCHES - stretches.len();
    for stretch in stretches.take_while(|_| !watch.is_broken()) {
        stretch.iter().for_each(|now_s| loops.iter_mut().for_each(|one| one.turn(*now_s)));
        watch.add(1);
    }
    watch.add(left);
    let both = own.and_then(|_| loops.pop());
    let mut all: Vec<Made> = loops
        .into_iter()
        .map(|one| Made::of(one.decided.into_iter().map(|((at, _), decided)| (at, decided)).collect()))
        .collect();
    if let Some((own, both)) = own.zip(both) {
        all[own].limits = both.decided;
    }
    all
}

/// Memory alone, with the limit that slows and the one that kills.
fn with_both_limits(held: Vec<Held<'_>>) -> Vec<Held<'_>> {
    let memory = held.into_iter().filter(|held| held.knob == Knob::MemoryHigh);
    memory.flat_map(|high| [Held { knob: Knob::MemoryMax, ..high.clone() }, high]).collect()
}

/// Settings that are as they were told to be, and what was told.
#[derive(Default)]
struct Simulated {
    settings: BTreeMap<(WorkloadId, Knob), Setting>,
    writes: Vec<(WorkloadId, Knob, Setting)>,
}

impl Executor for Simulated {
    fn name(&self) -> &'static str {
        "simulated"
    }
    fn observe(&self, workload: &Workload, knob: Knob) -> Option<Setting> {
        self.settings.get(&(workload.id.clone(), knob)).copied()
    }
    fn apply(&mut self, change: &Admitted) -> Outcome {
        let key = (change.workload().id.clone(), change.knob());
        let found = self.settings.get(&key).copied().unwrap_or(Setting::Unlimited);
        if !found.same(change.from(), change.knob()) {
            return Outcome::Drifted { found };
        }
        self.writes.push((key.0.clone(), key.1, change.to()));
        self.settings.insert(key, change.to());
        Outcome::Applied { read_back: change.to() }
    }
}

/// One loop over some workloads.
struct Loop<'a> {
    held: Vec<Held<'a>>,
    forecaster: Seldom<'a>,
    policy: Sizing,
    cadence: &'a Cadence,
    told: Option<&'a Told>,
    heard: Option<&'a Hear<'a>>,
    /// What stands without what is told.
    plain: BTreeMap<WorkloadId, Standing>,
    /// What there is in all.
    machine: Capacity,
    state: LoopState,
    snapshot: Snapshot,
    /// Workloads that have not come yet, or have gone.
    away: BTreeMap<WorkloadId, WorkloadState>,
    past: Past<'a>,
    executor: Simulated,
    decided: BTreeMap<(usize, Knob), Vec<Decided>>,
}

impl<'a> Loop<'a> {
    fn new(
        held: Vec<Held<'a>>,
        engine: &'a Engine<'a>,
        forecaster: &'a dyn Forecaster,
        asked: f64,
        options: &Options,
    ) -> Self {
        let key = |held: &Held<'a>| (held.workload.clone(), Metric::new(held.knob.demand_metric()));
        let past = held.iter().map(|held| (key(held), Recorded::new(held.series, held.unit))).collect();
        let step_s = held.iter().map(|held| held.series.step_s).max().unwrap_or(1) as f64;
        let limits = GuardLimits { stale_after_s: engine.limits.stale_after_s.max(1.5 * step_s), ..engine.limits };
        let mut state = LoopState::default();
        state.guard = Guard::new(limits);
        let away = first_states(&held, asked, options);
        let snapshot =
            Snapshot { now: Time::default(), capacity: capacity(&held, options), workloads: BTreeMap::new() };
        let standing = |(workload, state): (&WorkloadId, &WorkloadState)| (workload.clone(), state.standing.clone());
        Self {
            told: engine.told.as_ref(),
            heard: engine.heard.as_ref(),
            machine: snapshot.capacity.clone(),
            plain: away.iter().map(standing).collect(),
            snapshot,
            away,
            past: Past { series: past, now_s: Cell::new(i64::MIN) },
            held,
            forecaster: Seldom::new(forecaster, engine.forecast_every_s),
            policy: Sizing::default(),
            cadence: &engine.cadence,
            state,
            executor: Simulated::default(),
            decided: BTreeMap::new(),
        }
    }

    /// Takes what came at a time, and decides.
    fn turn(&mut self, now_s: i64) {
        self.take_samples(now_s);
        self.let_go(now_s);
        self.tick(now_s);
    }

    fn take_samples(&mut self, now_s: i64) {
        for held in &mut self.held {
            if held.series.times_s.get(held.seen) != Some(&now_s) {
                continue;
            }
            let usage = held.series.values[held.seen] * held.unit;
            held.seen += 1;
            held.greatest = held.greatest.max(usage);
            if let Some((workload, state)) = self.away.remove_entry(&held.workload) {
                self.snapshot.workloads.insert(workload, state);
            }
            let Some(state) = self.snapshot.workloads.get_mut(&held.workload) else { continue };
            let short = matches!(state.settings.get(&held.knob), Some(Setting::Value(given)) if is_over(usage, *given));
            // What is above a limit that slows is killed only where there is none that kills.
            let kills = held.knob == Knob::MemoryMax || !state.settings.contains_key(&Knob::MemoryMax);
            let mut put = |metric: &str, value: f64| {
                state.latest.insert(Metric::new(metric), Latest { time: Time::from_s(now_s), value });
            };
            put(held.knob.demand_metric(), usage);
            match held.knob.resource() {
                Resource::Cpu => {
                    put(name::CPU_PERIODS, PERIODS_PER_S);
                    put(name::CPU_THROTTLED_PERIODS, if short { PERIODS_PER_S } else { 0.0 });
                }
                Resource::Memory if kills => put(name::OOM_KILLS, if short { 1.0 } else { 0.0 }),
                Resource::Memory => {}
                Resource::Storage | Resource::Network => {}
            }
        }
    }

    /// Workloads of which nothing is heard any more are put away, and what they were allotted is free.
    fn let_go(&mut self, now_s: i64) {
        let here: BTreeSet<&WorkloadId> =
            self.held.iter().filter(|held| held.is_here(now_s)).map(|held| &held.workload).collect();
        let gone = self.snapshot.workloads.extract_if(.., |workload, _| !here.contains(workload));
        self.away.extend(gone);
    }

    fn tick(&mut self, now_s: i64) {
        self.snapshot.now = Time::from_s(now_s);
        self.past.now_s.set(now_s);
        let (told, past) = (self.told.map(|told| told.at(self.snapshot.now)), &self.past);
        if let Some(told) = told {
            self.snapshot.capacity = told.capacity(&self.machine);
            for (workload, state) in &mut self.snapshot.workloads {
                let Some(plain) = self.plain.get(workload) else { continue };
                state.standing = told.standing(workload, plain.clone(), &self.machine);
            }
        }
        let mut parts = Parts {
            history: &self.past,
            forecaster: &self.forecaster,
            policy: &self.policy,
            executor: &mut self.executor,
            cadence: self.cadence,
            announced: &|workload, metric, window| {
                let announced = |told: AtWork<'_>| told.announced(past, workload, metric, window);
                told.map_or_else(Announced::default, announced)
            },
        };
        let report = tick(&mut self.state, &self.snapshot, &mut parts);
        if let Some(heard) = self.heard {
            report.decisions.iter().for_each(heard);
        }
        for (workload, knob, setting) in std::mem::take(&mut self.executor.writes) {
            self.note(now_s, &workload, knob, setting);
        }
    }

    /// Records a write. No limit is recorded as twice the greatest usage so far, since a decision is a number.
    fn note(&mut self, now_s: i64, workload: &WorkloadId, knob: Knob, setting: Setting) {
        if let Some(state) = self.snapshot.workloads.get_mut(workload) {
            state.settings.insert(knob, setting);
        }
        let Some(held) = self.held.iter().find(|held| held.workload == *workload && held.knob == knob) else { return };
        let allocation = setting.value().unwrap_or(2.0 * held.greatest) / held.unit;
        let decided = self.decided.entry((held.at, knob)).or_default();
        match decided.last_mut() {
            Some(last) if last.time_s == now_s => last.allocation = allocation,
            _ => decided.push(Decided { time_s: now_s, allocation }),
        }
    }
}

/// All workloads without limits, and nothing known of them yet.
fn first_states(held: &[Held<'_>], asked: f64, options: &Options) -> BTreeMap<WorkloadId, WorkloadState> {
    let mut workloads: BTreeMap<WorkloadId, WorkloadState> = BTreeMap::new();
    for held in held {
        let state = workloads.entry(held.workload.clone()).or_insert_with(|| {
            let claim = options.node.as_ref().and_then(|node| node.claims.get(&*held.series.workload).copied());
            let claim = claim.unwrap_or_default();
            let (priority, weight) = (claim.priority, claim.weight);
            let set = options.standing(&held.series.workload, asked);
            WorkloadState {
                workload: Workload {
                    id: held.workload.clone(),
                    kind: WorkloadKind::Trace,
                    path: String::new(),
                    labels: BTreeMap::new(),
                },
                standing: Standing { mode: Mode::Apply, priority, weight, ..set },
                latest: BTreeMap::new(),
                settings: BTreeMap::new(),
                life: None,
                lost: BTreeSet::new(),
                own: false,
            }
        });
        state.settings.insert(held.knob, Setting::Unlimited);
    }
    workloads
}

fn capacity(held: &[Held<'_>], options: &Options) -> Capacity {
    let mut amounts = BTreeMap::new();
    for held in held {
        let amount = options.node.as_ref().and_then(|node| node.amounts.get(&*held.series.metric));
        if let Some(amount) = amount {
            amounts.entry(held.knob.resource()).or_insert(amount * held.unit);
        }
    }
    Capacity { amounts }
}
