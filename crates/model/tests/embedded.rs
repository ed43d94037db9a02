//! What the shipped weights can do, on series made here.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use apportion_model::Rng;
use apportion_model::score::{recent_quantiles, seasonal_naive, weighted_quantile_loss};
use apportion_model::telemetry::{Precision, QuantileForecast, SeriesInput, TelemetryModel};

const DAY: usize = 288;

fn model() -> TelemetryModel {
    TelemetryModel::embedded().unwrap()
}

fn input(values: &[f32]) -> SeriesInput<'_> {
    SeriesInput { values, step_s: 300, end_time_s: None, season_steps: None, future_multiplier: None }
}

/// A service's load over `days` days: quiet nights, busy days, noise in proportion.
fn load(seed: u64, days: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let phase = std::f32::consts::TAU * rng.uniform();
    let at = |t: usize| 40.0 + 25.0 * (std::f32::consts::TAU * t as f32 / DAY as f32 + phase).sin();
    (0..days * DAY).map(|t| at(t) * (1.0 + 0.08 * rng.normal())).collect()
}

fn loss(truth: &[f32], forecast: &QuantileForecast, from: usize) -> f64 {
    let levels = |step: usize| std::array::from_fn(|level| forecast.at(from + step)[level]);
    weighted_quantile_loss(truth, levels).unwrap()
}

/// The geometric mean of `ratio` over twelve loads of eight days, the last of which is to be forecast.
fn mean_ratio(ratio: impl Fn(&[f32], &[f32]) -> f64) -> f64 {
    let log = |seed: u64| {
        let series = load(seed, 8);
        let (history, truth) = series.split_at(7 * DAY);
        ratio(history, truth).ln()
    };
    ((0..12).map(log).sum::<f64>() / 12.0).exp()
}

#[test]
fn a_daily_load_is_forecast_better_than_by_simple_means() {
    let model = model();
    let over = |simple: &dyn Fn(&[f32], usize) -> [f32; 9]| {
        mean_ratio(|history, truth| {
            let ours = loss(truth, &model.forecast_batch(&[input(history)], DAY, 1)[0], 0);
            ours / weighted_quantile_loss(truth, |step| simple(history, step)).unwrap()
        })
    };
    let naive = over(&|history, step| seasonal_naive(history, DAY, step));
    let recent = over(&|history, _| recent_quantiles(history, 64));
    assert!(naive < 0.8, "{naive:.3} of seasonal naive");
    assert!(recent < 0.35, "{recent:.3} of the last 64 values");
}

#[test]
fn an_announced_event_is_forecast_and_the_rest_is_not_disturbed() {
    let model = model();
    let event = 100..148;
    for factor in [2.0_f32, 3.0, 5.0] {
        let mut announced = vec![1.0; DAY];
        announced[event.clone()].fill(factor);
        let pair = |history: &[f32], truth: &[f32]| {
            let told = SeriesInput { future_multiplier: Some(&announced), ..input(history) };
            let forecasts = model.forecast_batch(&[told, input(history)], DAY, 1);
            let actual: Vec<f32> = truth.iter().zip(&announced).map(|(x, m)| x * m).collect();
            (forecasts, actual)
        };
        let inside = mean_ratio(|history, truth| {
            let (forecasts, actual) = pair(history, truth);
            loss(&actual[event.clone()], &forecasts[0], event.start)
                / loss(&actual[event.clone()], &forecasts[1], event.start)
        });
        assert!(inside < 0.4, "{factor}x: {inside:.3} of the loss without the announcement");
        let series = load(1, 7);
        let (forecasts, _) = pair(&series, &series[..DAY]);
        for step in (0..DAY).filter(|step| !event.contains(step)) {
            let [told, plain] = [0, 1].map(|k: usize| forecasts[k].at(step));
            // The two are in batches of another size, which are summed in another order.
            assert!(told.iter().zip(plain).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs()), "{step}: {told:?} {plain:?}");
        }
    }
}

#[test]
fn eight_bits_forecast_as_well_as_thirty_two() {
    let (coarse, fine) = (model(), model().with_precision(Precision::F32));
    let ratio = mean_ratio(|history, truth| {
        let [a, b] = [&coarse, &fine].map(|model| loss(truth, &model.forecast_batch(&[input(history)], DAY, 1)[0], 0));
        a / b
    });
    assert!((0.99..1.01).contains(&ratio), "{ratio}");
}

fn walk(seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let step = |level: &mut f32, ()| {
        *level += rng.normal();
        Some(*level)
    };
    std::iter::repeat_n((), 2016).scan(500.0, step).collect()
}

