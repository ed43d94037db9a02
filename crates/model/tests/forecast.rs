//! What every forecast promises, whatever the series and whatever the weights.

use apportion_model::Rng;
use apportion_model::telemetry::{ModelConfig, QuantileForecast, SeriesInput, TelemetryModel};
use proptest::prelude::*;

fn model() -> TelemetryModel {
    TelemetryModel::untrained(ModelConfig::tiny(), 3)
}

fn input(values: &[f32]) -> SeriesInput<'_> {
    SeriesInput { values, step_s: 300, end_time_s: Some(1_700_000_000), season_steps: None, future_multiplier: None }
}

fn wave(n: usize, period: f32, level: f32) -> Vec<f32> {
    let mut rng = Rng::for_place(1, n as u64, 0);
    (0..n).map(|t| level + (std::f32::consts::TAU * t as f32 / period).sin() + 0.1 * rng.normal()).collect()
}

fn check(name: &str, forecast: &QuantileForecast, horizon: usize, non_negative: bool) {
    assert_eq!(forecast.horizon(), horizon, "{name}");
    for step in 0..horizon {
        let levels = forecast.at(step);
        assert!(levels.iter().all(|x| x.is_finite()), "{name}: step {step} is {levels:?}");
        assert!(levels.windows(2).all(|pair| pair[0] <= pair[1]), "{name}: step {step} crosses: {levels:?}");
        assert!(!non_negative || levels[0] >= 0.0, "{name}: step {step} is below zero: {levels:?}");
    }
}

#[test]
fn degenerate_series_give_finite_ordered_forecasts() {
    let nan = f32::NAN;
    let mut late = vec![nan; 3000];
    late.extend(wave(20, 7.0, 5.0));
    let cases: Vec<(&str, Vec<f32>)> = vec![
        ("empty", vec![]),
        ("one point", vec![7.0]),
        ("one zero", vec![0.0]),
        ("two points", vec![1.0, 2.0]),
        ("constant", vec![3.5; 700]),
        ("constant zero", vec![0.0; 2500]),
        ("all missing", vec![nan; 900]),
        ("all infinite", vec![f32::INFINITY; 900]),
        ("missing at the end", [wave(500, 50.0, 3.0), vec![nan; 400]].concat()),
        ("begins late", late),
        ("huge", wave(600, 30.0, 2.0).iter().map(|x| x * 1e37).collect()),
        ("largest", vec![f32::MAX, f32::MIN, f32::MAX, f32::MIN, 0.0]),
        ("tiny", wave(600, 30.0, 2.0).iter().map(|x| x * 1e-40).collect()),
        ("negative", wave(600, 30.0, -20.0)),
        ("large level, small change", wave(900, 30.0, 1e7)),
        ("one spike", (0..1000).map(|t| if t == 500 { 1e20 } else { 1.0 }).collect()),
        ("spike at the end", (0..1000).map(|t| if t == 999 { 1e30 } else { 1.0 }).collect()),
    ];
    let inputs: Vec<SeriesInput<'_>> = cases.iter().map(|(_, values)| input(values)).collect();
    for horizon in [1, 64, 288, 1000] {
        for ((name, values), forecast) in cases.iter().zip(model().forecast_batch(&inputs, horizon, 2)) {
            check(name, &forecast, horizon, values.iter().all(|x| !x.is_finite() || *x >= 0.0));
        }
    }
    assert!(model().forecast_batch(&[], 64, 2).is_empty());
    assert_eq!(model().forecast_batch(&inputs[..1], 0, 2)[0].horizon(), 0);
}

#[test]
fn one_value_tells_a_level_but_not_how_far_it_moves() {
    let announced = [1.0, 3.0];
    for (history, value) in [(vec![8.0_f32], 8.0), (vec![f32::NAN, -8.0, f32::NAN], -8.0), (vec![0.0], 0.0)] {
        let told = SeriesInput { future_multiplier: Some(&announced), ..input(&history) };
        let forecast = model().forecast_batch(&[told], 300, 1).remove(0);
        for (step, times) in [(0, 1.0), (1, 3.0), (299, 1.0)] {
            let mut outer = [0.5 * value * times, 2.0 * value * times];
            outer.sort_by(f32::total_cmp);
            let levels = forecast.at(step);
            assert_eq!(
                [levels[0], levels[4], levels[8]],
                [outer[0], value * times, outer[1]],
                "step {step}: {levels:?}"
            );
        }
    }
}

