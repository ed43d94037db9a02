//! From rates back to counters: what a server gives as a rate is stored as the counter that would have had it. Pure.

use apportion_core::{Time, WorkloadId};
use std::collections::BTreeMap;

/// Running totals by workload.
#[derive(Debug, Default)]
pub(super) struct Counters {
    totals: BTreeMap<WorkloadId, Total>,
}

/// The last two readings of a counter.
#[derive(Clone, Copy, Debug)]
struct Total {
    last: (Time, f64),
    before: Option<(Time, f64)>,
}

impl Counters {
    /// The rate since the point before was `rate`; gives the total at `time`. After a gap (more than `most_apart_s`) the
    /// total begins again at 0, `step_s` before `time`: a counter that went back is read as a gap. A point that is not after
    /// the one before is left out.
    pub(super) fn add(
        &mut self,
        workload: &WorkloadId,
        time: Time,
        rate: f64,
        most_apart_s: f64,
        step_s: f64,
        mut push: impl FnMut(Time, f64),
    ) {
        let known = self.totals.get(workload).map(|total| total.last);
        if known.is_some_and(|(before, _)| time <= before) {
            return self.clock_went_back(workload, time, most_apart_s);
        }
        let joined = known.filter(|(before, _)| time.since_s(*before) <= most_apart_s);
        let (from, before) = joined.unwrap_or_else(|| (moved_back(time, step_s), 0.0));
        if joined.is_none() && from < time {
            push(from, before);
        }
        // A rate cannot be negative; a query that subtracts can.
        let total = before + rate.max(0.0) * time.since_s(from);
        self.totals
            .insert(workload.clone(), Total { last: (time, total), before: (from < time).then_some((from, before)) });
        push(time, total);
    }

    /// The last two readings of every counter, so that who reads a later part alone knows the rate and the pace.
    pub(super) fn recent(&self, mut push: impl FnMut(&WorkloadId, Time, f64)) {
        for (workload, total) in &self.totals {
            for (time, value) in total.before.into_iter().chain([total.last]) {
                push(workload, time, value);
            }
        }
    }

    fn clock_went_back(&mut self, workload: &WorkloadId, time: Time, most_apart_s: f64) {
        let is_far = self.totals.get(workload).is_some_and(|total| total.last.0.since_s(time) > most_apart_s);
        if is_far {
            self.totals.remove(workload);
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a step of history is at most days")]
fn moved_back(time: Time, seconds: f64) -> Time {
    Time(time.0.saturating_sub((seconds * 1_000.0) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(points: &[(i64, f64)]) -> Vec<(i64, f64)> {
        let (mut counters, mut out) = (Counters::default(), Vec::new());
        for (second, rate) in points {
            let workload = WorkloadId::new("a");
            counters
                .add(&workload, Time::from_s(*second), *rate, 15.0, 10.0, |time, total| out.push((time.s(), total)));
        }
        out
    }

    #[test]
    fn rates_sum_up_and_gaps_start_again() {
        assert_eq!(
            totals(&[(100, 2.0), (110, 3.0), (150, 1.0), (160, 0.5)]),
            [(90, 0.0), (100, 20.0), (110, 50.0), (140, 0.0), (150, 10.0), (160, 15.0)]
        );
    }

    #[test]
    fn the_last_two_readings_are_known() {
        let (mut counters, workload) = (Counters::default(), WorkloadId::new("a"));
        for second in [100, 110, 120] {
            counters.add(&workload, Time::from_s(second), 1.0, 15.0, 10.0, |_, _| ());
        }
        let mut recent = Vec::new();
        counters.recent(|_, time, total| recent.push((time.s(), total)));
        assert_eq!(recent, [(110, 20.0), (120, 30.0)]);
    }

    #[test]
    fn points_that_do_not_follow_are_left_out() {
        assert_eq!(totals(&[(100, 1.0), (100, 1.0), (95, 1.0), (110, 1.0)]), [(90, 0.0), (100, 10.0), (110, 20.0)]);
        let set_back = totals(&[(1_000, 1.0), (100, 1.0), (110, 1.0)]);
        assert_eq!(set_back, [(990, 0.0), (1_000, 10.0), (100, 0.0), (110, 10.0)]);
    }
}
