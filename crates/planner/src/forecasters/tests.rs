use super::*;
use apportion_core::{Series, stats};
use proptest::prelude::*;

fn input(values: &[f32], step_s: u32) -> ForecastInput {
    let past = Series { start_s: 0, step_s, values: values.to_vec() };
    ForecastInput { workload: "w".into(), metric: "m".into(), past, announced: Vec::new() }
}

fn rules() -> Vec<Box<dyn Forecaster>> {
    vec![
        Box::new(Simple(SeasonalNaive)),
        Box::new(Simple(Recent::SHORT)),
        Box::new(Simple(Recent::LONG)),
        Box::new(Simple(Walk)),
        Box::new(Simple(Profile)),
        Box::new(Simple(Direct)),
        Box::new(Simple(Ets)),
        Box::new(Simple(Mstl)),
        Box::new(crate::Auto::default()),
    ]
}

fn noise(len: usize) -> impl Iterator<Item = f32> {
    let mut state = 7_u32;
    (0..len).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 16).unwrap()) / 65_536.0
    })
}

fn wave(len: usize, period: f32) -> Vec<f32> {
    (0..u16::try_from(len).unwrap())
        .map(|t| 10.0 + 5.0 * (std::f32::consts::TAU * f32::from(t) / period).sin())
        .collect()
}

/// Every rule gives a whole, ordered, finite forecast that is never negative where the past never was.
fn check_sound(values: &[f32], horizon: usize) {
    for rule in rules() {
        let made = rule.forecast(&[input(values, 300)], horizon).remove(0);
        assert_eq!(made.len(), horizon, "{}", rule.name());
        for row in made.quantiles() {
            let ordered = row.windows(2).all(|pair| pair[0] <= pair[1]);
            let finite = row.iter().all(|value| value.is_finite());
            assert!(ordered && finite, "{}: {row:?} of {} values", rule.name(), values.len());
            let negative_past = values.iter().any(|value| *value < 0.0);
            assert!(negative_past || row[0] >= 0.0, "{}: {row:?}", rule.name());
        }
    }
}

#[test]
fn degenerate_series_are_forecast() {
    let gap = f32::NAN;
    let mut spike = vec![0.0; 700];
    spike[500] = 1e9;
    let cases: Vec<Vec<f32>> = vec![
        vec![],
        vec![gap; 40],
        vec![5.0],
        vec![gap, 5.0, gap],
        vec![1.0, 2.0],
        vec![0.0; 600],
        vec![3.0; 600],
        vec![f32::MAX; 300],
        [f32::MAX, -f32::MAX].repeat(100),
        vec![1e-38; 300],
        noise(300).map(|x| x * 1e-40).collect(),
        noise(700).map(|x| x * 3e38).collect(),
        spike,
        wave(700, 288.0).into_iter().enumerate().map(|(t, x)| if t % 3 == 0 { gap } else { x }).collect(),
        (0..600_u16).map(|t| -f32::from(t)).collect(),
        (0..600_u16).map(|t| f32::from(t).exp2()).collect(),
    ];
    for values in cases {
        check_sound(&values, 30);
    }
    check_sound(&[1.0, 2.0, 3.0], 0);
    check_sound(&wave(100, 25.0), 288);
}

#[test]
fn seasonal_naive_by_hand() {
    let values = [1.0, 2.0, 3.0, 2.0, 2.0, 5.0];
    let mut past = Past::new(&input(&values, 86_400).past);
    past.season = 3;
    let rows = SeasonalNaive.rows(&past, 4);
    assert_eq!(rows.iter().map(|row| row[4]).collect::<Vec<_>>(), [2.0, 2.0, 5.0, 2.0]);
    // Differences 1, 0, 2: population standard deviation root of 2/3; the fourth step is a season further.
    let sigma = (2.0_f32 / 3.0).sqrt();
    assert!((rows[0][8] - (2.0 + 1.281_551_6 * sigma)).abs() < 1e-5);
    assert!((rows[3][8] - (2.0 + 1.281_551_6 * sigma * 2.0_f32.sqrt())).abs() < 1e-5);
}

#[test]
fn recent_quantiles_are_those_of_the_last_values() {
    let values: Vec<f32> = (0..200_u8).map(f32::from).collect();
    let made = Simple(Recent::SHORT).forecast(&[input(&values, 10)], 2).remove(0);
    assert_eq!(made.quantiles()[1][4], stats::quantile(&values[136..], 0.5).unwrap());
    let gone: Vec<f32> = values.iter().copied().chain([f32::NAN; 100]).collect();
    let made = Simple(Recent::SHORT).forecast(&[input(&gone, 10)], 1).remove(0);
    assert_eq!(made.quantiles()[0][4], 99.5, "after a long gap: all there is");
}

