//! A policy of this house in a simulated world: the same `tick` as on a machine, with the trace for a past and settings that
//! do as they are told.
//!
//! Each workload has a loop of its own, so that loops can run on all cores; the guard's blast radius then holds nothing back.
//! On a shared node all workloads are in one loop, with one metric of each resource (a further metric of it, as writes beside
//! reads, has its own amount, and so a loop of its own), and the policy shares out itself. The policy sees recorded usage; usage
//! above a CPU quota shows as throttled periods, above a memory limit as a kill.

use crate::{
    Options, ReplayError, Trace, TraceSeries,
    deployment::{Deployment, deployments},
    horizontal, joint,
    parallel::{self, Progress},
    past::{Past, Recorded},
    quantity::Kind,
    seldom::Seldom,
    world::{Decided, is_gone, is_over},
};
use apportion_core::{
    Admitted, Announced, Capacity, Decision, Executor, Forecaster, Guard, GuardLimits, Instructed, Knob, Latest,
    LoopState, Metric, Mode, Outcome, Policy, Resource, Setting, Snapshot, Standing, Time, Workload, WorkloadId,
    WorkloadKind, WorkloadState,
    metric::name,
    tick,
    tick::{Cadence, Parts},
};
use apportion_planner::{AtWork, Sizing, UnknownForecaster};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Asked shares of a sweep: those that are sized for as they are.
pub(crate) const GRID: &[f64] = &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
/// Enforcement periods per second.
const PERIODS_PER_S: f64 = 10.0;
const BYTES_PER_MB: f64 = 1e6;

/// What decides, made anew for each loop so that none sees another's memory.
pub struct Brain {
    /// Says what will be needed.
    pub forecaster: Box<dyn Forecaster>,
    /// Decides.
    pub policy: Box<dyn Policy>,
}

/// Makes forecaster and policy from a seed.
type MakeBrain<'a> = Box<dyn Fn(u64) -> Brain + Sync + 'a>;

/// A policy of this house, ready to be replayed.
pub struct Engine<'a> {
    /// Name as given to `--policy`.
    pub name: String,
    /// Makes what decides.
    pub make: MakeBrain<'a>,
    /// When workloads are looked at anew.
    pub cadence: Cadence,
    /// How far the guard lets plans go.
    pub limits: GuardLimits,
    /// What people have said, where something is to be taken into account.
    pub told: Option<Told>,
    /// Hears every decision that is worth a record, with its reasons.
    pub heard: Option<Hear<'a>>,
    /// Forgets what was learnt in an earlier play, where that is of time still to come in the next: called before each.
    pub forget: Box<dyn Fn() + Sync + 'a>,
    /// Workloads that can run as replicas do: how many and how large each is one decision, and no loop sizes their CPU and memory.
    pub scales: bool,
}

/// What hears decisions; called from every thread that plays.
pub type Hear<'a> = Box<dyn Fn(&Decision) + Sync + 'a>;

impl Engine<'static> {
    /// The policy `apportion` as it runs on a machine, with a forecaster by name; each series is forecast anew after
    /// `forecast_every_s` seconds, and the forecast made before is used in between.
    ///
    /// # Errors
    /// No forecaster has that name.
    pub fn apportion(forecaster: &str, forecast_every_s: i64) -> Result<Self, UnknownForecaster> {
        Ok(Self::with(apportion_planner::forecaster(forecaster)?.into(), forecast_every_s))
    }

    /// The same with a forecaster of one's own.
    #[must_use]
    pub fn with(forecaster: Arc<dyn Forecaster + Send + Sync>, forecast_every_s: i64) -> Self {
        let shared = forecaster.clone();
        let make = move |_| Brain {
            forecaster: Box::new(Seldom::new(shared.clone(), forecast_every_s)),
            policy: Box::new(Sizing::default()),
        };
        // A replayed tick may take as long as it takes.
        let cadence = Cadence { first_steps_per_tick: usize::MAX, choices_per_tick: usize::MAX, ..Cadence::default() };
        let limits = GuardLimits::default();
        let (name, make) = ("apportion".to_owned(), Box::new(make));
        let forget = Box::new(move || forecaster.forget(&|_| false));
        Self { name, make, cadence, limits, told: None, heard: None, forget, scales: false }
    }

    /// The policy `apportion-replicas`: the same, but for workloads that can run as replicas.
    ///
    /// # Errors
    /// As [`Engine::apportion`].
    pub fn replicas(forecaster: &str, forecast_every_s: i64) -> Result<Self, UnknownForecaster> {
        let plain = Self::apportion(forecaster, forecast_every_s)?;
        Ok(Self { name: "apportion-replicas".to_owned(), scales: true, ..plain })
    }
}

