//! Quantiles of samples at full precision.

use crate::histogram::index;

/// Quantile of unsorted values, linear between neighbours; 0 when empty. Reorders the values.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let low = index(place);
    let (_, at, above) = values.select_nth_unstable_by(low, f64::total_cmp);
    let (at, next) = (*at, above.iter().copied().fold(f64::INFINITY, f64::min));
    if low == last { at } else { at + (next - at) * (place - low as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        for (share, value) in [(0.0, 1.0), (0.5, 2.5), (0.95, 3.85), (1.0, 4.0)] {
            assert!((quantile(&mut [4.0, 1.0, 3.0, 2.0], share) - value).abs() < 1e-12, "{share}");
        }
        assert_eq!(quantile(&mut [], 0.5), 0.0);
    }
}
