//! An invented machine for tests and for looking at the page: the real loop, guard and publisher over made-up workloads.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made-up data"
)]

mod asked;
pub mod client;
mod load;
mod parts;
mod said;

use apportion::{
    ask::{Answered, ask},
    signals::Signals,
    tell::Told,
    web::{
        Action, ActionError, ActionErrorKind, Backend, DecisionQuery, ForecasterScore, Language, Publisher, Ticked,
        View,
    },
};
use apportion_core::{
    Announced, Capacity, Decision, DecisionId, Forecast, Instructed, Knob, Latest, LoopState, Metric, Mode, Problem,
    Rationale, Resource, Series, Setting, Snapshot, Standing, Time, Window, Workload, WorkloadId, WorkloadKind,
    WorkloadState, knob,
    metric::name,
    tick::{Cadence, Parts, Resolution},
    traits::ForecastInput,
};
use apportion_language::reading::Reader;
use load::{GIB, Load, MIB};
use parts::{Ahead, Generous, Past, Turned};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;

const METRICS: [&str; 9] = [
    name::CPU,
    name::MEMORY,
    name::MEMORY_WORKING_SET,
    name::IO_READ,
    name::IO_WRITE,
    name::NETWORK_RECEIVE,
    name::NETWORK_SEND,
    name::CPU_PRESSURE,
    name::TASKS,
];

/// One invented workload.
#[derive(Clone)]
struct Spec {
    workload: Workload,
    load: Load,
    standing: Standing,
    own: bool,
    /// Its readings stopped so long before every tick, seconds.
    silent_s: i64,
}

impl Spec {
    /// The first copy is the original.
    fn copy(mut self, copy: usize) -> Self {
        if copy > 0 {
            self.workload.id = WorkloadId::new(&format!("{}-{copy}", self.workload.id));
            self.load.seed += copy as u64;
        }
        self
    }
}

/// The invented machine.
pub struct World {
    specs: BTreeMap<WorkloadId, Spec>,
    settings: BTreeMap<(WorkloadId, Knob), Setting>,
    state: LoopState,
    ledger: Vec<Decision>,
    said: apportion_host::store::Store,
    signals: Arc<Signals>,
    now: Time,
}

/// A world, its publisher, and what the web part is given.
pub struct Stage {
    pub world: Arc<Mutex<World>>,
    pub publisher: Publisher,
    pub views: watch::Receiver<Arc<View>>,
}

impl Stage {
    /// A world at `now`, some ticks old.
    pub fn new(now: Time) -> Self {
        Self::with_copies(now, 1)
    }

    /// The same with every workload so many times.
    pub fn with_copies(now: Time, copies: usize) -> Self {
        let (publisher, views) = Publisher::new(10.0, now.plus_s(-600));
        let mut stage = Self { world: Arc::new(Mutex::new(World::new(copies))), publisher, views };
        for ago_s in [600, 300, 290, 10, 0] {
            stage.tick(now.plus_s(-ago_s));
        }
        stage
    }

    /// One turn of the loop.
    pub fn tick(&mut self, now: Time) {
        let mut world = self.world.lock().unwrap();
        world.tick(now, &mut self.publisher);
    }
}

impl World {
    fn new(copies: usize) -> Self {
        let specs: BTreeMap<_, _> = (0..copies)
            .flat_map(|copy| specs().into_iter().map(move |spec| spec.copy(copy)))
            .map(|spec| (spec.workload.id.clone(), spec))
            .collect();
        let mut settings = BTreeMap::new();
        for (id, spec) in &specs {
            if spec.workload.kind != WorkloadKind::ProcessGroup {
                settings.insert((id.clone(), Knob::CpuQuota), Setting::Value((spec.load.cpu_cores * 2.5).ceil()));
                let memory = Setting::Value((spec.load.memory_bytes * 2.4 / MIB).ceil() * MIB);
                settings.insert((id.clone(), Knob::MemoryMax), memory);
                settings.insert((id.clone(), Knob::IoWriteMax), Setting::Unlimited);
                settings.insert((id.clone(), Knob::NetworkSendMax), Setting::Unlimited);
            }
        }
        Self {
            specs,
            settings,
            state: LoopState::default(),
            ledger: Vec::new(),
            said: said::none(),
            signals: Arc::default(),
            now: Time(0),
        }
    }

