//! 16-bit floats (IEEE 754 binary16), for weight files only.

/// Rounds to the nearest, ties to even; beyond ±65504 becomes infinite.
pub(crate) fn f32_to_f16(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = bits & 0x7FFF_FFFF;
    if magnitude > 0x7F80_0000 {
        return sign | 0x7E00;
    }
    // Below the least normal: the float unit itself rounds when the value is lifted to where an ulp is 2^-24.
    if magnitude < 0x3880_0000 {
        let shifted = f32::from_bits(magnitude) + 0.5;
        return sign | (shifted.to_bits() - 0.5_f32.to_bits()) as u16;
    }
    let rounded = magnitude + 0x0FFF + ((magnitude >> 13) & 1);
    sign | (((rounded - 0x3800_0000) >> 13).min(0x7C00)) as u16
}

/// The number that begins a block of a file.
pub(crate) fn f16_from(bytes: &[u8]) -> f32 {
    f16_to_f32(u16::from_le_bytes([bytes[0], bytes[1]]))
}

pub(crate) fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let (exponent, fraction) = (u32::from(half >> 10 & 0x1F), u32::from(half & 0x3FF));
    let magnitude = match exponent {
        0 => (fraction as f32 * 2.0_f32.powi(-24)).to_bits(),
        31 => 0x7F80_0000 | fraction << 13,
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_round_trip() {
        for half in 0..=u16::MAX {
            let x = f16_to_f32(half);
            assert!(x.is_nan() || f32_to_f16(x) == half, "{half:#06x} became {x}");
        }
    }

    #[test]
    fn rounding_is_to_the_nearest_even() {
        let cases = [(1.0, 0x3C00), (1.0 + 1.0 / 2048.0, 0x3C00), (1.0 + 3.0 / 2048.0, 0x3C02), (65504.0, 0x7BFF)];
        let rare = [(1e6, 0x7C00), (-1e-9, 0x8000), (6e-8, 0x0001), (f32::NEG_INFINITY, 0xFC00)];
        for (x, half) in cases.into_iter().chain(rare) {
            assert_eq!(f32_to_f16(x), half, "{x}");
        }
    }
}
