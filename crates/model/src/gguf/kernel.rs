//! The products of `matrix` in vectors of 512 bits (VNNI) or 256 bits (AVX2); plain code on other processors.

use super::{
    block::BLOCK,
    matrix::{Matrix, Pairs, Rounded, TILE, Weights},
};
#[cfg(target_arch = "x86_64")]
use crate::layers::tiles::Vnni;
use crate::layers::tiles::{self, Kernel};

/// `y = x Wᵀ`; the shapes must fit.
pub(super) fn product(matrix: &Matrix, x: &Rounded, y: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(vnni) = Vnni::detected() {
        return run(matrix, x, y, vnni);
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return simd.vectorize(Product { matrix, x, y, kernel: Avx2(simd) });
    }
    run(matrix, x, y, Portable);
}

#[inline(always)]
fn run<K: Kernel<Weights, Pairs, TILE>>(matrix: &Matrix, x: &Rounded, y: &mut [f32], kernel: K) {
    let outputs = matrix.outputs;
    assert!(y.len() == x.scales.len() * outputs && x.values.len() == x.scales.len() * matrix.blocks, "another shape");
    tiles::each(&matrix.weights, &x.values, matrix.blocks, kernel, |row, first, sums| {
        let y = &mut y[row * outputs + first..(row * outputs + first + TILE).min((row + 1) * outputs)];
        for (y, sum) in y.iter_mut().zip(sums) {
            *y = sum * x.scales[row];
        }
    });
}

/// A product to be compiled for the processor's vectors; a closure would be called instead of inlined.
#[cfg(target_arch = "x86_64")]
struct Product<'a> {
    matrix: &'a Matrix,
    x: &'a Rounded,
    y: &'a mut [f32],
    kernel: Avx2,
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Product<'_> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        run(self.matrix, self.x, self.y, self.kernel);
    }
}

#[derive(Clone, Copy)]
struct Portable;

impl Kernel<Weights, Pairs, TILE> for Portable {
    const ROWS: usize = 4;

    #[inline(always)]
    fn tile<const R: usize>(self, weights: &[Weights], rows: [&[Pairs]; R]) -> [[f32; TILE]; R] {
        let mut whole = [[0.0; TILE]; R];
        for (k, weights) in weights.iter().enumerate() {
            for (whole, row) in whole.iter_mut().zip(rows) {
                let values: [i16; BLOCK] = pulp::cast(row[k]);
                for (lane, whole) in whole.iter_mut().enumerate() {
                    let product = |i: usize| i32::from(weights.quant(lane, i)) * i32::from(values[i]);
                    *whole += (0..BLOCK).map(product).sum::<i32>() as f32 * weights.scales[lane];
                }
            }
        }
        whole
    }
}

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2(pulp::x86::V3);

#[cfg(target_arch = "x86_64")]
impl Kernel<Weights, Pairs, TILE> for Avx2 {
    const ROWS: usize = 4;

    #[inline(always)]
    fn tile<const R: usize>(self, weights: &[Weights], rows: [&[Pairs]; R]) -> [[f32; TILE]; R] {
        let mut sums = [[0.0; TILE]; R];
        for half in 0..2 {
            let sixteen = self.half(weights, rows, half);
            for r in 0..R {
                sums[r][half * TILE / 2..][..TILE / 2].copy_from_slice(&sixteen[r]);
            }
        }
        sums
    }
}

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    /// Sixteen of the 32 outputs, in two registers.
    #[inline(always)]
    fn half<const R: usize>(self, weights: &[Weights], rows: [&[Pairs]; R], half: usize) -> [[f32; TILE / 2]; R] {
        let pulp::x86::V3 { avx, avx2, fma, .. } = self.0;
        let mut whole = [[avx._mm256_setzero_ps(); 2]; R];
        for (k, weights) in weights.iter().enumerate() {
            let mut kept = [[avx._mm256_setzero_si256(); 2]; R];
            for (pair, quants) in weights.quants.iter().enumerate() {
                let quarters: [[i8; TILE / 2]; 4] = pulp::cast(*quants);
                let first = avx2._mm256_cvtepi8_epi16(pulp::cast(quarters[2 * half]));
                let second = avx2._mm256_cvtepi8_epi16(pulp::cast(quarters[2 * half + 1]));
                for r in 0..R {
                    let two = avx._mm256_set1_epi32(rows[r][k][pair]);
                    kept[r][0] = avx2._mm256_add_epi32(kept[r][0], avx2._mm256_madd_epi16(first, two));
                    kept[r][1] = avx2._mm256_add_epi32(kept[r][1], avx2._mm256_madd_epi16(second, two));
                }
            }
            let scales: [[f32; TILE / 4]; 4] = pulp::cast(weights.scales);
            for t in 0..2 {
                let scales = pulp::cast(scales[2 * half + t]);
                for r in 0..R {
                    whole[r][t] = fma._mm256_fmadd_ps(avx._mm256_cvtepi32_ps(kept[r][t]), scales, whole[r][t]);
                }
            }
        }
        let mut sums = [[0.0; TILE / 2]; R];
        for r in 0..R {
            sums[r] = pulp::cast(whole[r]);
        }
        sums
    }
}

