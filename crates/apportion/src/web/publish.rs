//! Makes the [`View`] at the end of each tick and hands it to whoever is looking.

use super::view::{Footing, ModelNow, TICK_BUCKETS_S, Totals, View, WorkloadNow};
use apportion_core::{
    Decision, History, Knob, LoopState, Metric, Mode, Outcome, Problem, Refusal, Setting, Snapshot, TickReport, Time,
    Verdict, Window, WorkloadId, WorkloadState, metric::name,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};
use tokio::sync::watch;

/// Points of a sparkline: one hour.
const SPARK_POINTS: u16 = 60;
/// Seconds per point.
const SPARK_STEP_S: u32 = 60;
/// Workloads whose recorded hour is fetched at one tick, so that the first tick stays short.
const SEEDS_PER_TICK: usize = 16;

/// What one tick knew and did.
#[derive(Clone, Copy)]
pub struct Ticked<'a> {
    /// What it saw.
    pub snapshot: &'a Snapshot,
    /// What the loop remembers after it.
    pub state: &'a LoopState,
    /// What it did.
    pub report: &'a TickReport,
    /// What could not be read.
    pub problems: &'a [Problem],
    /// The past: where a workload is seen for the first time, its sparklines begin with it.
    pub history: &'a dyn History,
    /// How long it took, seconds.
    pub took_s: f64,
}

/// Owned by the loop; publishes one view a tick.
pub struct Publisher {
    sender: watch::Sender<Arc<View>>,
    every_s: f64,
    started: Time,
    tick: u64,
    totals: Totals,
    model: ModelNow,
    sparks: BTreeMap<WorkloadId, Sparks>,
}

/// CPU and memory of one workload.
#[derive(Default)]
struct Sparks {
    cpu: Spark,
    memory: Spark,
    /// Whether the recorded hour was fetched.
    seeded: bool,
}

impl Publisher {
    /// A publisher for a loop that ticks every `every_s` seconds, and what the web part is given to look at.
    #[must_use]
    pub fn new(every_s: f64, started: Time) -> (Self, watch::Receiver<Arc<View>>) {
        let (sender, receiver) = watch::channel(Arc::new(View { every_s, started, ..View::default() }));
        (
            Self {
                sender,
                every_s,
                started,
                tick: 0,
                totals: Totals::default(),
                model: ModelNow::default(),
                sparks: BTreeMap::new(),
            },
            receiver,
        )
    }

    /// Takes which weights are in use, and how they do; shown from the next tick on.
    pub fn note_model(&mut self, model: ModelNow) {
        self.model = model;
    }

    /// Makes and publishes the view of one tick.
    pub fn publish(&mut self, ticked: &Ticked<'_>) {
        self.tick += 1;
        self.count(ticked);
        self.sparks.retain(|workload, _| ticked.snapshot.workloads.contains_key(workload));
        let view = self.view(ticked);
        self.sender.send_replace(Arc::new(view));
    }

    fn count(&mut self, ticked: &Ticked<'_>) {
        for decision in &ticked.report.decisions {
            *self.totals.decisions.entry(labels(decision)).or_default() += 1;
        }
        self.totals.harms += ticked.report.harms.len() as u64;
        let bucket = TICK_BUCKETS_S.iter().position(|bound| ticked.took_s <= *bound).unwrap_or(TICK_BUCKETS_S.len());
        self.totals.tick_buckets[bucket] += 1;
        self.totals.tick_sum_s += ticked.took_s;
        self.totals.last_tick_s = ticked.took_s;
    }

    fn view(&mut self, ticked: &Ticked<'_>) -> View {
        let snapshot = ticked.snapshot;
        let machine = snapshot.workloads.get(&WorkloadId::new(WorkloadId::MACHINE));
        let ceded = ticked.state.guard.ceded().map(|(id, knob, found)| (id, (knob, found))).collect();
        self.sparkle(ticked);
        let sized = snapshot.workloads.iter().filter(|(id, _)| !id.is_machine());
        View {
            tick: self.tick,
            published: Some(Instant::now()),
            now: snapshot.now,
            every_s: self.every_s,
            started: self.started,
            stale_after_s: ticked.state.guard.limits.stale_after_s,
            capacity: snapshot.capacity.clone(),
            machine: machine.map(|machine| machine.latest.clone()).unwrap_or_default(),
            workloads: sized.map(|(id, state)| (id.clone(), self.workload(id, state, ticked, &ceded))).collect(),
            problems: ticked.problems.to_vec(),
            model: self.model.clone(),
            totals: self.totals.clone(),
        }
    }

