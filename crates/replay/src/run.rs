//! Plays a whole trace to a policy.

use crate::{
    Decisions, ReplayError, Trace, TraceSeries,
    decisions::SeriesDecisions,
    deployment::{Deployment, deployments},
    engine::{self, Engine},
    parallel::{self, Progress, Watch},
    peers::{self, Peer, Subject},
    quantity::Kind,
    replicas,
    share::{self, Node},
    world::{self, Decided},
};
use apportion_core::{Knob, Standing};
use std::collections::BTreeMap;

/// How a replay is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Share of samples that may be over, for policies that aim at one (ours and the bounds), 0..1.
    pub violation: f64,
    /// Changes a day that the clairvoyant forecast may make.
    pub changes_per_day: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Threads to use; changes nothing in the results.
    pub threads: usize,
    /// Where all workloads share one node, what it has.
    pub node: Option<Node>,
    /// What people set for workloads, by name, for ours; others are asked for `violation` and have no bounds.
    pub standings: BTreeMap<String, Standing>,
    /// From asking for a replica until it serves, seconds (request rates only).
    pub replica_start_s: i64,
    /// Ours plays memory a second time, with the limit that kills beside the one that slows.
    pub both_limits: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            violation: 0.01,
            changes_per_day: 4.0,
            seed: 0,
            threads: 1,
            node: None,
            standings: BTreeMap::new(),
            replica_start_s: replicas::START_S,
            both_limits: true,
        }
    }
}

impl Options {
    /// What stands for a workload that people set nothing for but the share over that is asked of all.
    pub(crate) fn standing(&self, workload: &str, asked: f64) -> Standing {
        let usual = || Standing { violation_share: asked, ..Standing::default() };
        self.standings.get(workload).cloned().unwrap_or_else(usual)
    }
}

/// Who decides.
#[derive(Clone, Copy)]
pub enum Player<'a> {
    /// A peer's algorithm, series by series.
    Peer(&'static Peer),
    /// A policy of this house through `tick`, workload by workload.
    Engine(&'a Engine<'a>),
}

impl Player<'_> {
    /// The name shown.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Peer(peer) => peer.name,
            Self::Engine(engine) => &engine.name,
        }
    }
    /// That the player can size something of a trace.
    ///
    /// # Errors
    /// [`ReplayError::NoRequests`] or [`ReplayError::NoReplicas`] when it cannot.
    pub fn check(&self, trace: &Trace) -> Result<(), ReplayError> {
        if matches!(self, Self::Engine(engine) if engine.scales) && deployments(trace).is_empty() {
            return Err(ReplayError::NoReplicas { policy: self.name().to_owned() });
        }
        let sized = |series: &TraceSeries| matches!(self, Self::Engine(_)) || self.sizes(series);
        if trace.series().iter().any(sized) {
            return Ok(());
        }
        Err(ReplayError::NoRequests { metrics: trace.metrics().join(", ") })
    }
    /// A bound that looks ahead on purpose.
    fn looks_ahead(&self) -> bool {
        matches!(self, Self::Peer(peer) if peer.clairvoyant)
    }
    /// Decides how many replicas there are.
    fn scales(&self) -> bool {
        match self {
            Self::Peer(peer) => peer.name == "hpa",
            Self::Engine(engine) => engine.scales,
        }
    }
    /// The margin that it has of its own; an engine's is the share that is asked.
    pub(crate) fn margin(&self, options: &Options) -> f64 {
        match self {
            Self::Peer(peer) => peer.margin,
            Self::Engine(_) => options.violation,
        }
    }
    /// The horizontal autoscaler sizes request rates only.
    fn sizes(&self, series: &TraceSeries) -> bool {
        self.name() != "hpa" || series.quantity().kind == Kind::Requests
    }
    /// What is swept, and over which values.
    #[must_use]
    pub fn grid(&self) -> (&'static str, &'static [f64]) {
        match self {
            Self::Peer(peer) => (peer.margin_means, peer.grid),
            Self::Engine(_) => ("asked share of samples over", engine::GRID),
        }
    }
}

