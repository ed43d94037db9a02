//! Drift: whether forecasts of late have become worse than they were, measured against the quantiles of the last 64 values so
//! that times that are harder for anyone do not count.

use std::collections::BTreeMap;

use super::TrainSeries;
use super::judge::{Cut, LEAST_FORECASTS, mean, mean_of_means, relative_logs, variance_of_mean};
use crate::telemetry::TelemetryModel;

/// How the relative loss of one group of series has changed.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupDrift {
    /// The group, as in [`TrainSeries::group`].
    pub group: String,
    /// Series looked at.
    pub series: usize,
    /// Geometric mean of (relative loss of late / relative loss before); above 1 forecasts have become worse.
    pub ratio: f64,
    /// Two standard errors below it.
    pub ratio_low: f64,
}

impl GroupDrift {
    /// Forecasts have become worse by more than a tenth, and by more than two standard errors.
    pub fn has_drifted(&self) -> bool {
        self.ratio > 1.1 && self.ratio_low > 1.0
    }
}

/// Forecasts of late fill the last stretch; those before are two in each of as many stretches, so that each part of a stretch
/// (of a day, where a stretch is one) counts the same on both sides.
const PARTS: usize = 6;
const BEFORE_A_STRETCH: usize = 2;

/// Compares the last `late_steps` of each series with the six stretches as long before them, under the weights in force for
/// its group. Groups with too little history are left out.
pub fn drift<'a>(
    series: &[TrainSeries],
    model: &dyn Fn(&str) -> &'a TelemetryModel,
    late_steps: usize,
    threads: usize,
) -> Vec<GroupDrift> {
    let cuts: Vec<Cut> =
        series.iter().enumerate().flat_map(|(place, series)| cuts(place, series, late_steps)).collect();
    let logs = relative_logs(series, &cuts, model, threads);
    let mut groups = BTreeMap::<&str, BTreeMap<usize, [Vec<f64>; 2]>>::new();
    for (cut, log) in cuts.iter().zip(logs) {
        let Some(log) = log else { continue };
        let of = &series[cut.series];
        let is_late = cut.origin + late_steps >= of.values.len();
        groups.entry(&of.group).or_default().entry(cut.series).or_default()[usize::from(is_late)].push(log);
    }
    groups.into_iter().filter_map(|(group, logs)| change(group, logs.into_values().collect())).collect()
}

fn cuts(place: usize, series: &TrainSeries, late_steps: usize) -> Vec<Cut> {
    let (len, horizon) = (series.values.len(), late_steps / PARTS);
    if horizon == 0 || len < (PARTS + 2) * late_steps {
        return Vec::new();
    }
    let at = |stretch: usize, part: usize| {
        let origin = len - (stretch + 1) * late_steps + part % PARTS * horizon;
        Cut { series: place, origin, horizon }
    };
    let before = (0..PARTS * BEFORE_A_STRETCH).map(|k| at(1 + k / BEFORE_A_STRETCH, k));
    (0..PARTS).map(|part| at(0, part)).chain(before).collect()
}

/// From per-series logs `[before, late]`.
fn change(group: &str, series: Vec<[Vec<f64>; 2]>) -> Option<GroupDrift> {
    let both: Vec<[Vec<f64>; 2]> = series.into_iter().filter(|parts| parts.iter().all(|part| part.len() > 1)).collect();
    let part = |index: usize| both.iter().map(|parts| parts[index].clone()).collect::<Vec<Vec<f64>>>();
    let [before, late] = [part(0), part(1)];
    if late.concat().len() < LEAST_FORECASTS {
        return None;
    }
    let each: Vec<f64> = both.iter().map(|[before, late]| mean(late) - mean(before)).collect();
    let between_forecasts = variance_of_mean(&before.concat()) + variance_of_mean(&late.concat());
    let error = between_forecasts.max(variance_of_mean(&each)).sqrt();
    let ratio = mean_of_means(&late) - mean_of_means(&before);
    let group = group.to_owned();
    Some(GroupDrift { group, series: each.len(), ratio: ratio.exp(), ratio_low: (ratio - 2.0 * error).exp() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    /// A day of 48 steps that is as before, or whose pattern has moved by half a day and doubled.
    fn fleet(moved: bool) -> Vec<TrainSeries> {
        let mut rng = Rng::new(3);
        let one = |k: usize| {
            let value = |t: usize| {
                let late = moved && t >= 48 * 29;
                let place = (t + k + if late { 24 } else { 0 }) % 48;
                let height = if late { 6.0 } else { 3.0 };
                5.0 + height * f32::from(u8::from(place < 24)) + 0.1 * rng.normal()
            };
            let values = (0..48 * 30).map(value).collect();
            TrainSeries { group: "cpu".to_owned(), values, step_s: 1800, start_time_s: None }
        };
        (0..6).map(one).collect()
    }

    #[test]
    fn a_moved_pattern_is_drift_and_noise_is_none() {
        let model = TelemetryModel::embedded().unwrap();
        let found = |series: &[TrainSeries]| drift(series, &|_| &model, 48, 2).remove(0);
        let (still, moved) = (found(&fleet(false)), found(&fleet(true)));
        assert!(!still.has_drifted(), "{still:?}");
        assert!(moved.has_drifted() && moved.series == 6, "{moved:?}");
    }

    #[test]
    fn too_little_history_says_nothing() {
        let short = TrainSeries { group: "cpu".to_owned(), values: vec![1.0; 400], step_s: 300, start_time_s: None };
        let model = TelemetryModel::embedded().unwrap();
        assert!(drift(&[short], &|_| &model, 48, 1).is_empty());
    }
}