#[test]
fn rules_that_know_seasons_follow_a_wave() {
    let whole = wave(1_440 + 288, 288.0);
    for rule in [&Simple(Profile) as &dyn Forecaster, &Simple(Direct), &Simple(SeasonalNaive), &Simple(Mstl)] {
        let made = rule.forecast(&[input(&whole[..1_440], 300)], 288).remove(0);
        let worst = made.quantiles().iter().zip(&whole[1_440..]).map(|(row, y)| (row[4] - y).abs()).fold(0.0, f32::max);
        assert!(worst < 1.0, "{}: off by {worst}", rule.name());
    }
}

#[test]
fn a_walk_opens_like_the_past() {
    let mut at = 0.0;
    let values: Vec<f32> = noise(4_000)
        .map(|x| {
            at += x - 0.5;
            at
        })
        .collect();
    let made = Simple(Walk).forecast(&[input(&values, 7_000)], 64).remove(0);
    let width = |step: usize| made.quantiles()[step][8] - made.quantiles()[step][0];
    let ratio = width(63) / width(3);
    assert!((3.0..5.5).contains(&ratio), "a fan grows with the root of time: 4 expected, {ratio} seen");
}

#[test]
fn direct_learns_how_fast_a_level_fades() {
    let mut at = 0.0;
    let values: Vec<f32> = noise(3_000)
        .map(|x| {
            at = 0.8 * at + x;
            at
        })
        .chain([9.0])
        .collect();
    let made = Simple(Direct).forecast(&[input(&values, 7_000)], 32).remove(0);
    let (near, far) = (made.quantiles()[0][4], made.quantiles()[31][4]);
    assert!(near > 5.0 && (1.5..3.5).contains(&far), "near {near}, far {far}");
}

#[test]
fn direct_is_as_wide_where_the_past_tells_nothing_as_where_it_last_did() {
    for len in [8, 12, 20, 24, 30, 40, 60] {
        let values: Vec<f32> = noise(len).map(|x| 100.0 + 10.0 * x).collect();
        for rule in [&Simple(Direct) as &dyn Forecaster, &crate::Auto::default()] {
            let made = rule.forecast(&[input(&values, 300)], 288).remove(0);
            let width = |step: usize| made.quantiles()[step][8] - made.quantiles()[step][0];
            let narrow = (0..288).filter(|step| width(*step) < 0.3 * width(0) || width(*step) <= 0.1).count();
            assert_eq!(narrow, 0, "{} of {len} values: {} then {}", rule.name(), width(0), width(287));
        }
    }
}

#[test]
fn smoothing_does_not_explode() {
    let values: Vec<f32> = noise(600).enumerate().map(|(t, x)| if t % 97 == 0 { 1e4 * x } else { x }).collect();
    for rule in [&Simple(Ets) as &dyn Forecaster, &Simple(Mstl)] {
        let made = rule.forecast(&[input(&values, 300)], 288).remove(0);
        let most = made.quantiles().iter().map(|row| row[8]).fold(0.0, f32::max);
        assert!(most <= 1.5e4, "{}: {most}", rule.name());
    }
}

#[test]
fn what_is_announced_multiplies() {
    let values: Vec<f32> = noise(600).map(|x| x + 1.0).collect();
    for rule in rules() {
        let plain = rule.forecast(&[input(&values, 300)], 3).remove(0);
        let announced = ForecastInput { announced: vec![1.0, 3.0], ..input(&values, 300) };
        let made = rule.forecast(&[announced], 3).remove(0);
        for (step, factor) in [(0, 1.0), (1, 3.0), (2, 1.0)] {
            let (a, b) = (plain.quantiles()[step][6] * factor, made.quantiles()[step][6]);
            // The networks in `auto` widen what is announced and leave alone what is not; rules multiply.
            let tolerance = if rule.name() == "auto" && factor > 1.0 { 0.05 } else { 1e-4 };
            assert!((a - b).abs() < tolerance * a, "{}: step {step}: {a} {b}", rule.name());
        }
    }
}

#[test]
fn steps_begin_after_the_past() {
    let made = Simple(Recent::SHORT).forecast(&[input(&[1.0; 5], 60)], 2).remove(0);
    assert_eq!((made.start_s, made.step_s, made.by.as_str()), (300, 60, "recent"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_series_is_forecast(values in prop::collection::vec(prop_oneof![8 => -1e6_f32..1e6, 1 => Just(f32::NAN), 1 => Just(0.0)], 0..400)) {
        check_sound(&values, 24);
    }

    #[test]
    fn forecasts_do_not_depend_on_the_unit(seed in 1_usize..50) {
        let values: Vec<f32> = noise(400 + seed).skip(seed).map(|x| x * x + 0.1).collect();
        let larger: Vec<f32> = values.iter().map(|x| x * 1_048_576.0).collect();
        for rule in rules() {
            let (a, b) = (rule.forecast(&[input(&values, 300)], 12), rule.forecast(&[input(&larger, 300)], 12));
            for (x, y) in a[0].quantiles().iter().flatten().zip(b[0].quantiles().iter().flatten()) {
                prop_assert!((x * 1_048_576.0 - y).abs() <= 2e-2 * y.abs().max(1e4), "{}: {x} {y}", rule.name());
            }
        }
    }
}
