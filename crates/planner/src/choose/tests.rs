use super::*;
use apportion_core::Series;

const DAY: usize = 288;

fn input(values: Vec<f32>, start_s: i64) -> ForecastInput {
    let past = Series { start_s, step_s: 300, values };
    ForecastInput { workload: "w".into(), metric: "m".into(), past, announced: Vec::new() }
}

fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 16).unwrap()) / 65_536.0
    };
    (0..len).map(|_| next()).collect()
}

fn daily(days: usize) -> Vec<f32> {
    let phase = |t: usize| f32::from(u16::try_from(t % DAY).unwrap()) / 288.0;
    let wave = |t: usize| 5.0 + 4.0 * (std::f32::consts::TAU * phase(t)).sin();
    noise(days * DAY, 3).iter().enumerate().map(|(t, x)| wave(t) + x).collect()
}

fn heaviest(auto: &Auto) -> String {
    auto.choice(&"w".into(), &"m".into()).unwrap().by(&auto.candidates)
}

#[test]
fn a_rhythm_is_forecast_as_one_and_noise_as_noise() {
    let auto = Auto::default();
    auto.forecast(&[input(daily(7), 0)], DAY);
    let by = heaviest(&auto);
    assert!(by.starts_with("profile") || by.starts_with("direct"), "{by}");
    let score = auto.choice(&"w".into(), &"m".into()).unwrap().score.unwrap();
    assert!(score < 0.9, "{score}");

    let auto = Auto::default();
    auto.forecast(&[input(noise(7 * DAY, 5), 0)], DAY);
    let by = heaviest(&auto);
    assert!(!by.starts_with("seasonal-naive") && !by.starts_with("walk"), "{by}");
}

/// Says one value, whatever the past.
struct Says(&'static str, f32);

impl Forecaster for Says {
    fn name(&self) -> &str {
        self.0
    }
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        inputs.iter().map(|input| finish(input, self.0, vec![[self.1; 9]; horizon], 0.0)).collect()
    }
}

/// Around 5, never further than 0.1.
fn near_five() -> Vec<f32> {
    noise(6 * DAY, 4).into_iter().map(|x| 5.0 + 0.2 * (x - 0.5)).collect()
}

/// The promise of `docs/forecasting.md`, for every part of the blend that the back-test gives, costly ones too.
#[test]
fn no_part_of_a_blend_is_clearly_better_alone_than_what_is_used() {
    let check = |auto: &Auto, values: Vec<f32>, used_alone: Option<bool>| {
        let input = input(values, 0);
        auto.forecast(std::slice::from_ref(&input), DAY);
        let used = auto.choice(&"w".into(), &"m".into()).unwrap().weights;
        let tried = Tried::new(&auto.candidates, &[&input], DAY, &[true]);
        let parts = blend::weights(&tried.losses(0), &auto.candidates, CLEARLY, blend::prior_ends(&input.past));
        let losses = |weights: &[(usize, f32)]| tried.relative(0, &tried.blended(0, weights));
        let whole = losses(&used);
        for (index, _) in &parts {
            let alone = losses(&[(*index, 1.0)]);
            let ends = alone.len().min(whole.len());
            let name = auto.candidates[*index].forecaster.name();
            assert!(!clearly_below(&alone[..ends], &whole[..ends]), "{name} alone: {alone:?}, as used: {whole:?}");
        }
        assert!(used_alone.is_none_or(|alone| alone == (parts.len() > 1 && used.len() == 1)), "{parts:?}, {used:?}");
    };
    for (seed, season) in [(1, 0.0), (2, 3.0), (3, 30.0), (4, 0.5), (5, 300.0)] {
        let values = noise(6 * DAY, seed).into_iter().enumerate();
        check(&Auto::default(), values.map(|(t, x)| x + if t % DAY < 9 { season } else { 0.0 }).collect(), None);
    }
    // The prior speaks for the one that is a little off; the ends, all of them, for the other.
    let (near, right) = (Candidate::cheap(Says("near", 5.1), -4.0), Candidate::cheap(Says("right", 5.0), -2.5));
    check(&Auto::new(vec![near, right]), near_five(), Some(true));
}

#[test]
fn lower_losses_count_only_where_the_ends_agree() {
    let check = |losses: &[f32], clearly: bool| {
        assert_eq!(backtest::clearly_below(losses, &vec![0.0; losses.len()]), clearly, "{losses:?}");
    };
    check(&[-0.5, -0.6, -0.5, -0.4], true);
    check(&[-0.1, -0.1], true);
    check(&[-2.0, 0.3, 0.2, -0.1], false);
    check(&[0.5, 0.6, 0.5, 0.4], false);
    check(&[0.0, 0.0, 0.0, 0.0], false);
    check(&[-9.0], false);
    check(&[], false);
}

#[test]
fn what_is_right_at_every_end_outweighs_a_prior() {
    // The prior speaks for the one that is a little off, the back-test for the one that is right.
    let auto = Auto::new(vec![Candidate::cheap(Says("near", 5.1), -3.0), Candidate::cheap(Says("right", 5.0), -2.5)]);
    auto.forecast(&[input(near_five(), 0)], DAY);
    assert!(heaviest(&auto).starts_with("right"), "{}", heaviest(&auto));
}

