//! Watches what happened after a cut, and takes back what hurt.

use crate::{
    Admitted, Binding, Change, DecisionId, Knob, Metric, Reason, Resource, Setting, Snapshot, Time, WorkloadId,
    WorkloadState, metric::name,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When a cut counts as having hurt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchLimits {
    /// How long after a cut, seconds.
    pub window_s: f64,
    /// Share of enforcement periods throttled, above what it was before.
    pub throttled_share: f64,
    /// Share of time under pressure (PSI some), above what it was before.
    pub pressure_share: f64,
    /// Latency against what it was before.
    pub latency_factor: f64,
    /// Share of requests that fail, above what it was before.
    pub failed_share: f64,
    /// How many readings in a row must show it (an OOM kill counts at once).
    pub looks: u32,
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self {
            window_s: 300.0,
            throttled_share: 0.05,
            pressure_share: 0.1,
            latency_factor: 1.3,
            failed_share: 0.01,
            looks: 2,
        }
    }
}

/// What showed that a change hurt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Harm {
    /// The change.
    pub of: DecisionId,
    /// Whose.
    pub workload: WorkloadId,
    /// Which knob.
    pub knob: Knob,
    /// The signal, by the metric's name.
    pub signal: String,
    /// Its value before the change.
    pub before: f64,
    /// Its value now.
    pub now: f64,
    /// Seconds after the change.
    pub after_s: f64,
}

/// Signals of harm at one time; what is not measured is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Signals {
    throttled_share: Option<f64>,
    memory_pressure: Option<f64>,
    io_pressure: Option<f64>,
    oom_kills: Option<f64>,
    latency_s: Option<f64>,
    #[serde(default)]
    errors_per_s: Option<f64>,
    #[serde(default)]
    requests_per_s: Option<f64>,
}

impl Signals {
    fn of(state: &WorkloadState) -> Self {
        let throttled = state.value(name::CPU_THROTTLED_PERIODS);
        let periods = state.value(name::CPU_PERIODS).filter(|periods| *periods > 0.0);
        Self {
            throttled_share: throttled.zip(periods).map(|(throttled, periods)| (throttled / periods).min(1.0)),
            memory_pressure: state.value(name::MEMORY_PRESSURE),
            io_pressure: state.value(name::IO_PRESSURE),
            oom_kills: state.value(name::OOM_KILLS),
            latency_s: state.value(name::LATENCY),
            errors_per_s: state.value(name::ERRORS),
            requests_per_s: state.value(name::REQUESTS),
        }
    }

    /// Failed requests by all requests: more errors of more requests are no harm.
    fn failed_share(&self) -> Option<f64> {
        let requests = self.requests_per_s.filter(|requests| *requests > 0.0)?;
        // A count of failures has no series before the first of them.
        Some((self.errors_per_s.unwrap_or(0.0) / requests).min(1.0))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watched {
    id: DecisionId,
    former: Setting,
    since: Time,
    before: Signals,
    looks: u32,
    /// Time of the newest reading that was counted: a source that is asked seldom gives one reading to many ticks.
    #[serde(default)]
    counted: Option<Time>,
    /// The workload has been gone since.
    #[serde(default)]
    gone: bool,
    /// The group that was cut.
    #[serde(default)]
    life: Option<u64>,
    /// It hurt, and could not be taken back yet.
    #[serde(default)]
    hurt: bool,
}

/// What hurt cannot always be taken back at once (a full disk); it is tried again for this long, seconds.
const TRY_AGAIN_S: f64 = 3_600.0;

/// The open watches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// When a cut counts as having hurt.
    #[serde(skip)]
    pub limits: WatchLimits,
    open: BTreeMap<WorkloadId, BTreeMap<Knob, Watched>>,
}

impl Watch {
    /// Begins to watch an applied change, where it is a cut; an applied raise ends the watch of an earlier cut, and so does
    /// a cut to what people allow at the most: they asked for it.
    pub fn begin(&mut self, admitted: &Admitted, snapshot: &Snapshot) {
        let (workload, knob) = (&admitted.change().workload, admitted.knob());
        let knobs = self.open.entry(workload.clone()).or_default();
        let state = snapshot.workloads.get(workload);
        let most = state.and_then(|state| state.standing.bounds.get(&knob)?.max);
        let ordered = most.is_some_and(|most| admitted.to().or_infinite() >= most);
        if ordered || admitted.to().or_infinite() >= admitted.from().or_infinite() {
            knobs.remove(&knob);
            return;
        }
        let before = state.map(Signals::of).unwrap_or_default();
        let life = state.and_then(|state| state.life);
        let watched = Watched { before, life, ..Watched::new(admitted.id(), admitted.from(), snapshot.now) };
        knobs.insert(knob, watched);
    }

