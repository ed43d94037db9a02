//! Crane's percentile predictor, as its resource recommender uses it.
//! Source: gocrane/crane at 2b0ddae, `pkg/prediction/percentile`, `pkg/recommendation/recommender/resource`.
//!
//! P99 × 1.15 of 168 hours at one minute, in linear buckets (0.1 core to 100, 100 MiB to 100 GiB), without decay, each sample
//! weighed by its own value. After a kill within 7 days at least max(memory + 100 MB, × 1.2).

use super::{Adjustable, Subject};
use crate::{
    histogram::{Buckets, Histogram},
    quantity::Kind,
    recommend::{Observation, Recommender, Regrid, Review},
};
use std::collections::VecDeque;

const HISTORY_S: i64 = 168 * 3_600;
const MINUTE_S: i64 = 60;
const EPSILON: f64 = 1e-10;
const LEAST_WEIGHT: f64 = 1e-5;
const PERCENTILE: f64 = 0.99;
const OOM_BUMP_BYTES: f64 = 1e8;
const OOM_BUMP_RATIO: f64 = 1.2;
const MIB: f64 = 1_048_576.0;

/// One series.
pub(super) struct Percentile {
    margin: f64,
    memory: bool,
    regrid: Regrid,
    review: Review,
    histogram: Histogram,
    history: VecDeque<(i64, f64)>,
    protected: Option<(i64, f64)>,
}

impl Percentile {
    pub(super) fn new(subject: &Subject<'_>, margin: f64) -> Self {
        let memory = subject.quantity.kind == Kind::Memory;
        let buckets = if memory { Buckets::linear(102_400.0 * MIB, 100.0 * MIB) } else { Buckets::linear(100.0, 0.1) };
        Self {
            margin,
            memory,
            regrid: Regrid::new(MINUTE_S, subject.series.step_s),
            review: Review::default(),
            histogram: Histogram::new(buckets, EPSILON),
            history: VecDeque::new(),
            protected: None,
        }
    }

    fn learn(&mut self, now_s: i64, usage: f64) {
        self.histogram.add(usage, usage.max(LEAST_WEIGHT));
        self.history.push_back((now_s, usage));
        while let Some((time, old)) = self.history.front().copied()
            && time <= now_s - HISTORY_S
        {
            self.histogram.subtract(old, old.max(LEAST_WEIGHT));
            self.history.pop_front();
        }
    }

    /// `MemoryOOMProtection`: the greatest need of the last 7 days.
    fn learn_oom(&mut self, now_s: i64, allotted: f64) {
        let need = (allotted + OOM_BUMP_BYTES).max(allotted * OOM_BUMP_RATIO);
        let former = self.protection(now_s);
        self.protected = Some((now_s, need.max(former)));
    }

    fn protection(&self, now_s: i64) -> f64 {
        self.protected.filter(|(time, _)| now_s - time <= HISTORY_S).map_or(0.0, |(_, need)| need)
    }

    /// What it would say now.
    pub(super) fn estimate(&self, now_s: i64) -> f64 {
        let estimate = self.histogram.percentile(PERCENTILE) * (1.0 + self.margin);
        if self.memory { estimate.max(self.protection(now_s)) } else { estimate }
    }
}

impl Recommender for Percentile {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        if let (true, Some(allotted)) = (seen.oom, seen.allotted) {
            self.learn_oom(seen.time_s, allotted);
        }
        let regridded = self.regrid.push(seen.time_s, seen.usage)?;
        self.learn(seen.time_s, regridded.mean);
        (self.review.due(seen.time_s) || seen.oom).then(|| self.estimate(seen.time_s))
    }
}

impl Adjustable for Percentile {
    const MARGIN: f64 = 0.15;
    const GRID: &'static [f64] = &[-0.3, -0.15, 0.0, 0.15, 0.4, 0.8, 1.5, 3.0];
    const MEANS: &'static str = "margin on the P99 (cpu-request-margin-fraction, mem-margin-fraction)";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    fn crane(metric: &str) -> Percentile {
        let series = testing::series(metric, 60, &[0.0; 2]);
        Percentile::new(&testing::subject(&series), Percentile::MARGIN)
    }

    /// 99 samples of 0.15 core weigh 14.85, one of 1.55 weighs 1.55: 9.5 % of the load, so the P99 is its bucket's end, 1.6.
    #[test]
    fn samples_weigh_by_their_load() {
        let mut percentile = crane("cpu_cores");
        let usage: Vec<f64> = std::iter::repeat_n(0.15, 99).chain([1.55]).collect();
        testing::feed(&mut percentile, 60, &usage);
        assert!((percentile.estimate(6_000) - 1.6 * 1.15).abs() < 1e-9);
    }

    #[test]
    fn a_week_is_remembered() {
        let mut percentile = crane("cpu_cores");
        let usage: Vec<f64> = std::iter::once(9.05).chain(std::iter::repeat_n(0.05, 7 * 1_440)).collect();
        testing::feed(&mut percentile, 60, &usage[..100]);
        assert!(percentile.estimate(6_000) > 9.0);
        let mut percentile = crane("cpu_cores");
        testing::feed(&mut percentile, 60, &usage);
        assert!((percentile.estimate(7 * 86_400) - 0.115).abs() < 1e-9);
    }

    #[test]
    fn a_kill_asks_for_a_fifth_or_100_mb_more_for_a_week() {
        let mut percentile = crane("memory_bytes");
        testing::feed(&mut percentile, 60, &[5e7; 10]);
        percentile.learn_oom(600, 2e8);
        assert_eq!(percentile.estimate(600), 3e8);
        assert!((percentile.estimate(600 + HISTORY_S + 1) - 100.0 * MIB * 1.15).abs() < 1.0);
        percentile.learn_oom(600, 1e9);
        assert_eq!(percentile.estimate(600), 1.2e9);
    }
}
