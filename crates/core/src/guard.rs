//! The only maker of an [`Admitted`] change. Executors take nothing else, so nothing is written that these rules let not
//! through. Rules, in the order in which they are tried: known workload and knob, not our own group, no foreign hand,
//! mode, hold, a pause after a failure, fresh telemetry, bounds, step limit, memory in use, dead band, enough seen, cool-down, blast radius.
//!
//! What gives more is let through where what takes away must wait: what must have been seen, cool-down and blast radius hold back cuts only, since
//! withholding is what hurts. A knob outside the bounds that people gave is brought within them at once, past dead band and pace.
//! What undoes an earlier change also passes mode, hold, staleness, step limit and dead band (mode and hold not where only a bound ended),
//! and so does what is set again because it got lost, but for mode and hold: within an hour of when it was in force, and once in an hour.
//!
//! A knob that nothing limited yet is first limited well above the greatest use seen, and then step by step. Throughput that nobody
//! gave a bound for is never cut below [`Knob::least_unasked`]: a nightly backup is not to find what a quiet day was given.

mod failures;
mod memory;

use crate::{
    Binding, Change, DecisionId, Knob, Outcome, Reason, Resource, Setting, Snapshot, Time, WorkloadId, WorkloadState,
    knob::Bounds, metric::name, workload::Mode,
};
use failures::Failures;
use memory::KnobMemory;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How far the guard lets a plan go.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardLimits {
    /// At most this share is taken away in one step, 0..1; raises of the last day may be taken back at once.
    pub cut_share: f64,
    /// At most this share is added in one step (1 doubles; 9, tenfold, lets a burst from idle be met in one).
    pub raise_share: f64,
    /// No cut before this much of the workload's use has been seen, seconds.
    pub learn_s: f64,
    /// No cut of a knob for this long after any change of it, seconds.
    pub cool_down_s: f64,
    /// At most this share of the workloads is cut per period, 0..1; always at least one.
    pub blast_share: f64,
    /// That period, seconds.
    pub blast_period_s: f64,
    /// Telemetry older than this freezes sizing, seconds.
    pub stale_after_s: f64,
    /// A change smaller than this share of the former value is not worth it, 0..1.
    pub dead_band_share: f64,
    /// Memory is never set below what is in use now times one plus this.
    pub memory_headroom_share: f64,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            cut_share: 0.3,
            raise_share: 9.0,
            learn_s: 3_600.0,
            cool_down_s: 300.0,
            blast_share: 0.25,
            blast_period_s: 600.0,
            stale_after_s: 60.0,
            dead_band_share: 0.1,
            memory_headroom_share: 0.1,
        }
    }
}

/// Why a change was not let through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "refusal")]
pub enum Refusal {
    /// The workload is gone.
    UnknownWorkload,
    /// No executor reaches this knob.
    Unreachable,
    /// The group of this process or of init.
    OwnGroup,
    /// The proposed value is not a number that can be set.
    NotANumber,
    /// Somebody else turned the knob: we step back until a person hands it over again.
    ForeignChange {
        /// What we had set.
        expected: Setting,
        /// What it is now.
        found: Setting,
    },
    /// This workload is only recommended for.
    RecommendOnly,
    /// People said: no changes.
    Held {
        /// In their words.
        why: String,
    },
    /// It could not be set a while ago.
    Failing {
        /// What the machine said then.
        error: String,
        /// After how long it is tried again, seconds.
        left_s: f64,
    },
    /// Its telemetry is too old to decide on.
    Stale {
        /// Of what.
        metric: String,
        /// How old, seconds; `None` when it was never read.
        age_s: Option<f64>,
    },
    /// Too small to be worth a change.
    DeadBand {
        /// The change as a share of the former value.
        share: f64,
    },
    /// Too little of its use has been seen to take anything away.
    TooYoung {
        /// How much has been seen, seconds.
        seen_s: f64,
        /// How much must be, seconds.
        needed_s: f64,
    },
    /// Changed too recently.
    CoolDown {
        /// How long still, seconds.
        left_s: f64,
    },
    /// Too many workloads were cut in this period.
    BlastRadius {
        /// Workloads cut in the period.
        changed: usize,
        /// How many may be.
        allowed: usize,
    },
}

