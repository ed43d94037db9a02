//! A series played to a recommender: demand is the recorded usage, whatever is allotted.
//!
//! A recommender sees recorded usage; what an allotment would have done to it (throttling hides demand, a kill cuts it off) is
//! not in a trace. Memory above the allotment is a kill and is told as one.

use crate::{
    TraceSeries,
    quantity::Kind,
    recommend::{Observation, Recommender},
};
use serde::{Deserialize, Serialize};

/// An allotment and the time after which it is in force.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// It rests on usage stamped so or earlier and is in force after it, seconds since 1970.
    pub time_s: i64,
    /// In the metric's own unit.
    pub allocation: f64,
}

/// Usage is over an allotment when it is so by more than rounding; the same as in the judge of decisions.
#[must_use]
pub fn is_over(usage: f64, allotted: f64) -> bool {
    usage - allotted > 1e-9 * usage.abs()
}

/// Steps without a sample after which a workload is taken to be gone until its next one.
const GONE_STEPS: i64 = 2;

/// When a series whose last sample is of `last_s` counts as gone, should nothing more come: no later than what is known then tells.
pub(crate) fn gone_s(series: &TraceSeries, last_s: i64) -> i64 {
    last_s + GONE_STEPS * series.step_s
}

/// Nothing of a series has come for so long that its workload is gone.
pub(crate) fn is_gone(series: &TraceSeries, last_s: i64, now_s: i64) -> bool {
    now_s > gone_s(series, last_s)
}

/// The allotment for usage stamped `time_s`; `None` before the first decision.
#[must_use]
pub fn in_force(decided: &[Decided], time_s: i64) -> Option<f64> {
    let after = decided.partition_point(|decision| decision.time_s < time_s);
    decided.get(after.checked_sub(1)?).map(|decision| decision.allocation)
}

/// Plays a series to a recommender; gives the decisions that change the allotment.
pub fn play(series: &TraceSeries, recommender: &mut dyn Recommender) -> Vec<Decided> {
    let quantity = series.quantity();
    let mut decided: Vec<Decided> = Vec::new();
    let mut allotted: Option<f64> = None;
    for (time_s, value) in series.samples() {
        let usage = quantity.to_base(value);
        let oom = quantity.kind == Kind::Memory && allotted.is_some_and(|allotted| is_over(usage, allotted));
        let Some(next) = recommender.observe(&Observation { time_s, usage, allotted, oom }) else { continue };
        if next.is_finite() && next >= 0.0 && allotted != Some(next) {
            allotted = Some(next);
            decided.push(Decided { time_s, allocation: quantity.from_base(next) });
        }
    }
    decided
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    /// Allots what was used, and counts kills.
    struct Follow {
        ooms: usize,
    }

    impl Recommender for Follow {
        fn observe(&mut self, seen: &Observation) -> Option<f64> {
            self.ooms += usize::from(seen.oom);
            Some(seen.usage)
        }
    }

    #[test]
    fn a_decision_is_in_force_after_its_time_and_only_changes_are_kept() {
        let series = testing::series("mem_mib", 60, &[1.0, 1.0, 2.0, 1.0, 3.0]);
        let mut follow = Follow { ooms: 0 };
        let decided = play(&series, &mut follow);
        let check = |time: i64, value: Option<f64>| assert_eq!(in_force(&decided, time), value, "{time}");
        assert_eq!(decided.iter().map(|decision| decision.time_s).collect::<Vec<_>>(), [60, 180, 240, 300]);
        assert_eq!(follow.ooms, 2);
        check(60, None);
        check(61, Some(1.0));
        check(180, Some(1.0));
        check(181, Some(2.0));
        check(999, Some(3.0));
    }
}