#[cfg(target_arch = "x86_64")]
impl Kernel<Weights, Pairs, TILE> for Vnni {
    const ROWS: usize = 6;

    #[inline(always)]
    #[allow(unsafe_code)]
    fn tile<const R: usize>(self, weights: &[Weights], rows: [&[Pairs]; R]) -> [[f32; TILE]; R] {
        // SAFETY: all that `vnni_tile` asks for is a processor with these instructions, and a `Vnni` is made only there.
        // Safe code has no way to say so: pulp has no VNNI. A prompt is read 1.7 times as fast.
        unsafe { vnni_tile(weights, rows) }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn vnni_tile<const R: usize>(weights: &[Weights], rows: [&[Pairs]; R]) -> [[f32; TILE]; R] {
    use std::arch::x86_64::{
        _mm512_cvtepi8_epi16, _mm512_cvtepi32_ps, _mm512_dpwssd_epi32, _mm512_fmadd_ps, _mm512_set1_epi32,
        _mm512_setzero_ps, _mm512_setzero_si512,
    };
    let mut whole = [[_mm512_setzero_ps(); 2]; R];
    for (k, weights) in weights.iter().enumerate() {
        let mut kept = [[_mm512_setzero_si512(); 2]; R];
        for (pair, quants) in weights.quants.iter().enumerate() {
            let halves: [[i8; TILE]; 2] = pulp::cast(*quants);
            let first = _mm512_cvtepi8_epi16(pulp::cast(halves[0]));
            let second = _mm512_cvtepi8_epi16(pulp::cast(halves[1]));
            for r in 0..R {
                let two = _mm512_set1_epi32(rows[r][k][pair]);
                kept[r][0] = _mm512_dpwssd_epi32(kept[r][0], first, two);
                kept[r][1] = _mm512_dpwssd_epi32(kept[r][1], second, two);
            }
        }
        let scales: [[f32; TILE / 2]; 2] = pulp::cast(weights.scales);
        for t in 0..2 {
            let scales = pulp::cast(scales[t]);
            for r in 0..R {
                whole[r][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(kept[r][t]), scales, whole[r][t]);
            }
        }
    }
    let mut sums = [[0.0; TILE]; R];
    for r in 0..R {
        sums[r] = pulp::cast(whole[r]);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_and_plain_code_agree() {
        let number = |k: usize| ((k * 7_919) % 65_535) as i64 - 32_767;
        for (rows, blocks, outputs) in [(1, 1, 1), (5, 3, 64), (13, 2, 33), (6, 18, 32), (3, 1, 95)] {
            let mut matrix = Matrix::empty(outputs, blocks);
            for k in 0..outputs * blocks {
                let quants = std::array::from_fn(|i| (number(k * BLOCK + i) % 128) as i8);
                matrix.set(k / blocks, k % blocks, number(k) as f32 / 32_767.0, &quants);
            }
            let values = |k: usize| std::array::from_fn::<i16, BLOCK, _>(|i| number(k * BLOCK + i + 5) as i16);
            let values = (0..rows * blocks).map(|k| pulp::cast(values(k))).collect();
            let x = Rounded { values, scales: (1..=rows).map(|r| r as f32).collect() };
            let product = |run: &dyn Fn(&mut [f32])| {
                let mut y = vec![9.0; rows * outputs];
                run(&mut y);
                y
            };
            let plain = product(&|y| run(&matrix, &x, y, Portable));
            let mut found = vec![product(&|y| super::product(&matrix, &x, y))];
            #[cfg(target_arch = "x86_64")]
            match pulp::x86::V3::try_new() {
                Some(simd) => found.push(product(&|y| run(&matrix, &x, y, Avx2(simd)))),
                None => println!("LEFT OUT: this processor has no AVX2"),
            }
            // Blocks of up to 10^8 cancel, and only plain code rounds each product before it is added.
            for (fast, slow) in found.iter().flat_map(|found| found.iter().zip(&plain)) {
                assert!((fast - slow).abs() <= slow.abs() * 1e-5 + 30.0, "{rows}x{blocks}x{outputs}: {fast} {slow}");
            }
        }
    }
}