/// A change that may be carried out. Only [`Guard::admit`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    id: DecisionId,
    change: Change,
    to: Setting,
    state: crate::Workload,
    life: Option<u64>,
}

impl Admitted {
    /// Number of the decision.
    #[must_use]
    pub const fn id(&self) -> DecisionId {
        self.id
    }
    /// What was proposed.
    #[must_use]
    pub const fn change(&self) -> &Change {
        &self.change
    }
    /// The workload whose knob it is.
    #[must_use]
    pub const fn workload(&self) -> &crate::Workload {
        &self.state
    }
    /// Which knob.
    #[must_use]
    pub const fn knob(&self) -> Knob {
        self.change.knob
    }
    /// What the plan saw the knob at.
    #[must_use]
    pub const fn from(&self) -> Setting {
        self.change.from
    }
    /// What to set; the guard may have moved it towards the former value.
    #[must_use]
    pub const fn to(&self) -> Setting {
        self.to
    }
}

/// A first limit is a step down from this many times the greatest use seen.
const FIRST_FROM_USE: f64 = 2.0;

/// What was set, and by whom, is remembered this long of a workload that is gone, seconds: it may only be restarting.
const FORGET_AFTER_S: f64 = 3_600.0;

/// The guard and its memory, which outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// How far plans may go.
    #[serde(skip)]
    pub limits: GuardLimits,
    knobs: BTreeMap<WorkloadId, BTreeMap<Knob, KnobMemory>>,
    cuts: Vec<(Time, WorkloadId)>,
    #[serde(default)]
    failures: Failures,
    /// Workloads that are gone, and since when.
    #[serde(default)]
    gone: BTreeMap<WorkloadId, Time>,
}

