//! `silu(x) = x * sigmoid(x)`, its derivative, and an exponential that the compiler can vectorise.

/// `e^x` within 2e-7 relative for x in [-87, 88]; clamped outside, so it is never infinite and never denormal.
///
/// `2^(x log2 e)` split into a whole power (exponent bits) and a polynomial on [-0.5, 0.5] (Cephes `expf` coefficients).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding and taking away 1.5 * 2^23 rounds to the nearest whole number without a call.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = (x - whole * LN2_HIGH) - whole * LN2_LOW;
    let mut p = 1.987_569_1e-4_f32;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + coefficient;
    }
    let mantissa = p * r * r + r + 1.0;
    // The low bits of `shifted` hold `whole` in two's complement; adding it to the exponent field multiplies by 2^whole.
    f32::from_bits(mantissa.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// Natural logarithm within 1e-7 absolute plus 1e-7 relative, for positive normal x (Cephes `logf`).
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // Exponent and mantissa around 1: m in [√½, √2).
    let shifted = x.to_bits().wrapping_sub(0x3F35_04F3);
    let exponent = (shifted.cast_signed() >> 23) as f32;
    let m = f32::from_bits((shifted & 0x007F_FFFF) + 0x3F35_04F3) - 1.0;
    let mut p = 7.037_683_6e-2_f32;
    for coefficient in [
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ] {
        p = p * m + coefficient;
    }
    let square = m * m;
    (p * m * square - exponent * 2.121_944_4e-4 - 0.5 * square) + m + exponent * 0.693_359_4
}

#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// d silu / dx = s (1 + x (1 - s)) with s = sigmoid(x).
#[inline(always)]
pub(crate) fn silu_slope(x: f32) -> f32 {
    let s = sigmoid(x);
    s * (1.0 + x * (1.0 - s))
}

/// `x Φ(x) = x (1 + erf(x / √2)) / 2` within 2e-7 · |x|: the exact GELU of Hendrycks & Gimpel 2016.
///
/// The error function by formula 7.1.26 of Abramowitz & Stegun 1964.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let p = ((((1.061_405_4 * t - 1.453_152_1) * t + 1.421_413_8) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    let rest = 0.5 * p * exp(-z * z);
    x * if x < 0.0 { rest } else { 1.0 - rest }
}

/// Softmax in place.
#[inline(always)]
pub(crate) fn softmax(row: &mut [f32]) {
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    let mut top = [f32::NEG_INFINITY; LANES];
    for chunk in &*chunks {
        raise(&mut top, chunk);
    }
    raise(&mut top, rest);
    let top = top.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0; LANES];
    for chunk in &mut *chunks {
        exp_and_add(chunk, top, &mut sums);
    }
    exp_and_add(rest, top, &mut sums);
    let inverse = 1.0 / sums.iter().sum::<f32>();
    row.iter_mut().for_each(|value| *value *= inverse);
}

#[inline(always)]
fn raise(top: &mut [f32; LANES], row: &[f32]) {
    for (top, x) in top.iter_mut().zip(row) {
        *top = if *x > *top { *x } else { *top };
    }
}

#[inline(always)]
fn exp_and_add(row: &mut [f32], top: f32, sums: &mut [f32; LANES]) {
    for (x, sum) in row.iter_mut().zip(sums) {
        *x = exp(*x - top);
        *sum += *x;
    }
}

/// Partial sums and maxima of a reduction: as many as a vector register holds, so that the compiler may use one without
/// reordering on its own, and the result is the same on every processor.
pub(crate) const LANES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_that_of_the_standard_library() {
        for k in -8700..=8800_i16 {
            let x = f32::from(k) / 100.0;
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / exact - 1.0).abs() < 2e-7, "exp({x}) = {ours}, not {exact}");
        }
        assert!(exp(1e9).is_finite() && exp(-1e9) > 0.0);
    }

    #[test]
    fn ln_is_that_of_the_standard_library() {
        for k in -1000..=1000_i16 {
            let x = (f64::from(k) * 0.087).exp() as f32;
            let (ours, exact) = (f64::from(ln(x)), f64::from(x).ln());
            assert!((ours - exact).abs() <= 1e-7 + 1.2e-7 * exact.abs(), "ln({x}) = {ours}, not {exact}");
        }
    }

    #[test]
    fn gelu_is_that_of_the_error_function() {
        // scipy: x * scipy.stats.norm.cdf(x)
        let cases =
            [(-4.0, -1.266_849e-4), (-1.0, -0.158_655_25), (-0.2, -0.084_148_06), (0.0, 0.0), (0.5, 0.345_731_23)];
        for (x, expected) in cases.into_iter().chain([(2.0, 1.954_499_7), (6.0, 6.0)]) {
            assert!((gelu(x) - expected).abs() < 1e-6, "gelu({x}) = {}, not {expected}", gelu(x));
        }
    }

    #[test]
    fn slope_is_the_difference_quotient() {
        for x in [-6.0_f32, -1.3, 0.0, 0.4, 5.0] {
            let quotient = (silu(x + 1e-2) - silu(x - 1e-2)) / 2e-2;
            assert!((quotient - silu_slope(x)).abs() < 1e-4, "at {x}: {quotient} against {}", silu_slope(x));
        }
    }
}
