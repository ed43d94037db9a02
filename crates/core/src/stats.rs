//! Small statistics used on both sides of a border. Gaps (NaN) are skipped.

/// Mean of the finite values.
#[must_use]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a mean of f32 is an f32")]
pub fn mean(values: &[f32]) -> Option<f32> {
    let (mut sum, mut count) = (0.0_f64, 0_u32);
    for value in values.iter().filter(|value| value.is_finite()) {
        sum += f64::from(*value);
        count += 1;
    }
    (count > 0).then(|| (sum / f64::from(count)) as f32)
}

/// Quantile of an ascending slice by linear interpolation (type 7, as numpy); `None` when empty. `level` is held to 0..1.
#[must_use]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
pub fn quantile_sorted(sorted: &[f32], level: f32) -> Option<f32> {
    let last = sorted.len().checked_sub(1)?;
    let place = f64::from(level.clamp(0.0, 1.0)) * last as f64;
    let (low, share) = (place.floor() as usize, place.fract() as f32);
    let high = (low + 1).min(last);
    Some(sorted[low] + (sorted[high] - sorted[low]) * share)
}

/// Quantile of unsorted values, gaps skipped.
#[must_use]
pub fn quantile(values: &[f32], level: f32) -> Option<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f32::total_cmp);
    quantile_sorted(&sorted, level)
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): a number that follows from bytes and is the same on every machine and in every version.
#[must_use]
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test vectors of the authors' own list.
    #[test]
    fn hashes_as_published() {
        assert_eq!(fnv1a(*b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(*b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[4.0, 1.0, f32::NAN, 2.0, 3.0], 0.5), Some(2.5));
        assert_eq!(quantile(&[7.0], 0.9), Some(7.0));
        assert_eq!(quantile(&[], 0.9), None);
        assert_eq!(mean(&[f32::NAN]), None);
    }
}
