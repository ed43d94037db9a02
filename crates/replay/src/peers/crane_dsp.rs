//! Crane's DSP predictor: the last period of the filtered spectrum, repeated.
//! Source: gocrane/crane at 2b0ddae, `pkg/prediction/dsp/{estimators,preprocessing,prediction}.go`, `pkg/prediction/accuracy`.
//!
//! 15 days at one minute (or the trace's step), the model made anew every 12 hours, the allotment the greatest prediction of
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

const HISTORY_S: i64 = 15 * 86_400 + 3_600;
const REFRESH_S: i64 = 12 * 3_600;
const HOUR_S: i64 = 3_600;
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
            step_s: step_s.max(60),
            regrid: Regrid::new(60, step_s),
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
        let Some(mut samples) = fill(&self.history, self.step_s) else { return };
        remove_outliers(&mut samples);
        let Some(period_s) = period::find(&samples, self.step_s, &mut self.spectra, &mut self.rng) else { return };
        let Ok(period) = usize::try_from(period_s / self.step_s) else { return };
        let signal = &samples[samples.len() % period..];
        let (filter, margin) = best(signal, period, self.step_s, &mut self.spectra);
        let next = with_margin(&filtered(signal, period, self.step_s, filter, &mut self.spectra), margin);
        let hour = usize::try_from(HOUR_S / self.step_s).unwrap_or(1).max(1);
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

/// `fillMissingData`: what came before a gap of over an hour is dropped, smaller gaps are filled by a line, and whole hours
/// are kept. `None` where samples are not on the grid.
fn fill(history: &VecDeque<(i64, f64)>, step_s: i64) -> Option<Vec<f64>> {
    let samples: Vec<(i64, f64)> = history.iter().copied().collect();
    let start = samples.windows(2).rposition(|pair| pair[1].0 - pair[0].0 > HOUR_S).map_or(0, |at| at + 1);
    let mut filled = vec![samples.get(start)?.1];
    for pair in samples[start..].windows(2) {
        let gap_s = pair[1].0 - pair[0].0;
        if gap_s % step_s != 0 {
            return None;
        }
        let steps = gap_s / step_s;
        let rise = (pair[1].1 - pair[0].1) / steps as f64;
        filled.extend((1..=steps).map(|k| pair[0].1 + rise * k as f64));
    }
    let hour = usize::try_from(HOUR_S / step_s).ok()?.max(1);
    let spare = filled.len() % hour;
    Some(filled.split_off(spare))
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

    #[test]
    fn gaps_are_filled_and_long_ones_cut_off() {
        let history = |times: &[i64]| times.iter().map(|time| (*time, *time as f64)).collect::<VecDeque<_>>();
        let filled = fill(&history(&[0, 300, 1_200, 1_500, 1_800, 2_100, 2_400, 2_700, 3_000, 3_300]), 300).unwrap();
        assert_eq!(filled.len(), 12);
        assert_eq!(filled[2..5], [600.0, 900.0, 1_200.0]);
        assert_eq!(fill(&history(&[0, 4_000, 4_300]), 300).unwrap(), Vec::<f64>::new());
        assert_eq!(fill(&history(&[0, 250, 500]), 300), None);
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

    #[test]
    fn without_a_period_the_percentile_stands_in() {
        let usage: Vec<f64> = (0..4 * 288).map(|k| 1.0 + f64::from(k * 7_919 % 13) / 20.0).collect();
        let series = testing::series("cpu_cores", 300, &usage);
        let dsp = testing::feed(&mut Dsp::new(&testing::subject(&series), 0.0), 300, &usage);
        let percentile = testing::feed(&mut Percentile::new(&testing::subject(&series), 0.15), 300, &usage);
        assert_eq!(dsp.last().unwrap().1, percentile.last().unwrap().1);
    }
}