    fn tick(&mut self, now: Time, publisher: &mut Publisher) {
        self.now = now;
        if self.state.next_id.0 > 30 {
            // Somebody turns a knob behind our back.
            self.settings
                .insert((WorkloadId::new("/kubepods/burstable/pod-search"), Knob::CpuQuota), Setting::Value(6.0));
        }
        let snapshot = self.snapshot(now);
        let loads: BTreeMap<_, _> = self.specs.iter().map(|(id, spec)| (id.clone(), spec.load)).collect();
        let past = Past(&loads);
        let cadence = Cadence {
            resolutions: vec![Resolution { step_s: 300, context: 36, horizon: 288, enough: 0 }],
            ..Cadence::default()
        };
        let mut parts = Parts {
            history: &past,
            forecaster: &Ahead(&loads),
            policy: &Generous,
            executor: &mut Turned(&mut self.settings),
            cadence: &cadence,
            announced: &|_, _, _| apportion_core::Announced::default(),
        };
        let report = apportion_core::tick(&mut self.state, &snapshot, &mut parts);
        self.ledger.extend(report.decisions.iter().cloned());
        let took_s = 0.004 + (now.s() % 7) as f64 * 0.002;
        let problems = problems();
        let state = &self.state;
        publisher.publish(&Ticked {
            snapshot: &snapshot,
            state,
            report: &report,
            problems: &problems,
            history: &past,
            took_s,
        });
    }

    fn snapshot(&self, now: Time) -> Snapshot {
        let amounts = [
            (Resource::Cpu, 16.0),
            (Resource::Memory, 64.0 * GIB),
            (Resource::Storage, 600.0 * MIB),
            (Resource::Network, 125e6),
        ];
        let mut workloads: BTreeMap<_, _> =
            self.specs.values().map(|spec| (spec.workload.id.clone(), self.state_of(spec, now))).collect();
        let machine = self.machine(&workloads, now);
        workloads.insert(machine.workload.id.clone(), machine);
        Snapshot { now, capacity: Capacity { amounts: amounts.into() }, workloads }
    }

    fn state_of(&self, spec: &Spec, now: Time) -> WorkloadState {
        let time = now.plus_s(-spec.silent_s);
        let latest = METRICS.into_iter().filter_map(|metric| {
            Some((Metric::new(metric), Latest { time, value: spec.load.measured(metric, time.s() as f64)? }))
        });
        let id = &spec.workload.id;
        let settings = knob::ALL.into_iter().filter_map(|knob| Some((knob, *self.settings.get(&(id.clone(), knob))?)));
        WorkloadState {
            workload: spec.workload.clone(),
            standing: spec.standing.clone(),
            latest: latest.collect(),
            settings: settings.collect(),
            life: None,
            lost: Default::default(),
            own: spec.own,
        }
    }

    fn machine(&self, workloads: &BTreeMap<WorkloadId, WorkloadState>, now: Time) -> WorkloadState {
        let sum = |metric: &str| workloads.values().filter_map(|state| state.value(metric)).sum::<f64>();
        let latest = METRICS.map(|metric| (Metric::new(metric), Latest { time: now, value: sum(metric) * 1.06 }));
        let id = WorkloadId::new(WorkloadId::MACHINE);
        let workload = Workload { id, kind: WorkloadKind::Machine, path: String::new(), labels: BTreeMap::new() };
        WorkloadState {
            workload,
            standing: Standing::default(),
            latest: latest.into(),
            settings: BTreeMap::new(),
            life: None,
            lost: Default::default(),
            own: false,
        }
    }

    fn hold(&mut self, workload: &WorkloadId, why: Option<String>) -> Result<(), ActionError> {
        let spec = self.specs.get_mut(workload).ok_or_else(|| refused(ActionErrorKind::NotFound, workload.as_str()))?;
        spec.standing = match why {
            Some(why) => spec.standing.clone().held(&why),
            None => Standing { holds: BTreeMap::new(), ..spec.standing.clone() },
        };
        Ok(())
    }

    fn roll_back(&mut self, decision: &Decision) {
        let key = (decision.change.workload.clone(), decision.change.knob);
        self.settings.insert(key, decision.change.from);
    }
}

fn refused(kind: ActionErrorKind, place: &str) -> ActionError {
    let what = match kind {
        ActionErrorKind::NotFound => "there is no such thing",
        _ => "there is nothing to take back",
    };
    ActionError { kind, what: what.into(), place: place.into(), remedy: "choose another".into() }
}

fn problems() -> Vec<Problem> {
    vec![Problem {
        place: "/sys/fs/cgroup/memory/docker/1c07/memory.stat".into(),
        what: "line 7: `total_rss -4096` is not a number of bytes; this reading is left out".into(),
    }]
}

/// The web part's view of a world.
pub struct WorldBackend(pub Arc<Mutex<World>>);

