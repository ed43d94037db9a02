//! From readings at any times to a regular grid.

use super::TraceSeries;
use apportion_core::{Series, Time, Window};
use std::collections::HashMap;

/// A grid has at most so many points (64 MiB): two readings years apart among readings of every second must not fill the
/// memory. The latest part stays.
const MOST_STEPS: i64 = 1 << 24;

impl TraceSeries {
    /// Seconds between readings, as most of them have it; 1 where there are fewer than two.
    #[must_use]
    pub fn step_s(&self) -> u32 {
        let mut counts: HashMap<i64, usize> = HashMap::new();
        for pair in self.times_s.windows(2) {
            *counts.entry(pair[1] - pair[0]).or_default() += 1;
        }
        // Of steps that are as common, the shortest: a gap is a multiple of the step.
        let most = counts.into_iter().max_by_key(|(step_s, count)| (*count, std::cmp::Reverse(*step_s)));
        most.and_then(|(step_s, _)| u32::try_from(step_s).ok()).unwrap_or(1).max(1)
    }

    /// The series on its own grid, ending at its last reading; a reading goes to the nearest grid point, several at one are
    /// averaged, a point without any is a gap.
    #[must_use]
    pub fn series(&self) -> Series {
        let step_s = self.step_s();
        let (Some(first), Some(last)) = (self.times_s.first(), self.times_s.last()) else { return Series::default() };
        let step = i64::from(step_s);
        let steps = ((last - first + step / 2) / step).min(MOST_STEPS - 1) + 1;
        let start_s = last - (steps - 1) * step;
        let mut means = Means::new(steps);
        for (time, value) in self.from(start_s - step / 2) {
            means.add(steps - 1 - (last - time + step / 2) / step, value);
        }
        Series { start_s, step_s, values: means.finish() }
    }

    /// The series over a window: the value at `t` is the mean of the readings in `(t - step, t]`. Where readings are further
    /// apart than the window's step, one stands for the whole time since the one before it, up to its own step.
    #[must_use]
    pub fn over(&self, window: Window) -> Series {
        let step = i64::from(window.step_s.max(1));
        let steps = i64::try_from(window.len()).unwrap_or(MOST_STEPS).min(MOST_STEPS);
        let own_step = i64::from(self.step_s());
        let mut means = Means::new(steps);
        let reach = if own_step > step { own_step / step } else { 1 };
        for (time, value) in self.from(window.from_s - step + 1) {
            if time > window.to_s + own_step {
                break;
            }
            let index = (time - window.from_s + step - 1).div_euclid(step);
            for back in 0..reach {
                means.add(index - back, value);
            }
        }
        Series { start_s: window.from_s, step_s: window.step_s, values: means.finish() }
    }

    /// Time of the last reading.
    #[must_use]
    pub fn end(&self) -> Option<Time> {
        self.times_s.last().map(|last| Time::from_s(*last))
    }

    /// The readings from a time on.
    fn from(&self, from_s: i64) -> impl Iterator<Item = (i64, f32)> {
        let first = self.times_s.partition_point(|time| *time < from_s);
        self.times_s[first..].iter().copied().zip(self.values[first..].iter().copied())
    }
}

/// Means per grid point.
struct Means {
    sums: Vec<f32>,
    counts: Vec<u16>,
}

impl Means {
    fn new(steps: i64) -> Self {
        let steps = usize::try_from(steps).unwrap_or(0);
        Self { sums: vec![0.0; steps], counts: vec![0; steps] }
    }

    fn add(&mut self, index: i64, value: f32) {
        let Ok(index) = usize::try_from(index) else { return };
        if let Some(sum) = self.sums.get_mut(index) {
            // A running mean, because a sum of bytes would lose its last digits.
            self.counts[index] = self.counts[index].saturating_add(1);
            *sum += (value - *sum) / f32::from(self.counts[index]);
        }
    }

    fn finish(mut self) -> Vec<f32> {
        for (mean, count) in self.sums.iter_mut().zip(&self.counts) {
            if *count == 0 {
                *mean = f32::NAN;
            }
        }
        self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(points: &[(i64, f32)]) -> TraceSeries {
        let (times_s, values) = points.iter().copied().unzip();
        TraceSeries { times_s, values }
    }

    /// Gaps are shown as -1.
    fn check(series: &Series, start_s: i64, step_s: u32, values: &[f32]) {
        let found: Vec<f32> = series.values.iter().map(|value| if value.is_nan() { -1.0 } else { *value }).collect();
        assert_eq!((series.start_s, series.step_s, &found[..]), (start_s, step_s, values));
    }

    #[test]
    fn the_step_is_the_commonest() {
        for (times, step_s) in [
            (&[0, 60, 120, 300, 360][..], 60),
            (&[0, 60, 121, 181, 240], 60),
            (&[5], 1),
            (&[], 1),
            (&[0, 300, 900], 300),
        ] {
            let points: Vec<_> = times.iter().map(|time| (*time, 0.0)).collect();
            assert_eq!(trace(&points).step_s(), step_s, "{times:?}");
        }
    }

    #[test]
    fn its_own_grid_ends_at_the_last_reading() {
        let series = trace(&[(7, 1.0), (67, 2.0), (187, 4.0), (246, 5.0), (307, 6.0), (367, 7.0)]).series();
        check(&series, 7, 60, &[1.0, 2.0, -1.0, 4.0, 5.0, 6.0, 7.0]);
        assert_eq!(series.end().s(), 367);
        check(&TraceSeries::default().series(), 0, 0, &[]);
    }

    #[test]
    fn a_window_takes_means_and_keeps_gaps() {
        let readings = trace(&[(10, 1.0), (20, 3.0), (30, 5.0), (60, 7.0)]);
        let window = |from_s, to_s, step_s| Window { from_s, to_s, step_s };
        check(&readings.over(window(20, 100, 20)), 20, 20, &[2.0, 5.0, 7.0, -1.0]);
        check(&readings.over(window(0, 30, 10)), 0, 10, &[-1.0, 1.0, 3.0]);
        check(&readings.over(window(5, 25, 5)), 5, 5, &[1.0, 1.0, 3.0, 3.0]);
        check(&readings.over(window(1_000, 1_020, 10)), 1_000, 10, &[-1.0, -1.0]);
    }

    #[test]
    fn a_hole_of_years_does_not_fill_the_memory() {
        let series = trace(&[(0, 1.0), (1, 1.0), (2, 1.0), (4_000_000_000, 2.0)]).series();
        assert_eq!((series.len(), series.end().s()), (1 << 24, 4_000_000_000));
    }
}
