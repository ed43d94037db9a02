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
}

/// Intervals over the workloads of one policy and metric.
#[must_use]
pub fn intervals(tallies: &[&Tally], seed: u64, name: &str) -> Intervals {
    let mut rng = Rng::named(seed, name);
    let (mut footprint, mut over, mut overwork) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..DRAWS.min(DRAWS * tallies.len()) {
        let (mut allotted, mut usage, mut beyond, mut above, mut samples) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for _ in 0..tallies.len() {
            let tally = tallies[rng.below(tallies.len())];
            allotted += tally.allotted;
            usage += tally.usage;
            beyond += tally.beyond;
            above += f64::from(tally.over);
            samples += f64::from(tally.samples);
        }
        footprint.push(ratio(allotted, usage));
        over.push(ratio(above, samples));
        overwork.push(ratio(beyond, usage));
    }
    Intervals { footprint: middle(&mut footprint), over: middle(&mut over), overwork: middle(&mut overwork) }
}

fn middle(draws: &mut [f64]) -> Interval {
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
        let found = intervals(&same.iter().collect::<Vec<_>>(), 1, "a").footprint;
        assert_eq!((found.low, found.high), (2.0, 2.0));
        let mixed: Vec<Tally> = (0..40).map(|k| tally(f64::from(k))).collect();
        let mixed: Vec<&Tally> = mixed.iter().collect();
        let found = intervals(&mixed, 1, "a").footprint;
        // Standard error of the mean of 0, 0.1 ... 3.9: 1.154 / sqrt(40) = 0.18; twice that on each side of 1.95.
        assert!((found.low - 1.59).abs() < 0.06 && (found.high - 2.31).abs() < 0.06, "{found:?}");
        assert_eq!(intervals(&mixed, 1, "a"), intervals(&mixed, 1, "a"));
        assert_ne!(intervals(&mixed, 1, "a"), intervals(&mixed, 2, "a"));
    }
}
