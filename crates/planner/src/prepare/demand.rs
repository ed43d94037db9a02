//! Demand under throttling. What a group used under a quota is censored: it says what was let through, not what was wanted.
//!
//! Per step, with `u` the cores used, `f` the share of enforcement periods that ran into the quota (`nr_throttled` by `nr_periods`)
//! and `t` the throttled time per second, which the kernel sums over processors and which is therefore in cores:
//!
//! ```text
//! demand = u + f * t      at most 4 u
//! ```
//!
//! A group with `k` runnable threads and a quota of `Q` cores runs `Q / k` of each period and waits for the rest on `k` processors:
//! `t = f (k - Q)`, so that under lasting throttling (`f` = 1) `u + t = Q + (k - Q) = k`, what would have run. Where only some periods
//! are throttled, what was put off is done soon after and is in `u` already; hence the factor `f`. One look at most quadruples the
//! demand (as the guard at most quintuples an allotment): the next look, under the raised quota, sees the rest.
//!
//! Where throttled time is not given, pressure stands in for it: stalled a share `s` of the time, `u` was reached in `1 - s` of it,
//! and `t = u s / (1 - s)`. Where neither periods nor pressure are given, demand is usage.
//!
//! Source: `account_cfs_rq_runtime` and `throttle_cfs_rq` in the kernel's `kernel/sched/fair.c`; `cpu.stat` in
//! `Documentation/admin-guide/cgroup-v2.rst`. Measured on the simulated quota in the tests below: the mean of a demand of up to
//! four times the quota comes back within 25 %, where usage alone falls short by up to 75 %.

use apportion_core::{History, Metric, Series, Window, WorkloadId, metric::name};

/// One look at most makes demand this many times usage.
const MOST_FACTOR: f32 = 4.0;
/// Pressure is taken for at most this share of time, since `1 / (1 - s)` grows without bound.
const MOST_PRESSURE: f32 = 0.9;

/// Signs of throttling over one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttling {
    /// Periods that ran into the quota, per second.
    pub throttled_periods_per_s: f32,
    /// Periods, per second.
    pub periods_per_s: f32,
    /// Throttled time per second, summed over processors; NaN where it is not known.
    pub throttled_cores: f32,
    /// Share of time in which some task waited (PSI); NaN where it is not known.
    pub pressure_share: f32,
}

impl Throttling {
    /// What would have been used (cores) where `used` cores were, by the formula of this module. Never less than `used`.
    #[must_use]
    pub fn demand(&self, used: f32) -> f32 {
        let often = (self.throttled_periods_per_s / self.periods_per_s).clamp(0.0, 1.0);
        let put_off = often * self.waited_cores(used);
        if put_off > 0.0 { (used + put_off).min(used * MOST_FACTOR) } else { used }
    }

    fn waited_cores(&self, used: f32) -> f32 {
        if self.throttled_cores.is_finite() {
            return self.throttled_cores;
        }
        let stalled = self.pressure_share.clamp(0.0, MOST_PRESSURE);
        used * stalled / (1.0 - stalled)
    }
}

/// Another history, in which CPU used is replaced by the demand for CPU. All else passes through.
#[derive(Clone, Copy)]
pub struct Demand<'a> {
    history: &'a dyn History,
}

impl<'a> Demand<'a> {
    /// Demand over a history of usage.
    #[must_use]
    pub const fn new(history: &'a dyn History) -> Self {
        Self { history }
    }
}

impl History for Demand<'_> {
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        let mut used = self.history.series(workload, metric, window)?;
        if metric.as_str() != name::CPU {
            return Some(used);
        }
        let other = |name| self.history.series(workload, &Metric::new(name), window);
        let Some((throttled, periods)) = other(name::CPU_THROTTLED_PERIODS).zip(other(name::CPU_PERIODS)) else {
            return Some(used);
        };
        let (waited, pressure) = (other(name::CPU_THROTTLED), other(name::CPU_PRESSURE));
        for index in 0..used.len() {
            let time_s = used.time_s(index);
            let signs = Throttling {
                throttled_periods_per_s: at(Some(&throttled), time_s),
                periods_per_s: at(Some(&periods), time_s),
                throttled_cores: at(waited.as_ref(), time_s),
                pressure_share: at(pressure.as_ref(), time_s),
            };
            used.values[index] = signs.demand(used.values[index]);
        }
        Some(used)
    }
}

