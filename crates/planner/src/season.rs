//! How many steps a season has. Stated rule: a day where the history holds two, else an hour where it holds two, else the
//! strongest period of the autocorrelation, else 1 (no season). The first two are those of the field's scores, so that
//! "relative to seasonal naive" means the same everywhere.

use apportion_core::time::DAY_S;

const HOUR_S: i64 = 3_600;
/// A period counts only where the autocorrelation at it is at least this.
const CLEAR: f64 = 0.5;
/// The first peak of at least this share of the highest is the period.
const AS_HIGH: f64 = 0.9;
/// Autocorrelation is taken over at most so many of the last values: it costs their square.
const LOOKED_AT: usize = 1_024;

/// Steps in a season of a series without gaps.
#[must_use]
pub fn season_steps(filled: &[f32], step_s: u32) -> usize {
    calendar_season(filled.len(), step_s).unwrap_or_else(|| detected_season(filled))
}

/// A day or an hour in steps, where `len` steps hold two of them.
#[must_use]
pub fn calendar_season(len: usize, step_s: u32) -> Option<usize> {
    let step_s = i64::from(step_s.max(1));
    [DAY_S, HOUR_S].into_iter().find_map(|span_s| {
        let season = usize::try_from((span_s + step_s / 2) / step_s).ok()?;
        (season > 1 && len >= 2 * season).then_some(season)
    })
}

/// The lag of the first of the highest peaks of the autocorrelation, where it is clear and two periods are there; else 1.
#[must_use]
pub fn detected_season(filled: &[f32]) -> usize {
    let values = &filled[filled.len().saturating_sub(LOOKED_AT)..];
    let most = values.len() / 2;
    if most < 4 {
        return 1;
    }
    let correlation = autocorrelation(values, most);
    let peaks: Vec<usize> = (3..most).filter(|lag| is_peak(&correlation, *lag) && correlation[*lag] >= CLEAR).collect();
    let highest = peaks.iter().map(|lag| correlation[*lag]).fold(0.0, f64::max);
    // Multiples of a period peak as high as the period itself.
    peaks.into_iter().find(|lag| correlation[*lag] >= AS_HIGH * highest).unwrap_or(1)
}

fn is_peak(correlation: &[f64], lag: usize) -> bool {
    correlation[lag] > correlation[lag - 1] && correlation[lag] >= correlation[lag + 1]
}

/// Autocorrelation at lags `0..=most`; all zero for a constant.
#[allow(clippy::cast_precision_loss, reason = "lengths")]
fn autocorrelation(values: &[f32], most: usize) -> Vec<f64> {
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
    let centred: Vec<f64> = values.iter().map(|value| f64::from(*value) - mean).collect();
    let power: f64 = centred.iter().map(|value| value * value).sum();
    let at = |lag: usize| {
        let sum: f64 = centred[lag..].iter().zip(&centred).map(|(a, b)| a * b).sum();
        // Unbiased by the number of pairs, so that long periods are not put at a disadvantage.
        sum / power * values.len() as f64 / (values.len() - lag) as f64
    };
    if power > 0.0 && power.is_finite() { (0..=most).map(at).collect() } else { vec![0.0; most + 1] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(len: usize, period: f32) -> Vec<f32> {
        (0..u16::try_from(len).unwrap()).map(|t| (std::f32::consts::TAU * f32::from(t) / period).sin()).collect()
    }

    #[test]
    fn a_day_then_an_hour_then_what_is_seen_then_none() {
        let check = |values: &[f32], step_s, season| assert_eq!(season_steps(values, step_s), season, "{step_s} s");
        check(&wave(2_016, 288.0), 300, 288);
        check(&wave(500, 60.0), 60, 60);
        check(&wave(500, 25.0), 1, 25);
        check(&wave(512, 37.0), 10, 37);
        check(&[3.0; 500], 10, 1);
        check(&[], 300, 1);
        check(&[1.0], 300, 1);
    }

    #[test]
    fn noise_has_no_season() {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).unwrap())
        };
        let values: Vec<f32> = (0..512).map(|_| noise()).collect();
        assert_eq!(detected_season(&values), 1);
    }
}
