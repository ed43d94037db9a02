//! One turn of the loop: review, forecast, assess, plan, guard, act. The same function runs a machine and a replay; what
//! differs is behind the traits. It ends by giving one [`Decision`] per proposal worth recording.

mod due;

use crate::{
    Announced, Assessment, Change, Decision, DecisionId, Executor, Forecast, Forecaster, Guard, Harm, History, Knob,
    Margins, Metric, Outcome, Policy, Refusal, Setting, Snapshot, Standing, Time, Verdict, Watch, Window, WorkloadId,
    WorkloadState, knob,
    traits::{AssessInput, ForecastInput},
    without_announced,
};
use due::{due, part};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A grid on which series are forecast. The coarsest one with enough history is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Seconds between steps.
    pub step_s: u32,
    /// Steps of history looked at.
    pub context: usize,
    /// Steps forecast.
    pub horizon: usize,
    /// Steps with a value that must be there before this resolution is used.
    pub enough: usize,
}

/// When and how workloads are looked at anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cadence {
    /// Each workload is assessed at least this often, seconds.
    pub every_s: f64,
    /// At most so many workloads a tick, so that a tick stays short, or a quarter more than keeps up where there are very many of
    /// them; those never looked at come first, and twice as many of them, since short histories are cheap.
    pub most_per_tick: usize,
    /// First looks of a run go through the whole past. Those of a tick go through so many steps together, over all series, and end
    /// with the workload that passes this, or once there are enough to come to all within half an hour; the others wait, and are
    /// not changed meanwhile. Who uses all that it is allotted, or is outside the bounds that people gave, does not wait.
    pub first_steps_per_tick: usize,
    /// At most so many series a tick are taken through what a forecaster does now and then and is long ([`Forecaster::is_due`]), or as
    /// many as it takes to come to all of them within four hours; the others are forecast with what is known until it is their turn.
    pub choices_per_tick: usize,
    /// Grids, coarsest first; the last one is used when none has enough.
    pub resolutions: Vec<Resolution>,
}

impl Default for Cadence {
    fn default() -> Self {
        Self {
            every_s: 300.0,
            most_per_tick: 8,
            // Three workloads with four series of a week each.
            first_steps_per_tick: 24_000,
            choices_per_tick: 1,
            resolutions: vec![
                Resolution { step_s: 300, context: 2_016, horizon: 288, enough: 288 },
                Resolution { step_s: 60, context: 2_016, horizon: 120, enough: 120 },
                Resolution { step_s: 10, context: 512, horizon: 64, enough: 0 },
            ],
        }
    }
}

/// The newest forecast of each metric of a workload; whoever shows them shares them.
pub type Forecasts = BTreeMap<Metric, Arc<Forecast>>;

/// What is chosen anew comes to every series within this time, seconds.
const CHOSEN_WITHIN_S: f64 = 14_400.0;

/// All that the loop remembers from tick to tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoopState {
    /// The guard and its memory.
    pub guard: Guard,
    /// Cuts being watched.
    pub watch: Watch,
    /// Margins raised by harm.
    pub margins: Margins,
    /// Number of the next decision.
    pub next_id: DecisionId,
    /// Newest forecasts.
    #[serde(skip)]
    pub forecasts: BTreeMap<WorkloadId, Forecasts>,
    /// Newest assessments.
    #[serde(skip)]
    pub wanted: BTreeMap<WorkloadId, Assessment>,
    /// What people had said when each was made.
    #[serde(skip)]
    under: BTreeMap<WorkloadId, Standing>,
    /// When each workload was first seen by this run.
    #[serde(skip)]
    seen: BTreeMap<WorkloadId, Time>,
    #[serde(skip)]
    noted: BTreeMap<WorkloadId, BTreeMap<Knob, (Verdict, Setting)>>,
    /// When the last tick was.
    #[serde(skip)]
    ticked: Option<Time>,
}

/// The implementations that one loop runs with.
pub struct Parts<'a> {
    /// The past.
    pub history: &'a dyn History,
    /// Says what will be needed.
    pub forecaster: &'a dyn Forecaster,
    /// Decides.
    pub policy: &'a dyn Policy,
    /// Turns knobs.
    pub executor: &'a mut dyn Executor,
    /// When workloads are looked at anew.
    pub cadence: &'a Cadence,
    /// What people announced of demand for a workload's metric per step of a window, past or to come.
    pub announced: &'a dyn Fn(&WorkloadId, &Metric, Window) -> Announced,
}