/// The value at a time; NaN where there is none. By time and not by place, because a history may give less than was asked for.
fn at(series: Option<&Series>, time_s: i64) -> f32 {
    let value = || {
        let series = series?;
        let ahead = usize::try_from((time_s - series.start_s).div_euclid(i64::from(series.step_s.max(1)))).ok()?;
        (series.time_s(ahead) == time_s).then(|| series.values.get(ahead).copied())?
    };
    value().unwrap_or(f32::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Kernel default: ten periods a second.
    const PERIODS_PER_S: usize = 10;

    struct Recorded(BTreeMap<&'static str, Series>);

    impl History for Recorded {
        fn series(&self, _: &WorkloadId, metric: &Metric, _: Window) -> Option<Series> {
            self.0.get(metric.as_str()).cloned()
        }
    }

    /// A group of threads that each work for a part of every period, on processors of their own, under a quota. What does not fit
    /// in a period is put off to the next, at most one period's worth (a caller gives up). Returns true demand and the recording.
    fn simulate(true_cores: &[f32], quota_cores: f32, step_s: u32) -> Recorded {
        let (mut used, mut waited, mut throttled) = (Vec::new(), Vec::new(), Vec::new());
        let periods = PERIODS_PER_S * step_s as usize;
        let mut put_off = 0.0_f32;
        for wanted in true_cores {
            let (mut ran, mut wait, mut hits) = (0.0, 0.0, 0.0);
            for _ in 0..periods {
                let threads = wanted.ceil().max(1.0);
                let work = (wanted + put_off).min(threads);
                let done = work.min(quota_cores);
                ran += done;
                put_off = (wanted + put_off - done).min(*wanted);
                if work > quota_cores {
                    hits += 1.0;
                    // Each thread ran `done / threads` of the period and waits for what it still wanted of it.
                    wait += work - done;
                }
            }
            used.push(ran / periods as f32);
            waited.push(wait / periods as f32);
            throttled.push(hits / step_s as f32);
        }
        let series = |values| Series { start_s: 0, step_s, values };
        Recorded(BTreeMap::from([
            (name::CPU_PERIODS, series(vec![PERIODS_PER_S as f32; true_cores.len()])),
            (name::CPU, series(used)),
            (name::CPU_THROTTLED, series(waited)),
            (name::CPU_THROTTLED_PERIODS, series(throttled)),
        ]))
    }

    fn mean_of(recorded: &dyn History, metric: &str) -> f32 {
        let window = Window { from_s: 0, to_s: i64::MAX, step_s: 10 };
        let series = recorded.series(&"w".into(), &Metric::new(metric), window).unwrap();
        series.values.iter().sum::<f32>() / series.len() as f32
    }

    #[test]
    fn demand_comes_back_from_a_simulated_quota() {
        let wave: Vec<f32> = (0..240_u8).map(|t| 2.0 + 1.5 * (f32::from(t) / 20.0).sin()).collect();
        let check = |demand: &[f32], quota: f32, within: f32| {
            let truth = demand.iter().sum::<f32>() / demand.len() as f32;
            let recorded = simulate(demand, quota, 10);
            let (used, made) = (mean_of(&recorded, name::CPU), mean_of(&Demand::new(&recorded), name::CPU));
            assert!((made / truth - 1.0).abs() <= within, "quota {quota}: true {truth}, used {used}, estimated {made}");
            used / truth
        };
        check(&wave, 4.0, 1e-5);
        check(&wave, 3.0, 0.1);
        check(&wave, 2.0, 0.25);
        let let_through = check(&wave, 1.0, 0.25);
        assert!(let_through < 0.6, "the quota must have bitten: {let_through}");
        check(&[4.0; 50], 1.0, 0.01);
    }

    #[test]
    fn without_signs_demand_is_usage() {
        let recorded = simulate(&[1.0, 2.0], 1.0, 10);
        let bare = Recorded(BTreeMap::from([(name::CPU, recorded.0[name::CPU].clone())]));
        assert_eq!(mean_of(&Demand::new(&bare), name::CPU), mean_of(&bare, name::CPU));
    }

    #[test]
    fn formula_by_hand() {
        let check = |throttled, waited, pressure, used, expect: f32| {
            let signs = Throttling {
                throttled_periods_per_s: throttled,
                periods_per_s: 10.0,
                throttled_cores: waited,
                pressure_share: pressure,
            };
            let made = signs.demand(used);
            assert!((made - expect).abs() < 1e-5, "{made} is not {expect}");
        };
        check(10.0, 1.5, f32::NAN, 1.0, 2.5);
        check(5.0, 1.0, f32::NAN, 1.0, 1.5);
        check(0.0, 1.0, f32::NAN, 1.0, 1.0);
        check(10.0, 60.0, f32::NAN, 1.0, 4.0);
        check(10.0, f32::NAN, 0.5, 1.0, 2.0);
        check(10.0, f32::NAN, f32::NAN, 1.0, 1.0);
        check(10.0, 1.0, f32::NAN, 0.0, 0.0);
        check(f32::NAN, 1.0, 0.5, 1.0, 1.0);
    }
}
