//! Why a forecast is what it is, by occlusion: take something away, forecast again with the same choice, and say by how much the
//! forecast moved. What is reported is therefore exactly what happens when that part is absent, for any forecaster.

use crate::forecasters::{Past, floor};
use apportion_core::{
    Announced, Forecast, Forecaster, Rationale, Series, Time,
    rationale::{Influence, Lift, Rhythm, Stretch},
    time::DAY_S,
    traits::ForecastInput,
};
use std::ops::Range;

/// Stretches of the past that are taken away one at a time.
pub const STRETCHES: usize = 14;
/// A forecast that swings by less than this part of its level follows no rhythm worth telling.
const SWING: f64 = 0.05;
/// Place of the median among the nine levels.
const MIDDLE: usize = 4;

/// Explains the forecast of one input. `announced` is what was announced for the horizon: its factors are those of the input, what
/// it adds is put on top.
#[must_use]
pub fn explain(forecaster: &dyn Forecaster, input: &ForecastInput, announced: &Announced, horizon: usize) -> Rationale {
    let settled = forecaster.settled(input, horizon);
    let settled = settled.as_deref().unwrap_or(forecaster);
    let stretches = stretches(input.past.len());
    let season = Past::new(&input.past).season;
    let mut asked = vec![input.clone(), unannounced(input), without_calendar(input), without_rhythm(input, season)];
    asked.extend(stretches.iter().map(|stretch| without_stretch(input, stretch)));
    let made = settled.forecast(&asked, horizon);
    let [whole, usual, timeless, even, others @ ..] = made.as_slice() else { return nothing(input) };
    let past = stretches.iter().zip(others).map(|(range, other)| stretch(input, range, influence(whole, other)));
    Rationale {
        calendar: influence(whole, timeless),
        rhythm: (season > 1).then(|| rhythm(usual, season, influence(whole, even))).flatten(),
        lift: lift(&announced.add_to(whole.clone()), usual, announced),
        past: with_shares(past.collect()),
        level: mean(usual.quantiles().iter().map(|row| row[MIDDLE])),
        by: whole.by.clone(),
        horizon_s: span_s(horizon, whole.step_s),
        ..nothing(input)
    }
}

fn nothing(input: &ForecastInput) -> Rationale {
    let day =
        usize::try_from(DAY_S / i64::from(input.past.step_s.max(1))).unwrap_or(1).clamp(1, input.past.len().max(1));
    Rationale {
        workload: input.workload.clone(),
        metric: input.metric.clone(),
        at: input.past.end(),
        horizon_s: 0.0,
        by: String::new(),
        recent: mean(input.past.tail(day).present()),
        recent_s: span_s(day.min(input.past.len()), input.past.step_s),
        level: 0.0,
        rhythm: None,
        lift: None,
        calendar: Influence::default(),
        past: Vec::new(),
    }
}

fn stretches(len: usize) -> Vec<Range<usize>> {
    let count = STRETCHES.min(len);
    (0..count).map(|k| k * len / count..(k + 1) * len / count).collect()
}

fn without_stretch(input: &ForecastInput, range: &Range<usize>) -> ForecastInput {
    let mut left = input.clone();
    left.past.values[range.clone()].fill(f32::NAN);
    left
}

fn unannounced(input: &ForecastInput) -> ForecastInput {
    ForecastInput { announced: Vec::new(), ..input.clone() }
}

/// Times that are counted from the recording's own start say nothing of day or week.
fn without_calendar(input: &ForecastInput) -> ForecastInput {
    ForecastInput { past: Series { start_s: 0, ..input.past.clone() }, ..input.clone() }
}

/// The past with each time of the season at the level of all: less its mean, plus the mean of all.
fn without_rhythm(input: &ForecastInput, season: usize) -> ForecastInput {
    let mut even = input.clone();
    let values = &input.past.values;
    let whole = mean(input.past.present());
    let floor = floor(&input.past);
    for phase in 0..season.min(values.len()) {
        let at_phase = values.iter().skip(phase).step_by(season).copied().filter(|value| value.is_finite());
        let excess = narrow(mean(at_phase) - whole);
        even.past.values.iter_mut().skip(phase).step_by(season).for_each(|value| {
            // `max` would make a number of a gap.
            if value.is_finite() {
                *value = (*value - excess).max(floor);
            }
        });
    }
    even
}

