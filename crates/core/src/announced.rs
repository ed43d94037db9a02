//! What people announced of a workload's demand: taken out of its past, so that what is usual can be seen, and put on what
//! is forecast.
//!
//! No more is taken out than use rose above what was usual before, and no more put back than it fell below: an event that
//! never came leaves the past as it was.

use crate::{Forecast, Series, Window, stats, time::DAY_S};

/// What was usual before is looked for so far back, seconds: an event of weeks leaves a week before it.
const BEFORE_S: i64 = 28 * DAY_S;
/// What was usual at an hour is the mean of the same hour of so many days.
const SAME_HOURS: usize = 7;
const DAY_HOURS: usize = 24;
const HOUR_STEP_S: u32 = 3_600;
const HOUR_S: i64 = HOUR_STEP_S as i64;

/// Per step of a window, demand is `factor` times usual, plus `added` in the metric's unit. Empty for nothing announced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Announced {
    /// Factor per step; positive.
    pub factors: Vec<f32>,
    /// Added per step; as many as factors.
    pub added: Vec<f32>,
}

impl Announced {
    /// True where nothing was announced.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.factors.is_empty()
    }

    /// What demand would have been without what was announced for the steps of `series`, with what was usual before it.
    fn take_out(&self, series: &mut Series, before: &Before) {
        let times: Vec<i64> = (0..series.len()).map(|index| series.time_s(index)).collect();
        let told = series.values.iter_mut().zip(times).zip(self.steps()).filter(|(_, step)| *step != NOTHING);
        for ((value, time_s), (factor, added)) in told {
            let without = (*value - added) / factor;
            let without = if without < 0.0 && added > 0.0 { 0.0 } else { without };
            *value = before.usual(time_s).map_or(without, |usual| came(*value, without, usual));
        }
    }

    /// A forecast of usual demand to which factors were applied already, with what is added on top.
    #[must_use]
    pub fn add_to(&self, forecast: Forecast) -> Forecast {
        if self.added.iter().all(|added| *added == 0.0) {
            return forecast;
        }
        let mut rows = forecast.quantiles().to_vec();
        for (row, added) in rows.iter_mut().zip(&self.added) {
            row.iter_mut().for_each(|value| *value += added);
        }
        let made = Forecast::new(forecast.start_s, forecast.step_s, &forecast.by, rows, f32::NEG_INFINITY);
        made.with_score(forecast.score)
    }

    /// The most that usual demand of `value` becomes in any step; `value` where nothing is announced.
    #[must_use]
    pub fn greatest(&self, value: f64) -> f64 {
        let announced = self.steps().map(|(factor, added)| value * f64::from(factor) + f64::from(added));
        announced.fold(f64::NEG_INFINITY, f64::max).max(if self.is_empty() { value } else { f64::NEG_INFINITY })
    }

    fn steps(&self) -> impl Iterator<Item = (f32, f32)> + '_ {
        self.factors.iter().copied().zip(self.added.iter().copied())
    }
}

/// What is announced for a step of which nothing is.
const NOTHING: (f32, f32) = (1.0, 0.0);

/// The part of what was announced that came: `without` it, but no further from `value` than to what was usual.
fn came(value: f32, without: f32, usual: f32) -> f32 {
    if value.is_nan() {
        return value;
    }
    if without < value { without.max(usual.min(value)) } else { without.min(usual.max(value)) }
}

/// A past without what was announced for it. `announced` tells what was, `past` is the same metric on any grid; both are asked about the weeks
/// before where something was, and of a step only what lies before it counts.
pub fn without_announced(
    mut series: Series,
    announced: &dyn Fn(Window) -> Announced,
    past: &dyn Fn(Window) -> Option<Series>,
) -> Series {
    let made = announced(window_of(&series));
    if !made.is_empty() {
        let before = Before::read(&series, announced, past);
        made.take_out(&mut series, &before);
    }
    series
}

/// A series by whole hours, each under the time at which it ends; `None` where its steps do not make hours.
#[must_use]
pub fn by_hours(series: &Series) -> Option<Series> {
    let factor = HOUR_STEP_S.checked_div(series.step_s).filter(|factor| factor * series.step_s == HOUR_STEP_S)?;
    // `coarser` puts a block under the time of its first value.
    let begun = Series { start_s: series.start_s - i64::from(series.step_s), ..series.clone() };
    let hours = begun.coarser(factor as usize);
    Some(Series { start_s: hours.start_s + HOUR_S, ..hours })
}

/// Means of the hours before and of a series, without those for which something was announced.
struct Before(Series);

impl Before {
    fn read(of: &Series, announced: &dyn Fn(Window) -> Announced, past: &dyn Fn(Window) -> Option<Series>) -> Self {
        let hour = |time_s: i64| time_s.div_euclid(HOUR_S) * HOUR_S;
        let (from_s, to_s) = (hour(of.start_s - BEFORE_S), hour(of.end().s()) + HOUR_S);
        let mut hours = past(Window { from_s, to_s, step_s: HOUR_STEP_S }).unwrap_or_default();
        let made = announced(window_of(&hours));
        let told = hours.values.iter_mut().zip(made.steps()).filter(|(_, step)| *step != NOTHING);
        told.for_each(|(value, _)| *value = f32::NAN);
        Self(hours)
    }

