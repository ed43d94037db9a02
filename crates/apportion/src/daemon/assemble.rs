//! Puts the loop together: which collectors, which executor, which store.

use super::{
    Daemon,
    backend::StoreBackend,
    control::Request,
    glue::{Ledger, Named, Only, StoreHistory},
    prometheus,
    tuner::Tuner,
    weights::Weights,
    why::Why,
};
use crate::{config::Config, signals::Signals, web};
use anyhow::Context as _;
use apportion_core::{Collector, Executor, LoopState, Outcome, Time, WorkloadId, tick::Cadence};
use apportion_host::{
    act::{CgroupFiles, DryRun, NetworkCounts, NetworkRates, Recorded, Route, SystemdUnits, systemd_runs},
    cgroupfs::Hierarchy,
    collect::{CgroupCollector, MachineCollector, ProcCollector},
    store::{Access, Options, Store},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::sync::watch;

/// What the command line says of the loop.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether knobs of workloads with `apply = true` are written.
    pub apply: bool,
    /// Whether the telemetry network is tuned on the store now and then.
    pub tune: bool,
    /// Whether a run that applies sets rates of the machine's network and counts what is sent over it; the demonstration does not.
    pub network: bool,
    /// Time between turns.
    pub every: Duration,
    /// When workloads are looked at anew.
    pub cadence: Cadence,
    /// Only groups below this path; the demonstration's.
    pub only: Option<String>,
    /// Names of workloads by their session, where no group names them; the demonstration's.
    pub named: BTreeMap<String, WorkloadId>,
    /// The store.
    pub store: PathBuf,
    /// The forecaster, by name.
    pub model: &'static str,
    /// Where the machine's files are: `/`, or a folder that looks like it.
    pub root: PathBuf,
}

impl Settings {
    /// Settings for this machine: every 10 s, everything in sight, recommend only.
    #[must_use]
    pub fn here(store: PathBuf) -> Self {
        let (every, cadence) = (Duration::from_secs(10), Cadence::default());
        let (model, root) = ("auto", "/".into());
        let (only, named) = (None, BTreeMap::new());
        Self { apply: false, tune: false, network: true, every, cadence, only, named, store, model, root }
    }
}

/// The loop, what the page may ask of it, and the way to both.
pub struct Assembled {
    /// The loop.
    pub daemon: Daemon,
    /// What the page asks.
    pub backend: Arc<StoreBackend>,
    /// What the page shows.
    pub views: watch::Receiver<Arc<web::View>>,
}

/// Opens the store, finds the machine's groups and executors, and settles what a crash left open.
///
/// # Errors
/// The store cannot be opened for writing, or the machine's mounts cannot be read.
pub fn assemble(config: &Config, settings: Settings) -> anyhow::Result<Assembled> {
    make_folder(&settings.store)?;
    let options = Options { most_bytes: config.store_bytes };
    let store = Arc::new(Store::open(&settings.store, Access::ReadWrite, options)?);
    let hierarchy = Hierarchy::discover(&settings.root).context("the machine's control groups cannot be found")?;
    let own_groups = own_groups(&hierarchy, settings.apply)?;
    let with_network = settings.apply && settings.network;
    let mut executor = executor(&hierarchy, &store, with_network);
    let found = prometheus::Found::default();
    prometheus::backfill(config, &store, &found, super::now())?;
    let mut state = remembered(&store, config)?;
    settle(&store, executor.as_ref(), &hierarchy, &mut state);
    let (weights, forecaster) = Weights::load(&settings.store, settings.model)?;
    let (requests, inbox) = mpsc::channel::<Request>();
    let (publisher, views) = web::Publisher::new(settings.every.as_secs_f64(), super::now());
    let signals = Arc::new(Signals::default());
    let why = Why { forecaster: Arc::clone(&forecaster), cadence: settings.cadence.clone() };
    let backend = StoreBackend::new(Arc::clone(&store), requests.clone(), Arc::clone(&signals), why)?;
    let backend = Arc::new(backend);
    if !settings.apply {
        executor = Box::new(DryRun(route(&hierarchy, false)));
    }
    let counts = with_network.then(|| counts(&hierarchy)).flatten();
    let daemon = Daemon {
        config: config.clone(),
        collectors: collectors(config, &hierarchy, &settings, &found)?,
        found,
        machine: MachineCollector::new(hierarchy.clone()),
        counts,
        own_groups,
        hierarchy,
        history: StoreHistory(Arc::clone(&store)),
        tuner: settings.tune.then(|| Tuner::start(settings.store.clone())).transpose()?,
        forecaster,
        weights,
        policy: Box::new(apportion_planner::Sizing::default()),
        backend: Arc::clone(&backend),
        settings,
        store,
        executor,
        state,
        publisher,
        said: Vec::new(),
        signals,
        inbox,
        requests,
        last: None,
        turns: 0,
    };
    Ok(Assembled { daemon, backend, views })
}

