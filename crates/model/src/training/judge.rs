//! Judging weights on what they did not learn from: forecasts from several ends of the last tenth of each series, scored by
//! weighted quantile loss relative to the quantiles of the last 64 values, group by group, with standard errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::windows::trained_len;
use super::{TrainSeries, TrainSet};
use crate::score::{recent_quantiles, weighted_quantile_loss};
use crate::telemetry::{QuantileForecast, SeriesInput, TelemetryModel};

/// What other weights would change for one group of series, on the last tenth of their time. Geometric means in which each
/// series counts the same; bounds are one standard error away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupOutcome {
    /// The group, as in [`TrainSeries::group`].
    pub group: String,
    /// Series compared.
    pub series: usize,
    /// Forecasts compared.
    pub forecasts: usize,
    /// Loss of the old weights relative to the quantiles of the last 64 values.
    pub before: f64,
    /// The same of the new weights.
    pub after: f64,
    /// Loss of the new weights over that of the old; below 1 the new ones are better.
    pub ratio: f64,
    /// One standard error below it.
    pub ratio_low: f64,
    /// One standard error above it.
    pub ratio_high: f64,
}

impl GroupOutcome {
    /// The new weights are better by more than a standard error.
    pub fn is_won(&self) -> bool {
        self.ratio_high < 1.0
    }
}

/// Most values of history given to a forecast.
const CONTEXT: usize = 2016;
/// Fewest and most steps of one judged forecast, and most forecasts of one series.
const HORIZON: (usize, usize) = (16, 288);
const MOST_CUTS: usize = 8;
/// A group with fewer forecasts says nothing.
pub(super) const LEAST_FORECASTS: usize = 4;
/// Bounds of the log of one relative loss, so that one forecast cannot decide alone.
const MOST_LOG: f64 = 2.5;

/// An end from which a series is forecast, and how far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) series: usize,
    pub(super) origin: usize,
    pub(super) horizon: usize,
}

/// Compares `after` with `before` (the weights in force for a group), group by group in the order of their names. Groups with
/// too little to judge by are left out.
pub fn judge<'a>(
    set: &TrainSet,
    before: &dyn Fn(&str) -> &'a TelemetryModel,
    after: &TelemetryModel,
    threads: usize,
) -> Vec<GroupOutcome> {
    let cuts: Vec<Cut> = set.series.iter().enumerate().flat_map(|(place, series)| last_tenth(place, series)).collect();
    let old = relative_logs(&set.series, &cuts, before, threads);
    let new = relative_logs(&set.series, &cuts, &|_| after, threads);
    let mut groups = BTreeMap::<&str, BTreeMap<usize, Vec<(f64, f64)>>>::new();
    for (cut, pair) in cuts.iter().zip(old.into_iter().zip(new)) {
        if let (Some(old), Some(new)) = pair {
            let group = groups.entry(&set.series[cut.series].group).or_default();
            group.entry(cut.series).or_default().push((old, new));
        }
    }
    groups.into_iter().filter_map(|(group, series)| outcome(group, &series)).collect()
}

/// True where some group can be judged, so that training on it can be of use.
pub fn is_enough(series: &[TrainSeries]) -> bool {
    let mut judged = BTreeMap::<&str, usize>::new();
    for series in series {
        let is_seen = |cut: &Cut| is_half_seen(&series.values[cut.origin..cut.origin + cut.horizon]);
        *judged.entry(&series.group).or_default() += last_tenth(0, series).iter().filter(|cut| is_seen(cut)).count();
    }
    judged.into_values().any(|forecasts| forecasts >= LEAST_FORECASTS)
}

fn is_half_seen(truth: &[f32]) -> bool {
    truth.iter().filter(|y| y.is_finite()).count() * 2 >= truth.len()
}

fn outcome(group: &str, series: &BTreeMap<usize, Vec<(f64, f64)>>) -> Option<GroupOutcome> {
    let of = |part: fn(&(f64, f64)) -> f64| {
        let logs = |pairs: &Vec<(f64, f64)>| pairs.iter().map(part).collect();
        series.values().map(logs).collect::<Vec<Vec<f64>>>()
    };
    let gain = of(|(old, new)| new - old);
    let (change, error) = (mean_of_means(&gain), standard_error(&gain)?);
    Some(GroupOutcome {
        group: group.to_owned(),
        series: series.len(),
        forecasts: gain.iter().map(Vec::len).sum(),
        before: mean_of_means(&of(|(old, _)| *old)).exp(),
        after: mean_of_means(&of(|(_, new)| *new)).exp(),
        ratio: change.exp(),
        ratio_low: (change - error).exp(),
        ratio_high: (change + error).exp(),
    })
}

/// Ends in the part of a series that is not learnt from: not overlapping, at most a few, spread over it.
fn last_tenth(place: usize, series: &TrainSeries) -> Vec<Cut> {
    let (len, first) = (series.values.len(), trained_len(series.values.len()));
    let horizon = ((len - first) / 4).clamp(HORIZON.0, HORIZON.1);
    let count = (len - first) / horizon;
    let every = count.div_ceil(MOST_CUTS).max(1) * horizon;
    (0..count.div_ceil(count.div_ceil(MOST_CUTS).max(1)))
        .map(|k| Cut { series: place, origin: first + k * every, horizon })
        .collect()
}

