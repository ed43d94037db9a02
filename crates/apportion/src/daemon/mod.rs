//! The loop on this machine: collect, store, look, tick, record, publish. What is decided, and how, is elsewhere.

mod assemble;
mod backend;
mod control;
mod glue;
mod look;
pub(crate) mod prometheus;
mod tuner;
mod undo;
mod weights;
mod why;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test")]
mod tests;

pub use assemble::{Assembled, Settings, assemble, route};
pub use backend::StoreBackend;
pub use control::{HOLD_AFTER_ROLLBACK_S, Request};
pub use glue::{Ledger, StoreHistory};
pub use undo::{Undo, undo};
pub use why::Why;
pub(crate) use why::with_seen;

use crate::{
    allocator::give_back_now,
    config::Config,
    signals::Signals,
    tell::Scene,
    web::{ModelNow, Publisher, Ticked},
    zone,
};
use tuner::Tuner;
use weights::Weights;

use anyhow::Context as _;
use apportion_core::{
    Assessment, Batch, Change, Collector, Decision, Executor, Forecaster, Instructed, Knob, LoopState, Metric, Mode,
    Policy, Problem, Snapshot, TickReport, Time, WorkloadId, WorkloadState, metric::name, tick::Parts,
};
use apportion_host::{
    act::NetworkCounts,
    cgroupfs::Hierarchy,
    collect::{MachineCollector, merge},
    store::{Store, WriteError},
};
use apportion_planner::{AtWork, instructions::REMEMBER_S, prepare::Remembered};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Turns after which memory that they left free goes back to the machine: what it takes is not in most turns, and in 200 s little is left.
const GIVE_BACK_EVERY: u32 = 20;

/// A machine that was started no longer ago is another one than that of the readings before, which are as near as to make rates with the
/// first ones of this run.
const JUST_STARTED_S: f64 = 60.0;

/// The loop and all it works with.
pub struct Daemon {
    config: Config,
    settings: Settings,
    collectors: Vec<Box<dyn Collector + Send>>,
    found: prometheus::Found,
    machine: MachineCollector,
    /// What services in the machine's own network send; only where knobs are written.
    counts: Option<NetworkCounts>,
    own_groups: BTreeSet<String>,
    hierarchy: Hierarchy,
    store: Arc<Store>,
    history: StoreHistory,
    forecaster: Arc<dyn Forecaster + Send + Sync>,
    weights: Weights,
    tuner: Option<Tuner>,
    policy: Box<dyn Policy + Send>,
    executor: Box<dyn Executor + Send>,
    state: LoopState,
    publisher: Publisher,
    backend: Arc<StoreBackend>,
    said: Vec<Instructed>,
    signals: Arc<Signals>,
    inbox: Receiver<Request>,
    requests: Sender<Request>,
    last: Option<Snapshot>,
    /// Since memory was given back.
    turns: u32,
}

/// What one turn saw and did.
pub struct Turn {
    /// What was known.
    pub snapshot: Snapshot,
    /// What was done.
    pub report: TickReport,
    /// What each workload should have.
    pub wanted: BTreeMap<WorkloadId, Assessment>,
    /// What could not be read or stored.
    pub problems: Vec<Problem>,
}

impl Daemon {
    /// What the loop remembers.
    #[must_use]
    pub const fn state(&self) -> &LoopState {
        &self.state
    }

