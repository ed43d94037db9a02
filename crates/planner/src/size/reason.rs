//! Every number that explains an allotment: what was used, what is expected, what the next lower size would have cost.

use apportion_core::{
    Counterfactual, Forecast, Series, Time,
    plan::{Expected, Used},
    stats::quantile_sorted,
    time::DAY_S,
};

/// The next lower size is this part of what is allotted.
pub const NEXT_LOWER: f64 = 0.75;

/// What was used over a series; `None` where nothing is there.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "lengths")]
pub fn used(series: &Series) -> Option<Used> {
    let mut sorted: Vec<f32> = series.present().collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let at = |level| quantile_sorted(&sorted, level).map(f64::from);
    let greatest = series.values.iter().enumerate().filter(|(_, value)| value.is_finite());
    // The first of equals, so that the time does not wander while nothing changes.
    let (index, max) = greatest.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))?;
    Some(Used {
        window_s: series.len() as f64 * f64::from(series.step_s),
        present_share: sorted.len() as f64 / series.len() as f64,
        seen_s: sorted.len() as f64 * f64::from(series.step_s),
        p50: at(0.5)?,
        p95: at(0.95)?,
        max: f64::from(*max),
        max_at: Time::from_s(series.time_s(index)),
    })
}

/// What is expected between `now` and the end of the forecast; `None` where the forecast has run out.
#[must_use]
pub fn expected(forecast: &Forecast, now: Time) -> Option<Expected> {
    let first = forecast.index_at(now)?;
    let ahead = forecast.quantiles().iter().enumerate().skip(first);
    let (peak, row) = ahead.max_by(|a, b| a.1[4].total_cmp(&b.1[4]).then(b.0.cmp(&a.0)))?;
    let end_s = forecast.time_s(forecast.len().saturating_sub(1));
    Some(Expected {
        by: forecast.by.clone(),
        score: forecast.score.map(f64::from),
        horizon_s: Time::from_s(end_s).since_s(now),
        peak_at: Time::from_s(forecast.time_s(peak)),
        peak: [row[0], row[4], row[8]].map(f64::from),
    })
}

/// What an allotment of `value` would have cost on a series; `None` where nothing is there.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "lengths")]
pub fn counterfactual(series: &Series, value: f64) -> Option<Counterfactual> {
    let step_s = f64::from(series.step_s);
    let days: Vec<(i64, f64)> = days(series, value).map(|(day, steps)| (day, steps as f64 * step_s)).collect();
    let over = || days.iter().filter(|(_, over_s)| *over_s > 0.0);
    let worst = over().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    let window_s = series.present().count() as f64 * step_s;
    (window_s > 0.0).then(|| Counterfactual {
        value,
        window_s,
        over_s: days.iter().map(|(_, over_s)| over_s).sum(),
        worst_day: worst.map(|(day, _)| Time::from_s(day * DAY_S)),
        worst_day_over_s: worst.map_or(0.0, |(_, over_s)| *over_s),
    })
}

/// The days of a series, each with its number of steps above a value.
fn days(series: &Series, value: f64) -> impl Iterator<Item = (i64, usize)> {
    let step_s = i64::from(series.step_s.max(1));
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = series.values.get(from..).filter(|rest| !rest.is_empty())?;
        let day = series.time_s(from).div_euclid(DAY_S);
        let left_s = (day + 1) * DAY_S - series.time_s(from);
        let steps = usize::try_from((left_s + step_s - 1) / step_s).unwrap_or(1).clamp(1, rest.len());
        from += steps;
        Some((day, rest[..steps].iter().filter(|used| f64::from(**used) > value).count()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f32]) -> Series {
        Series { start_s: 0, step_s: 21_600, values: values.to_vec() }
    }

    #[test]
    fn use_is_told_with_the_time_of_its_peak() {
        let used = used(&series(&[1.0, f32::NAN, 5.0, 5.0])).unwrap();
        assert_eq!((used.p50, used.max, used.max_at), (5.0, 5.0, Time::from_s(43_200)));
        assert_eq!((used.window_s, used.present_share, used.seen_s), (86_400.0, 0.75, 64_800.0));
        assert!(super::used(&series(&[f32::NAN])).is_none());
    }

    #[test]
    fn the_next_lower_size_is_charged_by_day() {
        let cost = counterfactual(&series(&[0.0, 3.0, 0.0, 0.0, 3.0, 3.0, f32::NAN, 2.0]), 2.0).unwrap();
        assert_eq!((cost.over_s, cost.worst_day_over_s), (64_800.0, 43_200.0));
        assert_eq!((cost.worst_day, cost.window_s), (Some(Time::from_s(DAY_S)), 151_200.0));
        assert_eq!(counterfactual(&series(&[1.0]), 2.0).unwrap().worst_day, None);
    }

    #[test]
    fn the_expected_peak_is_the_medians() {
        let row = |x: f32| std::array::from_fn(|k| x + apportion_core::LEVELS[k]);
        let forecast = Forecast::new(300, 300, "test", vec![row(9.0), row(1.0), row(4.0)], 0.0).with_score(Some(0.5));
        let expected = expected(&forecast, Time::from_s(400)).unwrap();
        assert_eq!((expected.peak_at, expected.score, expected.horizon_s), (Time::from_s(900), Some(0.5), 500.0));
        assert!((expected.peak[1] - 4.5).abs() < 1e-6);
        assert!(super::expected(&forecast, Time::from_s(1_000)).is_none());
    }
}