/// What people have said, as it would have been accepted, and the zones of its hours.
#[derive(Clone, Debug)]
pub struct Told {
    /// In the order in which it was said.
    pub said: Vec<Instructed>,
    /// Seconds that local time is ahead of UTC in a zone at a time.
    pub offset_s: ZoneOffset,
}

/// Seconds that local time is ahead of UTC in a zone (`None`: the machine's) at a time.
pub type ZoneOffset = fn(Option<&str>, Time) -> i64;

impl Told {
    /// What it does at a time.
    #[must_use]
    pub fn at(&self, now: Time) -> AtWork<'_> {
        AtWork::new(&self.said, now, &self.offset_s)
    }
}

/// One series behind a knob.
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

/// What was decided, by the place of a series in the trace.
#[derive(Default)]
pub(crate) struct Made {
    /// In each metric's own unit.
    pub(crate) decided: BTreeMap<usize, Vec<Decided>>,
    /// Replicas that serve of workloads that run as such, by the place of their requests.
    pub(crate) replicas: BTreeMap<usize, Vec<Decided>>,
}

/// What is decided as one.
enum Part {
    /// Sized by one loop.
    Loop(Vec<usize>),
    /// A series of requests alone.
    Requests(usize),
    /// A workload that runs as replicas.
    Deployment(Deployment),
}

