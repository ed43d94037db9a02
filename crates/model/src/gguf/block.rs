//! How ggml keeps numbers, and how each is brought into blocks of 32 eight-bit weights with one scale.
//!
//! Q8_0 `d q`, q in −127..=127; Q4_0 `d (q − 8)`, Q4_1 `d q + m` with q in 0..16, two a byte, the first sixteen in the low halves; Q5_0
//! `d (q − 16)` and Q5_1 `d q + m` with a word of fifth bits. d and m are 16-bit floats.

use crate::half::f16_from;

/// Weights of one scale.
pub(super) const BLOCK: usize = 32;

/// How a tensor's numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
}

impl Precision {
    /// By ggml's number for it.
    pub(super) const fn of(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            30 => Self::Bf16,
            _ => return None,
        })
    }

    /// Numbers that stand together.
    pub(super) const fn group(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            _ => BLOCK,
        }
    }

    /// Bytes of so many numbers, a multiple of the group.
    pub(super) const fn bytes(self, numbers: usize) -> usize {
        let group = match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
        };
        numbers / self.group() * group
    }

    /// 32 numbers from the bytes of 32.
    pub(super) fn floats(self, bytes: &[u8]) -> [f32; BLOCK] {
        let half = |at: usize| f16_from(&bytes[at..]);
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let four = |at: usize, k: usize| f32::from(if k < 16 { bytes[at + k] & 15 } else { bytes[at + k - 16] >> 4 });
        let fifth = |at: usize, k: usize| if word(at) >> k & 1 == 1 { 16.0 } else { 0.0 };
        std::array::from_fn(|k| match self {
            Self::F32 => f32::from_bits(word(4 * k)),
            Self::F16 => half(2 * k),
            Self::Bf16 => f32::from_bits(u32::from(u16::from_le_bytes([bytes[2 * k], bytes[2 * k + 1]])) << 16),
            Self::Q4_0 => half(0) * (four(2, k) - 8.0),
            Self::Q4_1 => half(0) * four(4, k) + half(2),
            Self::Q5_0 => half(0) * (four(6, k) + fifth(2, k) - 16.0),
            Self::Q5_1 => half(0) * (four(8, k) + fifth(4, k)) + half(2),
            Self::Q8_0 => half(0) * f32::from(bytes[2 + k].cast_signed()),
        })
    }

    /// 32 eight-bit weights and their scale from the bytes of 32; exact for Q8_0, else rounded once.
    pub(super) fn block(self, bytes: &[u8]) -> (f32, [i8; BLOCK]) {
        if self == Self::Q8_0 {
            let scale = f16_from(bytes);
            return (scale, std::array::from_fn(|k| bytes[2 + k].cast_signed()));
        }
        let floats = self.floats(bytes);
        // NaN is kept: a maximum would hide it, and the caller has to see it in the scale.
        let largest = floats.iter().fold(0.0_f32, |top, x| if x.abs() > top || x.is_nan() { x.abs() } else { top });
        let scale = largest / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        (scale, floats.map(|x| (x * inverse).round() as i8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gguf-py: `gguf.quants.dequantize(bytes, kind)[[0, 15, 16, 31]]` of the bytes below.
    #[test]
    fn numbers_are_those_of_ggml() {
        let (d, m) = (0x3800_u16.to_le_bytes(), 0x3400_u16.to_le_bytes());
        let check = |precision: Precision, head: &[u8], expect: [f32; 4]| {
            let mut bytes: Vec<u8> = (0..precision.bytes(BLOCK) as u8).map(|k| k * 7 + 3).collect();
            bytes[..head.len()].copy_from_slice(head);
            let floats = precision.floats(&bytes);
            assert_eq!([floats[0], floats[15], floats[16], floats[31]], expect, "{precision:?}");
        };
        check(Precision::Q8_0, &d, [8.5, 61.0, -63.5, -11.0]);
        check(Precision::Q4_0, &d, [-3.5, 1.0, -3.5, -0.5]);
        check(Precision::Q4_1, &[d, m].concat(), [7.75, 4.25, 0.75, 4.25]);
        check(Precision::Q5_0, &d, [6.5, -5.0, 1.0, -3.5]);
        check(Precision::Q5_1, &[d, m].concat(), [13.75, 2.25, 9.75, 5.25]);
    }

    #[test]
    fn what_is_not_finite_shows_in_the_scale() {
        let mut bytes = vec![0; 128];
        bytes[64..68].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(Precision::F32.block(&bytes).0.is_nan());
        bytes[64..68].copy_from_slice(&f32::INFINITY.to_le_bytes());
        assert!(Precision::F32.block(&bytes).0.is_infinite());
        bytes[64..68].copy_from_slice(&(-2.0_f32).to_le_bytes());
        assert_eq!((Precision::F32.block(&bytes).0, Precision::F32.block(&bytes).1[16]), (2.0 / 127.0, -127));
    }
}