/// The player of that name: a peer, or one of the engines given.
///
/// # Errors
/// [`ReplayError::UnknownPolicy`] with all names.
pub fn player<'a>(name: &str, engines: &'a [Engine<'a>]) -> Result<Player<'a>, ReplayError> {
    let engine = engines.iter().find(|engine| engine.name == name).map(Player::Engine);
    engine.or_else(|| Peer::named(name).map(Player::Peer)).ok_or_else(|| {
        let names = engines.iter().map(|engine| engine.name.as_str()).chain(peers::ALL.iter().map(|peer| peer.name));
        ReplayError::UnknownPolicy { name: name.to_owned(), known: names.collect::<Vec<_>>().join(", ") }
    })
}

/// Plays the trace to a player at its own margin (an engine: at the asked violation).
///
/// # Errors
/// As [`Player::check`], when the player cannot size anything of this trace; [`ReplayError::BrokenOff`] where `progress` breaks.
pub fn run(
    trace: &Trace,
    player: Player<'_>,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Decisions, ReplayError> {
    run_at(trace, player, player.margin(options), options, progress)
}

/// Plays the trace to a player at some margin of its sweep.
///
/// # Errors
/// As [`run`].
pub fn run_at(
    trace: &Trace,
    player: Player<'_>,
    margin: f64,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Decisions, ReplayError> {
    match player {
        Player::Peer(peer) => {
            player.check(trace)?;
            let watch = Watch::new(progress, trace.series().len());
            let decided = parallel::watched(trace.series().len(), options.threads, &watch, |at| {
                let series = &trace.series()[at];
                let made = if player.sizes(series) { play_peer(series, peer, margin, options) } else { Vec::new() };
                watch.add(1);
                made
            })?;
            Ok(finished(trace, player, engine::Made::of(decided.into_iter().enumerate().collect()), options))
        }
        Player::Engine(engine) => {
            let made = run_asked(trace, engine, &[margin], options, progress)?;
            made.into_iter().next().ok_or(ReplayError::BrokenOff)
        }
    }
}

/// Plays the trace to an engine, asked for each of some shares over, in their order; each forecast is made once for all of them.
///
/// # Errors
/// As [`run`].
pub fn run_asked(
    trace: &Trace,
    engine: &Engine<'_>,
    asked: &[f64],
    options: &Options,
    progress: Progress<'_>,
) -> Result<Vec<Decisions>, ReplayError> {
    let one = |made: engine::Made| finished(trace, Player::Engine(engine), made, options);
    Ok(engine::play(trace, engine, asked, options, progress)?.into_iter().map(one).collect())
}

/// Decisions as they are recorded: replicas once they serve, and what a shared node can give.
fn finished(trace: &Trace, player: Player<'_>, mut made: engine::Made, options: &Options) -> Decisions {
    let decided = (0..trace.series().len()).map(|at| made.decided.remove(&at).unwrap_or_default()).collect();
    let decided = if player.looks_ahead() { decided } else { started(trace, decided, options.replica_start_s) };
    if player.scales() {
        made.replicas.extend(counted(trace, &decided));
    }
    let mut wanted = Decisions::none(player.name(), trace);
    wanted.series.iter_mut().zip(decided).for_each(|(series, decided)| series.decided = decided);
    let of_replicas = |(at, decided): (usize, Vec<Decided>)| {
        let workload = &trace.series()[at].workload;
        SeriesDecisions { decided, ..SeriesDecisions::of_replicas(workload) }
    };
    wanted.replicas = made.replicas.into_iter().map(of_replicas).collect();
    let of_limit = |((at, knob), decided): ((usize, Knob), Vec<Decided>)| {
        let limit = usize::from(knob == Knob::MemoryMax);
        SeriesDecisions { decided, ..SeriesDecisions::of_limit(trace, at, limit) }
    };
    wanted.limits = made.limits.into_iter().map(of_limit).collect();
    match &options.node {
        Some(node) => share::on_node(trace, wanted, node),
        None => wanted,
    }
}

/// Replicas that serve of workloads that can run as such, where requests are what was decided by; by the place of the requests.
fn counted(trace: &Trace, decided: &[Vec<Decided>]) -> BTreeMap<usize, Vec<Decided>> {
    let count = |own: Deployment| {
        let serving = &decided[own.requests];
        let one = replicas::served_by_one(&trace.series()[own.requests]).filter(|_| !serving.is_empty())?;
        let counts = serving.iter().map(|made| Decided { allocation: (made.allocation / one).round(), ..*made });
        Some((own.requests, counts.collect()))
    };
    deployments(trace).into_iter().filter_map(count).collect()
}

/// Replicas serve some time after they are asked for; one that looks ahead asks for them that much earlier.
fn started(trace: &Trace, asked: Vec<Vec<Decided>>, start_s: i64) -> Vec<Vec<Decided>> {
    let serving = |(series, asked): (&TraceSeries, Vec<Decided>)| match series.quantity().kind {
        Kind::Requests => replicas::in_service(&asked, start_s),
        Kind::Cpu | Kind::Memory | Kind::Throughput => asked,
    };
    trace.series().iter().zip(asked).map(serving).collect()
}

fn play_peer(series: &TraceSeries, peer: &Peer, margin: f64, options: &Options) -> Vec<Decided> {
    let subject = Subject {
        series,
        quantity: series.quantity(),
        violation: options.violation,
        changes_per_day: options.changes_per_day,
        seed: options.seed,
    };
    world::play(series, peer.recommender(&subject, margin).as_mut())
}
