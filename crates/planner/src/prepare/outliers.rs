//! Outliers, for the models that a single one can bend (ETS, MSTL): values beyond the median by more than ten scaled median
//! absolute deviations are drawn in to that limit (Hampel's identifier, with a far wider gate than his 3, because telemetry is
//! heavy-tailed and a burst is no error). Never used for sizing: what was used was used.

use apportion_core::stats::quantile_sorted;

/// Scaled deviations from the median at which a value is drawn in.
const GATE: f32 = 10.0;
/// Median absolute deviation to standard deviation of a normal distribution.
const TO_SIGMA: f32 = 1.4826;

/// The least and the most that are left as they are; `None` where more than half of the values are equal, since any other value
/// would then be an outlier.
#[must_use]
pub fn outlier_limits(values: &[f32]) -> Option<(f32, f32)> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f32::total_cmp);
    let median = quantile_sorted(&sorted, 0.5)?;
    for value in &mut sorted {
        *value = (*value - median).abs();
    }
    sorted.sort_by(f32::total_cmp);
    let reach = GATE * TO_SIGMA * quantile_sorted(&sorted, 0.5)?;
    (reach > 0.0 && reach.is_finite()).then_some((median - reach, median + reach))
}

/// Draws outliers in to the limits; says how many there were.
pub fn clamp_outliers(values: &mut [f32]) -> usize {
    let Some((low, high)) = outlier_limits(values) else { return 0 };
    let mut drawn_in = 0;
    for value in values.iter_mut().filter(|value| value.is_finite() && (**value < low || **value > high)) {
        *value = value.clamp(low, high);
        drawn_in += 1;
    }
    drawn_in
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_far_out_is_drawn_in() {
        let mut values: Vec<f32> = (0..100_u8).map(|t| f32::from(t % 5)).collect();
        values[50] = 1e6;
        values[51] = 6.0;
        assert_eq!(clamp_outliers(&mut values), 1);
        assert!(values[50] < 20.0 && values[51] == 6.0, "{} {}", values[50], values[51]);
    }

    #[test]
    fn a_rare_burst_on_a_constant_is_no_outlier() {
        let mut values = vec![1.0; 100];
        values[3] = 50.0;
        assert_eq!((clamp_outliers(&mut values), values[3]), (0, 50.0));
        assert_eq!(outlier_limits(&[]), None);
    }
}