    /// Adds this tick's readings to the sparklines, and the recorded hour to some that have it not yet.
    fn sparkle(&mut self, ticked: &Ticked<'_>) {
        let (now, stale_after_s) = (ticked.snapshot.now, ticked.state.guard.limits.stale_after_s);
        let mut seeds = SEEDS_PER_TICK;
        for (id, state) in ticked.snapshot.workloads.iter().filter(|(id, _)| !id.is_machine()) {
            let sparks = self.sparks.entry(id.clone()).or_default();
            let memory = memory_metric(state);
            if !sparks.seeded && seeds > 0 {
                seeds -= 1;
                sparks.seeded = true;
                sparks.cpu.seed(ticked.history, id, name::CPU, now);
                sparks.memory.seed(ticked.history, id, memory, now);
            }
            let fresh = |metric| state.value(metric).filter(|_| state.age_s(metric, now) <= stale_after_s);
            sparks.cpu.push(now, fresh(name::CPU));
            sparks.memory.push(now, fresh(memory));
        }
    }

    fn workload(&self, id: &WorkloadId, state: &WorkloadState, ticked: &Ticked<'_>, ceded: &Ceded<'_>) -> WorkloadNow {
        let points = |spark: fn(&Sparks) -> &Spark| self.sparks.get(id).map(|sparks| spark(sparks).points());
        WorkloadNow {
            state: state.clone(),
            footing: footing(id, state, ticked, ceded),
            wants: ticked.state.wanted.get(id).map(|wanted| wanted.wants.clone()).unwrap_or_default(),
            allotted: ticked.report.allotted.get(id).cloned().unwrap_or_default(),
            cpu_spark_cores: points(|sparks| &sparks.cpu).unwrap_or_default(),
            memory_spark_bytes: points(|sparks| &sparks.memory).unwrap_or_default(),
        }
    }
}

/// Knobs that somebody else took, one per workload.
type Ceded<'a> = BTreeMap<&'a WorkloadId, (Knob, Setting)>;

/// The memory figure that is shown: the working set where it is known.
#[must_use]
pub(super) fn memory_metric(state: &WorkloadState) -> &'static str {
    if state.latest.contains_key(&Metric::new(name::MEMORY_WORKING_SET)) {
        name::MEMORY_WORKING_SET
    } else {
        name::MEMORY
    }
}

fn footing(id: &WorkloadId, state: &WorkloadState, ticked: &Ticked<'_>, ceded: &Ceded<'_>) -> Footing {
    if state.own {
        return Footing::Own;
    }
    if let Some((knob, found)) = ceded.get(id) {
        return Footing::Ceded { knob: *knob, found: *found };
    }
    if let Some(why) = state.standing.hold() {
        return Footing::Held { why: why.to_owned() };
    }
    let newest = state.latest.iter().max_by_key(|(_, latest)| latest.time);
    if let Some((metric, latest)) = newest {
        let age_s = ticked.snapshot.now.since_s(latest.time);
        if age_s > ticked.state.guard.limits.stale_after_s {
            return Footing::Stale { metric: metric.clone(), age_s };
        }
    }
    match state.standing.mode {
        Mode::Recommend => Footing::Recommend,
        Mode::Apply => Footing::Managed,
    }
}

/// What a decision came to, for labels and filters: the outcome or "refused", and the refusal or "".
#[must_use]
pub(super) const fn labels(decision: &Decision) -> (&'static str, &'static str) {
    match &decision.verdict {
        Verdict::Refused { why } => ("refused", refusal_name(why)),
        Verdict::Admitted { outcome, .. } => (outcome_name(outcome), ""),
    }
}