    /// The mean of the same hour of earlier days, else of the day before; `None` where nothing is known.
    fn usual(&self, time_s: i64) -> Option<f32> {
        // The value at a time is the mean over the hour that ends then.
        let index = (time_s - self.0.start_s + HOUR_S - 1).div_euclid(HOUR_S);
        let index = usize::try_from(index).ok()?;
        // No further back than is read for every step, so that what was usual does not depend on where a window begins.
        let reach = index.min(usize::try_from(BEFORE_S / HOUR_S).unwrap_or(0));
        let newest = |step: usize, most: usize| -> Vec<f32> {
            let earlier = (1..=reach / step).filter_map(|back| self.0.values.get(index - back * step));
            earlier.copied().filter(|value| value.is_finite()).take(most).collect()
        };
        stats::mean(&newest(DAY_HOURS, SAME_HOURS)).or_else(|| stats::mean(&newest(1, DAY_HOURS)))
    }
}

fn window_of(series: &Series) -> Window {
    let step_s = i64::from(series.step_s);
    let to_s = if series.is_empty() { series.start_s } else { series.end().s() + step_s };
    Window { from_s: series.start_s, to_s, step_s: series.step_s.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced() -> Announced {
        Announced { factors: vec![1.0, 3.0, 1.0], added: vec![0.0, 0.0, 2.0] }
    }

    #[test]
    fn what_is_taken_out_of_the_past_leaves_what_is_usual() {
        let unknown = Before(Series::default());
        let mut series = Series { start_s: 0, step_s: 60, values: vec![5.0, 15.0, 7.0, 5.0] };
        announced().take_out(&mut series, &unknown);
        assert_eq!(series.values, [5.0; 4]);
        let mut idle = Series { start_s: 0, step_s: 60, values: vec![f32::NAN, 0.0, 1.0] };
        announced().take_out(&mut idle, &unknown);
        assert!(idle.values[0].is_nan());
        assert!(came(f32::NAN, f32::NAN, 2.0).is_nan(), "a gap stays one where what was usual is known");
        assert_eq!(idle.values[1..], [0.0, 0.0], "what was added and did not come leaves nothing, not less");
    }

    /// Two days of hours at 2 cores, then a day of what is `used` while `factor` times usual is announced for it.
    fn announced_day(used: f32, factor: f32, knows_before: bool) -> Vec<f32> {
        let all = |window: Window| {
            let value = |time_s: i64| if time_s > 2 * DAY_S { used } else { 2.0 };
            let mut series = Series::gap(window);
            for index in 0..series.len() {
                let time_s = series.time_s(index);
                series.values[index] = if time_s < 0 { f32::NAN } else { value(time_s) };
            }
            series
        };
        let told = |window: Window| {
            let times = Series::gap(window);
            let factors = (0..times.len()).map(|index| if times.time_s(index) > 2 * DAY_S { factor } else { 1.0 });
            Announced { factors: factors.collect(), added: vec![0.0; times.len()] }
        };
        let window = Window { from_s: 2 * DAY_S + 600, to_s: 3 * DAY_S, step_s: 600 };
        let past = |window: Window| knows_before.then(|| all(window));
        without_announced(all(window), &told, &past).values
    }

    #[test]
    fn an_event_that_never_came_leaves_the_past_as_it_was() {
        let check = |used: f32, factor: f32, knows_before: bool, expect: f32| {
            let made = announced_day(used, factor, knows_before);
            assert!(made.iter().all(|value| *value == expect), "{used} x{factor}: {made:?}");
        };
        check(6.0, 3.0, true, 2.0);
        check(2.0, 3.0, true, 2.0);
        check(3.0, 3.0, true, 2.0);
        check(9.0, 3.0, true, 3.0);
        check(1.0, 3.0, true, 1.0);
        // A drop that did not come does not raise what is usual.
        check(2.0, 0.5, true, 2.0);
        check(1.0, 0.5, true, 2.0);
        check(6.0, 3.0, false, 2.0);
    }

    #[test]
    fn what_was_usual_is_of_the_same_hours_before_and_of_nothing_later() {
        let days = |hour: usize| if hour % DAY_HOURS == 20 { 5.0 } else { 1.0 };
        let mut hours = Series { start_s: 0, step_s: HOUR_STEP_S, values: (0..10 * DAY_HOURS).map(days).collect() };
        let evening_s = (5 * 24 + 20) * HOUR_S;
        assert_eq!(Before(hours.clone()).usual(evening_s), Some(5.0));
        assert_eq!(Before(hours.clone()).usual(evening_s - 600), Some(5.0));
        assert_eq!(Before(hours.clone()).usual(evening_s + 600), Some(1.0));
        hours.values[5 * DAY_HOURS + 20..].fill(100.0);
        assert_eq!(Before(hours.clone()).usual(evening_s), Some(5.0));
        assert_eq!(Before(hours.clone()).usual(20 * HOUR_S), Some(1.0), "the day before, where no day is known");
        assert_eq!(Before(hours).usual(0), None);
    }

    #[test]
    fn what_is_added_shifts_a_forecast_and_keeps_its_score() {
        let forecast = Forecast::new(60, 60, "x", vec![[1.0; 9]; 4], 0.0).with_score(Some(0.5));
        let more = announced().add_to(forecast.clone());
        let medians: Vec<f32> = more.quantiles().iter().map(|row| row[4]).collect();
        assert_eq!((medians, more.score), (vec![1.0, 1.0, 3.0, 1.0], Some(0.5)));
        assert_eq!(Announced::default().add_to(forecast.clone()), forecast);
    }

    #[test]
    fn the_greatest_step_counts() {
        assert_eq!(announced().greatest(2.0), 6.0);
        assert_eq!(announced().greatest(0.5), 2.5);
        assert_eq!(Announced::default().greatest(2.0), 2.0);
        let fewer = Announced { factors: vec![0.5, 0.5], added: vec![0.0, 0.0] };
        assert_eq!(fewer.greatest(2.0), 1.0);
    }
}
