//! A reversible scaling: `z = asinh((x - centre) / scale)`. Linear near the centre, logarithmic far out, so that heavy tails do
//! not rule a least-squares fit; `undo` gives back what went in.

use apportion_core::stats::quantile_sorted;

/// Interquartile range to standard deviation of a normal distribution.
const TO_SIGMA: f64 = 1.349;

/// Preprocessing that can undo itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaler {
    centre: f64,
    scale: f64,
}

impl Scaler {
    /// Centre: the median. Scale: the interquartile range as a standard deviation; where that is 0, the mean absolute deviation
    /// from the median; where that is 0 too (a constant), the size of the median, or 1.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a length")]
    pub fn fit(values: &[f32]) -> Self {
        let mut sorted: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f32::total_cmp);
        let at = |level| f64::from(quantile_sorted(&sorted, level).unwrap_or(0.0));
        let centre = at(0.5);
        let spread = (at(0.75) - at(0.25)) / TO_SIGMA;
        let mean_off =
            || sorted.iter().map(|x| (f64::from(*x) - centre).abs()).sum::<f64>() / sorted.len().max(1) as f64;
        let usable = |scale: &f64| *scale > f64::MIN_POSITIVE && scale.is_finite();
        let scale = Some(spread).filter(usable).or_else(|| Some(mean_off()).filter(usable));
        Self { centre, scale: scale.or_else(|| Some(centre.abs()).filter(usable)).unwrap_or(1.0) }
    }
    /// Scales one value.
    #[must_use]
    pub fn apply(&self, value: f64) -> f64 {
        ((value - self.centre) / self.scale).asinh()
    }
    /// The value that was scaled.
    #[must_use]
    pub fn undo(&self, scaled: f64) -> f64 {
        self.centre + self.scale * scaled.sinh()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn undo_gives_back_what_went_in(values in prop::collection::vec(-1e9_f32..1e9, 1..50)) {
            let scaler = Scaler::fit(&values);
            for value in values {
                let back = scaler.undo(scaler.apply(f64::from(value)));
                prop_assert!((back - f64::from(value)).abs() <= 1e-6 * f64::from(value.abs()).max(1.0));
            }
        }

        #[test]
        fn scaled_values_do_not_depend_on_the_unit(values in prop::collection::vec(0.0_f32..1e3, 5..50)) {
            let thousandfold: Vec<f32> = values.iter().map(|value| value * 1_024.0).collect();
            let (a, b) = (Scaler::fit(&values), Scaler::fit(&thousandfold));
            let (x, y) = (a.apply(f64::from(values[0])), b.apply(f64::from(thousandfold[0])));
            prop_assert!((x - y).abs() < 1e-3, "{x} {y}");
        }
    }

    #[test]
    fn degenerate_series_have_a_scale() {
        for values in [&[][..], &[0.0], &[5.0; 9], &[f32::NAN], &[f32::MAX, -f32::MAX]] {
            let scaler = Scaler::fit(values);
            assert!(scaler.scale > 0.0 && scaler.scale.is_finite(), "{values:?} {scaler:?}");
        }
    }
}