fn influence(with: &Forecast, without: &Forecast) -> Influence {
    let pairs = || with.quantiles().iter().zip(without.quantiles());
    Influence {
        shift: mean(pairs().map(|(a, b)| a[MIDDLE] - b[MIDDLE])),
        size: mean(pairs().map(|(a, b)| (a[MIDDLE] - b[MIDDLE]).abs())),
        widening: mean(pairs().map(|(a, b)| (a[8] - a[0]) - (b[8] - b[0]))),
    }
}

fn stretch(input: &ForecastInput, range: &Range<usize>, influence: Influence) -> Stretch {
    let at = |index: usize| Time::from_s(input.past.time_s(index));
    Stretch { from: at(range.start), to: at(range.end.saturating_sub(1)), share: 0.0, influence }
}

fn with_shares(mut past: Vec<Stretch>) -> Vec<Stretch> {
    let all: f64 = past.iter().map(|stretch| stretch.influence.size).sum();
    past.iter_mut().filter(|_| all > 0.0).for_each(|stretch| stretch.share = stretch.influence.size / all);
    past
}

fn rhythm(usual: &Forecast, season: usize, influence: Influence) -> Option<Rhythm> {
    let median = |step: &usize| f64::from(usual.quantiles()[*step][MIDDLE]);
    let by_median = |a: &usize, b: &usize| median(a).total_cmp(&median(b));
    let low = (0..usual.len()).min_by(by_median)?;
    // The first of equals, as for the lowest.
    let high = (0..usual.len()).rev().max_by(by_median)?;
    let told = |step: usize| (Time::from_s(usual.time_s(step)), median(&step));
    let level = mean(usual.quantiles().iter().map(|row| row[MIDDLE]));
    let swings = median(&high) - median(&low) > SWING * level.abs() && influence.size > 0.0;
    let period_s = span_s(season, usual.step_s);
    swings.then(|| Rhythm { period_s, low: told(low), high: told(high), influence })
}

fn lift(whole: &Forecast, usual: &Forecast, announced: &Announced) -> Option<Lift> {
    let changed =
        |step: &usize| announced.factors[*step] != 1.0 || announced.added.get(*step).is_some_and(|more| *more != 0.0);
    let steps: Vec<usize> = (0..usual.len().min(announced.factors.len())).filter(changed).collect();
    let (first, last) = (*steps.first()?, *steps.last()?);
    let over = |made: &Forecast| mean(steps.iter().map(|step| made.quantiles()[*step][MIDDLE]));
    let at = |step: usize| Time::from_s(usual.time_s(step));
    Some(Lift { from: at(first), to: at(last), usual: over(usual), announced: over(whole) })
}

#[allow(clippy::cast_precision_loss, reason = "a count of steps")]
fn mean(values: impl Iterator<Item = f32>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + f64::from(value), count + 1));
    if count == 0 { 0.0 } else { sum / count as f64 }
}

#[allow(clippy::cast_precision_loss, reason = "a count of steps")]
fn span_s(steps: usize, step_s: u32) -> f64 {
    steps as f64 * f64::from(step_s)
}