#[test]
fn a_past_without_a_rhythm_counts_for_less() {
    let ends = |step_s, len| blend::prior_ends(&Series { start_s: 0, step_s, values: vec![0.0; len] });
    assert_eq!((ends(300, 2 * DAY), ends(60, 120)), (3.0, 3.0), "two days, two hours");
    assert_eq!((ends(10, 512), ends(60, 119)), (8.0, 8.0), "less than two hours");
}

#[test]
fn a_choice_lasts_a_day_and_is_the_same_again() {
    let auto = Auto::default();
    let first = auto.forecast(&[input(daily(7), 0)], DAY);
    let made_s = auto.choice(&"w".into(), &"m".into()).unwrap().made_s;
    auto.forecast(&[input(daily(7), 300)], DAY);
    assert_eq!(auto.choice(&"w".into(), &"m".into()).unwrap().made_s, made_s);
    auto.forecast(&[input(daily(7), DAY_S)], DAY);
    assert_eq!(auto.choice(&"w".into(), &"m".into()).unwrap().made_s, made_s + DAY_S);
    assert_eq!(Auto::default().forecast(&[input(daily(7), 0)], DAY), first);
}

#[test]
fn the_order_of_series_does_not_matter() {
    let named = |name: &str, values| ForecastInput { workload: name.into(), ..input(values, 0) };
    let (a, b) = (named("a", daily(5)), named("b", noise(5 * DAY, 9)));
    let forth = Auto::default().forecast(&[a.clone(), b.clone()], DAY);
    let back = Auto::default().forecast(&[b, a], DAY);
    assert_eq!((&forth[0], &forth[1]), (&back[1], &back[0]));
}

#[test]
fn a_costly_forecast_is_moved_up_for_an_hour() {
    struct Counts(std::sync::Arc<std::sync::atomic::AtomicUsize>);
    impl Forecaster for Counts {
        fn name(&self) -> &str {
            "counts"
        }
        fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let step = |step: usize| [f32::from(u16::try_from(step).unwrap()); 9];
            inputs.iter().map(|input| finish(input, "counts", (0..horizon).map(step).collect(), 0.0)).collect()
        }
    }
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let auto = Auto::new(vec![Candidate::costly(Counts(calls.clone()), 0.0)]);
    let first = auto.forecast(&[input(vec![1.0; 10], 0)], 40).remove(0);
    let after_first = calls.load(std::sync::atomic::Ordering::Relaxed);
    let moved = auto.forecast(&[input(vec![1.0; 10], 600)], 40).remove(0);
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), after_first);
    assert_eq!((first.quantiles()[2], moved.start_s), (moved.quantiles()[0], first.start_s + 600));
    auto.forecast(&[input(vec![1.0; 10], 4_500)], 40);
    assert!(calls.load(std::sync::atomic::Ordering::Relaxed) > after_first);
}

#[test]
fn what_is_announced_is_not_in_a_costly_forecast_of_the_next_hour_nor_one_step_in_anothers() {
    struct Ones;
    impl Forecaster for Ones {
        fn name(&self) -> &str {
            "ones"
        }
        fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
            let rows = |input: &ForecastInput| vec![[input.past.step_s as f32; 9]; horizon];
            inputs.iter().map(|input| finish(input, "ones", rows(input), 0.0)).collect()
        }
    }
    let auto = Auto::new(vec![Candidate::costly(Ones, 0.0)]);
    let plain = input(vec![1.0; 10], 0);
    let announced = ForecastInput { announced: vec![7.0; 40], ..plain.clone() };
    assert_eq!(auto.forecast(&[announced], 40)[0].quantiles()[0], [2_100.0; 9]);
    assert_eq!(
        auto.forecast(std::slice::from_ref(&plain), 40)[0].quantiles()[0],
        [300.0; 9],
        "the announcement is still there"
    );
    let minutes = ForecastInput { past: Series { step_s: 60, start_s: 2_400, ..plain.past.clone() }, ..plain };
    assert_eq!(auto.forecast(&[minutes], 40)[0].quantiles()[0], [60.0; 9], "steps of five minutes taken for minutes");
}

#[test]
fn what_is_costly_is_chosen_only_where_it_was_tried() {
    let candidates = || vec![Candidate::cheap(Simple(SeasonalNaive), 0.0), Candidate::costly(Simple(Mstl), -0.2)];
    let chosen = |losses: &[(f32, usize)]| {
        let weights = blend::weights(losses, &candidates(), CLEARLY, 3.0);
        weights.iter().map(|(index, _)| *index).collect::<Vec<_>>()
    };
    assert_eq!(chosen(&[(0.0, 4), (0.0, 0)]), [0], "expected to win is not to have won");
    assert_eq!(chosen(&[(0.0, 4), (-0.5, 2)]), [0, 1]);
    assert_eq!(chosen(&[]), [0]);
    let only = [Candidate::costly(Simple(Mstl), -0.2)];
    assert_eq!(blend::weights(&[], &only, CLEARLY, 3.0).len(), 1, "one of them must run");
}

