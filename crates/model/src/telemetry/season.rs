//! Which lags a series repeats at: peaks of the autocorrelation, with the calendar's lags preferred where they do as well.

use crate::fft::Fft;

/// Below this autocorrelation a lag is no season.
const LEAST_CORRELATION: f32 = 0.15;
/// A season's correlation rises at least this much above its lowest between half the lag and the lag: a smooth series
/// correlates with itself at any short lag, yet without such a rise it does not repeat.
const LEAST_RISE: f32 = 0.1;
/// A calendar lag wins over a better peak when it reaches this share of it.
const CALENDAR_SHARE: f32 = 0.85;
/// A shorter lag wins over a better peak when it reaches this share of it, so that multiples of a season do not win.
const NEAR_EQUAL: f32 = 0.9;
/// Lags looked at, as a share of the history: beyond it too few pairs are left to judge.
const LONGEST_SHARE: f32 = 0.75;
const SHORTEST_LAG: usize = 4;
/// The history's last values that seasons are looked for in.
pub(crate) const SEASON_HISTORY: usize = 2304;
/// Room for that history and the longest lag, so that the circular correlation does not wrap.
const FFT_LEN: usize = 4096;

/// Finds seasons; holds the transform and its buffers.
#[derive(Clone, Debug)]
pub(crate) struct SeasonFinder {
    fft: Fft,
    re: Vec<f32>,
    im: Vec<f32>,
    peaks: Vec<usize>,
}

impl SeasonFinder {
    pub(crate) fn new() -> Self {
        Self {
            fft: Fft::new(FFT_LEN),
            re: vec![0.0; FFT_LEN],
            im: vec![0.0; FFT_LEN],
            peaks: Vec::with_capacity(SEASON_HISTORY),
        }
    }

    /// The best season and the next best that is no near multiple of it, in steps.
    pub(crate) fn find(&mut self, history: &[f32], step_s: u32) -> [Option<usize>; 2] {
        let history = &history[history.len().saturating_sub(SEASON_HISTORY)..];
        let longest = (history.len() as f32 * LONGEST_SHARE) as usize;
        if longest <= SHORTEST_LAG || !self.autocorrelate(history) {
            return [None, None];
        }
        let calendar = [86_400_u32, 3_600, 604_800].map(|span| calendar_lag(span, step_s));
        find_peaks(&self.re[..=longest], &mut self.peaks);
        let first = self.best(&calendar, longest, |_| true);
        let second = first
            .and_then(|first| self.best(&calendar, longest, |lag| lag > first + first / 2 || lag < first - first / 4));
        [first, second]
    }

    /// The highest peak among the allowed lags (the shortest of near-equals), or a calendar lag that does nearly as well.
    fn best(&self, calendar: &[Option<usize>], longest: usize, allowed: impl Fn(usize) -> bool) -> Option<usize> {
        let peaks = &self.peaks;
        let at = |lag: usize| self.re[lag];
        let rises =
            |lag: usize| at(lag) - self.re[lag / 2..lag].iter().copied().fold(f32::INFINITY, f32::min) >= LEAST_RISE;
        let allowed = |lag: usize| allowed(lag) && rises(lag);
        let top = peaks.iter().copied().filter(|lag| allowed(*lag)).map(at).fold(0.0, f32::max);
        let on_calendar = calendar.iter().flatten().copied().filter(|lag| *lag <= longest && allowed(*lag));
        let on_calendar = on_calendar.filter(|lag| at(*lag) >= LEAST_CORRELATION.max(CALENDAR_SHARE * top));
        if let Some(lag) = on_calendar.max_by(|a, b| at(*a).total_cmp(&at(*b))) {
            return Some(lag);
        }
        peaks.iter().copied().find(|lag| allowed(*lag) && at(*lag) >= LEAST_CORRELATION.max(NEAR_EQUAL * top))
    }

    /// Autocorrelation by lag into `self.re`, of the detrended, clipped history; false for a constant or absent one.
    fn autocorrelate(&mut self, history: &[f32]) -> bool {
        let n = history.len();
        if !prepare(history, &mut self.re) {
            return false;
        }
        self.im.fill(0.0);
        self.fft.transform(&mut self.re, &mut self.im);
        for (re, im) in self.re.iter_mut().zip(&mut self.im) {
            *re = *re * *re + *im * *im;
            *im = 0.0;
        }
        self.fft.transform(&mut self.re, &mut self.im);
        let zero = self.re[0];
        if !(zero.is_finite() && zero > 0.0) {
            return false;
        }
        // Fewer pairs at longer lags: rescale so that a perfect season correlates by 1 at any lag.
        self.re.iter_mut().take(n).enumerate().for_each(|(lag, value)| *value *= n as f32 / ((n - lag) as f32 * zero));
        true
    }
}