/// Plays every workload of the trace.
///
/// # Errors
/// [`ReplayError::BrokenOff`].
pub(crate) fn play(
    trace: &Trace,
    engine: &Engine<'_>,
    violation: f64,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Made, ReplayError> {
    let parts = parts(trace, engine, options);
    (engine.forget)();
    let played = parallel::watched(parts.len(), options.threads, progress, |at| match &parts[at] {
        Part::Loop(members) => Made::of(Loop::new(trace, members, engine, violation, options).play()),
        Part::Requests(one) => {
            Made::of([(*one, horizontal::play(&trace.series()[*one], engine, violation, options))].into())
        }
        Part::Deployment(own) => joint::play(trace, own, engine, violation, options),
    })?;
    let mut made = Made::default();
    for mut part in played {
        made.decided.append(&mut part.decided);
        made.replicas.append(&mut part.replicas);
    }
    Ok(made)
}

impl Made {
    const fn of(decided: BTreeMap<usize, Vec<Decided>>) -> Self {
        Self { decided, replicas: BTreeMap::new() }
    }
}

fn parts(trace: &Trace, engine: &Engine<'_>, options: &Options) -> Vec<Part> {
    let own = if engine.scales { deployments(trace) } else { Vec::new() };
    let taken: BTreeSet<usize> =
        own.iter().flat_map(|own| [Some(own.requests), Some(own.cpu), own.memory]).flatten().collect();
    let is_requests = |at: &usize| trace.series()[*at].quantity().kind == Kind::Requests;
    let left = (0..trace.series().len()).filter(|at| !taken.contains(at));
    let (scaled, sized): (Vec<usize>, Vec<usize>) = left.partition(is_requests);
    let same = |a: &usize, b: &usize| trace.series()[*a].workload == trace.series()[*b].workload;
    let loops = match options.node {
        Some(_) => on_node(trace, &sized),
        None => sized.chunk_by(same).map(<[usize]>::to_vec).collect(),
    };
    let parts = loops.into_iter().map(Part::Loop).chain(scaled.into_iter().map(Part::Requests));
    parts.chain(own.into_iter().map(Part::Deployment)).collect()
}

/// Loops over all workloads of a node, each with one metric of every resource: what there is of a resource is what there is of that
/// metric.
fn on_node(trace: &Trace, sized: &[usize]) -> Vec<Vec<usize>> {
    let mut metrics: BTreeMap<Resource, BTreeSet<&str>> = BTreeMap::new();
    let resource = |at: usize| knob_of(&trace.series()[at]).map(|(knob, _)| knob.resource());
    for at in sized {
        let Some(resource) = resource(*at) else { continue };
        metrics.entry(resource).or_default().insert(&trace.series()[*at].metric);
    }
    let place = |at: &usize| {
        let all = metrics.get(&resource(*at)?)?;
        all.iter().position(|metric| **metric == *trace.series()[*at].metric)
    };
    let count = metrics.values().map(BTreeSet::len).max().unwrap_or(0);
    (0..count).map(|number| sized.iter().copied().filter(|at| place(at) == Some(number)).collect()).collect()
}

/// The knob that sizes a metric and its units in one unit of the metric; `None` for request rates, which replicas serve.
pub(crate) fn knob_of(series: &TraceSeries) -> Option<(Knob, f64)> {
    let quantity = series.quantity();
    let knob = match quantity.kind {
        Kind::Requests => return None,
        Kind::Cpu => return Some((Knob::CpuQuota, quantity.unit)),
        Kind::Memory => return Some((Knob::MemoryHigh, quantity.unit)),
        Kind::Throughput if series.metric.contains("read") => Knob::IoReadMax,
        Kind::Throughput if series.metric.contains("write") => Knob::IoWriteMax,
        Kind::Throughput => Knob::NetworkSendMax,
    };
    Some((knob, quantity.unit * BYTES_PER_MB))
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
    brain: Brain,
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
    decided: BTreeMap<usize, Vec<Decided>>,
}

impl<'a> Loop<'a> {
    fn new(trace: &'a Trace, members: &[usize], engine: &'a Engine<'a>, violation: f64, options: &Options) -> Self {
        let held = held(trace, members);
        let key = |held: &Held<'a>| (held.workload.clone(), Metric::new(held.knob.demand_metric()));
        let past = held.iter().map(|held| (key(held), Recorded::new(held.series, held.unit))).collect();
        let step_s = held.iter().map(|held| held.series.step_s).max().unwrap_or(1) as f64;
        let limits = GuardLimits { stale_after_s: engine.limits.stale_after_s.max(1.5 * step_s), ..engine.limits };
        let mut state = LoopState::default();
        state.guard = Guard::new(limits);
        let away = first_states(&held, violation, options);
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
            brain: (engine.make)(options.seed),
            cadence: &engine.cadence,
            state,
            executor: Simulated::default(),
            decided: BTreeMap::new(),
        }
    }

    fn play(mut self) -> BTreeMap<usize, Vec<Decided>> {
        let mut times: Vec<i64> = self.held.iter().flat_map(|held| held.series.times_s.iter().copied()).collect();
        times.sort_unstable();
        times.dedup();
        for now_s in times {
            self.take_samples(now_s);
            self.let_go(now_s);
            self.tick(now_s);
        }
        self.decided
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
            let mut put = |metric: &str, value: f64| {
                state.latest.insert(Metric::new(metric), Latest { time: Time::from_s(now_s), value });
            };
            put(held.knob.demand_metric(), usage);
            match held.knob.resource() {
                Resource::Cpu => {
                    put(name::CPU_PERIODS, PERIODS_PER_S);
                    put(name::CPU_THROTTLED_PERIODS, if short { PERIODS_PER_S } else { 0.0 });
                }
                Resource::Memory => put(name::OOM_KILLS, if short { 1.0 } else { 0.0 }),
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
            forecaster: self.brain.forecaster.as_ref(),
            policy: self.brain.policy.as_ref(),
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
        let decided = self.decided.entry(held.at).or_default();
        match decided.last_mut() {
            Some(last) if last.time_s == now_s => last.allocation = allocation,
            _ => decided.push(Decided { time_s: now_s, allocation }),
        }
    }
}

/// All workloads without limits, and nothing known of them yet.
fn first_states(held: &[Held<'_>], violation: f64, options: &Options) -> BTreeMap<WorkloadId, WorkloadState> {
    let mut workloads: BTreeMap<WorkloadId, WorkloadState> = BTreeMap::new();
    for held in held {
        let state = workloads.entry(held.workload.clone()).or_insert_with(|| {
            let claim = options.node.as_ref().and_then(|node| node.claims.get(&*held.series.workload).copied());
            let claim = claim.unwrap_or_default();
            let (priority, weight) = (claim.priority, claim.weight);
            let usual = || Standing { violation_share: violation, ..Standing::default() };
            let set = options.standings.get(&*held.series.workload).cloned().unwrap_or_else(usual);
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

#[cfg(test)]
mod tests;
