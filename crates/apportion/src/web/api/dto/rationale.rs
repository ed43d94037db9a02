//! Why a forecast is what it is.

use super::unit;
use apportion_core::{
    Rationale, Time,
    rationale::{Influence, Lift, Rhythm, Stretch},
};
use serde::Serialize;
use utoipa::ToSchema;

/// What the forecast of a metric rests on: each part was taken away, and the forecast made again.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web::api) struct RationaleShown {
    workload: String,
    metric: String,
    unit: &'static str,
    /// The same in words; every number in them is in the other fields.
    words: String,
    /// End of the past that it was made from.
    at_s: i64,
    horizon_s: f64,
    /// The forecaster.
    by: String,
    /// Mean of the last `recent_s` seconds of the past.
    recent: f64,
    recent_s: f64,
    /// Mean median over the horizon, nothing announced.
    level: f64,
    rhythm: Option<RhythmShown>,
    /// What people announced within the horizon.
    lift: Option<LiftShown>,
    /// What goes when time of day and day of week are unknown.
    calendar: InfluenceShown,
    /// Stretches of the past, oldest first.
    past: Vec<StretchShown>,
}

/// How the forecast moves when a part is taken away; means over the horizon.
#[derive(Debug, Serialize, ToSchema)]
struct InfluenceShown {
    /// The median less what it would be without the part.
    shift: f64,
    /// The distance between the two medians.
    size: f64,
    /// Width from q0.1 to q0.9, less what it would be without the part.
    widening: f64,
}

/// The rhythm in the forecast.
#[derive(Debug, Serialize, ToSchema)]
struct RhythmShown {
    period_s: f64,
    low_at_s: i64,
    low: f64,
    high_at_s: i64,
    high: f64,
    /// What goes when the past has the same level and no rhythm.
    influence: InfluenceShown,
}

/// What is announced: from the first step that it changes to the last.
#[derive(Debug, Serialize, ToSchema)]
struct LiftShown {
    from_s: i64,
    to_s: i64,
    /// Mean median over these steps without it.
    usual: f64,
    /// Mean median over these steps with it.
    announced: f64,
}

/// A stretch of the past.
#[derive(Debug, Serialize, ToSchema)]
struct StretchShown {
    from_s: i64,
    to_s: i64,
    /// Its part of what all stretches together move, 0 to 1.
    share: f64,
    influence: InfluenceShown,
}

impl RationaleShown {
    pub(in crate::web::api) fn of(rationale: &Rationale, words: String) -> Self {
        Self {
            workload: rationale.workload.to_string(),
            metric: rationale.metric.to_string(),
            unit: unit(rationale.metric.as_str()),
            words,
            at_s: rationale.at.s(),
            horizon_s: rationale.horizon_s,
            by: rationale.by.clone(),
            recent: rationale.recent,
            recent_s: rationale.recent_s,
            level: rationale.level,
            rhythm: rationale.rhythm.as_ref().map(RhythmShown::of),
            lift: rationale.lift.as_ref().map(LiftShown::of),
            calendar: InfluenceShown::of(rationale.calendar),
            past: rationale.past.iter().map(StretchShown::of).collect(),
        }
    }
}

impl InfluenceShown {
    const fn of(influence: Influence) -> Self {
        let Influence { shift, size, widening } = influence;
        Self { shift, size, widening }
    }
}

impl RhythmShown {
    fn of(rhythm: &Rhythm) -> Self {
        let at = |(time, _): (Time, f64)| time.s();
        Self {
            period_s: rhythm.period_s,
            low_at_s: at(rhythm.low),
            low: rhythm.low.1,
            high_at_s: at(rhythm.high),
            high: rhythm.high.1,
            influence: InfluenceShown::of(rhythm.influence),
        }
    }
}

impl LiftShown {
    fn of(lift: &Lift) -> Self {
        let (from_s, to_s) = (lift.from.s(), lift.to.s());
        Self { from_s, to_s, usual: lift.usual, announced: lift.announced }
    }
}

impl StretchShown {
    fn of(stretch: &Stretch) -> Self {
        let (from_s, to_s) = (stretch.from.s(), stretch.to.s());
        Self { from_s, to_s, share: stretch.share, influence: InfluenceShown::of(stretch.influence) }
    }
}