impl Backend for WorldBackend {
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        let world = self.0.lock().unwrap();
        let to_s = window.to_s.min(world.now.s() + 1);
        let window = Window { to_s: to_s.max(window.from_s), ..window };
        if workload.is_machine() {
            let mut all = world.specs.values().filter_map(|spec| spec.load.series(metric, window));
            let first = all.next()?;
            return Some(all.fold(first, |mut sum, one| {
                sum.values.iter_mut().zip(one.values).for_each(|(sum, one)| *sum += one);
                sum
            }));
        }
        world.specs.get(workload)?.load.series(metric, window)
    }

    fn forecast(&self, workload: &WorkloadId, metric: &Metric) -> Option<Forecast> {
        self.0.lock().unwrap().state.forecasts.get(workload)?.get(metric).map(|forecast| forecast.as_ref().clone())
    }

    /// The invented world knows its own future; what is explained is what a real forecaster says of its past.
    fn rationale(&self, workload: &WorkloadId, metric: &Metric) -> Option<Rationale> {
        let world = self.0.lock().unwrap();
        let window = Window::last(world.now, 300, 2_016);
        let past = world.specs.get(workload)?.load.series(metric, window)?;
        let input = ForecastInput { workload: workload.clone(), metric: metric.clone(), past, announced: Vec::new() };
        let forecaster = apportion_planner::forecaster("transformer").ok()?;
        Some(apportion_planner::explain(forecaster.as_ref(), &input, &Announced::default(), 288))
    }

    fn scores(&self, workload: &WorkloadId) -> Vec<ForecasterScore> {
        let world = self.0.lock().unwrap();
        let forecasts = world.state.forecasts.get(workload);
        let metrics = forecasts.into_iter().flat_map(|forecasts| forecasts.keys());
        let names = [("mstl", 0.71), ("ets", 0.83), ("recent-quantiles", 0.94), ("seasonal-naive", 1.0)];
        metrics
            .flat_map(|metric| {
                names.map(|(by, score)| ForecasterScore {
                    metric: metric.clone(),
                    by: by.into(),
                    score,
                    chosen: by == "mstl",
                })
            })
            .collect()
    }

    fn decisions(&self, query: &DecisionQuery) -> Vec<Decision> {
        let world = self.0.lock().unwrap();
        let wanted = |decision: &&Decision| {
            query.workload.as_ref().is_none_or(|workload| *workload == decision.change.workload)
                && query.since.is_none_or(|since| decision.time >= since)
                && query.before.is_none_or(|before| decision.id < before)
        };
        world.ledger.iter().rev().filter(wanted).take(query.limit).cloned().collect()
    }

    fn decision(&self, id: DecisionId) -> Option<Decision> {
        self.0.lock().unwrap().ledger.iter().find(|decision| decision.id == id).cloned()
    }

    fn explain(&self, decision: &Decision, language: Language) -> String {
        apportion_language::wording::explain(decision, language, &jiff::tz::TimeZone::UTC)
    }

    fn read(&self, text: &str, at: Time, zone: Option<&str>, _also: &[String]) -> Told {
        self.0.lock().unwrap().read(text, at, zone).0
    }

    fn effect(&self, told: &Told, zone: Option<&str>) -> Option<String> {
        let now = apportion::tell::zoned(Time::from_s(told.at_s), zone);
        let recorded = self.0.lock().unwrap().recorded(&told.workloads);
        // However busy the machine is.
        apportion::tell::effect::of(told, &now, Duration::from_secs(600), || Ok(recorded))
    }

    fn ask(&self, text: &str, at: Time, zone: Option<&str>, view: &View) -> Answered {
        let reader = Reader::embedded().unwrap();
        Answered::new(text, &ask(&reader, text, &apportion::tell::zoned(at, zone), view, self))
    }

    fn instructions(&self) -> Vec<Instructed> {
        self.0.lock().unwrap().instructions()
    }

    fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.0.lock().unwrap().signals)
    }

    fn act(&self, action: Action) -> Result<String, ActionError> {
        let mut world = self.0.lock().unwrap();
        match &action {
            Action::RollBackDecision(id) => {
                let found = world.ledger.iter().find(|decision| decision.id == *id).cloned();
                let decision = found.ok_or_else(|| refused(ActionErrorKind::NotFound, &id.to_string()))?;
                if !decision.is_applied() {
                    return Err(refused(ActionErrorKind::Conflict, &id.to_string()));
                }
                world.roll_back(&decision);
            }
            Action::RollBackWorkload(workload) => {
                if !world.specs.contains_key(workload) {
                    return Err(refused(ActionErrorKind::NotFound, workload.as_str()));
                }
                let of = |decision: &&Decision| decision.change.workload == *workload && decision.is_applied();
                let applied: Vec<_> = world.ledger.iter().filter(of).cloned().collect();
                if applied.is_empty() {
                    return Err(refused(ActionErrorKind::Conflict, workload.as_str()));
                }
                applied.iter().rev().for_each(|decision| world.roll_back(decision));
            }
            Action::Hold { workload, why, .. } => world.hold(workload, Some(why.clone()))?,
            Action::Release(workload) => world.hold(workload, None)?,
            Action::Instruct { text, at, zone, shown, .. } => world.instruct(text, *at, zone.as_deref(), shown)?,
            Action::Revoke(id) => world.revoke(*id)?,
            Action::TakeOver(workload) => world.state.guard.take_over(workload),
        }
        Ok(format!("done: {action:?}"))
    }
}

