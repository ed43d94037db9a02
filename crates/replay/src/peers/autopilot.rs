//! Google Autopilot, moving-window recommender.
//! Source: Rzadca et al., "Autopilot: workload autoscaling at Google", EuroSys 2020, section 3.2.
//!
//! Every 5 minutes usage goes into a histogram whose weights halve in 12 h (CPU) or 48 h (memory). CPU of serving jobs: the
//! load-adjusted P95; memory with low tolerance of kills: the load-adjusted P98 (the default of large jobs; small jobs take the
//! greatest of a window whose length is not published). The limit is the greatest of the last hour's values and a margin of
//! 10 to 15 %, the larger one for small jobs. The bounds of the about 400 buckets are not published: ours grow by 3.5 %.

use super::{Adjustable, Subject};
use crate::{
    histogram::Buckets,
    quantity::Kind,
    recommend::{Observation, Recommender, Regrid},
};
use std::collections::VecDeque;

pub(super) const EVERY_S: i64 = 300;
const HOUR_S: i64 = 3_600;
const CPU_HALF_LIFE_S: f64 = 12.0 * 3_600.0;
const MEMORY_HALF_LIFE_S: f64 = 48.0 * 3_600.0;
const BUCKETS: usize = 400;
const GROWTH: f64 = 1.035;
const EPSILON: f64 = 1e-12;
/// Weights are scaled down once they have grown by so many half-lives.
const MOST_HALF_LIVES: f64 = 60.0;

/// The bounds of Autopilot's buckets for a metric.
fn buckets(kind: Kind) -> Buckets {
    let first = if kind == Kind::Memory { 1_048_576.0 } else { 1e-3 };
    Buckets::Exponential { first, ratio: GROWTH, count: BUCKETS }
}

/// Decaying counts per bucket, from which percentiles of the load are read.
#[derive(Debug)]
struct Load {
    buckets: Buckets,
    bounds: Vec<f64>,
    weights: Vec<f64>,
    half_life_s: f64,
    reference_s: f64,
}

impl Load {
    fn new(kind: Kind, start_s: f64) -> Self {
        let buckets = buckets(kind);
        let half_life_s = if kind == Kind::Memory { MEMORY_HALF_LIFE_S } else { CPU_HALF_LIFE_S };
        let bounds = (0..buckets.count()).map(|bucket| buckets.end(bucket)).collect();
        Self { buckets, bounds, weights: vec![0.0; buckets.count()], half_life_s, reference_s: start_s }
    }

    fn add(&mut self, usage: f64, time_s: f64) {
        let half_lives = (time_s - self.reference_s) / self.half_life_s;
        if half_lives > MOST_HALF_LIVES {
            let factor = (-half_lives).exp2();
            self.weights.iter_mut().for_each(|weight| *weight *= factor);
            self.reference_s = time_s;
            self.weights[self.buckets.find(usage)] += 1.0;
        } else {
            self.weights[self.buckets.find(usage)] += half_lives.exp2();
        }
    }

    /// Bound of the bucket at which a share of the load (weight times bound) is reached.
    fn percentile(&self, share: f64) -> f64 {
        let load = |bucket: usize| self.weights[bucket] * self.bounds[bucket];
        let total: f64 = self.weights.iter().zip(&self.bounds).map(|(weight, bound)| weight * bound).sum();
        let mut sum = 0.0;
        for bucket in 0..self.bounds.len() {
            sum += load(bucket);
            if sum >= share * total - EPSILON * total {
                return self.bounds[bucket];
            }
        }
        self.bounds.last().copied().unwrap_or(0.0)
    }
}

/// One series.
pub(super) struct Window {
    margin: f64,
    share: f64,
    memory: bool,
    regrid: Regrid,
    load: Load,
    /// Greatest raw values of the last hour, descending.
    hour: VecDeque<(i64, f64)>,
}

impl Window {
    pub(super) fn new(subject: &Subject<'_>, margin: f64) -> Self {
        let memory = subject.quantity.kind == Kind::Memory;
        Self {
            margin,
            share: if memory { 0.98 } else { 0.95 },
            memory,
            regrid: Regrid::new(EVERY_S, subject.series.step_s),
            load: Load::new(subject.quantity.kind, subject.series.first_s() as f64),
            hour: VecDeque::new(),
        }
    }

    fn greatest_of_hour(&mut self, now_s: i64, raw: f64) -> f64 {
        while self.hour.back().is_some_and(|(_, value)| *value <= raw) {
            self.hour.pop_back();
        }
        self.hour.push_back((now_s, raw));
        while self.hour.front().is_some_and(|(time, _)| *time <= now_s - HOUR_S) {
            self.hour.pop_front();
        }
        self.hour.front().map_or(raw, |(_, value)| *value)
    }
}