    /// Where alerts and log lines go.
    #[must_use]
    pub fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.signals)
    }

    /// Where to send what is asked of the loop.
    #[must_use]
    pub fn requests(&self) -> Sender<Request> {
        self.requests.clone()
    }

    /// Turns until told to stop, and answers in between; what waits is written at the end.
    ///
    /// # Errors
    /// The store cannot be written at the end.
    pub fn run(mut self) -> anyhow::Result<()> {
        let mut next = Instant::now();
        loop {
            self.turn(now());
            next = (next + self.settings.every).max(Instant::now());
            if !self.answer_until(next) {
                break;
            }
        }
        self.close()
    }

    /// Answers what is asked until `end`; false when told to stop.
    pub fn answer_until(&mut self, end: Instant) -> bool {
        loop {
            match self.inbox.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Request::Act(action, answer)) => {
                    let done = self.act(action);
                    // Whoever asked may have gone; what was done is in the ledger.
                    let _ = answer.send(done);
                }
                Ok(Request::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn close(self) -> anyhow::Result<()> {
        let written = self.store.flush();
        if written.is_err() {
            for Decision { id, change, .. } in self.store.unrecorded() {
                let Change { workload, knob, from, to, .. } = change;
                tracing::error!(
                    "decision {id} was carried out and is not on record: {knob} of {workload}, {from} to {to}"
                );
            }
        }
        written.context("the last telemetry could not be written to the store")
    }

    /// One turn at `now`. A store that cannot be written is a problem of the turn; sizing goes on from memory.
    pub fn turn(&mut self, now: Time) -> Turn {
        let begin = Instant::now();
        let mut batch = self.collect(now);
        let mut problems = std::mem::take(&mut batch.problems);
        self.store.append(&batch, now);
        note(&mut problems, self.store.maintain(now));
        problems.extend(self.store.clock_problem());
        self.renew_weights(&mut problems);
        let snapshot = self.look(batch, now, &mut problems);
        problems.extend(self.count_sending(&snapshot));
        let report = self.tick(&snapshot);
        note(&mut problems, self.store.record_tick(&report, &self.state, now));
        self.backend.note(&self.state, &report.assessed);
        self.backend.set_scene(self.scene(&snapshot));
        let took_s = begin.elapsed().as_secs_f64();
        let (state, history) = (&self.state, &self.history);
        self.publisher.publish(&Ticked {
            snapshot: &snapshot,
            state,
            report: &report,
            problems: &problems,
            history,
            took_s,
        });
        self.last = Some(snapshot.clone());
        self.give_back();
        Turn { snapshot, report, wanted: self.state.wanted.clone(), problems }
    }

    /// Memory that turns have left free goes back to the machine now and then.
    fn give_back(&mut self) {
        self.turns = (self.turns + 1) % GIVE_BACK_EVERY;
        if self.turns == 0 {
            give_back_now();
        }
    }

    /// Another version may have been put in force, by the tuner or by hand.
    fn renew_weights(&mut self, problems: &mut Vec<Problem>) {
        if let Some(forecaster) = self.weights.changed() {
            self.backend.set_forecaster(Arc::clone(&forecaster));
            self.forecaster = forecaster;
        }
        problems.extend(self.weights.problem.clone());
        let report = self.tuner.as_ref().map(Tuner::report).unwrap_or_default();
        problems.extend(report.problems());
        let drift = report.drift.into_iter().map(|it| (Metric::new(&it.group), it.ratio)).collect();
        self.publisher.note_model(ModelNow { version: self.weights.used, drift });
    }

    fn collect(&mut self, now: Time) -> Batch {
        let machine = self.machine.collect(now);
        let others = self.collectors.iter_mut().map(|collector| collector.collect(now));
        // Last: a group with a network of its own is counted by its interfaces.
        let mut all =
            merge(std::iter::once(machine).chain(others).chain(self.counts.iter_mut().map(|it| it.collect(now))));
        if self.last.is_none() && self.machine.uptime_s().is_some_and(|uptime_s| uptime_s < JUST_STARTED_S) {
            all.all_anew(now);
        }
        self.found.know(all.workloads.iter().map(|workload| workload.id.clone()));
        all
    }

    fn look(&mut self, batch: Batch, now: Time, problems: &mut Vec<Problem>) -> Snapshot {
        let said = self.store.instructions(now.plus_s(-REMEMBER_S)).map_err(|error| error.to_string());
        let read = said.as_ref().map(|_| ()).map_err(Clone::clone);
        // What cannot be read this time is as it was the last time, and everything is held.
        self.said = said.unwrap_or_else(|_| std::mem::take(&mut self.said));
        self.signals.know(batch.workloads.iter().map(|workload| workload.id.clone()));
        let view = look::View {
            signals: self.signals.board(),
            now,
            config: &self.config,
            apply: self.settings.apply,
            own_groups: &self.own_groups,
            hierarchy: &self.hierarchy,
            store: &self.store,
            executor: self.executor.as_ref(),
            said: read.map(|()| AtWork::new(&self.said, now, &zone::offset_s)),
        };
        if let Err(why) = &view.said {
            problems.push(Problem { place: "store".to_owned(), what: why.clone() });
        }
        view.snapshot(now, self.machine.capacity(), batch.workloads)
    }

    /// Has what managed services send counted from now on, where their rate can be set and no query of theirs tells it. A rate that
    /// cannot be read for a while ends no counting.
    fn count_sending(&mut self, snapshot: &Snapshot) -> Option<Problem> {
        let Self { counts, config, .. } = self;
        let is_told =
            |id: &WorkloadId| config.rule(id).is_some_and(|rule| rule.queries.contains_key(name::NETWORK_SEND));
        let counts = counts.as_mut()?;
        let is_managed = |state: &&WorkloadState| {
            let id = &state.workload.id;
            let is_reached = state.settings.contains_key(&Knob::NetworkSendMax) || counts.is_counted(id);
            state.standing.mode == Mode::Apply && is_reached && !is_told(id)
        };
        let managed: Vec<_> = snapshot.workloads.values().filter(is_managed).map(|state| &state.workload).collect();
        let error = counts.count(managed).err()?;
        Some(Problem { place: counts.name().to_owned(), what: error.to_string() })
    }

    /// What sentences of people are held against until the next turn.
    fn scene(&self, snapshot: &Snapshot) -> Scene {
        let configured =
            |workload: &WorkloadId| (workload.clone(), self.config.standing(workload, self.settings.apply));
        Scene {
            configured: snapshot.workloads.keys().map(configured).collect(),
            machine: self.machine.capacity().clone(),
            said: self.said.clone(),
        }
    }

    fn tick(&mut self, snapshot: &Snapshot) -> TickReport {
        let remembered = Remembered::new(&self.history);
        let (history, at_work) = (&remembered, AtWork::new(&self.said, snapshot.now, &zone::offset_s));
        let mut parts = Parts {
            history,
            forecaster: self.forecaster.as_ref(),
            policy: self.policy.as_ref(),
            executor: self.executor.as_mut(),
            cadence: &self.settings.cadence,
            announced: &|workload, metric, window| at_work.announced(history, workload, metric, window),
        };
        apportion_core::tick(&mut self.state, snapshot, &mut parts)
    }
}

fn note(problems: &mut Vec<Problem>, result: Result<(), WriteError>) {
    if let Err(error) = result {
        tracing::warn!("{error}");
        problems.push(Problem { place: "store".to_owned(), what: error.to_string() });
    }
}

/// The clock of the machine, read here and in commands only.
#[must_use]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