#[test]
fn a_series_of_ten_million_points_is_read_from_its_end() {
    let long = wave(10_000_000, 288.0, 4.0);
    let whole = model().forecast_batch(&[input(&long)], 64, 1);
    let end = model().forecast_batch(&[input(&long[long.len() - 50_000..])], 64, 1);
    assert_eq!(whole, end);
}

#[test]
fn threads_and_repeats_do_not_change_a_forecast() {
    let series: Vec<Vec<f32>> = (0..30).map(|k| wave(40 + 97 * k, 24.0, 3.0)).collect();
    let inputs: Vec<SeriesInput<'_>> = series.iter().map(|values| input(values)).collect();
    let one = model().forecast_batch(&inputs, 100, 1);
    assert_eq!(one, model().forecast_batch(&inputs, 100, 2));
    assert_eq!(one, model().forecast_batch(&inputs, 100, 7));
}

#[test]
fn scaling_by_a_power_of_two_scales_the_forecast() {
    let values = wave(1500, 96.0, 3.0);
    let scaled: Vec<f32> = values.iter().map(|x| x * 1024.0).collect();
    let [a, b] = [&values, &scaled].map(|values| model().forecast_batch(&[input(values)], 96, 1).remove(0));
    for (x, y) in a.values.iter().zip(&b.values) {
        assert!((x * 1024.0 - y).abs() <= 1e-4 * y.abs(), "{} against {y}", x * 1024.0);
    }
}

#[test]
fn values_before_the_reach_of_the_model_do_not_matter_and_the_last_ones_do() {
    let values = wave(20_000, 96.0, 3.0);
    let base = model().forecast_batch(&[input(&values)], 64, 1);
    let mut old = values.clone();
    old[..1000].fill(1e6);
    assert_eq!(base, model().forecast_batch(&[input(&old)], 64, 1));
    let mut new = values;
    new[19_990..].iter_mut().for_each(|x| *x += 3.0);
    assert_ne!(base, model().forecast_batch(&[input(&new)], 64, 1));
}

#[test]
fn an_announced_multiplier_moves_its_steps() {
    let values = wave(1000, 96.0, 5.0);
    let mut announced = vec![1.0; 64];
    announced[20..40].fill(3.0);
    let plain = model().forecast_batch(&[input(&values)], 64, 1).remove(0);
    let told = SeriesInput { future_multiplier: Some(&announced), ..input(&values) };
    let told = model().forecast_batch(&[told], 64, 1).remove(0);
    for step in 20..40 {
        let ratio = told.at(step)[4] / plain.at(step)[4];
        assert!((2.0..4.5).contains(&ratio), "step {step}: {ratio}");
    }
    let nonsense = [f32::NAN, -1.0, 0.0, f32::INFINITY];
    let ignored = SeriesInput { future_multiplier: Some(&nonsense), ..input(&values) };
    assert_eq!(model().forecast_batch(&[ignored], 64, 1)[0], plain);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_series_gives_a_sound_forecast(
        values in prop::collection::vec(prop_oneof![
            8 => -1e3_f32..1e3,
            1 => Just(f32::NAN),
            1 => prop::num::f32::ANY,
            2 => Just(0.0_f32),
        ], 0..400),
        horizon in 0_usize..320,
        step_s in 0_u32..100_000,
        season in prop::option::of(0_usize..600),
        end in prop::option::of(prop::num::i64::ANY),
    ) {
        let series = SeriesInput { values: &values, step_s, end_time_s: end, season_steps: season, future_multiplier: None };
        let forecast = model().forecast_batch(&[series], horizon, 1).remove(0);
        check("any", &forecast, horizon, values.iter().all(|x| !x.is_finite() || *x >= 0.0));
    }
}
