//! Kubernetes Resource Recommender, strategy `simple`.
//! Source: robusta-dev/krr at d6baa74, `robusta_krr/strategies/simple.py`, `core/integrations/prometheus/metrics/{cpu,memory}.py`.
//!
//! CPU: P95 of the last 336 hours at 75 s. Memory: 1.15 × the greatest of the last 336 hours. At least 3 hours and 100 points;
//! floor 10m and 100 MiB; rounded up to 1m and 1 MiB. Kill data is off by default, as upstream.

use super::{Adjustable, Subject};
use crate::{
    quantile::quantile,
    quantity::Kind,
    recommend::{Observation, Recommender, Regrid, Review},
};
use std::collections::VecDeque;

const HISTORY_S: i64 = 336 * 3_600;
const EVERY_S: i64 = 75;
const ENOUGH_S: i64 = 3 * 3_600;
const ENOUGH_POINTS: i64 = 100;
const CPU_PERCENTILE: f64 = 0.95;
const MIB: f64 = 1_048_576.0;

/// One series of the report.
pub(super) struct Krr {
    memory: bool,
    floor: f64,
    margin: f64,
    step_s: i64,
    regrid: Regrid,
    review: Review,
    history: VecDeque<(i64, f64)>,
    sorted: Vec<f64>,
}

impl Krr {
    pub(super) fn new(subject: &Subject<'_>, margin: f64) -> Self {
        let memory = subject.quantity.kind == Kind::Memory;
        let floor = if memory { 100.0 * MIB } else { 0.01 };
        let step_s = subject.series.step_s;
        Self {
            memory,
            floor: if subject.quantity.absolute { floor } else { 0.0 },
            margin,
            step_s,
            regrid: Regrid::new(EVERY_S, step_s),
            review: Review::default(),
            history: VecDeque::new(),
            sorted: Vec::new(),
        }
    }

    fn enough(&self, now_s: i64) -> bool {
        let Some((first_s, _)) = self.history.front() else { return false };
        let points = i64::try_from(self.history.len()).unwrap_or(i64::MAX) * (self.step_s / EVERY_S).max(1);
        now_s - first_s + self.step_s >= ENOUGH_S && points >= ENOUGH_POINTS
    }

    /// `round_value`: up to a millicore or a MiB, and never below the floor.
    fn recommend(&mut self) -> f64 {
        self.sorted.clear();
        self.sorted.extend(self.history.iter().map(|(_, usage)| usage));
        let (amount, quantum) = if self.memory {
            (self.sorted.iter().copied().fold(0.0, f64::max) * (1.0 + self.margin), MIB)
        } else {
            // The CPU request has no margin of its own; a sweep adds to the memory buffer's default.
            let factor = 1.0 + self.margin - Self::MARGIN;
            (quantile(&mut self.sorted, CPU_PERCENTILE) * factor, 1e-3)
        };
        ((amount / quantum - 1e-9).ceil() * quantum).max(self.floor)
    }
}

impl Recommender for Krr {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        let regridded = self.regrid.push(seen.time_s, seen.usage)?;
        let usage = if self.memory { regridded.peak } else { regridded.mean };
        self.history.push_back((seen.time_s, usage));
        while self.history.front().is_some_and(|(time, _)| *time <= seen.time_s - HISTORY_S) {
            self.history.pop_front();
        }
        (self.enough(seen.time_s) && self.review.due(seen.time_s)).then(|| self.recommend())
    }
}

impl Adjustable for Krr {
    const MARGIN: f64 = 0.15;
    const GRID: &'static [f64] = &[-0.2, 0.0, 0.15, 0.4, 0.8, 1.5, 3.0];
    const MEANS: &'static str =
        "memory buffer (--memory_buffer_percentage); for CPU the same on top of the P95, 0.15 being none";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    fn krr(metric: &str) -> Krr {
        let series = testing::series(metric, 300, &[0.0; 2]);
        Krr::new(&testing::subject(&series), Krr::MARGIN)
    }

    #[test]
    fn nothing_is_said_before_three_hours() {
        let decisions = testing::feed(&mut krr("cpu_cores"), 300, &[1.0; 60]);
        assert_eq!(decisions[0], (3 * 3_600, 1.0));
    }

    /// Of 1 ... 100 millicores the P95 is 95.05; rounded up 96. Of 1 ... 100 MiB the request is 115 MiB.
    #[test]
    fn p95_of_cpu_and_peak_of_memory() {
        let ramp: Vec<f64> = (1..=100).map(|k| f64::from(k) * 1e-3).collect();
        let mut cpu = krr("cpu_cores");
        testing::feed(&mut cpu, 300, &ramp);
        assert!((cpu.recommend() - 0.096).abs() < 1e-12);
        let ramp: Vec<f64> = (1..=100).map(|k| f64::from(k) * MIB).collect();
        let mut memory = krr("memory_bytes");
        testing::feed(&mut memory, 300, &ramp);
        assert_eq!(memory.recommend(), 115.0 * MIB);
    }

    #[test]
    fn floors_are_10_millicores_and_100_mib() {
        assert_eq!(testing::feed(&mut krr("cpu_cores"), 300, &[0.0; 60])[0].1, 0.01);
        assert_eq!(testing::feed(&mut krr("memory_bytes"), 300, &[0.0; 60])[0].1, 100.0 * MIB);
    }

    #[test]
    fn two_weeks_are_remembered() {
        let usage: Vec<f64> = std::iter::once(5e9).chain(std::iter::repeat_n(1e9, 15 * 288)).collect();
        let decisions = testing::feed(&mut krr("memory_bytes"), 300, &usage);
        assert!(decisions[0].1 > 5e9 && decisions.last().unwrap().1 < 1.2e9);
    }
}
