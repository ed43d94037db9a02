//! Crane's DSP predictor: the last period of the filtered spectrum, repeated.
//! Source: gocrane/crane at 2b0ddae, `pkg/prediction/dsp/{estimators,preprocessing,prediction}.go`, `pkg/prediction/accuracy`.
//!
//! 15 days at one minute (or the trace's step; of one that does not divide a day, the next longer one that does), the model made anew every 12 hours, the allotment the greatest prediction of
//! the next hour. Where the signal is not exactly daily or weekly there is no prediction, and Crane's percentile stands in.

use super::{
    Adjustable, Subject,
    crane::Percentile,
    period::{self, Spectra},
};
use crate::{
    recommend::{Observation, Recommender, Regrid},
    rng::Rng,
};
use std::collections::VecDeque;

const HISTORY_S: i64 = 15 * DAY_S + HOUR_S;
const REFRESH_S: i64 = 12 * 3_600;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;
const MINUTE_S: i64 = 60;
const HIGH_FREQUENCY_HZ: f64 = 1.0 / 3_600.0;
const MOST_ITEMS: usize = 100;
const LEAST_VALUE: f64 = 0.01;
const TOO_SMALL: f64 = 1e-3;

/// A filter's fewest spectrum items and lowest amplitude.
type Filter = (usize, f64);

const FILTERS: [Filter; 2] = [(3, 1.0), (50, 0.05)];
/// Margins of the estimators; each filter comes with each of them.
const MARGINS: [f64; 4] = [0.01, 0.10, 0.15, 0.20];

/// A prediction: greatest of the next hour from each step on.
#[derive(Debug)]
struct Ahead {
    from_s: i64,
    peaks: Vec<f64>,
}

/// One series.
pub(super) struct Dsp {
    margin: f64,
    step_s: i64,
    regrid: Regrid,
    fallback: Percentile,
    fallback_value: Option<f64>,
    history: VecDeque<(i64, f64)>,
    refreshed_s: Option<i64>,
    ahead: Option<Ahead>,
    spectra: Spectra,
    rng: Rng,
}

impl Dsp {
    pub(super) fn new(subject: &Subject<'_>, margin: f64) -> Self {
        let step_s = subject.series.step_s;
        Self {
            margin,
            step_s: grid_s(step_s),
            regrid: Regrid::new(MINUTE_S, step_s),
            fallback: Percentile::new(subject, Percentile::MARGIN + margin),
            fallback_value: None,
            history: VecDeque::new(),
            refreshed_s: None,
            ahead: None,
            spectra: Spectra::new(),
            rng: Rng::named(subject.seed, &subject.series.name()),
        }
    }

    fn refresh(&mut self, now_s: i64) {
        self.refreshed_s = Some(now_s);
        self.ahead = None;
        let mut samples = fill(&self.history, self.step_s);
        remove_outliers(&mut samples);
        let Some(period_s) = period::find(&samples, self.step_s, &mut self.spectra, &mut self.rng) else { return };
        let Ok(period) = usize::try_from(period_s / self.step_s) else { return };
        let signal = &samples[samples.len() % period..];
        let (filter, margin) = best(signal, period, self.step_s, &mut self.spectra);
        let next = with_margin(&filtered(signal, period, self.step_s, filter, &mut self.spectra), margin);
        let hour = steps_of_hour(self.step_s);
        let steps = usize::try_from(REFRESH_S / self.step_s).unwrap_or(1) + 1;
        let peak = |from: usize| (from..from + hour).map(|k| next[k % period]).fold(0.0, f64::max);
        self.ahead = Some(Ahead { from_s: now_s, peaks: (0..steps).map(peak).collect() });
    }

    fn predicted(&self, now_s: i64) -> Option<f64> {
        let ahead = self.ahead.as_ref()?;
        let step = usize::try_from((now_s - ahead.from_s) / self.step_s).ok()?;
        ahead.peaks.get(step).map(|peak| peak * (1.0 + self.margin))
    }
}

impl Recommender for Dsp {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        self.fallback_value = self.fallback.observe(seen).or(self.fallback_value);
        let regridded = self.regrid.push(seen.time_s, seen.usage)?;
        self.history.push_back((seen.time_s, regridded.mean));
        while self.history.front().is_some_and(|(time, _)| *time <= seen.time_s - HISTORY_S) {
            self.history.pop_front();
        }
        if self.refreshed_s.is_none_or(|last| seen.time_s - last >= REFRESH_S) {
            self.refresh(seen.time_s);
        }
        self.predicted(seen.time_s).or(self.fallback_value)
    }
}

impl Adjustable for Dsp {
    const MARGIN: f64 = 0.0;
    const GRID: &'static [f64] = &[-0.2, -0.1, 0.0, 0.2, 0.5, 1.0, 2.0, 4.0];
    const MEANS: &'static str = "on top of the estimator's own 1 to 20 %, and of the percentile's 15 %";
}