/// The executor over everything that can be reached here.
#[must_use]
pub fn route(hierarchy: &Hierarchy, with_network: bool) -> Route {
    let mut accesses: Vec<Box<dyn apportion_host::act::Access + Send>> = Vec::new();
    if systemd_runs(hierarchy.root()) {
        match SystemdUnits::connect(hierarchy.clone()) {
            Ok(units) => accesses.push(Box::new(units)),
            Err(error) => tracing::warn!("systemd runs but cannot be spoken to, so its units are left alone: {error}"),
        }
    }
    accesses.push(Box::new(CgroupFiles::new(hierarchy.clone())));
    match with_network.then(|| NetworkRates::new(hierarchy.clone())) {
        Some(Ok(rates)) => accesses.push(Box::new(rates)),
        Some(Err(error)) => tracing::info!("network rates cannot be set here: {error}"),
        None => {}
    }
    Route::new(accesses)
}

/// Counts what services send, where network rates can be set.
fn counts(hierarchy: &Hierarchy) -> Option<NetworkCounts> {
    let counts = NetworkCounts::new(hierarchy.clone());
    counts.inspect_err(|error| tracing::info!("what services send is not counted here: {error}")).ok()
}

fn executor(hierarchy: &Hierarchy, store: &Arc<Store>, with_network: bool) -> Box<dyn Executor + Send> {
    Box::new(Recorded::new(route(hierarchy, with_network), Ledger(Arc::clone(store))))
}

/// What the last run was about to write when it ended: looked at, and recorded. What it did write is remembered as our own, and watched.
/// A knob that this run cannot reach (rates of the network while it only recommends, a systemd that is silent) stays for one that can.
fn settle(store: &Store, executor: &dyn Executor, hierarchy: &Hierarchy, state: &mut LoopState) {
    let unsettled = store.unsettled().unwrap_or_else(|error| {
        tracing::error!("{error}");
        Vec::new()
    });
    for intent in unsettled {
        let found = executor.observe(&intent.workload, intent.change.knob);
        if found.is_none() && is_there(hierarchy, &intent.workload.path) {
            tracing::warn!(
                decision = intent.id.0,
                "the last run ended while it wrote a knob that this one cannot reach"
            );
            continue;
        }
        match store.reconcile(&intent, found) {
            Ok(outcome) => {
                tracing::warn!(decision = intent.id.0, ?outcome, "the last run ended while it wrote a knob");
                if let Outcome::Applied { read_back } = outcome {
                    let place = (&intent.workload.id, intent.change.knob);
                    state.resume(intent.id, place, (intent.former, read_back), super::now());
                }
            }
            Err(error) => tracing::error!("{error}"),
        }
    }
}

/// The groups that are never changed. Where they cannot be told, nothing is.
fn own_groups(hierarchy: &Hierarchy, apply: bool) -> anyhow::Result<BTreeSet<String>> {
    match hierarchy.own_groups() {
        Err(error) if apply => Err(error).context(
            "the groups of this process and of init cannot be told from others, so no limit may be set: \
             run without --apply, or make /proc readable",
        ),
        Err(error) => {
            tracing::warn!("the groups of this process and of init cannot be told from others: {error}");
            Ok(BTreeSet::new())
        }
        Ok(own) => Ok(own),
    }
}

/// True while a group stands in any tree.
fn is_there(hierarchy: &Hierarchy, path: &str) -> bool {
    !path.is_empty() && hierarchy.trees().iter().any(|tree| tree.group_dir(path).is_dir())
}

/// Without the numbers that the ledger has given, new decisions would get them again: then nothing starts.
fn remembered(store: &Store, config: &Config) -> anyhow::Result<LoopState> {
    let mut state = store.load_state().with_context(|| {
        format!(
            "{}: the ledger's last number cannot be read, so nothing starts; put everything back (`apportion rollback --all`), \
             then move the file away (`sqlite3 FILE .recover` may rescue it) and start anew",
            store.path().display()
        )
    })?;
    state.guard.limits = config.limits;
    Ok(state)
}

fn collectors(
    config: &Config,
    hierarchy: &Hierarchy,
    settings: &Settings,
    found: &prometheus::Found,
) -> anyhow::Result<Vec<Box<dyn Collector + Send>>> {
    let groups = CgroupCollector::new(hierarchy.clone());
    if let Some(below) = settings.only.clone() {
        return Ok(vec![Box::new(Only { inner: groups, below })]);
    }
    let processes = Named { inner: ProcCollector::new(hierarchy.clone()), by_session: settings.named.clone() };
    let mut all: Vec<Box<dyn Collector + Send>> = vec![Box::new(groups), Box::new(processes)];
    all.extend(prometheus::server(config, found)?);
    Ok(all)
}

/// The folder of the store, for its user alone.
fn make_folder(store: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let folder = store.parent().unwrap_or(Path::new("."));
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| {
        format!("{}: the folder of the store cannot be made; name another with --store", folder.display())
    })
}

impl Assembled {
    /// Time of the loop's last turn.
    #[must_use]
    pub fn last_turn(&self) -> Option<Time> {
        self.daemon.last.as_ref().map(|snapshot| snapshot.now)
    }
}