impl Guard {
    /// A guard without memory.
    #[must_use]
    pub fn new(limits: GuardLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Lets a change through, perhaps moderated, or says why not.
    ///
    /// # Errors
    /// The refusal, which the caller records.
    pub fn admit(&mut self, id: DecisionId, change: &Change, snapshot: &Snapshot) -> Result<Admitted, Refusal> {
        let state = snapshot.workloads.get(&change.workload).ok_or(Refusal::UnknownWorkload)?;
        self.check_ownership(change, state, snapshot.now)?;
        if !change.is_undo() || matches!(change.reason.binding, Binding::BoundOver { .. }) {
            check_standing(state, change.knob)?;
        }
        self.failures.check(change, snapshot.now)?;
        let stood_before = change.is_undo() || change.is_set_again();
        if !stood_before && !change.reason.is_bound_alone() {
            self.check_fresh(change.knob, state, snapshot.now)?;
        }
        let mut to = self.moderate(change, state, snapshot.now)?;
        let outside = state.standing.bounds.get(&change.knob).filter(|bounds| !bounds.allow(change.from));
        let change_now = Change { to, ..change.clone() };
        if !stood_before {
            if outside.is_none() {
                self.check_dead_band(&change_now)?;
            }
            if let Err(refusal) = self.check_pace(&change_now, snapshot) {
                // What people allow at the most is kept at once; what goes below it waits.
                to = outside.and_then(|bounds| self.ceiling(change, state, bounds)).ok_or(refusal)?;
            }
        }
        Ok(Admitted { id, change: change.clone(), to, state: state.workload.clone(), life: state.life })
    }

    /// Remembers what came of an admitted change.
    pub fn note(&mut self, admitted: &Admitted, outcome: &Outcome, now: Time) {
        self.failures.note(&admitted.change, outcome, now);
        let memory = self.memory(&admitted.change.workload, admitted.knob());
        if admitted.change.is_set_again() && !matches!(outcome, Outcome::Failed { .. }) {
            memory.tried_again(now);
        }
        match outcome {
            Outcome::Applied { read_back } => {
                memory.set(admitted, *read_back, now);
                if (Change { to: admitted.to, ..admitted.change.clone() }).is_cut() {
                    self.cuts.push((now, admitted.change.workload.clone()));
                }
            }
            // Its own value, back in force meanwhile, is nobody's hand.
            Outcome::Drifted { found } if memory.expected.is_some_and(|own| !own.same(*found, admitted.knob())) => {
                memory.ceded = Some(*found);
            }
            Outcome::Unchanged if memory.is_lost(admitted.to) => memory.give_up(admitted.to),
            _ => {}
        }
    }

    /// What was set for the most that people allowed alone, where they do so no longer: back to what it was before. Proposed also where
    /// that cannot be done now (a run that only recommends), so that what stays in force is said.
    #[must_use]
    pub fn bounds_over(&self, snapshot: &Snapshot) -> Vec<Change> {
        let over = |workload: &WorkloadId, (knob, memory): (&Knob, &KnobMemory)| {
            let state = snapshot.workloads.get(workload)?;
            // A run that only recommends does not look at every knob; in the same group what was set still stands.
            let unseen = || memory.expected.filter(|_| memory.life == state.life);
            let (of, from) = (memory.bound_over(*knob, state)?, state.settings.get(knob).copied().or_else(unseen)?);
            let to = memory.original.unwrap_or(Setting::Unlimited);
            let reason = Reason::only(Binding::BoundOver { of });
            Some(Change { workload: workload.clone(), knob: *knob, from, to, reason })
        };
        let all = self.knobs.iter();
        all.flat_map(|(workload, knobs)| knobs.iter().filter_map(move |one| over(workload, one))).collect()
    }

    /// What was set and got lost within the last hour, to be set again as it was: nothing new is decided, so only what people say holds it back.
    #[must_use]
    pub fn lost(&self, snapshot: &Snapshot) -> Vec<Change> {
        let again = |workload: &WorkloadId, (knob, memory): (&Knob, &KnobMemory)| {
            let state = snapshot.workloads.get(workload)?;
            let (from, to) = (*state.settings.get(knob)?, memory.expected?);
            let reason = Reason::only(Binding::SetAgain);
            let is_wanted = memory.is_to_set_again(from, snapshot.now) && memory.bound_over(*knob, state).is_none();
            is_wanted.then(|| Change { workload: workload.clone(), knob: *knob, from, to, reason })
        };
        let all = self.knobs.iter();
        all.flat_map(|(workload, knobs)| knobs.iter().filter_map(move |one| again(workload, one))).collect()
    }

    /// A person hands the knobs of a workload over again after a foreign change.
    pub fn take_over(&mut self, workload: &WorkloadId) {
        self.knobs.remove(workload);
        self.failures.forget(|failed| failed == workload);
    }

    /// The knobs that somebody else took, with what they were set to.
    pub fn ceded(&self) -> impl Iterator<Item = (&WorkloadId, Knob, Setting)> {
        self.knobs.iter().flat_map(|(workload, knobs)| {
            knobs.iter().filter_map(move |(knob, memory)| memory.ceded.map(|found| (workload, *knob, found)))
        })
    }

    /// A knob found as this program last set it, where it was stopped before that was remembered: the value is our own. False where it
    /// was known, or is somebody else's.
    pub(crate) fn resume(&mut self, workload: &WorkloadId, knob: Knob, found: Setting, now: Time) -> bool {
        let memory = self.memory(workload, knob);
        if memory.ceded.is_some() || memory.expected.is_some_and(|expected| expected.same(found, knob)) {
            return false;
        }
        (memory.expected, memory.changed) = (Some(found), Some(now));
        true
    }

    /// Forgets workloads that have been gone for an hour, and cuts that are past.
    pub fn forget(&mut self, snapshot: &Snapshot) {
        let now = snapshot.now;
        let Self { knobs, gone, .. } = self;
        knobs.retain(|workload, memories| {
            memories.values_mut().for_each(|memory| memory.not_after(now));
            if let Some(state) = snapshot.workloads.get(workload) {
                memories.iter_mut().for_each(|(knob, memory)| memory.see(*knob, state, now));
                gone.remove(workload);
                return true;
            }
            let since = gone.entry(workload.clone()).or_insert(now);
            *since = (*since).min(now);
            now.since_s(*since) < FORGET_AFTER_S
        });
        gone.retain(|workload, _| knobs.contains_key(workload));
        self.failures.forget(|workload| !knobs.contains_key(workload));
        let period_s = self.limits.blast_period_s;
        self.cuts.iter_mut().for_each(|(time, _)| *time = (*time).min(now));
        self.cuts.retain(|(time, _)| now.since_s(*time) < period_s);
    }

    fn memory(&mut self, workload: &WorkloadId, knob: Knob) -> &mut KnobMemory {
        self.knobs.entry(workload.clone()).or_default().entry(knob).or_default()
    }

    fn check_ownership(&mut self, change: &Change, state: &WorkloadState, now: Time) -> Result<(), Refusal> {
        if state.own || change.workload.is_machine() {
            return Err(Refusal::OwnGroup);
        }
        let found = state.settings.get(&change.knob).copied();
        let unreachable = || check_standing(state, change.knob).err().unwrap_or(Refusal::Unreachable);
        let found = found.ok_or_else(unreachable)?;
        let memory = self.memory(&change.workload, change.knob);
        let Some(expected) = memory.expected else { return Ok(()) };
        memory.see(change.knob, state, now);
        // What is taken back is cleaned up, however long ago it got lost.
        if memory.is_to_set_again(found, now) || (change.is_undo() && memory.is_lost(found)) {
            return Ok(());
        }
        if memory.ceded.is_none() && !expected.same(found, change.knob) {
            if memory.is_anew(change.knob, found, state.life) {
                *memory = KnobMemory { changed: memory.changed, ..KnobMemory::default() };
                return Ok(());
            }
            memory.ceded = Some(found);
        }
        match memory.ceded {
            Some(found) => Err(Refusal::ForeignChange { expected, found }),
            None => Ok(()),
        }
    }

    fn check_fresh(&self, knob: Knob, state: &WorkloadState, now: Time) -> Result<(), Refusal> {
        let metric = knob.demand_metric();
        let age_s = state.age_s(metric, now);
        // A reading from the future is of before the clock was set back.
        if age_s.abs() <= self.limits.stale_after_s {
            return Ok(());
        }
        Err(Refusal::Stale { metric: metric.to_owned(), age_s: age_s.is_finite().then_some(age_s) })
    }

    /// Bounds, then the step limit, then memory in use: each may only move the value, never past the one before it in weight.
    fn moderate(&self, change: &Change, state: &WorkloadState, now: Time) -> Result<Setting, Refusal> {
        let bounds = state.standing.bounds.get(&change.knob).copied().unwrap_or_default();
        // What hurt is given back as far as people allow.
        let most = bounds.max.filter(|_| matches!(change.reason.binding, Binding::TakeBack { .. }));
        let Some(wanted) = change.to.value().or(most) else { return Ok(Setting::Unlimited) };
        if !wanted.is_finite() || wanted < 0.0 {
            return Err(Refusal::NotANumber);
        }
        let mut value = match change.reason.binding {
            Binding::RolledBack { .. } => wanted,
            Binding::TakeBack { .. } | Binding::BoundOver { .. } | Binding::SetAgain => bounds.hold(wanted),
            _ => bounds.hold(self.limit_step(change, wanted, now).max(least_unasked(change, state))),
        };
        if change.knob.resource() == Resource::Memory {
            value = value.max(self.memory_floor_bytes(state));
        }
        // What was there before may be less than this program would ever set.
        let is_former = matches!(change.reason.binding, Binding::RolledBack { .. });
        Ok(Setting::Value(if is_former { value } else { value.max(change.knob.smallest()) }))
    }

    /// The most that people allow, where more is set now.
    fn ceiling(&self, change: &Change, state: &WorkloadState, bounds: &Bounds) -> Option<Setting> {
        let most = bounds.max.filter(|most| change.from.or_infinite() > *most)?;
        let floor = if change.knob.resource() == Resource::Memory { self.memory_floor_bytes(state) } else { 0.0 };
        let to = most.max(floor).max(change.knob.smallest());
        (to < change.from.or_infinite()).then_some(Setting::Value(to))
    }

    fn limit_step(&self, change: &Change, wanted: f64, now: Time) -> f64 {
        let Setting::Value(from) = change.from else {
            let used = change.reason.used.as_ref().map_or(0.0, |used| used.max);
            return wanted.max(FIRST_FROM_USE * used * (1.0 - self.limits.cut_share));
        };
        let memory = self.knobs.get(&change.workload).and_then(|knobs| knobs.get(&change.knob));
        let least = from * (1.0 - self.limits.cut_share);
        let least = memory.and_then(|memory| memory.least_before(now)).map_or(least, |before| before.min(least));
        wanted.clamp(least, from * (1.0 + self.limits.raise_share))
    }

    fn memory_floor_bytes(&self, state: &WorkloadState) -> f64 {
        let in_use = state.value(name::MEMORY_WORKING_SET).or_else(|| state.value(name::MEMORY)).unwrap_or(0.0);
        in_use * (1.0 + self.limits.memory_headroom_share)
    }

    fn check_dead_band(&self, change: &Change) -> Result<(), Refusal> {
        let (Setting::Value(from), Setting::Value(to)) = (change.from, change.to) else {
            return if change.from == change.to { Err(Refusal::DeadBand { share: 0.0 }) } else { Ok(()) };
        };
        let share = (to - from).abs() / from.max(f64::MIN_POSITIVE);
        if share < self.limits.dead_band_share || change.from.same(change.to, change.knob) {
            return Err(Refusal::DeadBand { share });
        }
        Ok(())
    }

    fn check_pace(&self, change: &Change, snapshot: &Snapshot) -> Result<(), Refusal> {
        if !change.is_cut() {
            return Ok(());
        }
        // Reasons without use come from rules that do not rest on it.
        if let Some(seen_s) = change.reason.used.map(|used| used.seen_s)
            && seen_s < self.limits.learn_s
        {
            return Err(Refusal::TooYoung { seen_s, needed_s: self.limits.learn_s });
        }
        let changed = self.knobs.get(&change.workload).and_then(|knobs| knobs.get(&change.knob)?.changed);
        let left_s = changed.map_or(0.0, |time| self.limits.cool_down_s - snapshot.now.since_s(time));
        if left_s > 0.0 {
            return Err(Refusal::CoolDown { left_s });
        }
        self.check_blast_radius(&change.workload, snapshot)
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    fn check_blast_radius(&self, workload: &WorkloadId, snapshot: &Snapshot) -> Result<(), Refusal> {
        let managed = snapshot.workloads.values().filter(|state| state.standing.mode == Mode::Apply).count();
        let allowed = ((managed as f64 * self.limits.blast_share).floor() as usize).max(1);
        let recent = |time: Time| snapshot.now.since_s(time) < self.limits.blast_period_s;
        let cut: BTreeSet<&WorkloadId> =
            self.cuts.iter().filter(|(time, _)| recent(*time)).map(|(_, workload)| workload).collect();
        if cut.contains(workload) || cut.len() < allowed {
            return Ok(());
        }
        Err(Refusal::BlastRadius { changed: cut.len(), allowed })
    }
}

/// The least that a knob is cut to where people have given no bounds for it; not above what it is at.
fn least_unasked(change: &Change, state: &WorkloadState) -> f64 {
    let asked = state.standing.bounds.contains_key(&change.knob);
    if asked { 0.0 } else { change.knob.least_unasked().min(change.from.or_infinite()) }
}

fn check_standing(state: &WorkloadState, knob: Knob) -> Result<(), Refusal> {
    if let Some(why) = state.standing.holds.get(&knob) {
        return Err(Refusal::Held { why: why.clone() });
    }
    match state.standing.mode {
        Mode::Recommend => Err(Refusal::RecommendOnly),
        Mode::Apply => Ok(()),
    }
}
