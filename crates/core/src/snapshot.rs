//! What is known at one time: the machine, its workloads, their latest readings and settings.

use crate::{Knob, Metric, Resource, Setting, Standing, Time, Workload, WorkloadId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What the machine has to give.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// Amount per resource: cores, bytes, bytes per second. A resource that is not here is not shared out.
    pub amounts: BTreeMap<Resource, f64>,
}

impl Capacity {
    /// How much there is of a resource, where that is known.
    #[must_use]
    pub fn of(&self, resource: Resource) -> Option<f64> {
        self.amounts.get(&resource).copied()
    }
}

/// The newest value of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    /// When it was read.
    pub time: Time,
    /// In the metric's own unit (a counter's rate since the reading before).
    pub value: f64,
}

/// One workload now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadState {
    /// Which.
    pub workload: Workload,
    /// What people have said about it.
    pub standing: Standing,
    /// Newest values; a metric that is not measured is not here.
    pub latest: BTreeMap<Metric, Latest>,
    /// What its knobs are set to; a knob that cannot be reached is not here.
    pub settings: BTreeMap<Knob, Setting>,
    /// Knobs that are unlimited because what held their limit is gone as a whole.
    #[serde(default)]
    pub lost: BTreeSet<Knob>,
    /// Differs where the group of this name is another one than before, without the settings of that one: the machine was
    /// started again, or the group was removed and made anew. `None` where that cannot be told.
    pub life: Option<u64>,
    /// True for the group of this process or of init, which are never changed.
    pub own: bool,
}

impl WorkloadState {
    /// The newest value of a metric, however old.
    #[must_use]
    pub fn value(&self, metric: &str) -> Option<f64> {
        self.latest.get(&Metric::new(metric)).map(|latest| latest.value)
    }
    /// Seconds since the metric was read; infinite where it never was.
    #[must_use]
    pub fn age_s(&self, metric: &str, now: Time) -> f64 {
        self.latest.get(&Metric::new(metric)).map_or(f64::INFINITY, |latest| now.since_s(latest.time))
    }
}

/// What is known at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The time.
    pub now: Time,
    /// What there is to share.
    pub capacity: Capacity,
    /// Every workload that exists now, by name.
    pub workloads: BTreeMap<WorkloadId, WorkloadState>,
}
