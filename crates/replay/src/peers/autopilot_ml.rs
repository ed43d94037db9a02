//! An Autopilot-style ensemble of limit choosers. The form is the paper's; the constants are ours, since Google's are not
//! published.
//! Source: Rzadca et al., EuroSys 2020, section 3.3, with `L ≠ L[t-1]` for the printed `L ≠ L[t]`.
//!
//! Model m keeps decayed counts of samples above (o) and below (u) each candidate limit, picks the limit of least cost
//! `wo·o + wu·u + wdl·[changed]` and adds its margin of some buckets; the ensemble picks the model of least decayed cost
//! `+ wdm·[other model] + wdl·[other limit]`.

use super::{Adjustable, Subject, autopilot::EVERY_S};
use crate::{
    histogram::Buckets,
    quantity::Kind,
    recommend::{Observation, Recommender, Regrid},
};

// Picked from a grid on the Bitbrains and PlanetLab train traces, then frozen; docs/replay.md has the grid.
const UNDER: f64 = 1.0;
const CHANGE_LIMIT: f64 = 0.01;
const CHANGE_MODEL: f64 = 0.01;
const COST_DECAY: f64 = 0.05;
/// Decay of the counts per 5 minutes: half-lives of about 4 h, 12 h, 2 days and 6 days.
const DECAYS: [f64; 4] = [0.0144, 0.0048, 0.0012, 0.0004];
/// Margins in buckets.
const MARGINS: [usize; 3] = [0, 1, 3];
const MODELS: usize = DECAYS.len() * MARGINS.len();
const BUCKETS: usize = 160;
const GROWTH: f64 = 1.09;

/// Decayed counts at one speed of forgetting, and the limit they pick.
#[derive(Clone, Debug)]
struct Counts {
    decay: f64,
    over: [f64; BUCKETS],
    under: [f64; BUCKETS],
    limit: usize,
}

impl Counts {
    fn new(decay: f64) -> Self {
        Self { decay, over: [0.0; BUCKETS], under: [0.0; BUCKETS], limit: 0 }
    }

    /// A sample in `bucket` is above the limits before it and below those after it.
    fn learn(&mut self, bucket: usize) {
        let keep = 1.0 - self.decay;
        self.over.iter_mut().for_each(|over| *over *= keep);
        self.under.iter_mut().for_each(|under| *under *= keep);
        self.over[..bucket].iter_mut().for_each(|over| *over += self.decay);
        self.under[(bucket + 1).min(BUCKETS)..].iter_mut().for_each(|under| *under += self.decay);
    }

    fn cost(&self, limit: usize, over_weight: f64) -> f64 {
        over_weight * self.over[limit] + UNDER * self.under[limit]
    }

    /// The lowest limit of least cost; staying saves the price of a change.
    fn choose(&mut self, over_weight: f64) {
        let mut best = (self.limit, self.cost(self.limit, over_weight) - CHANGE_LIMIT);
        for limit in 0..BUCKETS {
            let cost = self.cost(limit, over_weight);
            if cost < best.1 {
                best = (limit, cost);
            }
        }
        self.limit = best.0;
    }
}

/// One series.
pub(super) struct Ml {
    over_weight: f64,
    memory: bool,
    regrid: Regrid,
    buckets: Buckets,
    counts: Vec<Counts>,
    limits: [usize; MODELS],
    costs: [f64; MODELS],
    model: usize,
}

impl Ml {
    pub(super) fn new(subject: &Subject<'_>, over_weight: f64) -> Self {
        let memory = subject.quantity.kind == Kind::Memory;
        let first = if memory { 1_048_576.0 } else { 1e-3 };
        Self {
            over_weight,
            memory,
            regrid: Regrid::new(EVERY_S, subject.series.step_s),
            buckets: Buckets::Exponential { first, ratio: GROWTH, count: BUCKETS },
            counts: DECAYS.iter().map(|decay| Counts::new(*decay)).collect(),
            limits: [0; MODELS],
            costs: [0.0; MODELS],
            model: 0,
        }
    }

    fn learn(&mut self, bucket: usize) {
        for (at, counts) in self.counts.iter_mut().enumerate() {
            counts.learn(bucket);
            counts.choose(self.over_weight);
            for (margin_at, margin) in MARGINS.iter().enumerate() {
                let model = at * MARGINS.len() + margin_at;
                let limit = (counts.limit + margin).min(BUCKETS - 1);
                let change = if limit == self.limits[model] { 0.0 } else { CHANGE_LIMIT };
                let cost = counts.cost(limit, self.over_weight) + change;
                self.costs[model] += COST_DECAY * (cost - self.costs[model]);
                self.limits[model] = limit;
            }
        }
    }

