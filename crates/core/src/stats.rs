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
pub fn quantile_sorted(sorted: &[f32], level: f32) -> Option<f32> {
    let (low, share) = place(sorted.len(), level)?;
    let high = (low + 1).min(sorted.len() - 1);
    Some(sorted[low] + (sorted[high] - sorted[low]) * share)
}

/// Where a quantile lies among so many ascending values: after which, and how far on the way to the next.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
fn place(len: usize, level: f32) -> Option<(usize, f32)> {
    let place = f64::from(level.clamp(0.0, 1.0)) * len.checked_sub(1)? as f64;
    Some((place.floor() as usize, place.fract() as f32))
}

/// Quantile of unsorted values, gaps skipped: as of the sorted ones, without sorting them.
#[must_use]
pub fn quantile(values: &[f32], level: f32) -> Option<f32> {
    let mut present: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let (low, share) = place(present.len(), level)?;
    let (_, at, above) = present.select_nth_unstable_by(low, f32::total_cmp);
    let next = above.iter().copied().min_by(f32::total_cmp).unwrap_or(*at);
    Some(*at + (next - *at) * share)
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
        let values: Vec<f32> = (0..101_u8).map(|k| f32::from(k.wrapping_mul(37) % 29) - 7.0).collect();
        let mut sorted = values.clone();
        sorted.sort_by(f32::total_cmp);
        for level in [0.0, 0.05, 0.1, 0.333, 0.5, 0.9, 0.999, 1.0] {
            assert_eq!(quantile(&values, level), quantile_sorted(&sorted, level), "{level}");
        }
    }
}
