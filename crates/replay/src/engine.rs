//! A policy of this house in a simulated world: the same `tick` as on a machine, with the trace for a past and settings that
//! do as they are told.
//!
//! Each workload has a loop of its own, so that loops can run on all cores; the guard's blast radius then holds nothing back.
//! On a shared node all workloads are in one loop, with one metric of each resource (a further metric of it, as writes beside
//! reads, has its own amount, and so a loop of its own), and the policy shares out itself. The policy sees recorded usage; usage
//! above a CPU quota shows as throttled periods, above a memory limit as a kill.

mod loops;

use crate::{
    Options, ReplayError, Trace, TraceSeries,
    deployment::{Deployment, deployments},
    horizontal, joint,
    parallel::{self, Progress, Watch},
    quantity::Kind,
    world::Decided,
};
use apportion_core::{Decision, Forecaster, GuardLimits, Instructed, Knob, Resource, Time, tick::Cadence};
use apportion_planner::{AtWork, UnknownForecaster};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Asked shares of a sweep: those that are sized for as they are.
pub(crate) const GRID: &[f64] = &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
/// The policy of this house that sizes what there is.
pub(crate) const SIZING: &str = "apportion";
/// The policy of this house that decides how many replicas there are.
pub const SCALING: &str = "apportion-replicas";
const BYTES_PER_MB: f64 = 1e6;
/// A loop, which may be over hundreds of workloads, tells so often how far it has come.
const STRETCHES: usize = 100;

/// A policy of this house, ready to be replayed.
pub struct Engine<'a> {
    /// Name as given to `--policy`.
    pub name: String,
    /// Says what will be needed. What it learnt in an earlier play is forgotten before each, where that is of time still to come in it.
    pub forecaster: Arc<dyn Forecaster + Send + Sync>,
    /// A series is forecast anew after so many seconds, and sooner where the forecast was wrong.
    pub forecast_every_s: i64,
    /// When workloads are looked at anew.
    pub cadence: Cadence,
    /// How far the guard lets plans go.
    pub limits: GuardLimits,
    /// What people have said, where something is to be taken into account.
    pub told: Option<Told>,
    /// Hears every decision that is worth a record, with its reasons.
    pub heard: Option<Hear<'a>>,
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
        // A replayed tick may take as long as it takes.
        let cadence = Cadence { first_steps_per_tick: usize::MAX, choices_per_tick: usize::MAX, ..Cadence::default() };
        let (name, limits) = (SIZING.to_owned(), GuardLimits::default());
        Self { name, forecaster, forecast_every_s, cadence, limits, told: None, heard: None, scales: false }
    }

    /// The policy `apportion-replicas`: the same, but for workloads that can run as replicas.
    ///
    /// # Errors
    /// As [`Engine::apportion`].
    pub fn replicas(forecaster: &str, forecast_every_s: i64) -> Result<Self, UnknownForecaster> {
        let plain = Self::apportion(forecaster, forecast_every_s)?;
        Ok(Self { name: SCALING.to_owned(), scales: true, ..plain })
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

/// What was decided, by the place of a series in the trace.
#[derive(Default)]
pub(crate) struct Made {
    /// In each metric's own unit.
    pub(crate) decided: BTreeMap<usize, Vec<Decided>>,
    /// Replicas that serve of workloads that run as such, by the place of their requests.
    pub(crate) replicas: BTreeMap<usize, Vec<Decided>>,
    /// Of memory with both its limits, each of the two.
    pub(crate) limits: BTreeMap<(usize, Knob), Vec<Decided>>,
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

/// Plays every workload of the trace, asked for each of some shares over; what was decided for each of these. Nothing is forecast twice:
/// forecasts do not rest on what may be over.
///
/// # Errors
/// [`ReplayError::BrokenOff`].
pub(crate) fn play(
    trace: &Trace,
    engine: &Engine<'_>,
    asked: &[f64],
    options: &Options,
    progress: Progress<'_>,
) -> Result<Vec<Made>, ReplayError> {
    let parts = parts(trace, engine, options);
    engine.forecaster.forget(&|_| false);
    let watch = Watch::new(progress, parts.len() * STRETCHES);
    let played = parallel::watched(parts.len(), options.threads, &watch, |at| {
        let made = match &parts[at] {
            Part::Loop(members) => return loops::play(trace, members, engine, asked, options, &watch),
            Part::Requests(one) => {
                let made = horizontal::play(&trace.series()[*one], engine, asked, options);
                made.into_iter().map(|decided| Made::of([(*one, decided)].into())).collect()
            }
            Part::Deployment(own) => joint::play(trace, own, engine, asked, options),
        };
        watch.add(STRETCHES);
        made
    })?;
    let mut all: Vec<Made> = asked.iter().map(|_| Made::default()).collect();
    for part in played {
        all.iter_mut().zip(part).for_each(|(made, part)| made.add(part));
    }
    Ok(all)
}

impl Made {
    pub(crate) const fn of(decided: BTreeMap<usize, Vec<Decided>>) -> Self {
        Self { decided, replicas: BTreeMap::new(), limits: BTreeMap::new() }
    }

    fn add(&mut self, mut part: Self) {
        self.decided.append(&mut part.decided);
        self.replicas.append(&mut part.replicas);
        self.limits.append(&mut part.limits);
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

#[cfg(test)]
mod tests;
