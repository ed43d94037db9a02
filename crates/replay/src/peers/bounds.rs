//! Clairvoyant bounds: they look at what is to come, so they are no policies, only marks to measure regret by.
//!
//! `best-static`: the one allotment per series over which the asked share of all its samples lies. `oracle`: a perfect forecast
//! under the usual rule (the asked quantile of usage until the next decision) with the same budget of changes. It is the best
//! that this rule can do at fixed times of decision, not the best of all rules.

use super::{Adjustable, Subject};
use crate::{
    histogram::index,
    recommend::{Observation, Recommender},
};

const DAY_S: f64 = 86_400.0;

/// Base units of everything that will be used, and how much of it may be over.
fn usage(subject: &Subject<'_>) -> Vec<f64> {
    subject.series.values.iter().map(|value| subject.quantity.to_base(*value)).collect()
}

/// The least of the values that leaves at most `above` of them above it; 0 when there are none.
fn enough_for(values: &mut [f64], above: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    *values.select_nth_unstable_by(last - index(above + 1e-9).min(last), f64::total_cmp).1
}

/// One constant.
pub(super) struct BestStatic {
    allotment: f64,
    said: bool,
}

impl BestStatic {
    pub(super) fn new(subject: &Subject<'_>, scale: f64) -> Self {
        let mut usage = usage(subject);
        let above = subject.violation * scale * usage.len() as f64;
        let allotment = enough_for(&mut usage, above);
        Self { allotment, said: false }
    }
}

impl Recommender for BestStatic {
    fn observe(&mut self, _: &Observation) -> Option<f64> {
        let first = !std::mem::replace(&mut self.said, true);
        first.then_some(self.allotment)
    }
}

impl Adjustable for BestStatic {
    const MARGIN: f64 = 1.0;
    const GRID: &'static [f64] = &[0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
    const MEANS: &'static str = "factor on the asked share of samples over";
}

/// A perfect forecast with a budget of changes.
pub(super) struct Oracle {
    times_s: Vec<i64>,
    usage: Vec<f64>,
    every_s: i64,
    share: f64,
    /// Samples that may still be over: what a block too short to spend it leaves for the next one.
    credit: f64,
    at: usize,
    decided_s: Option<i64>,
}

impl Oracle {
    #[allow(clippy::cast_possible_truncation, reason = "seconds of a day")]
    pub(super) fn new(subject: &Subject<'_>, scale: f64) -> Self {
        Self {
            times_s: subject.series.times_s.clone(),
            usage: usage(subject),
            every_s: (DAY_S / subject.changes_per_day.max(1e-3)) as i64,
            share: subject.violation * scale,
            credit: 0.0,
            at: 0,
            decided_s: None,
        }
    }
}

impl Recommender for Oracle {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        self.at += 1;
        if self.decided_s.is_some_and(|decided| seen.time_s - decided < self.every_s) {
            return None;
        }
        self.decided_s = Some(seen.time_s);
        let ahead = self.times_s[self.at..].partition_point(|time| *time <= seen.time_s + self.every_s);
        let mut ahead = self.usage[self.at..self.at + ahead.max(1).min(self.usage.len() - self.at)].to_vec();
        if ahead.is_empty() {
            return None;
        }
        self.credit += self.share * ahead.len() as f64;
        let allotment = enough_for(&mut ahead, self.credit);
        self.credit -= ahead.iter().filter(|usage| **usage > allotment).count() as f64;
        Some(allotment)
    }
}

impl Adjustable for Oracle {
    const MARGIN: f64 = 1.0;
    const GRID: &'static [f64] = &[0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
    const MEANS: &'static str = "factor on the asked share of samples over";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    #[test]
    fn enough_leaves_the_asked_share_above() {
        let check = |share: f64, value: f64| {
            let mut values: Vec<f64> = (1..=100).map(f64::from).collect();
            assert_eq!(enough_for(&mut values, share * 100.0), value, "{share}");
        };
        check(0.0, 100.0);
        check(0.01, 99.0);
        check(0.05, 95.0);
        check(1.0, 1.0);
    }

    /// Two changes a day on a step at noon: each half gets what it needs.
    #[test]
    fn the_oracle_meets_each_block() {
        let usage: Vec<f64> = (0..48).map(|hour| if hour % 24 < 12 { 1.0 } else { 5.0 }).collect();
        let series = testing::series("cpu_cores", 3_600, &usage);
        let subject = Subject { changes_per_day: 2.0, violation: 0.0, ..Subject::plain(&series) };
        let decisions = testing::feed(&mut Oracle::new(&subject, 1.0), 3_600, &usage);
        assert_eq!(decisions.iter().map(|decision| decision.1).collect::<Vec<_>>(), [5.0, 5.0, 5.0, 5.0]);
        let subject = Subject { changes_per_day: 24.0, ..subject };
        let decisions = testing::feed(&mut Oracle::new(&subject, 1.0), 3_600, &usage);
        assert_eq!(decisions[9..12].iter().map(|decision| decision.1).collect::<Vec<_>>(), [1.0, 1.0, 5.0]);
        let fixed = testing::feed(&mut BestStatic::new(&subject, 1.0), 3_600, &usage);
        assert_eq!(fixed, [(3_600, 5.0)]);
    }

    /// A quarter of the samples may be over and a block has two, one of them high: every second block gives its high one up.
    #[test]
    fn what_a_block_cannot_spend_is_left_for_the_next() {
        let usage: Vec<f64> = (0..13).map(|k| if k % 2 == 0 { 5.0 } else { 1.0 }).collect();
        let series = testing::series("cpu_cores", 3_600, &usage);
        let subject = Subject { changes_per_day: 12.0, violation: 0.25, ..Subject::plain(&series) };
        let decisions = testing::feed(&mut Oracle::new(&subject, 1.0), 3_600, &usage);
        assert_eq!(decisions.iter().map(|decision| decision.1).collect::<Vec<_>>(), [5.0, 1.0, 5.0, 1.0, 5.0, 1.0]);
    }
}