/// `fillMissingData`: whole hours of [`joined`] samples.
fn fill(history: &VecDeque<(i64, f64)>, step_s: i64) -> Vec<f64> {
    let mut filled = joined(history, step_s);
    let spare = filled.len() % steps_of_hour(step_s);
    filled.split_off(spare)
}

/// What came before a gap of over an hour is dropped; the rest is put on a grid that ends with the newest sample, by lines
/// between samples.
fn joined(history: &VecDeque<(i64, f64)>, step_s: i64) -> Vec<f64> {
    let samples: Vec<(i64, f64)> = history.iter().copied().collect();
    let start = samples.windows(2).rposition(|pair| pair[1].0 - pair[0].0 > HOUR_S).map_or(0, |at| at + 1);
    let samples = &samples[start..];
    let (Some((first_s, _)), Some((last_s, _))) = (samples.first(), samples.last()) else { return Vec::new() };
    let mut at = 0;
    let value = |back: i64| {
        let time_s = last_s - back * step_s;
        while samples.get(at + 1).is_some_and(|(next_s, _)| *next_s <= time_s) {
            at += 1;
        }
        let (from_s, from) = samples[at];
        let rise = samples.get(at + 1).map_or(0.0, |(next_s, next)| (next - from) / (next_s - from_s) as f64);
        from + rise * (time_s - from_s) as f64
    };
    (0..=(last_s - first_s) / step_s).rev().map(value).collect()
}

/// Steps that cover an hour.
fn steps_of_hour(step_s: i64) -> usize {
    usize::try_from((HOUR_S + step_s - 1) / step_s).unwrap_or(1).max(1)
}

/// The step at which a trace is looked at: a minute, or the trace's own, or the next longer one that divides a day, since days
/// are looked for.
fn grid_s(step_s: i64) -> i64 {
    (step_s.clamp(MINUTE_S, DAY_S)..=DAY_S).find(|step_s| DAY_S % step_s == 0).unwrap_or(DAY_S)
}

/// `removeExtremeOutliers`: beyond P99.9 or P0.1 the value before it is repeated.
fn remove_outliers(samples: &mut [f64]) {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(high), Some(low)) = (percentile(&sorted, 99.9), percentile(&sorted, 0.1)) else { return };
    for k in 1..samples.len() {
        if samples[k] > high || samples[k] < low {
            samples[k] = samples[k - 1];
        }
    }
}

/// `stats.Percentile` of montanaflynn/stats: the sample at a whole place, else the mean of the two around it.
fn percentile(sorted: &[f64], percent: f64) -> Option<f64> {
    let place = percent / 100.0 * sorted.len() as f64;
    let at = crate::histogram::index(place);
    if place.fract() == 0.0 {
        return sorted.get(at.checked_sub(1)?).copied();
    }
    (place > 1.0).then(|| sorted.get(at.checked_sub(1)?).zip(sorted.get(at)).map(|(a, b)| f64::midpoint(*a, *b)))?
}

/// `bestEstimator`: the least error on the last period, estimated from those before it.
fn best(signal: &[f64], period: usize, step_s: i64, spectra: &mut Spectra) -> (Filter, f64) {
    let (past, actual) = signal.split_at(signal.len() - period);
    let mut best = ((FILTERS[0], MARGINS[0]), f64::INFINITY);
    for filter in FILTERS {
        let plain = filtered(past, period, step_s, filter, spectra);
        for margin in MARGINS {
            let error = prediction_error(actual, &with_margin(&plain, margin));
            if error < best.1 {
                best = ((filter, margin), error);
            }
        }
    }
    best.0
}

fn with_margin(values: &[f64], margin: f64) -> Vec<f64> {
    values.iter().map(|value| value * (1.0 + margin)).collect()
}

/// `fftEstimator.GetEstimation`: weak high frequencies removed; the last period of what is left.
fn filtered(signal: &[f64], period: usize, step_s: i64, filter: Filter, spectra: &mut Spectra) -> Vec<f64> {
    let (fewest, lowest) = filter;
    let len = signal.len();
    let mut spectrum = spectra.forward(signal);
    let amplitude = |x: &rustfft::num_complex::Complex<f64>| x.norm_sqr().sqrt() / len as f64;
    let mut amplitudes: Vec<f64> = spectrum[1..len / 2].iter().map(amplitude).collect();
    amplitudes.sort_unstable_by(|a, b| b.total_cmp(a));
    let at_most = amplitudes.get(MOST_ITEMS - 1).or(amplitudes.last()).copied().unwrap_or(0.0).max(lowest);
    let least = amplitudes.get(fewest - 1).map_or(at_most, |amplitude| amplitude.min(at_most));
    for (k, x) in spectrum.iter_mut().enumerate() {
        let frequency = k as f64 / (len as f64 * step_s as f64);
        if amplitude(x) < least && frequency > HIGH_FREQUENCY_HZ {
            *x = rustfft::num_complex::Complex::default();
        }
    }
    let filtered = spectra.inverse(spectrum);
    let floor = |value: f64| if value <= 0.0 { LEAST_VALUE } else { value };
    filtered[len - period..].iter().copied().map(floor).collect()
}

