//! Training: from a configuration and a set of series to weights.
//!
//! Every batch is made of shards. A shard's windows, forward and backward pass depend only on (seed, step, shard), and
//! gradients are summed in the order of shards, so that the weights are the same bytes at any number of threads.

pub(crate) mod adamw;
mod checkpoint;
mod drift;
mod judge;
mod schedule;
mod synthetic;
mod trainer;
mod tune;
mod validate;
mod windows;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use drift::{GroupDrift, drift};
pub use judge::{GroupOutcome, is_enough, judge};
pub use schedule::Schedule;
pub use trainer::{Progress, TrainConfig, Trainer};
pub use tune::{TuneConfig, tune};
pub use validate::validate;
pub use windows::Mixture;

/// One series to learn from.
#[derive(Clone, Debug)]
pub struct TrainSeries {
    /// What the series belongs to (a data set, a fleet); groups are drawn by the square root of their size, so that a
    /// large one does not drown the others.
    pub group: String,
    /// Values one step apart; NaN is missing.
    pub values: Vec<f32>,
    /// Seconds from one value to the next.
    pub step_s: u32,
    /// UTC time of the first value, where it is truly known.
    pub start_time_s: Option<i64>,
}

/// The series to learn from. May be empty: training is then on synthetic series alone.
#[derive(Clone, Debug, Default)]
pub struct TrainSet {
    /// In any order; the order is part of what decides the weights.
    pub series: Vec<TrainSeries>,
    /// General series, drawn for a share of the windows ([`Mixture::replay`]) so that a fine-tuning does not forget them.
    pub replay: Vec<TrainSeries>,
}

impl TrainSet {
    /// One of all series, the set's own first.
    pub(crate) fn at(&self, index: usize) -> &TrainSeries {
        self.series.get(index).unwrap_or_else(|| &self.replay[index - self.series.len()])
    }
}
