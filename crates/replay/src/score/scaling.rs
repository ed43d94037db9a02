//! Replicas against requests: what they cost, and how long requests waited for them.

use crate::{Decided, TraceSeries, replicas::served_by_one, world::is_over};
use serde::{Deserialize, Serialize};

const HOUR_S: f64 = 3_600.0;
const DAY_S: f64 = 86_400.0;

/// Sums over the judged samples of one or more series of requests. A replica is what [`served_by_one`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Replica-hours that served.
    pub replica_hours: f64,
    /// Replica-hours spent starting, on top.
    pub starting_hours: f64,
    /// Replica-hours that would have served every sample exactly, in whole replicas.
    pub least_hours: f64,
    /// Minutes with more requests than all replicas serve.
    pub violation_minutes: f64,
    /// Times that this began.
    pub shortages: u32,
    /// Mean time from its beginning until enough replicas served, seconds: the scaling lag.
    pub lag_s: f64,
    /// Longest such time, seconds.
    pub longest_lag_s: f64,
    /// Replica-hours that served nothing: area above the line of demand.
    pub spare_hours: f64,
    /// Replica-hours that were missing: area below it.
    pub missing_hours: f64,
    /// Changes of the number of replicas a day.
    pub changes: f64,
    /// Days judged, over all series.
    pub days: f64,
}

/// Judges series of requests together; `None` where there is none.
#[must_use]
pub fn scaling<'a>(
    series: impl IntoIterator<Item = (&'a TraceSeries, &'a [Decided])>,
    warmup_s: i64,
    start_s: i64,
) -> Option<Scaling> {
    let of = |(series, decided): (&TraceSeries, &[Decided])| one(series, decided, warmup_s, start_s);
    series.into_iter().filter_map(of).reduce(Scaling::and)
}

impl Scaling {
    fn and(self, other: Self) -> Self {
        let shortages = self.shortages + other.shortages;
        let mean = |a: f64, weight: f64, b: f64, other: f64| {
            if weight + other > 0.0 { (a * weight + b * other) / (weight + other) } else { 0.0 }
        };
        Self {
            replica_hours: self.replica_hours + other.replica_hours,
            starting_hours: self.starting_hours + other.starting_hours,
            least_hours: self.least_hours + other.least_hours,
            violation_minutes: self.violation_minutes + other.violation_minutes,
            shortages,
            lag_s: mean(self.lag_s, f64::from(self.shortages), other.lag_s, f64::from(other.shortages)),
            longest_lag_s: self.longest_lag_s.max(other.longest_lag_s),
            spare_hours: self.spare_hours + other.spare_hours,
            missing_hours: self.missing_hours + other.missing_hours,
            changes: mean(self.changes, self.days, other.changes, other.days),
            days: self.days + other.days,
        }
    }

    fn add(&mut self, demand: f64, replicas: f64, hours: f64) {
        self.replica_hours += replicas * hours;
        self.least_hours += demand.ceil() * hours;
        self.spare_hours += (replicas - demand).max(0.0) * hours;
        self.missing_hours += (demand - replicas).max(0.0) * hours;
    }
}

fn one(series: &TraceSeries, decided: &[Decided], warmup_s: i64, start_s: i64) -> Option<Scaling> {
    let served = served_by_one(series)?;
    let first = series.times_s.partition_point(|time| *time < series.first_s() + warmup_s);
    let (mut made, mut next, mut given, mut short_s) = (Scaling::default(), 0, 0.0, 0.0);
    let mut lags_s: Vec<f64> = Vec::new();
    let mut before_s = None;
    for (time_s, usage) in series.samples().skip(first) {
        while next < decided.len() && decided[next].time_s < time_s {
            let raised = (decided[next].allocation - given).max(0.0) / served;
            let is_judged = next > 0 && before_s.is_some();
            made.starting_hours += if is_judged { raised * start_s as f64 / HOUR_S } else { 0.0 };
            made.changes += f64::from(u8::from(is_judged));
            given = decided[next].allocation;
            next += 1;
        }
        let gap_s = before_s.map_or(series.step_s, |before: i64| time_s - before).min(series.step_s) as f64;
        before_s = Some(time_s);
        made.add(usage / served, given / served, gap_s / HOUR_S);
        if is_over(usage, given) {
            short_s += gap_s;
        } else if short_s > 0.0 {
            lags_s.push(std::mem::take(&mut short_s));
        }
    }
    lags_s.extend(Some(short_s).filter(|short| *short > 0.0));
    made.finish(series, first, &lags_s)
}

impl Scaling {
    fn finish(mut self, series: &TraceSeries, first: usize, lags_s: &[f64]) -> Option<Self> {
        self.days = (series.last_s() - series.times_s.get(first)?) as f64 / DAY_S;
        self.changes = super::total::ratio(self.changes, self.days);
        self.shortages = u32::try_from(lags_s.len()).unwrap_or(u32::MAX);
        self.violation_minutes = lags_s.iter().sum::<f64>() / 60.0;
        self.lag_s = super::total::ratio(lags_s.iter().sum(), lags_s.len() as f64);
        self.longest_lag_s = lags_s.iter().copied().fold(0.0, f64::max);
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    /// One serves 100 (a quarter of 400 in the first hour). Then 150, 250, 250, 250, 50 a minute against 2, 2, 3, 3, 3 replicas.
    #[test]
    fn sums_are_those_worked_by_hand() {
        let rates: Vec<f64> = std::iter::repeat_n(400.0, 61).chain([150.0, 250.0, 250.0, 250.0, 50.0]).collect();
        let series = testing::series("requests_per_min", 60, &rates);
        let decided = [(3_660, 200.0), (3_660 + 200, 300.0)].map(|(time_s, allocation)| Decided { time_s, allocation });
        let made = scaling([(&series, &decided[..])], 61 * 60, 60).unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} for {b}: {made:?}");
        close(made.replica_hours * 60.0, 2.0 * 3.0 + 3.0 * 2.0);
        close(made.starting_hours * 60.0, 1.0);
        close(made.least_hours * 60.0, 2.0 + 3.0 * 3.0 + 1.0);
        close(made.spare_hours * 60.0, 0.5 + 0.5 + 2.5);
        close(made.missing_hours * 60.0, 0.5 + 0.5);
        assert_eq!((made.violation_minutes, made.shortages, made.lag_s), (2.0, 1, 120.0));
        let two = made.and(made);
        assert_eq!((two.violation_minutes, two.lag_s, two.changes), (4.0, 120.0, made.changes));
        assert!(scaling([(&testing::series("cpu_cores", 60, &rates), &decided[..])], 0, 60).is_none());
    }
}
