//! What a forecast rests on: its parts (level, season, announced event), and how it moves when a part of what it was made from
//! is taken away. Every number in the words about it is in here.

use crate::{Metric, Time, WorkloadId};
use serde::{Deserialize, Serialize};

/// How a forecast moves when something it was made from is taken away. In the metric's unit, means over the horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Influence {
    /// The median less what it would be without: positive where the part raises the forecast.
    pub shift: f64,
    /// The distance between the two medians.
    pub size: f64,
    /// Width from q0.1 to q0.9, less what it would be without: negative where the part makes the forecast surer.
    pub widening: f64,
}

/// A stretch of the past.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// Time of its first value.
    pub from: Time,
    /// Time of its last value.
    pub to: Time,
    /// Its part of what all stretches together move, 0..1.
    pub share: f64,
    /// What goes when every value of it is a gap.
    pub influence: Influence,
}

/// The rhythm in a forecast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rhythm {
    /// After so long it repeats, seconds.
    pub period_s: f64,
    /// The lowest and the highest median within the horizon, nothing announced, and when.
    pub low: (Time, f64),
    /// See `low`.
    pub high: (Time, f64),
    /// What goes when the past has the same level and no rhythm.
    pub influence: Influence,
}

/// What people announced within the horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lift {
    /// The first step that it changes, and the last.
    pub from: Time,
    /// See `from`.
    pub to: Time,
    /// Mean median over these steps without it.
    pub usual: f64,
    /// Mean median over these steps with it.
    pub announced: f64,
}

/// Why a forecast is what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rationale {
    /// Whose.
    pub workload: WorkloadId,
    /// Of what.
    pub metric: Metric,
    /// End of the past that it was made from.
    pub at: Time,
    /// How far it looks, seconds.
    pub horizon_s: f64,
    /// The forecaster.
    pub by: String,
    /// Mean of the past's last day (of all where there is less), and how long that is, seconds.
    pub recent: f64,
    /// See `recent`.
    pub recent_s: f64,
    /// Mean median over the horizon, nothing announced.
    pub level: f64,
    /// The rhythm, where the past is long enough to have one and the forecast follows it.
    pub rhythm: Option<Rhythm>,
    /// What was announced, where something was.
    pub lift: Option<Lift>,
    /// What goes when time of day and day of week are unknown.
    pub calendar: Influence,
    /// Stretches of the past, oldest first.
    pub past: Vec<Stretch>,
}

impl Rationale {
    /// The stretches that count for most, greatest first: those that make up at least `share` of the greatest, at most `most`.
    #[must_use]
    pub fn foremost(&self, share: f64, most: usize) -> Vec<&Stretch> {
        let mut order: Vec<&Stretch> = self.past.iter().filter(|stretch| stretch.share > 0.0).collect();
        order.sort_by(|a, b| b.share.total_cmp(&a.share));
        let least = order.first().map_or(0.0, |first| first.share * share);
        order.into_iter().take_while(|stretch| stretch.share >= least).take(most).collect()
    }
}