#[test]
fn the_fan_does_not_collapse_at_the_borders_of_patches_or_of_the_native_horizon() {
    let walks: Vec<Vec<f32>> = (0..16).map(walk).collect();
    let inputs: Vec<SeriesInput<'_>> = walks.iter().map(|walk| input(walk)).collect();
    let forecasts = model().forecast_batch(&inputs, 600, 2);
    // The mean over walks: one walk's levels say little of the model's fan.
    let width = |step: usize| forecasts.iter().map(|f| f.at(step)[8] - f.at(step)[0]).sum::<f32>() / 16.0;
    for border in [32, 64, 128, 256, 288, 400] {
        let (before, after) = (width(border - 1), width(border));
        // Known: the fan is wavy, up to a quarter at a border, where a reset would leave a tenth.
        assert!(after > 0.7 * before, "at {border}: from {before} to {after}");
    }
    assert!(width(250) > 2.0 * width(2), "{} after 250 steps, {} after 2", width(250), width(2));
}

#[test]
fn the_fan_of_a_daily_load_does_not_narrow_where_the_native_horizon_ends() {
    let model = model();
    for past in [100, 300, 2016] {
        let loads: Vec<Vec<f32>> = (0..8).map(|seed| load(seed, 7)[7 * DAY - past..].to_vec()).collect();
        let inputs: Vec<SeriesInput<'_>> = loads.iter().map(|load| input(load)).collect();
        for horizon in [300, 2016] {
            let forecasts = model.forecast_batch(&inputs, horizon, 2);
            let width = |step: usize| forecasts.iter().map(|f| f.at(step)[8] - f.at(step)[0]).sum::<f32>() / 8.0;
            let (before, after) = (width(287), width(288));
            assert!(after > 0.9 * before, "{past} values, {horizon} steps: from {before} to {after}");
        }
    }
}

#[test]
fn a_short_history_is_forecast_far_as_it_is_near() {
    let mut rng = Rng::new(9);
    let series: Vec<f32> = (0..40).map(|_| 100.0 + 3.0 * rng.normal()).collect();
    let inputs: Vec<SeriesInput<'_>> = (2..=series.len()).map(|len| input(&series[..len])).collect();
    for horizon in [289, 2016, 20_000] {
        for (forecast, input) in model().forecast_batch(&inputs, horizon, 2).iter().zip(&inputs) {
            for step in [288, horizon - 1] {
                let levels = forecast.at(step);
                let (middle, width) = (levels[4], levels[8] - levels[0]);
                let said = format!("{} values, step {step} of {horizon}: {levels:?}", input.values.len());
                assert!((90.0..110.0).contains(&middle) && width > 1.0, "{said}");
            }
        }
    }
}

#[test]
fn a_constant_stays_and_zero_stays_zero() {
    let model = model();
    for level in [0.0_f32, 3.5, 1e9, -7.0] {
        let forecast = model.forecast_batch(&[input(&[level; 600])], 64, 1).remove(0);
        assert!(forecast.values.iter().all(|x| *x == level), "{level}: {:?}", forecast.at(0));
    }
}

#[test]
fn what_is_missing_in_front_does_not_matter() {
    let series = load(5, 3);
    let padded = [vec![f32::NAN; 1000], series.clone()].concat();
    let forecasts = model().forecast_batch(&[input(&series), input(&padded)], 64, 1);
    assert_eq!(forecasts[0], forecasts[1]);
}

#[test]
fn what_is_missing_in_the_middle_costs_little() {
    let model = model();
    for (gap, most) in [(700..780, 1.1), (1000..1288, 1.3), (1700..1720, 1.1)] {
        let ratio = mean_ratio(|history, truth| {
            let mut broken = history.to_vec();
            broken[gap.clone()].fill(f32::NAN);
            let [with, without] = [&broken, &history.to_vec()]
                .map(|past| loss(truth, &model.forecast_batch(&[input(past)], DAY, 1)[0], 0));
            with / without
        });
        assert!((0.9..most).contains(&ratio), "{gap:?} missing: {ratio:.3} times the loss");
    }
}

#[test]
fn shifting_a_series_that_goes_below_zero_shifts_its_forecast() {
    let centred: Vec<f32> = load(6, 4).iter().map(|x| x - 40.0).collect();
    let shifted: Vec<f32> = centred.iter().map(|x| x - 64.0).collect();
    let f32s = model().with_precision(Precision::F32);
    let [a, b] = [&centred, &shifted].map(|series| f32s.forecast_batch(&[input(series)], 96, 1).remove(0));
    for (x, y) in a.values.iter().zip(&b.values) {
        assert!((x - 64.0 - y).abs() < 0.02, "{} against {y}", x - 64.0);
    }
}