/// Per cut the log of the loss of `model` (of the series' group) over that of the last 64 values; `None` where too little was
/// seen, or nothing moved.
pub(super) fn relative_logs<'a>(
    series: &[TrainSeries],
    cuts: &[Cut],
    model: &dyn Fn(&str) -> &'a TelemetryModel,
    threads: usize,
) -> Vec<Option<f64>> {
    let mut logs = vec![None; cuts.len()];
    let mut batches = BTreeMap::<(&str, usize), Vec<usize>>::new();
    for (place, cut) in cuts.iter().enumerate() {
        batches.entry((&series[cut.series].group, cut.horizon)).or_default().push(place);
    }
    for ((group, horizon), places) in batches {
        let inputs: Vec<SeriesInput<'_>> =
            places.iter().map(|place| input(&series[cuts[*place].series], cuts[*place].origin)).collect();
        let made = model(group).forecast_batch(&inputs, horizon, threads);
        for (place, made) in places.into_iter().zip(made) {
            logs[place] = relative_log(&series[cuts[place].series].values, cuts[place], &made);
        }
    }
    logs
}

fn relative_log(values: &[f32], cut: Cut, made: &QuantileForecast) -> Option<f64> {
    let (history, truth) = (&values[..cut.origin], &values[cut.origin..cut.origin + cut.horizon]);
    if !is_half_seen(truth) {
        return None;
    }
    let last = recent_quantiles(history, 64);
    let reference = weighted_quantile_loss(truth, |_| last).filter(|loss| *loss > 0.0)?;
    let loss = weighted_quantile_loss(truth, |step| std::array::from_fn(|level| made.at(step)[level]))?;
    Some((loss / reference).ln().clamp(-MOST_LOG, MOST_LOG))
}

fn input(series: &TrainSeries, origin: usize) -> SeriesInput<'_> {
    SeriesInput {
        values: &series.values[origin.saturating_sub(CONTEXT)..origin],
        step_s: series.step_s,
        end_time_s: series.start_time_s.map(|start| start + (origin as i64 - 1) * i64::from(series.step_s)),
        season_steps: None,
        future_multiplier: None,
    }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Variance of the mean of independent values; 0 for fewer than two.
pub(super) fn variance_of_mean(values: &[f64]) -> f64 {
    let (mean, n) = (mean(values), values.len() as f64);
    if n < 2.0 { 0.0 } else { values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0) / n }
}

pub(super) fn mean_of_means(series: &[Vec<f64>]) -> f64 {
    mean(&series.iter().map(|values| mean(values)).collect::<Vec<f64>>())
}

/// Standard error of [`mean_of_means`]: the greater of what differs between series and what differs between forecasts, since a
/// few series may agree by chance and forecasts of one series go together. `None` for too few forecasts.
fn standard_error(series: &[Vec<f64>]) -> Option<f64> {
    let all = series.concat();
    let means: Vec<f64> = series.iter().map(|values| mean(values)).collect();
    (all.len() >= LEAST_FORECASTS).then(|| variance_of_mean(&all).max(variance_of_mean(&means)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(len: usize) -> TrainSeries {
        TrainSeries { group: "cpu".to_owned(), values: vec![1.0; len], step_s: 300, start_time_s: None }
    }

    #[test]
    fn judged_forecasts_lie_in_what_is_not_learnt_from() {
        let check = |len: usize, expected: (usize, usize)| {
            let cuts = last_tenth(0, &series(len));
            let horizon = cuts.first().map_or(0, |cut| cut.horizon);
            assert_eq!((cuts.len(), horizon), expected, "{len}");
            assert!(cuts.iter().all(|cut| cut.origin >= trained_len(len) && cut.origin + cut.horizon <= len), "{len}");
            assert!(cuts.windows(2).all(|pair| pair[0].origin + pair[0].horizon <= pair[1].origin), "{len}");
        };
        check(50, (0, 0));
        check(288, (1, 16));
        check(2_016, (4, 50));
        check(25_920, (5, 288));
        check(60_000, (7, 288));
    }

    /// By hand: means 0.1 and 0.3 of two series, then of one series with four forecasts.
    #[test]
    fn errors_are_the_greater_of_two() {
        let two = [vec![0.1; 3], vec![0.3; 3]];
        assert!((mean_of_means(&two) - 0.2).abs() < 1e-12 && (standard_error(&two).unwrap() - 0.1).abs() < 1e-12);
        let one = [vec![0.0, 0.0, 1.0, 1.0]];
        assert!((standard_error(&one).unwrap() - (1.0_f64 / 12.0).sqrt()).abs() < 1e-12);
        assert_eq!(standard_error(&[vec![0.5; 3]]), None);
    }
}
