//! What the loop shows of itself: one owned picture a tick. Everything that is shown over HTTP and costs nothing to look up is in it.

use apportion_core::{Capacity, Knob, Latest, Metric, Problem, Setting, Time, Want, WorkloadId, WorkloadState};
use std::{collections::BTreeMap, time::Instant};

/// Upper bounds of the buckets of the histogram of tick durations, seconds; one more bucket holds the rest.
pub(super) const TICK_BUCKETS_S: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// The state of the loop after one tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Ticks since the start; 0 until the first one has ended.
    pub tick: u64,
    /// When it was published, by the monotonic clock of this process.
    pub published: Option<Instant>,
    /// The time of that tick.
    pub now: Time,
    /// Seconds between ticks, as configured.
    pub every_s: f64,
    /// When this run began.
    pub started: Time,
    /// Telemetry older than this freezes sizing, seconds.
    pub stale_after_s: f64,
    /// What there is to share.
    pub capacity: Capacity,
    /// The machine's own readings.
    pub machine: BTreeMap<Metric, Latest>,
    /// Every workload that exists now, the machine itself left out.
    pub workloads: BTreeMap<WorkloadId, WorkloadNow>,
    /// What could not be read at this tick.
    pub problems: Vec<Problem>,
    /// The telemetry network.
    pub model: ModelNow,
    /// Counts since the start.
    pub totals: Totals,
}

/// The telemetry network now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelNow {
    /// Version of the tuned weights in use; 0 for the shipped ones.
    pub version: u32,
    /// Per metric the loss of the last day over that of the days before, where that is looked after.
    pub drift: BTreeMap<Metric, f64>,
}

/// One workload now.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadNow {
    /// What is known of it.
    pub state: WorkloadState,
    /// How Apportion stands to it.
    pub footing: Footing,
    /// What it should have, with reasons; empty until it was first looked at.
    pub wants: Vec<Want>,
    /// What it would be allotted, changed or not, in each knob's unit.
    pub allotted: BTreeMap<Knob, f64>,
    /// CPU used over the last hour, cores, one mean a minute, oldest first; NaN is a gap.
    pub cpu_spark_cores: Vec<f32>,
    /// Memory used over the last hour, bytes, likewise.
    pub memory_spark_bytes: Vec<f32>,
}

impl WorkloadNow {
    /// What it has of a knob: its limit, else what it would be allotted.
    #[must_use]
    pub fn size(&self, knob: Knob) -> Option<f64> {
        let limit = self.state.settings.get(&knob).copied().and_then(Setting::value);
        limit.or_else(|| self.allotted.get(&knob).copied())
    }
}

/// How Apportion stands to a workload; the first that holds, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Footing {
    /// The group of this process or of init, which is never changed.
    Own,
    /// Somebody else turned a knob: Apportion keeps off until it is handed over again.
    Ceded {
        /// Which knob.
        knob: Knob,
        /// What it was set to.
        found: Setting,
    },
    /// People said: no changes.
    Held {
        /// In their words.
        why: String,
    },
    /// Its telemetry is too old to decide on.
    Stale {
        /// Of what.
        metric: Metric,
        /// How old, seconds.
        age_s: f64,
    },
    /// Nothing is written; what would be done is shown.
    Recommend,
    /// Its knobs are written.
    Managed,
}

impl Footing {
    /// Every name, for labels and filters.
    pub const NAMES: [&str; 6] = ["own", "ceded", "held", "stale", "recommend", "managed"];

    /// Its name, as in JSON and in labels.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Ceded { .. } => "ceded",
            Self::Held { .. } => "held",
            Self::Stale { .. } => "stale",
            Self::Recommend => "recommend",
            Self::Managed => "managed",
        }
    }
}

/// Counts since the start of this run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Recorded decisions by verdict ("refused", or the outcome of an admitted one) and refusal ("" where admitted).
    pub decisions: BTreeMap<(&'static str, &'static str), u64>,
    /// Cuts that hurt and were taken back.
    pub harms: u64,
    /// Ticks per bucket of [`TICK_BUCKETS_S`], the rest last; not cumulative.
    pub tick_buckets: [u64; TICK_BUCKETS_S.len() + 1],
    /// Sum of all tick durations, seconds.
    pub tick_sum_s: f64,
    /// Duration of the last tick, seconds.
    pub last_tick_s: f64,
}