    /// Begins to watch a cut of an earlier run that is in force.
    pub(crate) fn resume(&mut self, (workload, knob): (&WorkloadId, Knob), id: DecisionId, former: Setting, now: Time) {
        self.open.entry(workload.clone()).or_default().insert(knob, Watched::new(id, former, now));
    }

    /// Looks at every open watch: gives the changes that take back what hurt, each with the harm where it is new, and ends watches
    /// whose time is over. A watch that found harm stays open until it is taken back ([`end`](Self::end)).
    pub fn review(&mut self, snapshot: &Snapshot) -> Vec<(Option<Harm>, Change)> {
        let (limits, now) = (&self.limits, snapshot.now);
        let mut hurt = Vec::new();
        for (workload, knobs) in &mut self.open {
            let state = snapshot.workloads.get(workload);
            knobs.retain(|knob, watched| {
                // The clock may have been set back.
                watched.since = watched.since.min(now);
                watched.counted = watched.counted.map(|counted| counted.min(now));
                if let Some(state) = state {
                    hurt.extend(watched.review(limits, *knob, state, now));
                }
                watched.gone = state.is_none();
                let lasts_s = if watched.hurt { TRY_AGAIN_S } else { limits.window_s };
                now.since_s(watched.since) < lasts_s
            });
        }
        self.open.retain(|_, knobs| !knobs.is_empty());
        hurt
    }

    /// Ends the watch of a knob.
    pub fn end(&mut self, workload: &WorkloadId, knob: Knob) {
        if let Some(knobs) = self.open.get_mut(workload) {
            knobs.remove(&knob);
        }
        self.open.retain(|_, knobs| !knobs.is_empty());
    }

    /// Number of cuts being watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.values().map(BTreeMap::len).sum()
    }

    /// True when nothing is being watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Watched {
    fn new(id: DecisionId, former: Setting, since: Time) -> Self {
        let before = Signals::default();
        Self { id, former, since, before, looks: 0, counted: None, gone: false, life: None, hurt: false }
    }

    /// The change that takes the cut back, where it hurts now or hurt before, and the harm where it is new; `None` also where the cut
    /// is no longer in force.
    fn review(
        &mut self,
        limits: &WatchLimits,
        knob: Knob,
        state: &WorkloadState,
        now: Time,
    ) -> Option<(Option<Harm>, Change)> {
        let take_back = self.take_back(knob, state)?;
        let harm = if self.hurt { None } else { self.look(limits, knob, state, now) };
        self.hurt |= harm.is_some();
        self.hurt.then_some((harm, take_back))
    }