#[allow(clippy::too_many_arguments, reason = "one line a workload")]
fn spec(
    id: &str,
    kind: WorkloadKind,
    cpu_cores: f64,
    memory_bytes: f64,
    flow: f64,
    peak_hour: f64,
    burst_every_s: f64,
    mode: Mode,
) -> Spec {
    let seed = id.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte))) % 100_000;
    let load = Load { cpu_cores, memory_bytes, flow_bytes_per_s: flow, day_share: 0.7, peak_hour, burst_every_s, seed };
    let workload = Workload { id: id.into(), kind, path: id.to_owned(), labels: BTreeMap::new() };
    Spec { workload, load, standing: Standing { mode, ..Standing::default() }, own: false, silent_s: 0 }
}

fn specs() -> Vec<Spec> {
    use Mode::{Apply, Recommend};
    use WorkloadKind::{Cgroup, ProcessGroup, SystemdUnit};
    let mut all = vec![
        spec("nginx.service", SystemdUnit, 2.2, 0.4 * GIB, 18e6, 20.0, 1_900.0, Apply),
        spec("postgresql.service", SystemdUnit, 1.8, 6.5 * GIB, 24e6, 19.0, 0.0, Apply),
        spec("redis-server.service", SystemdUnit, 0.4, 2.1 * GIB, 6e6, 20.0, 0.0, Apply),
        spec("/kubepods/burstable/pod-checkout", Cgroup, 1.6, 1.4 * GIB, 9e6, 20.5, 2_400.0, Apply),
        spec("/kubepods/burstable/pod-search", Cgroup, 2.9, 3.2 * GIB, 7e6, 18.0, 0.0, Apply),
        spec("/kubepods/burstable/pod-recommender", Cgroup, 1.1, 5.0 * GIB, 3e6, 21.0, 5_000.0, Recommend),
        spec("/kubepods/besteffort/pod-thumbnails", Cgroup, 0.9, 0.6 * GIB, 5e6, 12.0, 700.0, Apply),
        spec("/docker/4f2a91c0b7de", Cgroup, 0.3, 0.25 * GIB, 4e5, 9.0, 0.0, Recommend),
        spec("/docker/1c07aa52e9f1", Cgroup, 0.7, 0.9 * GIB, 1e6, 15.0, 0.0, Recommend),
        spec("/batch/etl-nightly", Cgroup, 3.2, 4.4 * GIB, 40e6, 2.5, 0.0, Apply),
        spec("/batch/report-builder", Cgroup, 1.2, 1.1 * GIB, 3e6, 6.0, 3_000.0, Recommend),
        spec("prometheus.service", SystemdUnit, 0.35, 1.8 * GIB, 2e6, 12.0, 120.0, Recommend),
        spec("rust-analyzer (session 2)", ProcessGroup, 0.8, 2.6 * GIB, 1e5, 14.0, 400.0, Recommend),
        spec("chromium (session 2)", ProcessGroup, 0.6, 1.9 * GIB, 1e6, 13.0, 300.0, Recommend),
        spec("apportion.service", SystemdUnit, 0.01, 0.04 * GIB, 1e3, 12.0, 0.0, Recommend),
        spec(
            "/system.slice/very-long-name-that-somebody-thought-would-be-helpful-to-everyone@instance-0017.service",
            SystemdUnit,
            0.05,
            0.1 * GIB,
            1e3,
            3.0,
            0.0,
            Recommend,
        ),
        spec("队列-处理.service", SystemdUnit, 0.5, 0.7 * GIB, 2e6, 11.0, 0.0, Recommend),
        spec("<b>not&html</b>", Cgroup, 0.02, 0.02 * GIB, 1e3, 11.0, 0.0, Recommend),
    ];
    all[14].own = true;
    all[8].silent_s = 400;
    all[1].standing.priority = 3;
    all[3].standing.priority = 2;
    all[9].standing = all[9].standing.clone().held("quarter-end close, ask finance first");
    all[7].workload.labels.insert("image".into(), "grafana/grafana:11.2".into());
    all
}
