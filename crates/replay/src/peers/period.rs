//! How Crane's DSP finds the period of a signal.
//! Source: gocrane/crane at 2b0ddae, `pkg/prediction/dsp/{signal,auto_correlation,peak,prediction}.go`.
//!
//! A frequency counts when it is stronger than the second strongest of 100 random orders of the same samples; the period with
//! the highest autocorrelation among those that are peaks of it wins; only exactly a day or a week is accepted. The random
//! orders are drawn only when a day or a week could still win: the answer is the same, and most series cost two transforms.

use crate::rng::Rng;
use rustfft::{Fft, FftPlanner, num_complex::Complex};
use std::sync::Arc;

const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 7 * DAY_S;
const ORDERS: usize = 100;
/// Place of the threshold among the ascending maxima, from 0.
const THRESHOLD_AT: usize = 98;
const PEAK_REACH_S: i64 = 4 * 3_600;

/// The transforms of one thread, planned once per length.
pub(super) struct Spectra {
    planner: FftPlanner<f64>,
}

impl Spectra {
    pub(super) fn new() -> Self {
        Self { planner: FftPlanner::new() }
    }
    pub(super) fn forward(&mut self, samples: &[f64]) -> Vec<Complex<f64>> {
        let mut spectrum: Vec<Complex<f64>> = samples.iter().map(|value| Complex::new(*value, 0.0)).collect();
        self.planner.plan_fft_forward(samples.len()).process(&mut spectrum);
        spectrum
    }
    /// Real part of the inverse transform.
    pub(super) fn inverse(&mut self, mut spectrum: Vec<Complex<f64>>) -> Vec<f64> {
        let len = spectrum.len() as f64;
        self.planner.plan_fft_inverse(spectrum.len()).process(&mut spectrum);
        spectrum.iter().map(|value| value.re / len).collect()
    }
    fn plan(&mut self, len: usize) -> Arc<dyn Fft<f64>> {
        self.planner.plan_fft_forward(len)
    }
}

/// Exactly a day or a week in seconds, where the signal has that period. `samples` are `step_s` apart, the last one newest.
pub(super) fn find(samples: &[f64], step_s: i64, spectra: &mut Spectra, rng: &mut Rng) -> Option<i64> {
    let (day, week) = (whole(DAY_S, step_s)?, whole(WEEK_S, step_s)?);
    let unit = if samples.len() >= 2 * week { week } else { day };
    let periods = samples.len() / unit;
    if periods < 2 {
        return None;
    }
    let cut = &samples[samples.len() - periods * unit..];
    let found = i64::try_from(fundamental(cut, [day, week], step_s, spectra, rng)?).ok()? * step_s;
    (found == DAY_S || found == WEEK_S).then_some(found)
}

fn whole(span_s: i64, step_s: i64) -> Option<usize> {
    (span_s % step_s == 0).then(|| usize::try_from(span_s / step_s).ok())?
}

/// `FindPeriod`: samples per period of the winner, where that is one of `accepted`.
fn fundamental(
    samples: &[f64],
    accepted: [usize; 2],
    step_s: i64,
    spectra: &mut Spectra,
    rng: &mut Rng,
) -> Option<usize> {
    let len = samples.len();
    let correlation = autocorrelation(samples, spectra)?;
    let reach = usize::try_from(PEAK_REACH_S / step_s).unwrap_or(0);
    let is_hint_peak = |period: usize| is_peak(&correlation, period, reach.min(period / 2));
    if !accepted.iter().any(|period| *period < len && is_hint_peak(*period)) {
        return None;
    }
    let powers: Vec<f64> = spectra.forward(samples).iter().take(len / 2).map(|x| x.norm_sqr().sqrt()).collect();
    let threshold = random_power(samples, spectra, rng);
    let mut hints: Vec<usize> = (2..len / 2).filter(|k| powers[*k] > threshold).map(|k| len / k).collect();
    hints.dedup();
    let mut best: Option<(usize, f64)> = None;
    for hint in hints {
        if correlation[hint] > best.map_or(0.0, |(_, height)| height) && is_hint_peak(hint) {
            best = Some((hint, correlation[hint]));
        }
    }
    best.map(|(hint, _)| hint).filter(|hint| accepted.contains(hint))
}

/// The 99th of 100 ascending greatest powers of random orders. Two orders share one transform: of a sum `a + ib` of real
/// signals the spectra are `(X[k] + conj X[-k]) / 2` and `(X[k] - conj X[-k]) / 2i`. The second is the first one in another,
/// itself random order, so that one shuffle serves both.
fn random_power(samples: &[f64], spectra: &mut Spectra, rng: &mut Rng) -> f64 {
    let (len, plan) = (samples.len(), spectra.plan(samples.len()));
    let mut other = samples.to_vec();
    rng.shuffle(&mut other);
    let mut pairs: Vec<Complex<f64>> = samples.iter().zip(&other).map(|(a, b)| Complex::new(*a, *b)).collect();
    let mut both = pairs.clone();
    let mut scratch = vec![Complex::default(); plan.get_inplace_scratch_len()];
    let mut greatest = Vec::with_capacity(ORDERS);
    for _ in 0..ORDERS / 2 {
        rng.shuffle(&mut pairs);
        both.copy_from_slice(&pairs);
        plan.process_with_scratch(&mut both, &mut scratch);
        let (mut a, mut b) = (0.0_f64, 0.0_f64);
        for (x, y) in both[1..len / 2].iter().zip(both.iter().rev()) {
            a = a.max((x + y.conj()).norm_sqr());
            b = b.max((x - y.conj()).norm_sqr());
        }
        greatest.extend([a.sqrt() / 2.0, b.sqrt() / 2.0]);
    }
    greatest.sort_by(f64::total_cmp);
    greatest[THRESHOLD_AT]
}