/// A span in steps, where it is a whole number of at least `SHORTEST_LAG`.
fn calendar_lag(span_s: u32, step_s: u32) -> Option<usize> {
    let exact = step_s > 0 && span_s.is_multiple_of(step_s);
    let lag = if exact { (span_s / step_s) as usize } else { 0 };
    (lag >= SHORTEST_LAG).then_some(lag)
}

/// Writes the history, less its line, in standard deviations clipped at ±3, missing as 0, padded by zeros.
fn prepare(history: &[f32], out: &mut [f32]) -> bool {
    let seen = || history.iter().enumerate().filter(|(_, x)| x.is_finite()).map(|(t, x)| (t as f64, f64::from(*x)));
    let n = seen().count() as f64;
    if n < 8.0 {
        return false;
    }
    let (mean_t, mean) = seen().fold((0.0, 0.0), |(t_sum, sum), (t, x)| (t_sum + t / n, sum + x / n));
    let (tt, tx) =
        seen().fold((0.0, 0.0), |(tt, tx), (t, x)| (tt + (t - mean_t).powi(2), tx + (t - mean_t) * (x - mean)));
    let slope = tx / tt;
    let rest = |t: f64, x: f64| x - mean - slope * (t - mean_t);
    let deviation = seen().map(|(t, x)| rest(t, x).powi(2) / n).sum::<f64>().sqrt();
    if !deviation.is_finite() || deviation <= 1e-7 * mean.abs() {
        return false;
    }
    out.fill(0.0);
    for (t, x) in seen() {
        out[t as usize] = (rest(t, x) / deviation).clamp(-3.0, 3.0) as f32;
    }
    true
}

/// Local maxima of the correlation, shortest first, after it first fell below half of its start.
fn find_peaks(correlation: &[f32], peaks: &mut Vec<usize>) {
    peaks.clear();
    let Some(fallen) = correlation.iter().position(|value| *value < 0.5) else { return };
    let from = fallen.max(SHORTEST_LAG);
    let is_peak = |lag: &usize| correlation[*lag] > correlation[lag - 1] && correlation[*lag] >= correlation[lag + 1];
    peaks.extend((from..correlation.len().saturating_sub(1)).filter(is_peak));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn wave(period: f32, noise: f32, n: usize) -> Vec<f32> {
        let mut rng = Rng::new(5);
        (0..n).map(|t| (std::f32::consts::TAU * t as f32 / period).sin() + noise * rng.normal()).collect()
    }

    #[test]
    fn seasons_are_found() {
        let mut finder = SeasonFinder::new();
        let mut first = |history: &[f32], step_s| finder.find(history, step_s)[0];
        assert_eq!(first(&wave(50.0, 0.3, 1000), 7), Some(50));
        assert_eq!(first(&wave(288.0, 0.5, 2016), 300), Some(288), "the calendar's day");
        assert_eq!(first(&wave(288.0, 0.0, 30), 300), None, "too short to tell");
        assert_eq!(first(&[4.0; 500], 60), None, "constant");
        assert_eq!(first(&[f32::NAN; 500], 60), None, "all missing");
        assert_eq!(first(&[], 60), None, "empty");
        let line: Vec<f32> = (0..600_u16).map(f32::from).collect();
        assert_eq!(first(&line, 60), None, "a line does not repeat");
    }

    #[test]
    fn missing_values_do_not_hide_a_season() {
        let mut history = wave(50.0, 0.1, 1000);
        let mut rng = Rng::new(6);
        history.iter_mut().filter(|_| rng.chance(0.3)).for_each(|value| *value = f32::NAN);
        assert_eq!(SeasonFinder::new().find(&history, 7)[0], Some(50));
    }

    #[test]
    fn a_second_season_is_found_beside_the_first() {
        let history: Vec<f32> = wave(24.0, 0.1, 2000).iter().zip(wave(420.0, 0.1, 2000)).map(|(a, b)| a + b).collect();
        let seasons = SeasonFinder::new().find(&history, 7);
        assert!(
            seasons.contains(&Some(24)) || seasons.contains(&Some(432)) || seasons.contains(&Some(420)),
            "{seasons:?}"
        );
        assert!(seasons[1].is_some(), "{seasons:?}");
    }
}
