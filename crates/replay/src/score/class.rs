//! Kinds of workloads, by simple rules on the whole series. They sort results, and no policy sees them.
//!
//! In this order, the first that fits:
//! - short: less than two days of samples
//! - new: begins more than a day after the trace does
//! - flat: P99 is at most 1.3 times the median, and the median above 0
//! - growing: the median of each third is at least 1.2 times that of the third before it
//! - periodic: hourly means repeat after a day or a week (autocorrelation at least 0.5)
//! - bursty: P99.5 is at least 5 times P90, or the median is below a twentieth of P99.5
//! - noisy: all others

use crate::{TraceSeries, quantile::quantile};
use serde::{Deserialize, Serialize};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

/// A kind of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Less than two days.
    Short,
    /// Begins later than the trace.
    New,
    /// Nearly constant.
    Flat,
    /// Rises throughout.
    Growing,
    /// Repeats daily or weekly.
    Periodic,
    /// Mostly low, sometimes high.
    Bursty,
    /// None of these.
    Noisy,
}

impl Class {
    /// All, in the order in which they are tried.
    pub const ALL: [Self; 7] =
        [Self::Short, Self::New, Self::Flat, Self::Growing, Self::Periodic, Self::Bursty, Self::Noisy];
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::New => "new",
            Self::Flat => "flat",
            Self::Growing => "growing",
            Self::Periodic => "periodic",
            Self::Bursty => "bursty",
            Self::Noisy => "noisy",
        }
    }
}

/// The kind of one series in a trace that begins at `trace_first_s`.
#[must_use]
pub fn of(series: &TraceSeries, trace_first_s: i64) -> Class {
    let level = |share: f64| quantile(&mut series.values.clone(), share);
    if series.last_s() - series.first_s() < 2 * DAY_S {
        return Class::Short;
    }
    if series.first_s() - trace_first_s > DAY_S {
        return Class::New;
    }
    let (median, p99) = (level(0.5), level(0.99));
    if median > 0.0 && p99 <= 1.3 * median {
        return Class::Flat;
    }
    if grows(&series.values) {
        return Class::Growing;
    }
    let hourly = hourly_means(series);
    if repeats(&hourly, 24) || repeats(&hourly, 168) {
        return Class::Periodic;
    }
    let p995 = level(0.995);
    if p995 >= 5.0 * level(0.9) || median < p995 / 20.0 { Class::Bursty } else { Class::Noisy }
}

fn grows(values: &[f64]) -> bool {
    let third = values.len() / 3;
    let median = |k: usize| quantile(&mut values[k * third..(k + 1) * third].to_vec(), 0.5);
    let (first, second, last) = (median(0), median(1), median(2));
    first > 0.0 && second >= 1.2 * first && last >= 1.2 * second
}

/// Mean of each hour; an hour without a sample repeats the one before.
fn hourly_means(series: &TraceSeries) -> Vec<f64> {
    let mut means: Vec<f64> = Vec::new();
    let mut at = 0;
    let mut end_s = series.first_s() + HOUR_S;
    while at < series.len() {
        let from = at;
        while at < series.len() && series.times_s[at] < end_s {
            at += 1;
        }
        let mean = series.values[from..at].iter().sum::<f64>() / (at - from).max(1) as f64;
        means.push(if at > from { mean } else { means.last().copied().unwrap_or(0.0) });
        end_s += HOUR_S;
    }
    means
}

/// Autocorrelation of at least 0.5 at a lag that fits at least twice.
fn repeats(values: &[f64], lag: usize) -> bool {
    if values.len() < 2 * lag {
        return false;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let pairs = values.iter().zip(&values[lag..]).map(|(a, b)| (a - mean) * (b - mean));
    let covariance = pairs.sum::<f64>() / (values.len() - lag) as f64;
    variance > 0.0 && covariance >= 0.5 * variance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{peers::testing, rng::Rng};

    #[test]
    fn each_rule_finds_its_kind() {
        let mut rng = Rng::new(1);
        let mut noise: Vec<f64> = (0..24 * 20).map(|_| rng.below(1_000) as f64 / 1_000.0).collect();
        let check = |values: &[f64], class: Class| {
            assert_eq!(of(&testing::series("cpu_cores", 3_600, values), 3_600), class);
        };
        check(&noise[..24], Class::Short);
        check(&noise.iter().map(|value| 10.0 + value).collect::<Vec<_>>(), Class::Flat);
        check(&noise.iter().enumerate().map(|(k, value)| k as f64 + value).collect::<Vec<_>>(), Class::Growing);
        let daily = |k: usize| if k % 24 < 8 { 5.0 } else { 1.0 };
        check(&noise.iter().enumerate().map(|(k, value)| daily(k) + value).collect::<Vec<_>>(), Class::Periodic);
        check(&noise, Class::Noisy);
        let early = testing::series("cpu_cores", 3_600, &noise);
        assert_eq!(of(&early, 3_600 - 2 * DAY_S), Class::New);
        for k in [100, 200, 300, 333] {
            noise[k] = 100.0;
        }
        check(&noise, Class::Bursty);
    }
}
