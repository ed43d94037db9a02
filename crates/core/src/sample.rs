//! Samples as the source gave them. Rates are derived on read; what is absent is left out, never zero.

use crate::{Kind, Metric, Time, Workload, WorkloadId};
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
    /// Finite; of a counter not negative, but for [`BEGUN_ANEW`].
    pub value: f64,
}

/// The reading of a counter that is another one than before: there is no rate up to it, nor from it to the next reading. Without it a
/// counter that began anew and has passed what the one before had reached would be read as having gone on.
pub const BEGUN_ANEW: f64 = -1.0;

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
    /// As [`Self::push`] of the first reading of what began anew.
    pub fn push_anew(&mut self, workload: &WorkloadId, metric: &Metric, time: Time, value: f64) {
        if value.is_finite() && metric.kind() == Kind::Counter {
            self.push(workload, metric, Time(time.0.saturating_sub(1)), BEGUN_ANEW);
        }
        self.push(workload, metric, time, value);
    }
    /// All that was read at `now` began anew: the machine was started again.
    pub fn all_anew(&mut self, now: Time) {
        for sample in std::mem::take(&mut self.samples) {
            let push = if sample.time == now { Self::push_anew } else { Self::push };
            push(self, &sample.workload, &sample.metric, sample.time, sample.value);
        }
    }
    /// Adds another collector's findings.
    pub fn append(&mut self, mut other: Self) {
        self.workloads.append(&mut other.workloads);
        self.samples.append(&mut other.samples);
        self.problems.append(&mut other.problems);
    }
}
