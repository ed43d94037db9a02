//! The past of a trace as the loop of a policy of this house reads it.

use crate::TraceSeries;
use apportion_core::{History, Metric, Series, Window, WorkloadId};
use std::{cell::Cell, collections::BTreeMap};

/// One series of the past, in knob units.
pub(crate) struct Recorded<'a> {
    series: &'a TraceSeries,
    unit: f64,
    /// All steps of its own grid, gaps as NaN, where its times lie on one: what is asked for at that step is a copy.
    grid: Option<Series>,
}

/// A grid of so many times the samples is not worth its room.
const SPARSE: usize = 4;

#[allow(clippy::cast_possible_truncation, reason = "usage as f32")]
impl<'a> Recorded<'a> {
    pub(crate) fn new(series: &'a TraceSeries, unit: f64) -> Self {
        let (first_s, step_s) = (series.first_s(), series.step_s);
        let place = |time_s: i64| usize::try_from((time_s - first_s) / step_s).unwrap_or(usize::MAX);
        let steps = place(series.last_s()).saturating_add(1);
        let on_grid = first_s % step_s == 0 && series.times_s.iter().all(|time| (time - first_s) % step_s == 0);
        let grid = (on_grid && steps <= SPARSE * series.len()).then(|| {
            let mut values = vec![f32::NAN; steps];
            series.samples().for_each(|(time_s, value)| values[place(time_s)] = (value * unit) as f32);
            Series { start_s: first_s, step_s: u32::try_from(step_s).unwrap_or(u32::MAX), values }
        });
        Self { series, unit, grid }
    }

    /// The window up to now out of the grid, where the window is on it.
    fn copied(&self, window: Window, now_s: i64) -> Option<Series> {
        let grid = self.grid.as_ref().filter(|grid| grid.step_s == window.step_s)?;
        let step_s = i64::from(grid.step_s);
        let ahead = window.from_s - grid.start_s;
        if ahead % step_s != 0 {
            return None;
        }
        let mut past = Series::gap(window);
        let skipped = usize::try_from(-ahead / step_s).unwrap_or(0).min(past.values.len());
        let from = usize::try_from(ahead / step_s).unwrap_or(0).min(grid.values.len());
        let known = usize::try_from((now_s - grid.start_s).div_euclid(step_s) + 1).unwrap_or(0);
        let to = known.min(grid.values.len()).min(from + past.values.len() - skipped).max(from);
        past.values[skipped..skipped + to - from].copy_from_slice(&grid.values[from..to]);
        Some(past)
    }

    /// Means over the steps of any window up to now.
    fn gathered(&self, window: Window, now_s: i64) -> Option<Series> {
        let (series, step_s) = (self.series, i64::from(window.step_s));
        let known = series.times_s.partition_point(|time| *time <= now_s);
        let mut at = series.times_s[..known].partition_point(|time| *time <= window.from_s - step_s);
        let mut past = Series::gap(window);
        for (index, value) in past.values.iter_mut().enumerate() {
            let end_s = window.from_s + step_s * i64::try_from(index).ok()?;
            let from = at;
            while at < known && series.times_s[at] <= end_s {
                at += 1;
            }
            if at > from {
                let sum: f64 = series.values[from..at].iter().sum();
                *value = (sum * self.unit / (at - from) as f64) as f32;
            }
        }
        Some(past)
    }
}

/// The past of a trace up to now, in knob units under the knobs' own metrics.
pub(crate) struct Past<'a> {
    pub(crate) series: BTreeMap<(WorkloadId, Metric), Recorded<'a>>,
    pub(crate) now_s: Cell<i64>,
}

impl History for Past<'_> {
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        let recorded = self.series.get(&(workload.clone(), metric.clone()))?;
        let now_s = self.now_s.get();
        if recorded.series.first_s() > now_s {
            return None;
        }
        recorded.copied(window, now_s).or_else(|| recorded.gathered(window, now_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    /// On the grid of the trace, copying gives what gathering gives, before, within and beyond it, and nothing later than now.
    #[test]
    fn copied_is_gathered() {
        let mut series = testing::series("cpu_cores", 300, &(0..40).map(f64::from).collect::<Vec<_>>());
        (series.times_s, series.values) = series.samples().filter(|(time, _)| !(3_000..4_000).contains(time)).unzip();
        let recorded = Recorded::new(&series, 0.5);
        for from_s in [-3_000, 0, 300, 2_700, 9_000, 30_000] {
            for now_s in [300, 2_800, 3_600, 11_999, 99_999] {
                let window = Window { from_s, to_s: from_s + 20 * 300, step_s: 300 };
                let values =
                    |past: Option<Series>| past.unwrap().values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                let (copied, gathered) = (recorded.copied(window, now_s), recorded.gathered(window, now_s));
                assert_eq!(values(copied), values(gathered), "{from_s} {now_s}");
            }
        }
        let off = Window { from_s: 100, to_s: 900, step_s: 300 };
        assert!(
            recorded.copied(off, 9_000).is_none() && recorded.copied(Window { step_s: 60, ..off }, 9_000).is_none()
        );
    }
}
