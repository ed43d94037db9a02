//! Samples as the source gave them. Rates are derived on read; what is absent is left out, never zero.

use crate::{Metric, Time, Workload, WorkloadId};
use serde::{Deserialize, Serialize};

/// One raw reading: a counter's state or a gauge's value (see [`crate::metric::Kind`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Whose.
    pub workload: WorkloadId,
    /// Of what.
    pub metric: Metric,
    /// When it was read.
    pub time: Time,
    /// Finite.
    pub value: f64,
}

/// Something that could not be read; the rest goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file, query or bus name.
    pub place: String,
    /// What was wrong, and what to do where that is known.
    pub what: String,
}

/// What one collector found at one time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The workloads that exist now.
    pub workloads: Vec<Workload>,
    /// Their readings.
    pub samples: Vec<Sample>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl Batch {
    /// Adds one reading; one that is not finite is dropped, because absent is not zero.
    pub fn push(&mut self, workload: &WorkloadId, metric: &Metric, time: Time, value: f64) {
        if value.is_finite() {
            self.samples.push(Sample { workload: workload.clone(), metric: metric.clone(), time, value });
        }
    }
    /// Adds another collector's findings.
    pub fn append(&mut self, mut other: Self) {
        self.workloads.append(&mut other.workloads);
        self.samples.append(&mut other.samples);
        self.problems.append(&mut other.problems);
    }
}
