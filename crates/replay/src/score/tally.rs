//! One series under one policy: counts and sums from which every score is made.
//!
//! The base definitions are those of the project's independent judge of decisions: a decision stamped t is in force for usage
//! stamped later; usage counts from a warm-up after the series' first sample on; before the first decision nothing is allotted.

use super::total::ratio;
use crate::{Decided, TraceSeries, quantile::quantile, quantity::Kind, world::is_over};

/// Work that waits longer is given up, not carried: otherwise one allotment below the mean would spoil all that follows.
pub const BACKLOG_LIMIT_S: f64 = 3_600.0;
/// What a kill costs: the time to start again, seconds.
pub const RESTART_S: f64 = 60.0;
const DAY_S: i64 = 86_400;

/// One day of one series: how the field counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Day {
    /// (mean allotment - P95 of usage) / mean allotment.
    pub relative_slack: f64,
    /// Samples over.
    pub over: u32,
}

/// Counts and sums over the judged samples of one series. Amounts are in the metric's own unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Judged samples.
    pub samples: u32,
    /// Samples before the first decision.
    pub bare: u32,
    /// Samples with usage above the allotment.
    pub over: u32,
    /// Sum of usage.
    pub usage: f64,
    /// Greatest usage.
    pub peak: f64,
    /// Sum of what was allotted.
    pub allotted: f64,
    /// Sum of what was allotted and not used.
    pub unused: f64,
    /// Sum of usage above the allotment.
    pub beyond: f64,
    /// Decisions that changed the allotment, warm-up included.
    pub changes: u32,
    /// Sum over these of the difference as a share of what was allotted before.
    pub changed: f64,
    /// Days from the first to the last judged sample.
    pub span_days: f64,
    /// Whole and part days.
    pub days: Vec<Day>,
    /// Kills: samples of memory above the allotment.
    pub ooms: u32,
    /// Samples with work waiting, when what was throttled is carried forward (CPU and throughput).
    pub throttled: u32,
    /// Longest wait for waiting work at the pace of the allotment, seconds.
    pub longest_wait_s: f64,
}

/// Judges one series.
#[must_use]
pub fn tally(series: &TraceSeries, decided: &[Decided], warmup_s: i64) -> Tally {
    let first = series.times_s.partition_point(|time| *time < series.first_s() + warmup_s);
    let (changes, changed) = changes(decided, &|_| true);
    let mut made = Tally { changes, changed, ..Tally::default() };
    let (mut in_force, mut next) = (None, 0);
    let (mut backlog, mut before_s) = (0.0, None);
    let carries = series.quantity().kind != Kind::Memory;
    let mut given = Vec::with_capacity(series.len() - first);
    for at in first..series.len() {
        let (time_s, usage) = (series.times_s[at], series.values[at]);
        while next < decided.len() && decided[next].time_s < time_s {
            in_force = Some(decided[next].allocation);
            next += 1;
        }
        let allotted = in_force.unwrap_or(0.0);
        made.add(usage, allotted, in_force.is_none());
        given.push(allotted);
        if carries {
            let interval_s = before_s.map_or(series.step_s, |before: i64| time_s - before).min(series.step_s) as f64;
            backlog = made.carry(backlog, usage, allotted, interval_s);
            before_s = Some(time_s);
        }
    }
    if !carries {
        made.ooms = made.over;
    }
    if first < series.len() {
        made.span_days = (series.last_s() - series.times_s[first]) as f64 / DAY_S as f64;
    }
    made.days = days(&series.times_s[first..], &series.values[first..], &given);
    made
}

/// Number of decisions at times that count that change the allotment by more than rounding, and by what shares of it together; the
/// first one changes nothing.
pub(crate) fn changes(decided: &[Decided], counts: &dyn Fn(i64) -> bool) -> (u32, f64) {
    let by = |pair: &[Decided]| (pair[1].allocation - pair[0].allocation).abs();
    let is_change = |pair: &&[Decided]| counts(pair[1].time_s) && by(pair) > 1e-9 * pair[1].allocation.abs();
    let made = || decided.windows(2).filter(is_change);
    (u32::try_from(made().count()).unwrap_or(u32::MAX), made().map(|pair| ratio(by(pair), pair[0].allocation)).sum())
}