    /// Bound of the chosen model's limit.
    fn choose(&mut self, current: usize) -> f64 {
        let cost = |model: usize| {
            let other_model = if model == self.model { 0.0 } else { CHANGE_MODEL };
            let other_limit = if self.limits[model] == current { 0.0 } else { CHANGE_LIMIT };
            self.costs[model] + other_model + other_limit
        };
        self.model = (0..MODELS).min_by(|a, b| cost(*a).total_cmp(&cost(*b))).unwrap_or(0);
        self.buckets.end(self.limits[self.model])
    }
}

impl Recommender for Ml {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        let regridded = self.regrid.push(seen.time_s, seen.usage)?;
        let usage = if self.memory { regridded.peak } else { regridded.mean };
        let current = self.limits[self.model];
        self.learn(self.buckets.find(usage));
        Some(self.choose(current))
    }
}

impl Adjustable for Ml {
    const MARGIN: f64 = 20.0;
    const GRID: &'static [f64] = &[2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 300.0, 1_000.0];
    const MEANS: &'static str = "cost of a sample above the limit over that of one below it (wo / wu)";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    /// Two samples with decay 1/2: the first in bucket 3, the second in bucket 1. Limit 0: o = 1/4 + 1/2; limit 2: o = 1/4,
    /// u = 1/2; limit 4: u = 3/4.
    #[test]
    fn counts_are_those_worked_by_hand() {
        let mut counts = Counts::new(0.5);
        counts.learn(3);
        counts.learn(1);
        let check = |limit: usize, over: f64, under: f64| {
            assert_eq!((counts.over[limit], counts.under[limit]), (over, under), "{limit}");
        };
        check(0, 0.75, 0.0);
        check(1, 0.25, 0.0);
        check(2, 0.25, 0.5);
        check(3, 0.0, 0.5);
        check(4, 0.0, 0.75);
    }

    /// With wo = 10: limit 1 costs 2.5, limit 2 costs 3, limit 3 costs 0.5 and wins; a change worth less than its price is
    /// not made.
    #[test]
    fn the_cheapest_limit_wins_unless_the_change_costs_more() {
        let mut counts = Counts::new(0.5);
        counts.learn(3);
        counts.learn(1);
        counts.choose(10.0);
        assert_eq!(counts.limit, 3);
        counts.under[4] = 0.5 - CHANGE_LIMIT / 2.0;
        counts.choose(10.0);
        assert_eq!(counts.limit, 3);
        counts.under[4] = 0.5 - CHANGE_LIMIT * 2.0;
        counts.choose(10.0);
        assert_eq!(counts.limit, 4);
    }

    /// Six samples in bucket 52 and three in 68. After the first, the slowest model (decay 0.0004) finds limit 0 at
    /// 20 × 0.0004 = 0.008 cheaper than a change (0.01) and stays; its decayed cost with 0.01 for another model, 0.0104, is below that
    /// of the fastest one with 0.01 for another limit, 0.0105. After the second, limit 0 costs it 0.016, and it moves to 52. A
    /// single 4 changes nothing; the second moves it to 68. By a separate program from the formulas above.
    #[test]
    fn the_ensemble_is_that_worked_by_hand() {
        let series = testing::series("cpu_cores", EVERY_S, &[0.0; 2]);
        let usage = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 1.0];
        let mut decided = testing::feed(&mut Ml::new(&testing::subject(&series), Ml::MARGIN), EVERY_S, &usage);
        decided.dedup_by_key(|decision| decision.1);
        let expect = [(1, 0.001), (2, 1.058_834_943), (8, 4.236_901_999_8)];
        assert_eq!(decided.len(), expect.len(), "{decided:?}");
        for (found, (at, limit)) in decided.iter().zip(expect) {
            assert!(found.0 == at * EVERY_S && (found.1 / limit - 1.0).abs() < 1e-8, "{decided:?}");
        }
    }

    #[test]
    fn a_constant_series_settles_at_its_bucket() {
        let series = testing::series("cpu_cores", 300, &[0.0; 2]);
        let decisions = testing::feed(&mut Ml::new(&testing::subject(&series), Ml::MARGIN), 300, &[1.0; 1_000]);
        let last = decisions.last().unwrap().1;
        assert!((1.0..=1.09).contains(&last), "{last}");
    }
}