#[test]
fn calibration_mends_a_fan_that_is_too_narrow_and_keeps_order() {
    let truth = noise(4 * 200, 11);
    let narrow: Row = std::array::from_fn(|k| 0.5 + (apportion_core::LEVELS[k] - 0.5) * 0.4);
    let said = vec![vec![narrow; 200]; 4];
    let seen: Vec<&[f32]> = truth.chunks(200).collect();
    let calibration = Calibration::fit(&said, &seen);
    let mut rows = vec![narrow; 200];
    calibration.apply(&mut rows);
    let covered = |rows: &[Row]| truth[..200].iter().zip(rows).filter(|(y, row)| **y <= row[8]).count();
    assert!(covered(&rows) > covered(&vec![narrow; 200]) + 10, "{} {}", covered(&rows), covered(&said[0]));
    assert!(rows.iter().all(|row| row.windows(2).all(|pair| pair[0] <= pair[1])));

    let right: Row = apportion_core::LEVELS;
    let fit = Calibration::fit(&vec![vec![right; 200]; 4], &seen);
    let mut rows = vec![right; 1];
    fit.apply(&mut rows);
    assert!(rows[0].iter().zip(right).all(|(a, b)| (a - b).abs() < 0.05), "{rows:?}");
}

#[test]
fn blends_keep_what_most_say() {
    let (zero, far, near) = ([0.0; 9], [100.0; 9], [1.0; 9]);
    let blended = blend::blend(&[(&[zero], 1.0), (&[far], 0.9), (&[zero], 0.5), (&[near], 0.2)], 1);
    assert_eq!(blended, [zero]);
}

#[test]
fn names_are_known_or_said_to_be_unknown() {
    for name in crate::FORECASTERS {
        assert_eq!(crate::forecaster(name).unwrap().name(), name);
    }
    let error = crate::forecaster("prophet").err().unwrap().to_string();
    assert!(error.contains("prophet") && error.contains("seasonal-naive"), "{error}");
}

#[test]
fn whoever_has_no_time_for_a_choice_gets_what_did_best_on_others_and_then_what_was_chosen() {
    let auto = Auto::new(vec![
        Candidate::cheap(Simple(Recent::SHORT), 0.0),
        Candidate::cheap(Simple(SeasonalNaive), -0.6),
        Candidate::costly(Simple(Mstl), -9.0),
    ]);
    // Every day is one higher than the last: what was used of late says more than the same time of yesterday.
    let rising = (0..2_016).zip(noise(2_016, 3)).map(|(step, noise)| (step / 288) as f32 + 0.1 * noise);
    let past = input(rising.collect(), 0);
    let at_once = |auto: &Auto| auto.forecast_choosing(std::slice::from_ref(&past), 64, &|_| false).remove(0);
    let before = at_once(&auto);
    assert_eq!((before.by.as_str(), before.score, before.len()), ("seasonal-naive", None, 64));
    assert!(auto.is_due(&past, 64) && auto.choice(&past.workload, &past.metric).is_none(), "nothing was chosen");
    let chosen = auto.forecast(std::slice::from_ref(&past), 64).remove(0);
    assert!(!auto.is_due(&past, 64) && chosen.score.is_some() && chosen.by.starts_with("recent"), "{}", chosen.by);
    assert_eq!(at_once(&auto), chosen);
    // A choice for another grid is none for this one.
    let minutes = ForecastInput { past: Series { step_s: 60, ..past.past.clone() }, ..past.clone() };
    assert_eq!(auto.forecast_choosing(&[minutes], 64, &|_| false)[0].by, "seasonal-naive");
    let tomorrow = ForecastInput { past: Series { start_s: past.past.start_s + 86_400, ..past.past.clone() }, ..past };
    assert!(auto.is_due(&tomorrow, 64));
    assert_eq!(auto.forecast_choosing(&[tomorrow], 64, &|_| false)[0].by, chosen.by, "yesterday's choice stands in");
}

#[test]
fn a_past_that_nothing_can_be_tried_on_takes_no_turn_of_others() {
    let auto = Auto::new(vec![Candidate::cheap(Simple(Recent::SHORT), 0.0)]);
    let seen = |is_seen: &dyn Fn(usize) -> bool| {
        let values = noise(7 * DAY, 3).into_iter().enumerate();
        input(values.map(|(step, value)| if is_seen(step) { value } else { f32::NAN }).collect(), 0)
    };
    let is_due = |past: ForecastInput| {
        auto.forget(&|_| false);
        let before = auto.is_due(&past, DAY);
        let forecast = auto.forecast(std::slice::from_ref(&past), DAY).remove(0);
        assert_eq!(forecast.score.is_some(), before, "there was something to try on");
        [before, auto.is_due(&past, DAY)]
    };
    assert_eq!(is_due(seen(&|step| step == 7 * DAY - 1)), [false; 2], "new");
    assert_eq!(is_due(seen(&|step| step % DAY < 60)), [false; 2], "five hours each night");
    assert_eq!(is_due(seen(&|step| step % DAY < 72)), [true, false], "six hours");
}
