//! A workload that is busy for some hours of each day, and what share of those hours a recommender's allotment is too small.

use crate::{TraceSeries, peers::Subject, recommend::Recommender, world};

/// Usage outside the burst, cores.
pub const BASE_CORES: f64 = 0.2;
/// Usage in the burst, cores.
pub const PEAK_CORES: f64 = 2.0;
/// Bursts begin at this hour of the day, and last less than 24 hours.
const BEGINS_H: f64 = 9.0;
const STEP_S: i64 = 60;
const DAY_S: i64 = 86_400;
/// Days looked at.
const DAYS: i64 = 14;
/// Days before missed time counts.
const SETTLED_DAYS: i64 = 7;

/// One replica, one sample a minute for `days` days: `hours` a day at [`PEAK_CORES`], [`BASE_CORES`] otherwise.
#[must_use]
pub fn daily(hours: f64, days: i64) -> TraceSeries {
    let times: Vec<i64> = (1..=days * DAY_S / STEP_S).map(|k| k * STEP_S).collect();
    let values = times.iter().map(|time| if in_burst(*time, hours) { PEAK_CORES } else { BASE_CORES }).collect();
    TraceSeries::new("burst".into(), "cpu_cores".into(), times, values)
}

/// True when the minute that ends at `time_s` belongs to the burst.
fn in_burst(time_s: i64, hours: f64) -> bool {
    let hour = (time_s - STEP_S).rem_euclid(DAY_S) as f64 / 3_600.0;
    (BEGINS_H..BEGINS_H + hours).contains(&hour)
}

/// Share of burst minutes after the first week in which less than the burst is allotted.
pub fn missed_share(hours: f64, make: impl Fn(&Subject<'_>) -> Box<dyn Recommender>) -> f64 {
    let series = daily(hours, DAYS);
    let subject = Subject::plain(&series);
    let decided = world::play(&series, make(&subject).as_mut());
    let settled = |time: &i64| *time > SETTLED_DAYS * DAY_S && in_burst(*time, hours);
    let minutes: Vec<i64> = series.times_s.iter().copied().filter(settled).collect();
    let missed = minutes.iter().filter(|time| world::in_force(&decided, **time).is_none_or(|given| given < PEAK_CORES));
    missed.count() as f64 / minutes.len() as f64
}