/// What one tick did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TickReport {
    /// Decisions worth recording: applied ones, and refusals that are new or have changed.
    pub decisions: Vec<Decision>,
    /// What hurt and was taken back.
    pub harms: Vec<Harm>,
    /// Workloads that were looked at anew.
    pub assessed: Vec<WorkloadId>,
    /// What each workload would be allotted.
    pub allotted: BTreeMap<WorkloadId, BTreeMap<Knob, f64>>,
}

/// One turn of the loop at `snapshot.now`.
pub fn tick(state: &mut LoopState, snapshot: &Snapshot, parts: &mut Parts<'_>) -> TickReport {
    state.forget(snapshot);
    parts.forecaster.forget(&|workload| snapshot.workloads.contains_key(workload));
    let hurt = state.watch.review(snapshot);
    let assessed = refresh(state, snapshot, parts);
    let mut plan = parts.policy.plan(snapshot, &state.wanted);
    // First what stood: what a plan has for the same knob is held against it next time.
    let lost = state.guard.lost(snapshot);
    plan.changes.retain(|change| !lost.iter().any(|lost| lost.is_of_knob_of(change)));
    plan.changes.extend(lost);
    // What a plan has for the same knob stands: its demand is known by now.
    let over = state.guard.bounds_over(snapshot).into_iter();
    let planned = |over: &Change| plan.changes.iter().any(|change| over.is_of_knob_of(change));
    let over: Vec<Change> = over.filter(|over| !planned(over)).collect();
    plan.changes.extend(over);
    let mut report = TickReport { assessed, allotted: plan.allotted, ..TickReport::default() };
    let mut taken_back: BTreeSet<(WorkloadId, Knob)> = BTreeSet::new();
    for (harm, change) in hurt {
        if let Some(harm) = harm {
            state.margins.raise(&harm.workload, harm.knob, snapshot.now);
            state.wanted.remove(&harm.workload);
            report.harms.push(harm);
        }
        taken_back.insert((change.workload.clone(), change.knob));
        report.decisions.extend(take_back(state, snapshot, parts.executor, change));
    }
    for change in plan.changes {
        if !taken_back.contains(&(change.workload.clone(), change.knob)) {
            report.decisions.extend(decide(state, snapshot, parts.executor, change));
        }
    }
    report
}

impl LoopState {
    fn forget(&mut self, snapshot: &Snapshot) {
        self.guard.forget(snapshot);
        self.wanted.retain(|workload, _| snapshot.workloads.contains_key(workload));
        self.forecasts.retain(|workload, _| snapshot.workloads.contains_key(workload));
        self.under.retain(|workload, _| snapshot.workloads.contains_key(workload));
        self.noted.retain(|workload, _| snapshot.workloads.contains_key(workload));
        self.seen.retain(|workload, _| snapshot.workloads.contains_key(workload));
        self.seen.values_mut().for_each(|seen| *seen = (*seen).min(snapshot.now));
        self.margins.not_after(snapshot.now);
        for workload in snapshot.workloads.keys().filter(|workload| !workload.is_machine()) {
            if !self.seen.contains_key(workload) {
                self.seen.insert(workload.clone(), snapshot.now);
            }
        }
    }
}

/// Takes one knob back to a former value because a person asked for it: through the same guard and executor, outside the
/// loop's turns. The decision is always worth a record.
pub fn roll_back(state: &mut LoopState, snapshot: &Snapshot, executor: &mut dyn Executor, change: Change) -> Decision {
    let decision = carry_out(state, snapshot, executor, change);
    state.is_new(&decision);
    state.next_id.0 += 1;
    decision
}

/// Guards and carries out one change; gives the decision where it says something new.
fn decide(state: &mut LoopState, snapshot: &Snapshot, executor: &mut dyn Executor, change: Change) -> Option<Decision> {
    let decision = carry_out(state, snapshot, executor, change);
    state.numbered(decision)
}