/// Circular autocorrelation of the standardised signal; `None` where it is constant.
fn autocorrelation(samples: &[f64], spectra: &mut Spectra) -> Option<Vec<f64>> {
    let len = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / len;
    let deviation = (samples.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / len).sqrt();
    if deviation <= 0.0 {
        return None;
    }
    let standard: Vec<f64> = samples.iter().map(|value| (value - mean) / deviation).collect();
    let power = spectra.forward(&standard).iter().map(|x| Complex::new(x.norm_sqr(), 0.0)).collect();
    Some(spectra.inverse(power).iter().map(|value| value / len).collect())
}

/// `isPeak`: lines fitted to both sides rise and fall.
fn is_peak(values: &[f64], at: usize, reach: usize) -> bool {
    let end = values.len() - 1;
    at >= 1
        && at <= end
        && slope(&values[at.saturating_sub(reach)..=at]) > 0.0
        && slope(&values[at..=(at + reach).min(end)]) < 0.0
}

/// Slope of the least-squares line; not a number for a single point.
fn slope(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let (mut x_sum, mut y_sum, mut xy_sum, mut xx_sum) = (0.0, 0.0, 0.0, 0.0);
    for (k, y) in values.iter().enumerate() {
        let x = k as f64;
        x_sum += x;
        y_sum += y;
        xy_sum += x * y;
        xx_sum += x * x;
    }
    (count * xy_sum - x_sum * y_sum) / (count * xx_sum - x_sum * x_sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn period(step_s: i64, days: usize, value: impl Fn(f64) -> f64) -> Option<i64> {
        let per_day = usize::try_from(DAY_S / step_s).unwrap();
        let samples: Vec<f64> = (0..days * per_day).map(|k| value(k as f64 / per_day as f64)).collect();
        find(&samples, step_s, &mut Spectra::new(), &mut Rng::new(1))
    }

    /// auto_correlation_test.go: a square-like wave of 200 samples is -1 at 100 and 1 at 200.
    #[test]
    fn autocorrelation_is_that_of_upstream() {
        let wave = |x: f64| (0..4).map(|k| f64::from(2 * k + 1)).map(|k| (k * x).sin() / k).sum::<f64>();
        let samples: Vec<f64> = (0..1_000).map(|k| wave(TAU * f64::from(k) / 200.0)).collect();
        let found = autocorrelation(&samples, &mut Spectra::new()).unwrap();
        assert!((found[100] + 1.0).abs() < 1e-12 && (found[200] - 1.0).abs() < 1e-12);
    }

    /// `TestSignal_FindPeriod` of signal_test.go, on upstream's own series: one sample a minute, in the last one every 15 s. They
    /// belong to upstream; to repeat, `CRANE=path/to/crane cargo test -p apportion-replay periods_of_upstream -- --ignored`.
    #[test]
    #[ignore = "needs a checkout of gocrane/crane at 2b0ddae"]
    #[allow(clippy::disallowed_methods, reason = "upstream's files")]
    fn periods_of_upstream_s_own_series_are_found() {
        let folder = std::env::var("CRANE").unwrap() + "/pkg/prediction/dsp/test_data";
        let periodic = [0, 1, 2, 8, 9, 10, 11, 12, 13, 14, 15];
        let expect = [DAY_S, DAY_S, WEEK_S, WEEK_S, DAY_S, WEEK_S, DAY_S, WEEK_S, WEEK_S, WEEK_S, WEEK_S];
        for (input, expect) in periodic.into_iter().zip(expect) {
            let text = std::fs::read_to_string(format!("{folder}/input{input}.csv")).unwrap();
            let value = |line: &str| line.split(',').nth(1).unwrap().parse().unwrap();
            let samples: Vec<f64> = text.lines().skip(1).map(value).collect();
            let step_s = if input == 15 { 15 } else { 60 };
            let (day, week) = (whole(DAY_S, step_s).unwrap(), whole(WEEK_S, step_s).unwrap());
            let cut = &samples[samples.len() % week..];
            let found = fundamental(cut, [day, week], step_s, &mut Spectra::new(), &mut Rng::new(1));
            assert_eq!(found.map(|period| i64::try_from(period).unwrap() * step_s), Some(expect), "input {input}");
        }
    }

    #[test]
    fn a_day_and_a_week_are_found_and_nothing_else() {
        assert_eq!(period(300, 8, |day| 5.0 + (TAU * day).sin()), Some(DAY_S));
        let weekly = |day: f64| 5.0 + if day % 7.0 < 5.0 { (TAU * day).sin() } else { 0.0 };
        assert_eq!(period(300, 15, weekly), Some(WEEK_S));
        assert_eq!(period(300, 15, |day| 5.0 + (TAU * day * 4.0).sin()), None);
        assert_eq!(period(300, 15, |_| 5.0), None);
        assert_eq!(period(300, 1, |day| 5.0 + (TAU * day).sin()), None);
    }

    #[test]
    fn noise_has_no_period() {
        let mut rng = Rng::new(7);
        let samples: Vec<f64> = (0..14 * 288).map(|_| rng.below(1_000) as f64).collect();
        assert_eq!(find(&samples, 300, &mut Spectra::new(), &mut Rng::new(1)), None);
    }
}