const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Applied { .. } => "applied",
        Outcome::Unchanged => "unchanged",
        Outcome::DryRun => "dry_run",
        Outcome::Drifted { .. } => "drifted",
        Outcome::Failed { .. } => "failed",
    }
}

const fn refusal_name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownWorkload => "unknown_workload",
        Refusal::Unreachable => "unreachable",
        Refusal::OwnGroup => "own_group",
        Refusal::NotANumber => "not_a_number",
        Refusal::ForeignChange { .. } => "foreign_change",
        Refusal::RecommendOnly => "recommend_only",
        Refusal::Held { .. } => "held",
        Refusal::Failing { .. } => "failing",
        Refusal::Stale { .. } => "stale",
        Refusal::DeadBand { .. } => "dead_band",
        Refusal::TooYoung { .. } => "too_young",
        Refusal::CoolDown { .. } => "cool_down",
        Refusal::BlastRadius { .. } => "blast_radius",
    }
}

/// Means per minute over the last hour, the unfinished minute last.
#[derive(Default)]
struct Spark {
    minutes: VecDeque<f32>,
    /// Number of the unfinished minute since 1970.
    minute: i64,
    sum: f64,
    count: u32,
}

impl Spark {
    /// Takes the recorded hour before `now` in place of what is there.
    fn seed(&mut self, history: &dyn History, workload: &WorkloadId, metric: &str, now: Time) {
        let step = i64::from(SPARK_STEP_S);
        let to_s = now.s().div_euclid(step) * step + step;
        let window = Window { from_s: to_s - step * (i64::from(SPARK_POINTS) - 1), to_s, step_s: SPARK_STEP_S };
        if let Some(past) = history.series(workload, &Metric::new(metric), window) {
            self.minutes = past.values.into();
            self.minutes.truncate(usize::from(SPARK_POINTS) - 1);
            self.minute = now.s().div_euclid(step);
        }
    }

    fn push(&mut self, now: Time, value: Option<f64>) {
        let minute = now.s().div_euclid(i64::from(SPARK_STEP_S));
        self.minute = self.minute.max(minute - i64::from(SPARK_POINTS));
        while self.minute < minute {
            self.minutes.push_back(self.mean());
            (self.sum, self.count, self.minute) = (0.0, 0, self.minute + 1);
        }
        let over = self.minutes.len().saturating_sub(usize::from(SPARK_POINTS) - 1);
        self.minutes.drain(..over);
        if let Some(value) = value {
            self.sum += value;
            self.count += 1;
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "drawn 24 pixels high")]
    fn mean(&self) -> f32 {
        if self.count == 0 { f32::NAN } else { (self.sum / f64::from(self.count)) as f32 }
    }

    fn points(&self) -> Vec<f32> {
        self.minutes.iter().copied().chain([self.mean()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use apportion_core::Series;

    /// The minute's number as value.
    struct Minutes;

    impl History for Minutes {
        fn series(&self, _: &WorkloadId, _: &Metric, window: Window) -> Option<Series> {
            let mut series = Series::gap(window);
            for index in 0..series.len() {
                series.values[index] = (series.time_s(index) / 60) as f32;
            }
            Some(series)
        }
    }

    #[test]
    fn a_spark_holds_an_hour_of_minutes_however_it_begins() {
        let mut spark = Spark::default();
        spark.push(Time::from_s(6_000), Some(5.0));
        assert_eq!(spark.points().len(), 60, "an hour of gaps and one reading");
        assert_eq!(spark.points()[59], 5.0);
        spark.seed(&Minutes, &"a".into(), name::CPU, Time::from_s(6_000));
        spark.push(Time::from_s(6_010), Some(7.0));
        let points = spark.points();
        assert_eq!((points.len(), points[0], points[57], points[59]), (60, 42.0, 99.0, 6.0));
        spark.push(Time::from_s(6_125), Some(1.0));
        let points = spark.points();
        assert_eq!((points.len(), points[57], points[59]), (60, 6.0, 1.0));
        assert!(points[58].is_nan(), "a minute without a reading is a gap");
        spark.push(Time::from_s(1_000_000), None);
        assert!(spark.points().len() == 60 && spark.points().iter().all(|point| point.is_nan()));
    }
}
