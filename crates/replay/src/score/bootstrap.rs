//! Intervals over workloads: how far a score would move with other workloads of the same kind.

use super::{tally::Tally, total::ratio};
use crate::rng::Rng;
use serde::{Deserialize, Serialize};

/// How often workloads are drawn anew.
pub const DRAWS: usize = 1_000;

/// The middle 95 % of a score when workloads are drawn with replacement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// 2.5 % quantile.
    pub low: f64,
    /// 97.5 % quantile.
    pub high: f64,
}

/// Intervals of the scores that are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Of the footprint.
    pub footprint: Interval,
    /// Of the share of samples over.
    pub over: Interval,
    /// Of usage above the allotment over usage.
    pub overwork: Interval,
    /// Of the share of the allotment that is not used.
    #[serde(default)]
    pub slack: Interval,
    /// Of changes per workload and day.
    #[serde(default)]
    pub changes: Interval,
    /// Of kills per workload and day.
    #[serde(default)]
    pub ooms_per_day: Interval,
}

/// Footprint and share of samples over of each draw, where a score needs both.
pub type Draws = Vec<(f64, f64)>;

/// Intervals over some workloads, and the draws that they are made of.
#[must_use]
pub fn intervals(tallies: &[&Tally], seed: u64, name: &str) -> (Intervals, Draws) {
    let mut rng = Rng::named(seed, name);
    let draw = |_| (0..tallies.len()).map(|_| tallies[rng.below(tallies.len())]).fold(Sums::default(), Sums::and);
    let sums: Vec<Sums> = (0..DRAWS.min(DRAWS * tallies.len())).map(draw).collect();
    let of = |score: fn(&Sums) -> f64| middle(&mut sums.iter().map(score).collect::<Vec<_>>());
    let made = Intervals {
        footprint: of(Sums::footprint),
        over: of(Sums::over),
        overwork: of(|sums| ratio(sums.beyond, sums.usage)),
        slack: of(|sums| ratio(sums.unused, sums.allotted)),
        changes: of(|sums| ratio(sums.changes, sums.days)),
        ooms_per_day: of(|sums| ratio(sums.ooms, sums.days)),
    };
    (made, sums.iter().map(|sums| (sums.footprint(), sums.over())).collect())
}

/// What the workloads of a draw add up to.
#[derive(Clone, Copy, Default)]
struct Sums {
    allotted: f64,
    usage: f64,
    unused: f64,
    beyond: f64,
    above: f64,
    samples: f64,
    changes: f64,
    ooms: f64,
    days: f64,
}

impl Sums {
    fn and(self, tally: &Tally) -> Self {
        Self {
            allotted: self.allotted + tally.allotted,
            usage: self.usage + tally.usage,
            unused: self.unused + tally.unused,
            beyond: self.beyond + tally.beyond,
            above: self.above + f64::from(tally.over),
            samples: self.samples + f64::from(tally.samples),
            changes: self.changes + f64::from(tally.changes),
            ooms: self.ooms + f64::from(tally.ooms),
            days: self.days + tally.span_days,
        }
    }
    fn footprint(&self) -> f64 {
        ratio(self.allotted, self.usage)
    }
    fn over(&self) -> f64 {
        ratio(self.above, self.samples)
    }
}

/// The middle of what a score is over the draws.
#[must_use]
pub fn middle(draws: &mut [f64]) -> Interval {
    Interval { low: crate::quantile::quantile(draws, 0.025), high: crate::quantile::quantile(draws, 0.975) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(allotted: f64) -> Tally {
        Tally { samples: 10, usage: 10.0, allotted, ..Tally::default() }
    }

    #[test]
    fn equal_workloads_have_no_width_and_different_ones_hold_the_mean() {
        let same = [tally(20.0), tally(20.0), tally(20.0)];
        let found = intervals(&same.iter().collect::<Vec<_>>(), 1, "a").0.footprint;
        assert_eq!((found.low, found.high), (2.0, 2.0));
        let mixed: Vec<Tally> = (0..40).map(|k| tally(f64::from(k))).collect();
        let mixed: Vec<&Tally> = mixed.iter().collect();
        let found = intervals(&mixed, 1, "a").0.footprint;
        // Standard error of the mean of 0, 0.1 ... 3.9: 1.154 / sqrt(40) = 0.18; twice that on each side of 1.95.
        assert!((found.low - 1.59).abs() < 0.06 && (found.high - 2.31).abs() < 0.06, "{found:?}");
        assert_eq!(intervals(&mixed, 1, "a"), intervals(&mixed, 1, "a"));
        assert_ne!(intervals(&mixed, 1, "a"), intervals(&mixed, 2, "a"));
    }

    /// Half of the workloads change twice a day and are killed once in two days: the mean of a hundred draws from two values.
    #[test]
    fn changes_slack_and_kills_have_intervals_too() {
        let one = |busy: bool| Tally {
            changes: if busy { 4 } else { 0 },
            ooms: u32::from(busy),
            unused: if busy { 15.0 } else { 5.0 },
            span_days: 2.0,
            ..tally(20.0)
        };
        let all: Vec<Tally> = (0..100).map(|k| one(k % 2 == 0)).collect();
        let (found, draws) = intervals(&all.iter().collect::<Vec<_>>(), 1, "a");
        // Standard error of a share of a half: 0.5 / sqrt(100) = 0.05; times what half a workload's difference makes.
        for (interval, mean, error) in
            [(found.changes, 1.0, 0.1), (found.ooms_per_day, 0.25, 0.025), (found.slack, 0.5, 0.025)]
        {
            let (low, high) = (mean - 2.0 * error, mean + 2.0 * error);
            assert!(
                (interval.low - low).abs() < 0.4 * error && (interval.high - high).abs() < 0.4 * error,
                "{interval:?}"
            );
        }
        assert_eq!((draws.len(), draws[0]), (DRAWS, (2.0, 0.0)));
    }
}