impl Recommender for Window {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        let regridded = self.regrid.push(seen.time_s, seen.usage)?;
        self.load.add(if self.memory { regridded.peak } else { regridded.mean }, seen.time_s as f64);
        let raw = self.load.percentile(self.share);
        Some(self.greatest_of_hour(seen.time_s, raw) * (1.0 + self.margin))
    }
}

impl Adjustable for Window {
    const MARGIN: f64 = 0.15;
    const GRID: &'static [f64] = &[-0.3, -0.15, 0.0, 0.15, 0.4, 0.8, 1.5, 3.0];
    const MEANS: &'static str = "safety margin on the hour's greatest value";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    /// 95 samples at 1 and 5 at 10 without decay: loads 95·1 and 5·10 (by bucket bounds), so P95 of the load is 10's bucket,
    /// while P50 is still that of 1.
    #[test]
    fn percentiles_are_of_the_load() {
        let mut load = Load::new(Kind::Cpu, 0.0);
        (0..95).for_each(|_| load.add(1.0, 0.0));
        (0..5).for_each(|_| load.add(10.0, 0.0));
        assert!((1.0..1.04).contains(&load.percentile(0.5)));
        assert!((1.0..1.04).contains(&load.percentile(0.64)));
        assert!((10.0..10.4).contains(&load.percentile(0.67)));
    }

    #[test]
    fn weights_halve_in_a_half_life_whatever_the_reference() {
        for start_s in [0.0, -100.0 * CPU_HALF_LIFE_S] {
            let mut load = Load::new(Kind::Cpu, start_s);
            load.add(1.0, 0.0);
            load.add(3.0, CPU_HALF_LIFE_S);
            let share_of_first = 0.5 / 3.5;
            assert!(load.percentile(share_of_first * 0.97) < 1.1);
            assert!(load.percentile(share_of_first * 1.06) > 2.9);
        }
    }

    /// Bounds of 0.5, 1 and 4 cores: 0.503367, 1.029874 and 4.020378. After 1, 1 and 4 the load is 2 x 1.03 and 4.02, so that its
    /// P95 is 4's bound; with 15 % that is 1.184356, 1.184356, 4.623434. One 4 and then 0.5 of a core: 113 samples of 0.5 (decayed,
    /// 12 h) weigh 19 times as much as the 4 (decayed), and an hour later, at the 126th sample, the limit falls to 0.578873.
    /// With 48 h and P98, one 4 GB and then 1 GB: at the 190th, from 4.682915 to 1.157024 GB. By a separate program from the
    /// formulas above.
    #[test]
    fn limits_are_those_of_the_paper_s_formulas() {
        let check = |metric: &str, usage: &[f64], expect: &[(i64, f64)]| {
            let series = testing::series(metric, EVERY_S, &[0.0; 2]);
            let mut window = Window::new(&testing::subject(&series), 0.15);
            let mut decided = testing::feed(&mut window, EVERY_S, usage);
            decided.dedup_by_key(|decision| decision.1);
            assert_eq!(decided.len(), expect.len(), "{decided:?}");
            for (found, expect) in decided.iter().zip(expect) {
                assert_eq!(found.0, expect.0 * EVERY_S, "{decided:?}");
                assert!((found.1 / expect.1 - 1.0).abs() < 1e-6, "{decided:?}");
            }
        };
        let then = |first: f64, rest: f64, count: usize| -> Vec<f64> {
            std::iter::once(first).chain(std::iter::repeat_n(rest, count)).collect()
        };
        check("cpu_cores", &[1.0, 1.0, 4.0, 1.0], &[(1, 1.184_355_695), (3, 4.623_434_415)]);
        check("cpu_cores", &then(4.0, 0.5, 130), &[(1, 4.623_434_415), (126, 0.578_872_504)]);
        check("memory_bytes", &then(4e9, 1e9, 200), &[(1, 4.682_914_495e9), (190, 1.157_023_994e9)]);
    }

    #[test]
    fn the_limit_is_the_greatest_of_the_last_hour_and_a_margin() {
        let series = testing::series("cpu_cores", 300, &[0.0; 2]);
        let mut window = Window::new(&testing::subject(&series), 0.15);
        let usage: Vec<f64> = std::iter::once(8.0).chain(std::iter::repeat_n(1.0, 2_000)).collect();
        let decisions = testing::feed(&mut window, 300, &usage);
        assert!((8.0 * 1.15..8.3 * 1.15).contains(&decisions[5].1));
        assert!((1.15..1.04 * 1.15).contains(&decisions.last().unwrap().1));
        let raw = |k: i64| window.hour.front().map(|(time, _)| *time >= 300 * k);
        assert_eq!(raw(2_001 - 12), Some(true));
    }
}