#[allow(clippy::cast_possible_truncation, reason = "made of f32 values")]
const fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Auto,
        forecasters::{Recent, Simple, Transformer},
    };

    const DAY: usize = 288;
    const MONDAY_S: i64 = 1_700_438_400;

    fn input(values: Vec<f32>, factors: &[f32]) -> ForecastInput {
        let past = Series { start_s: MONDAY_S, step_s: 300, values };
        ForecastInput { workload: "w".into(), metric: "cpu_cores".into(), past, announced: factors.to_vec() }
    }

    /// Busy by day, a little unlike from day to day.
    fn daily(days: usize) -> Vec<f32> {
        let wave = |t: usize| 4.0 + 3.0 * (t as f32 / DAY as f32 * std::f32::consts::TAU).sin();
        (0..days * DAY).map(|t| wave(t) + 0.3 * ((t * 7_919) % 17) as f32 / 17.0 + 0.05 * (t / DAY) as f32).collect()
    }

    fn event(horizon: usize) -> Vec<f32> {
        (0..horizon).map(|step| if (96..120).contains(&step) { 3.0 } else { 1.0 }).collect()
    }

    fn median_shift(forecaster: &dyn Forecaster, with: &ForecastInput, without: &ForecastInput) -> f64 {
        let made = forecaster.forecast(&[with.clone(), without.clone()], DAY);
        mean(made[0].quantiles().iter().zip(made[1].quantiles()).map(|(a, b)| a[MIDDLE] - b[MIDDLE]))
    }

    /// What is said is what happens: each part is taken away by hand, and the forecaster asked again.
    fn check_faithful(forecaster: &dyn Forecaster) {
        let factors = event(DAY);
        let told = input(daily(7), &factors);
        let announced = Announced { added: vec![0.0; DAY], factors };
        let rationale = explain(forecaster, &told, &announced, DAY);
        let settled = forecaster.settled(&told, DAY);
        let settled = settled.as_deref().unwrap_or(forecaster);
        assert_eq!(rationale.past.len(), STRETCHES);
        for stretch in &rationale.past {
            let mut gone = told.clone();
            let inside = |t_s: i64| (stretch.from.s()..=stretch.to.s()).contains(&t_s);
            (0..gone.past.len()).filter(|t| inside(told.past.time_s(*t))).for_each(|t| gone.past.values[t] = f32::NAN);
            let shift = median_shift(settled, &told, &gone);
            assert!((shift - stretch.influence.shift).abs() < 1e-6, "{shift} {stretch:?}");
        }
        let undated = ForecastInput { past: Series { start_s: 0, ..told.past.clone() }, ..told.clone() };
        assert!((median_shift(settled, &told, &undated) - rationale.calendar.shift).abs() < 1e-6);
        let lift = rationale.lift.unwrap();
        let more = (lift.announced - lift.usual) * 24.0 / DAY as f64;
        let silent = ForecastInput { announced: Vec::new(), ..told.clone() };
        let shift = median_shift(settled, &told, &silent);
        // A network may move steps beside the event a little, too.
        assert!((shift - more).abs() < 0.02 * more, "{shift} {more}");
        assert!(lift.announced > 2.0 * lift.usual, "{lift:?}");
    }

    #[test]
    fn what_is_said_is_what_happens() {
        check_faithful(&Auto::default());
        check_faithful(&Transformer::embedded().unwrap());
        check_faithful(&Simple(Recent::SHORT));
    }

    #[test]
    fn what_is_not_looked_at_counts_for_nothing() {
        let rationale = explain(&Simple(Recent::SHORT), &input(daily(7), &[]), &Announced::default(), DAY);
        let (last, before) = rationale.past.split_last().unwrap();
        assert!(last.share == 1.0 && rationale.lift.is_none() && rationale.rhythm.is_none(), "{rationale:?}");
        assert!(before.iter().all(|stretch| stretch.influence == Influence::default()), "{before:?}");
        assert_eq!(rationale.foremost(0.2, 3), [last]);
    }

    #[test]
    fn a_rhythm_is_what_goes_with_it() {
        let rationale = explain(&Auto::default(), &input(daily(7), &[]), &Announced::default(), DAY);
        let rhythm = rationale.rhythm.unwrap();
        assert_eq!(rhythm.period_s, 86_400.0);
        assert!(rhythm.influence.size > 1.0, "{rhythm:?}");
        let phase = |time: Time| (time.s() - MONDAY_S).rem_euclid(86_400) as f64 / 86_400.0;
        assert!((phase(rhythm.high.0) - 0.25).abs() < 0.06 && (phase(rhythm.low.0) - 0.75).abs() < 0.06, "{rhythm:?}");
        assert!((rationale.level - 4.4).abs() < 0.4 && (rationale.recent - 4.44).abs() < 0.1, "{}", rationale.recent);
    }

    #[test]
    fn a_choice_is_not_made_anew_for_what_is_left() {
        let auto = Auto::default();
        let told = input(daily(7), &[]);
        let made = auto.forecast(std::slice::from_ref(&told), DAY);
        let choice = auto.choice(&told.workload, &told.metric);
        let settled = auto.settled(&told, DAY).unwrap();
        assert_eq!(settled.forecast(std::slice::from_ref(&told), DAY), made);
        assert_eq!(explain(&auto, &told, &Announced::default(), DAY).by, made[0].by);
        assert_eq!(auto.choice(&told.workload, &told.metric), choice);
    }

    #[test]
    fn anything_degenerate_is_explained() {
        for values in [vec![], vec![f32::NAN; 50], vec![3.0], vec![0.0; 500]] {
            let rationale = explain(&Auto::default(), &input(values, &[]), &Announced::default(), 16);
            let all = rationale.past.iter().map(|stretch| stretch.influence.size);
            assert!(all.chain([rationale.level, rationale.recent]).all(f64::is_finite), "{rationale:?}");
        }
    }
}