impl Tally {
    fn add(&mut self, usage: f64, allotted: f64, bare: bool) {
        self.samples += 1;
        self.bare += u32::from(bare);
        self.over += u32::from(is_over(usage, allotted));
        self.usage += usage;
        self.peak = self.peak.max(usage);
        self.allotted += allotted;
        self.unused += (allotted - usage).max(0.0);
        self.beyond += (usage - allotted).max(0.0);
    }

    /// Work that was not done waits for spare allotment; gives what waits now.
    fn carry(&mut self, backlog: f64, usage: f64, allotted: f64, interval_s: f64) -> f64 {
        let waiting = (backlog + (usage - allotted) * interval_s).max(0.0);
        let kept = waiting.min(allotted.max(usage) * BACKLOG_LIMIT_S);
        if kept > 1e-9 * usage.abs() * interval_s {
            self.throttled += 1;
            self.longest_wait_s =
                self.longest_wait_s.max((kept / allotted.max(f64::MIN_POSITIVE)).min(BACKLOG_LIMIT_S));
        }
        kept
    }
}

/// Groups samples by day (UTC).
fn days(times_s: &[i64], usage: &[f64], given: &[f64]) -> Vec<Day> {
    let mut made = Vec::new();
    let mut from = 0;
    for day in times_s.chunk_by(|a, b| a.div_euclid(DAY_S) == b.div_euclid(DAY_S)) {
        let to = from + day.len();
        made.push(one_day(&usage[from..to], &given[from..to]));
        from = to;
    }
    made
}

fn one_day(usage: &[f64], given: &[f64]) -> Day {
    let mean = given.iter().sum::<f64>() / given.len() as f64;
    let p95 = quantile(&mut usage.to_vec(), 0.95);
    let over = usage.iter().zip(given).filter(|(usage, given)| is_over(**usage, **given)).count();
    let relative_slack = if mean > 0.0 { (mean - p95) / mean } else { 0.0 };
    Day { relative_slack, over: u32::try_from(over).unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    fn decided(pairs: &[(i64, f64)]) -> Vec<Decided> {
        pairs.iter().map(|(time_s, allocation)| Decided { time_s: *time_s, allocation: *allocation }).collect()
    }

    /// Usage 1, 2, 3, 4 at 60 ... 240; 2.5 allotted after 60, 5 after 180; the first sample is bare.
    #[test]
    fn sums_are_those_worked_by_hand() {
        let series = testing::series("cpu_cores", 60, &[1.0, 2.0, 3.0, 4.0]);
        let made = tally(&series, &decided(&[(60, 2.5), (180, 5.0), (200, 5.0)]), 0);
        assert_eq!((made.samples, made.bare, made.over, made.changes, made.changed), (4, 1, 2, 1, 1.0));
        assert_eq!((made.usage, made.allotted, made.unused, made.beyond, made.peak), (10.0, 10.0, 1.5, 1.5, 4.0));
        assert_eq!(made.ooms, 0);
        let later = tally(&series, &decided(&[(60, 2.5)]), 120);
        assert_eq!((later.samples, later.bare, later.over), (2, 0, 2));
    }

    /// 1 core short for a minute, then 0.5 core spare: the rest waits two more minutes.
    #[test]
    fn throttled_work_waits_for_spare_allotment() {
        let series = testing::series("cpu_cores", 60, &[1.0, 3.0, 1.5, 1.5, 1.5, 1.5]);
        let made = tally(&series, &decided(&[(0, 2.0)]), 0);
        assert_eq!((made.over, made.throttled), (1, 2));
        assert_eq!(made.longest_wait_s, 30.0);
    }

    #[test]
    fn memory_over_is_a_kill_and_nothing_waits() {
        let series = testing::series("mem_mib", 60, &[1.0, 3.0, 1.5]);
        let made = tally(&series, &decided(&[(0, 2.0)]), 0);
        assert_eq!((made.ooms, made.throttled), (1, 0));
    }

    #[test]
    fn relative_slack_is_per_day() {
        let usage: Vec<f64> = std::iter::repeat_n(1.0, 23).chain(std::iter::repeat_n(4.0, 24)).collect();
        let series = testing::series("cpu_cores", 3_600, &usage);
        let made = tally(&series, &decided(&[(0, 2.0)]), 0);
        assert_eq!(made.days, [Day { relative_slack: 0.5, over: 0 }, Day { relative_slack: -1.0, over: 24 }]);
    }
}