/// Takes back what hurt; the watch ends unless that failed and may succeed another time, or this run only recommends.
fn take_back(
    state: &mut LoopState,
    snapshot: &Snapshot,
    executor: &mut dyn Executor,
    change: Change,
) -> Option<Decision> {
    let decision = carry_out(state, snapshot, executor, change);
    let stands = |outcome: &Outcome| matches!(outcome, Outcome::Failed { .. } | Outcome::DryRun);
    if !matches!(&decision.verdict, Verdict::Admitted { outcome, .. } if stands(outcome)) {
        state.watch.end(&decision.change.workload, decision.change.knob);
    }
    state.numbered(decision)
}

fn carry_out(state: &mut LoopState, snapshot: &Snapshot, executor: &mut dyn Executor, change: Change) -> Decision {
    let id = state.next_id;
    let verdict = match state.guard.admit(id, &change, snapshot) {
        Err(why) => Verdict::Refused { why },
        Ok(admitted) => {
            let outcome = executor.apply(&admitted);
            state.guard.note(&admitted, &outcome, snapshot.now);
            if outcome.is_applied() {
                state.watch.begin(&admitted, snapshot);
            }
            Verdict::Admitted { to: admitted.to(), outcome }
        }
    };
    Decision { id, time: snapshot.now, change, verdict }
}

impl LoopState {
    /// A cut that an earlier run made, and ended before it was remembered: found in force, it is our own, and watched as any other.
    /// `former` is what the knob was at before.
    pub fn resume(
        &mut self,
        id: DecisionId,
        (workload, knob): (&WorkloadId, Knob),
        (former, found): (Setting, Setting),
        now: Time,
    ) {
        let unknown = self.guard.resume(workload, knob, found, now);
        if unknown && found.or_infinite() < former.or_infinite() {
            self.watch.resume((workload, knob), id, former, now);
        }
    }

    /// Takes the next number for a decision that is worth a record.
    fn numbered(&mut self, decision: Decision) -> Option<Decision> {
        self.is_new(&decision).then(|| {
            self.next_id.0 += 1;
            decision
        })
    }

    /// A decision is worth a record when a knob was turned, or when the same was not said of it last time.
    fn is_new(&mut self, decision: &Decision) -> bool {
        let noted = self.noted.entry(decision.change.workload.clone()).or_default();
        let now = (decision.verdict.clone(), decision.change.to);
        let known =
            noted.get(&decision.change.knob).is_some_and(|before| same_said(before, &now, decision.change.knob));
        if decision.is_applied() || !known {
            noted.insert(decision.change.knob, now);
            return true;
        }
        false
    }
}

/// The same kind of verdict on nearly the same value.
fn same_said(before: &(Verdict, Setting), now: &(Verdict, Setting), knob: Knob) -> bool {
    let near = match (before.1, now.1) {
        (Setting::Value(a), Setting::Value(b)) => (a - b).abs() <= 0.1 * a.abs().max(b.abs()),
        (a, b) => a.same(b, knob),
    };
    let kind = match (&before.0, &now.0) {
        (Verdict::Refused { why: a }, Verdict::Refused { why: b }) => {
            std::mem::discriminant(a) == std::mem::discriminant(b)
        }
        // Said when it failed.
        (
            Verdict::Admitted { outcome: Outcome::Failed { .. }, .. },
            Verdict::Refused { why: Refusal::Failing { .. } },
        ) => true,
        (Verdict::Admitted { outcome: a, .. }, Verdict::Admitted { outcome: b, .. }) => {
            std::mem::discriminant(a) == std::mem::discriminant(b)
        }
        _ => false,
    };
    near && kind
}

/// Looks anew at the workloads that are due, oldest first.
fn refresh(state: &mut LoopState, snapshot: &Snapshot, parts: &Parts<'_>) -> Vec<WorkloadId> {
    let due = due(state, snapshot, parts);
    forecast(state, snapshot, parts, &due);
    state.ticked = Some(snapshot.now);
    for workload in &due {
        let Some(known) = snapshot.workloads.get(workload) else { continue };
        let empty = BTreeMap::new();
        let (now, margins) = (snapshot.now, &state.margins);
        let input = AssessInput {
            now,
            workload,
            standing: &known.standing,
            workloads: &snapshot.workloads,
            settings: &known.settings,
            history: parts.history,
            forecasts: state.forecasts.get(workload).unwrap_or(&empty),
            announced: &|metric, window| (parts.announced)(workload, metric, window),
            margin: &|knob| margins.factor(workload, knob, now),
        };
        let assessment = parts.policy.assess(&input);
        state.wanted.insert(workload.clone(), assessment);
        state.under.insert(workload.clone(), known.standing.clone());
    }
    due
}

