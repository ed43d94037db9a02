//! The scores of one policy on one metric: the tallies of all workloads together.

use super::tally::{RESTART_S, Tally};
use serde::{Deserialize, Serialize};

/// Scores over a set of series. A share is 0..1; a ratio with nothing to divide by is 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Series.
    pub workloads: usize,
    /// Sum of allotment over sum of usage: 1 is the least that serves all.
    pub footprint: f64,
    /// Share of the allotment that is not used.
    pub slack: f64,
    /// Share of samples with usage above the allotment.
    pub over: f64,
    /// Usage above the allotment over usage.
    pub overwork: f64,
    /// Share of workloads with at least one such sample.
    pub hit: f64,
    /// Changes of the allotment per workload and day.
    pub changes: f64,
    /// Share of samples before the first decision.
    pub bare: f64,
    /// Mean over workload-days of (mean allotment - P95 of usage) / mean allotment.
    pub relative_slack_mean: f64,
    /// Its median.
    pub relative_slack_median: f64,
    /// Kills per workload and day (memory).
    pub ooms_per_day: f64,
    /// Share of workload-days without a sample over.
    pub clean_days: f64,
    /// Share of workload-days with more than 4 samples over.
    pub severe_days: f64,
    /// Share of samples with work waiting, what was throttled being carried forward (CPU, throughput).
    pub throttled: f64,
    /// Longest wait, seconds.
    pub longest_wait_s: f64,
    /// Share of time lost to starting again after kills (memory).
    pub restart_share: f64,
    /// Share of workloads without any change.
    pub unchanged: f64,
    /// Footprint of what a person would set who knew beforehand the most that each workload will ever use.
    #[serde(default)]
    pub peak_footprint: f64,
    /// What a workload is allotted and does not use, on average, in the metric's own unit.
    #[serde(default)]
    pub unused: f64,
    /// Size of a change as a share of what was allotted before, on average.
    #[serde(default)]
    pub change_size: f64,
    /// Changes a day of the workload that only one in a hundred changes more often than.
    #[serde(default)]
    pub changes_p99: f64,
}

/// More samples over on a day than this make it severe.
const SEVERE_OVER: u32 = 4;

/// Scores of some series together.
#[must_use]
pub fn scores<'a>(tallies: impl IntoIterator<Item = &'a Tally>) -> Scores {
    let judged: Vec<&Tally> = tallies.into_iter().filter(|tally| tally.samples > 0).collect();
    let sum = |value: fn(&Tally) -> f64| judged.iter().map(|tally| value(tally)).sum::<f64>();
    let count = |value: fn(&Tally) -> bool| judged.iter().filter(|tally| value(tally)).count() as f64;
    let (samples, usage, allotted) =
        (sum(|tally| f64::from(tally.samples)), sum(|tally| tally.usage), sum(|tally| tally.allotted));
    let (days, workloads) = (sum(|tally| tally.span_days), judged.len() as f64);
    let mut made = Scores {
        workloads: judged.len(),
        footprint: ratio(allotted, usage),
        slack: ratio(sum(|tally| tally.unused), allotted),
        over: ratio(sum(|tally| f64::from(tally.over)), samples),
        overwork: ratio(sum(|tally| tally.beyond), usage),
        hit: ratio(count(|tally| tally.over > 0), workloads),
        changes: ratio(sum(|tally| f64::from(tally.changes)), days),
        bare: ratio(sum(|tally| f64::from(tally.bare)), samples),
        ooms_per_day: ratio(sum(|tally| f64::from(tally.ooms)), days),
        throttled: ratio(sum(|tally| f64::from(tally.throttled)), samples),
        longest_wait_s: judged.iter().map(|tally| tally.longest_wait_s).fold(0.0, f64::max),
        restart_share: ratio(sum(|tally| f64::from(tally.ooms)) * RESTART_S, days * 86_400.0),
        unchanged: ratio(count(|tally| tally.changes == 0), workloads),
        peak_footprint: ratio(sum(|tally| tally.peak * f64::from(tally.samples)), usage),
        unused: ratio(sum(|tally| tally.unused), samples),
        change_size: ratio(sum(|tally| tally.changed), sum(|tally| f64::from(tally.changes))),
        changes_p99: crate::quantile::quantile(&mut judged.iter().map(|tally| a_day(tally)).collect::<Vec<_>>(), 0.99),
        ..Scores::default()
    };
    made.add_days(&judged);
    made
}

/// Changes a day of one workload.
fn a_day(tally: &Tally) -> f64 {
    ratio(f64::from(tally.changes), tally.span_days)
}

/// `part / whole`, 0 where there is no whole.
#[must_use]
pub fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

impl Scores {
    /// What is allotted less than if each workload were held at its own peak, as a share of that; negative for more.
    #[must_use]
    pub fn below_peak(&self) -> f64 {
        if self.peak_footprint > 0.0 { 1.0 - self.footprint / self.peak_footprint } else { 0.0 }
    }
    fn add_days(&mut self, judged: &[&Tally]) {
        let days = || judged.iter().flat_map(|tally| &tally.days);
        let mut slack: Vec<f64> = days().map(|day| day.relative_slack).collect();
        let count = slack.len() as f64;
        self.relative_slack_mean = ratio(slack.iter().sum(), count);
        self.relative_slack_median = crate::quantile::quantile(&mut slack, 0.5);
        self.clean_days = ratio(days().filter(|day| day.over == 0).count() as f64, count);
        self.severe_days = ratio(days().filter(|day| day.over > SEVERE_OVER).count() as f64, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_weigh_by_amount_and_count_by_sample() {
        let one = Tally {
            samples: 100,
            over: 1,
            usage: 50.0,
            peak: 2.0,
            allotted: 100.0,
            unused: 51.0,
            beyond: 1.0,
            span_days: 2.0,
            changes: 4,
            changed: 2.0,
            ..Tally::default()
        };
        let two = Tally { samples: 300, usage: 50.0, peak: 0.5, allotted: 50.0, span_days: 2.0, ..Tally::default() };
        let empty = Tally { changes: 99, ..Tally::default() };
        let made = scores([&one, &two, &empty]);
        assert_eq!((made.workloads, made.footprint, made.slack), (2, 1.5, 0.34));
        assert_eq!((made.over, made.overwork, made.hit, made.changes), (0.0025, 0.01, 0.5, 1.0));
        // 51 unused over 400 samples; four changes of a half; 2 a day and none, of which 99 % lies near the first.
        assert_eq!((made.unused, made.change_size), (0.1275, 0.5));
        assert!((made.changes_p99 - 1.98).abs() < 1e-12, "{}", made.changes_p99);
        // 100 samples at 2 and 300 at a half, over 100 used: 3.5, of which 1.5 is 57 % less.
        assert_eq!((made.peak_footprint, made.below_peak()), (3.5, 1.0 - 1.5 / 3.5));
        assert_eq!((scores([]).footprint, scores([]).below_peak()), (0.0, 0.0));
    }
}