    fn look(&mut self, limits: &WatchLimits, knob: Knob, state: &WorkloadState, now: Time) -> Option<Harm> {
        let told = self.harms(limits, knob, state);
        if told.is_empty() {
            self.looks = 0;
        }
        let read = |signal| state.latest.get(&Metric::new(signal)).map(|latest| latest.time);
        let counted = self.counted.unwrap_or(self.since);
        let is_new = |(signal, ..): &(&'static str, f64, f64)| read(signal).is_none_or(|read| read > counted);
        let (signal, before, value) = told.into_iter().find(is_new)?;
        self.counted = read(signal).or(self.counted);
        self.looks += 1;
        let sure = self.looks >= limits.looks || [name::OOM_KILLS, RESTARTED].contains(&signal);
        sure.then(|| Harm {
            of: self.id,
            workload: state.workload.id.clone(),
            knob,
            signal: signal.to_owned(),
            before,
            now: value,
            after_s: now.since_s(self.since),
        })
    }

    /// All that tells against the cut. A kill that ends the whole group cannot be read from the next one's counters; that it was gone
    /// and another is back can.
    fn harms(&self, limits: &WatchLimits, knob: Knob, state: &WorkloadState) -> Vec<(&'static str, f64, f64)> {
        let another = self.life.zip(state.life).is_none_or(|(before, now)| before != now);
        let restarted = self.gone && another && knob.resource() == Resource::Memory;
        let restarted = restarted.then_some((RESTARTED, 0.0, 1.0));
        restarted.into_iter().chain(harms(limits, knob, &self.before, &Signals::of(state))).collect()
    }

    /// `None` where the cut is no longer in force.
    fn take_back(&self, knob: Knob, state: &WorkloadState) -> Option<Change> {
        let from = *state.settings.get(&knob).filter(|from| from.or_infinite() < self.former.or_infinite())?;
        let reason = Reason::only(Binding::TakeBack { of: self.id });
        Some(Change { workload: state.workload.id.clone(), knob, from, to: self.former, reason })
    }
}

/// Name of the signal that a workload was gone and came back.
pub const RESTARTED: &str = "restarted";

/// The signals that tell against a cut of `knob`, the surest first. CPU pressure is left out on purpose: it also counts neighbours,
/// while throttled periods are this quota's own doing.
fn harms(
    limits: &WatchLimits,
    knob: Knob,
    before: &Signals,
    now: &Signals,
) -> impl Iterator<Item = (&'static str, f64, f64)> {
    let rise = |signal, before: Option<f64>, now: Option<f64>, by: f64| {
        let (before, now) = (before.unwrap_or(0.0), now?);
        (now > before + by).then_some((signal, before, now))
    };
    let own = match knob.resource() {
        Resource::Cpu => [
            rise(name::CPU_THROTTLED_PERIODS, before.throttled_share, now.throttled_share, limits.throttled_share),
            None,
        ],
        Resource::Memory => [
            rise(name::OOM_KILLS, before.oom_kills, now.oom_kills, 0.0),
            rise(name::MEMORY_PRESSURE, before.memory_pressure, now.memory_pressure, limits.pressure_share),
        ],
        Resource::Storage => {
            [rise(name::IO_PRESSURE, before.io_pressure, now.io_pressure, limits.pressure_share), None]
        }
        Resource::Network => [None, None],
    };
    let slower = || {
        let (before, now) = before.latency_s.zip(now.latency_s)?;
        (now > before * limits.latency_factor).then_some((name::LATENCY, before, now))
    };
    let failing = || {
        let risen = now.failed_share()? > before.failed_share()? + limits.failed_share;
        risen.then_some((name::ERRORS, before.errors_per_s.unwrap_or(0.0), now.errors_per_s?))
    };
    own.into_iter().chain([slower(), failing()]).flatten()
}

/// Factors on top of what would be enough, raised by harm, fading with time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Margins {
    raised: BTreeMap<WorkloadId, BTreeMap<Knob, (f64, Time)>>,
}

/// One harm raises the margin by this factor.
pub const MARGIN_STEP: f64 = 1.25;
/// The margin is never more than this.
pub const MARGIN_MOST: f64 = 3.0;
/// The excess halves in this time, seconds.
pub const MARGIN_HALF_LIFE_S: f64 = 3.0 * 86_400.0;

impl Margins {
    /// The factor in force: 1 where nothing hurt.
    #[must_use]
    pub fn factor(&self, workload: &WorkloadId, knob: Knob, now: Time) -> f64 {
        let raised = self.raised.get(workload).and_then(|knobs| knobs.get(&knob));
        raised.map_or(1.0, |(factor, since)| 1.0 + (factor - 1.0) * (-now.since_s(*since) / MARGIN_HALF_LIFE_S).exp2())
    }
    /// The clock may have been set back: what was raised ahead of now was raised now.
    pub(crate) fn not_after(&mut self, now: Time) {
        self.raised.values_mut().flat_map(BTreeMap::values_mut).for_each(|(_, since)| *since = (*since).min(now));
    }
    /// Something hurt.
    pub fn raise(&mut self, workload: &WorkloadId, knob: Knob, now: Time) {
        let factor = (self.factor(workload, knob, now) * MARGIN_STEP).min(MARGIN_MOST);
        self.raised.entry(workload.clone()).or_default().insert(knob, (factor, now));
    }
}