/// `PredictionError`: relative, too little weighing more; absolute where something is nearly nothing.
fn prediction_error(actual: &[f64], predicted: &[f64]) -> f64 {
    let pairs = || actual.iter().zip(predicted);
    let relative = |(actual, predicted): (&f64, &f64)| {
        let share = (predicted - actual) / actual;
        if share < 0.0 { -(1.0 + share).ln() / 1.25_f64.ln() } else { share }
    };
    let absolute = |(actual, predicted): (&f64, &f64)| (actual - predicted).abs();
    let tiny = actual.iter().any(|value| *value < TOO_SMALL);
    let sum: f64 = if tiny { pairs().map(absolute).sum() } else { pairs().map(relative).sum() };
    sum / actual.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;
    use std::f64::consts::TAU;

    /// accuracy_test.go: a tenth too much is 0.1; a tenth too little is 0.47, half is 3.1.
    #[test]
    fn too_little_weighs_more() {
        let check = |predicted: f64, error: f64| {
            assert!((prediction_error(&[1.0], &[predicted]) - error).abs() < 5e-3, "{predicted}");
        };
        check(1.0, 0.0);
        check(1.1, 0.1);
        check(0.9, 0.472);
        check(0.5, 3.106);
        assert!((prediction_error(&[1e-4, 1.0], &[0.0, 1.0]) - 5e-5).abs() < 1e-12);
    }

    fn history(samples: &[(i64, f64)]) -> VecDeque<(i64, f64)> {
        samples.iter().copied().collect()
    }

    /// `TestPreProcessTimeSeries` of prediction_test.go: minutes before the end and values; what comes before the gap of 109 minutes
    /// is dropped, and eleven samples a minute apart rise by 0.1 each.
    #[test]
    fn gaps_are_filled_as_upstream_does() {
        let minutes = [(-120, 0.1), (-119, 0.8), (-10, 1.0), (-7, 1.3), (0, 2.0)].map(|(at, value)| (at * 60, value));
        let filled = joined(&history(&minutes), 60);
        assert_eq!(filled.len(), 11);
        for (k, value) in filled.iter().enumerate() {
            assert!((value - (1.0 + 0.1 * k as f64)).abs() < 1e-12, "{filled:?}");
        }
    }

    #[test]
    fn whole_hours_are_kept_and_what_comes_before_a_long_gap_is_dropped() {
        let of = |times: &[i64]| times.iter().map(|time| (*time, *time as f64)).collect::<VecDeque<_>>();
        let hour = [0, 300, 1_200, 1_500, 1_800, 2_100, 2_400, 2_700, 3_000, 3_300];
        assert_eq!(fill(&of(&hour), 300)[2..5], [600.0, 900.0, 1_200.0]);
        assert_eq!(fill(&of(&hour[1..]), 300), Vec::<f64>::new());
        assert_eq!(fill(&of(&[0, 4_000, 4_300]), 300), Vec::<f64>::new());
        assert_eq!(fill(&of(&[0, 250, 500, 750, 1_000]), 432), Vec::<f64>::new());
        assert_eq!(joined(&of(&[0, 250, 500, 750, 1_000]), 432), [136.0, 568.0, 1_000.0]);
        assert!(joined(&VecDeque::new(), 60).is_empty());
    }

    #[test]
    fn a_step_that_does_not_divide_a_day_is_made_longer() {
        let check = |step_s: i64, looked_at_s: i64| assert_eq!(grid_s(step_s), looked_at_s, "{step_s}");
        check(10, 60);
        check(45, 60);
        check(300, 300);
        check(420, 432);
        check(2_700, 2_700);
        check(50_000, DAY_S);
        check(200_000, DAY_S);
    }

    /// `TestRemoveExtremeOutliers` of preprocessing_test.go: in 10,080 samples between 0 and 1, the three beyond take the value before.
    #[test]
    fn outliers_are_removed_as_upstream_does() {
        let mut rng = Rng::new(1);
        let mut samples: Vec<f64> = (0..10_080).map(|_| rng.below(1_000_000) as f64 / 1e6).collect();
        (samples[1_000], samples[3_000], samples[8_000]) = (3.5, -1.0, 1_000.0);
        remove_outliers(&mut samples);
        for at in [1_000, 3_000, 8_000] {
            assert_eq!(samples[at], samples[at - 1], "{at}");
        }
    }

    #[test]
    fn percentiles_are_those_of_its_library() {
        let sorted: Vec<f64> = (1..=1_500).map(f64::from).collect();
        let check = |count: usize, percent: f64, value| assert_eq!(percentile(&sorted[..count], percent), value);
        check(4, 50.0, Some(2.0));
        check(5, 50.0, Some(2.5));
        check(1_500, 99.9, Some(1_498.5));
        check(500, 0.1, None);
    }

    /// Two days at 5 minutes of 5 and waves of 24 h (4), 8 h (2), 2 h (1.2), 30 min (1) and 15 min (0.2): a wave's amplitude in the
    /// spectrum is half its own, so the third greatest is 0.6. {3, 1.0} drops what is faster than an hour and below that: the last
    /// two. {50, 0.05} drops nothing, as the fiftieth is 0. What is not above zero is 0.01. On a last day like the first the
    /// second errs by its margin alone, and the least of these wins.
    #[test]
    fn filters_keep_what_is_worked_by_hand() {
        let wave = |k: usize, hours: f64| (TAU * k as f64 / 12.0 / hours).cos();
        let slow = |k: usize| 5.0 + 4.0 * wave(k, 24.0) + 2.0 * wave(k, 8.0) + 1.2 * wave(k, 2.0);
        let all = |k: usize| slow(k) + wave(k, 0.5) + 0.2 * wave(k, 0.25);
        let signal: Vec<f64> = (0..576).map(all).collect();
        let mut spectra = Spectra::new();
        let mut check = |filter: Filter, expect: &dyn Fn(usize) -> f64| {
            let found = filtered(&signal, 288, 300, filter, &mut spectra);
            for (k, found) in found.iter().enumerate() {
                let expect = if expect(k) <= 0.0 { LEAST_VALUE } else { expect(k) };
                assert!((found - expect).abs() < 1e-9, "{filter:?} {k}: {found} for {expect}");
            }
        };
        check((3, 1.0), &slow);
        check((50, 0.05), &all);
        assert!((0..288).any(|k| slow(k) < 0.0));
        let above: Vec<f64> = signal.iter().map(|value| value + 10.0).collect();
        assert_eq!(best(&above, 288, 300, &mut spectra), ((50, 0.05), 0.01));
    }

    /// A daily sine of 5 ± 2 at 5 minutes: once two whole days are there, the allotment is the next hour's peak with a margin
    /// of 1 %, the estimator that errs least.
    #[test]
    fn a_daily_sine_is_repeated() {
        let wave = |k: usize| 5.0 + 2.0 * (TAU * k as f64 / 288.0).sin();
        let usage: Vec<f64> = (0..10 * 288).map(wave).collect();
        let series = testing::series("cpu_cores", 300, &usage);
        let mut dsp = Dsp::new(&testing::subject(&series), 0.0);
        testing::feed(&mut dsp, 300, &usage);
        let now_s = 300 * 2_880;
        let peak = (0..12).map(|k| wave(2_880 + k)).fold(0.0, f64::max) * 1.01;
        assert!((dsp.predicted(now_s).unwrap() / peak - 1.0).abs() < 0.03, "{:?} {peak}", dsp.predicted(now_s));
    }

    /// A daily sine at 7 minutes and at 45 seconds, which divide no day: two whole days on, the next hour's peak is known too.
    #[test]
    fn steps_that_divide_no_day_have_periods_too() {
        for step_s in [420, 45] {
            let wave = |time_s: i64| 5.0 + 2.0 * (TAU * time_s as f64 / 86_400.0).sin();
            let usage: Vec<f64> = (1..=5 * DAY_S / step_s).map(|k| wave(k * step_s)).collect();
            let series = testing::series("cpu_cores", step_s, &usage);
            let mut dsp = Dsp::new(&testing::subject(&series), 0.0);
            let decided = testing::feed(&mut dsp, step_s, &usage);
            let (time_s, found) = *decided.last().unwrap();
            let peak = (0..60).map(|minute| wave(time_s + minute * 60)).fold(0.0, f64::max) * 1.01;
            assert!((found / peak - 1.0).abs() < 0.03, "{step_s} s: {found} for {peak}");
        }
    }

    #[test]
    fn without_a_period_the_percentile_stands_in() {
        let usage: Vec<f64> = (0..4 * 288).map(|k| 1.0 + f64::from(k * 7_919 % 13) / 20.0).collect();
        let series = testing::series("cpu_cores", 300, &usage);
        let dsp = testing::feed(&mut Dsp::new(&testing::subject(&series), 0.0), 300, &usage);
        let percentile = testing::feed(&mut Percentile::new(&testing::subject(&series), 0.15), 300, &usage);
        assert_eq!(dsp.last().unwrap().1, percentile.last().unwrap().1);
    }
}