fn forecast(state: &mut LoopState, snapshot: &Snapshot, parts: &Parts<'_>, due: &[WorkloadId]) {
    let mut by_horizon: BTreeMap<usize, (Vec<ForecastInput>, Vec<Announced>)> = BTreeMap::new();
    let mut waiting: BTreeSet<(WorkloadId, Metric)> = BTreeSet::new();
    let series = state.forecasts.values().map(BTreeMap::len).sum();
    let mut choices = parts.cadence.choices_per_tick.max(part(series, state, snapshot, CHOSEN_WITHIN_S));
    for known in due.iter().filter_map(|workload| snapshot.workloads.get(workload)) {
        for metric in demand_metrics(known) {
            if let Some((input, announced, horizon)) =
                parts.seen().forecast_input(&known.workload.id, &metric, snapshot.now)
            {
                if parts.forecaster.is_due(&input, horizon) {
                    match choices.checked_sub(1) {
                        Some(left) => choices = left,
                        None => drop(waiting.insert((known.workload.id.clone(), metric))),
                    }
                }
                let (inputs, all) = by_horizon.entry(horizon).or_default();
                inputs.push(input);
                all.push(announced);
            }
        }
    }
    let may_choose = |input: &ForecastInput| !waiting.contains(&(input.workload.clone(), input.metric.clone()));
    for (horizon, (inputs, announced)) in by_horizon {
        let made = parts.forecaster.forecast_choosing(&inputs, horizon, &may_choose);
        state.keep(inputs, announced, made);
    }
}

impl LoopState {
    fn keep(&mut self, inputs: Vec<ForecastInput>, announced: Vec<Announced>, made: Vec<Forecast>) {
        for ((input, announced), forecast) in inputs.into_iter().zip(announced).zip(made) {
            let forecast = Arc::new(announced.add_to(forecast));
            self.forecasts.entry(input.workload).or_default().insert(input.metric, forecast);
        }
    }
}

/// The metrics whose demand decides a knob, of those that are measured.
fn demand_metrics(known: &WorkloadState) -> BTreeSet<Metric> {
    known.latest.keys().filter(|metric| knob::is_demand(metric)).cloned().collect()
}

/// What a forecast is made from.
pub struct Seen<'a> {
    /// The past.
    pub history: &'a dyn History,
    /// On which grids.
    pub cadence: &'a Cadence,
    /// What people announced of demand, as in [`Parts`].
    pub announced: &'a dyn Fn(&WorkloadId, &Metric, Window) -> Announced,
}

impl Parts<'_> {
    const fn seen(&self) -> Seen<'_> {
        Seen { history: self.history, cadence: self.cadence, announced: self.announced }
    }
}

impl Seen<'_> {
    /// What a metric is forecast from at `now`: its past without what was announced for it, what is announced for the horizon,
    /// and the steps ahead. `None` where nothing of it is known.
    #[must_use]
    pub fn forecast_input(
        &self,
        workload: &WorkloadId,
        metric: &Metric,
        now: Time,
    ) -> Option<(ForecastInput, Announced, usize)> {
        let last = self.cadence.resolutions.last()?;
        let past_on = |resolution: &Resolution| {
            let window = Window::last(now, resolution.step_s, resolution.context);
            self.history.series(workload, metric, window)
        };
        let resolutions = self.cadence.resolutions.iter();
        let (resolution, past) = resolutions
            .filter_map(|resolution| Some((resolution, past_on(resolution)?)))
            .find(|(resolution, past)| past.present().count() >= resolution.enough || *resolution == last)?;
        let step_s = i64::from(resolution.step_s);
        let from_s = past.end().s() + step_s;
        let said = |window: Window| (self.announced)(workload, metric, window);
        let past = without_announced(past, &said, &|window| self.history.series(workload, metric, window));
        let horizon = i64::try_from(resolution.horizon).ok()?;
        let ahead = Window { from_s, to_s: from_s + horizon * step_s, step_s: resolution.step_s };
        let announced = said(ahead);
        let (workload, metric) = (workload.clone(), metric.clone());
        let input = ForecastInput { workload, metric, past, announced: announced.factors.clone() };
        Some((input, announced, resolution.horizon))
    }
}
