//! `y = x Wᵀ + b` with W in four bits (GGML's Q4_0) and x rounded to eight, both in blocks of 32 inputs.
//!
//! Weights: `w = d_w (n − 8)`, n in 0..=15. Inputs: `x ≈ d_x u`, u in −127..=127, rounded in each pass.
//! `y[r, o] = b[o] + Σ_blocks d_w d_x (Σ n u − 8 Σ u)`. The sums of a block are whole numbers and the blocks are added in
//! order without fused products, so every processor gives the same bits: AVX-512 VNNI, AVX2 and plain code.

use super::int8::largest;
#[cfg(target_arch = "x86_64")]
use super::tiles::Vnni;
use super::tiles::{self, Kernel};
use super::vectorized;
use crate::half::f16_from;

/// Inputs of one block.
pub(crate) const BLOCK: usize = 32;
/// Bytes of one block in a file: a 16-bit scale and 32 nibbles.
pub(crate) const BLOCK_BYTES: usize = 18;
/// Outputs that are computed side by side.
const LANES: usize = 16;
/// Inputs that one lane multiplies and adds at once.
const GROUP: usize = 4;
/// Groups of a block.
const GROUPS: usize = BLOCK / GROUP;

/// One block of sixteen outputs.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Weights {
    /// `[group][output][4]`; the high half of each byte is of the group four further on.
    nibbles: [[u8; LANES * GROUP]; GROUPS / 2],
    scales: [f32; LANES],
}

/// A matrix `[outputs, inputs]` with its bias.
#[derive(Clone, Debug)]
pub(crate) struct Q4Matrix {
    /// `[outputs / 16][inputs / 32]`
    blocks: Vec<Weights>,
    bias: Vec<f32>,
    inputs: usize,
}

/// One block of a row of inputs.
#[derive(Clone, Copy, Debug, Default)]
struct Inputs {
    /// Four u in each whole number.
    quads: [i32; GROUPS],
    scale: f32,
    /// What the nibbles' offset takes away: −8 Σ u.
    offset: i32,
}

/// Inputs rounded to eight bits, `[rows, inputs / 32]` blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundedRows {
    blocks: Vec<Inputs>,
}

/// The numbers of a block of a file.
pub(crate) fn unpack(block: &[u8], out: &mut [f32]) {
    let scale = f16_from(block);
    let (low, high) = out.split_at_mut(BLOCK / 2);
    for ((byte, low), high) in block[2..].iter().zip(low).zip(high) {
        *low = (f32::from(byte & 15) - 8.0) * scale;
        *high = (f32::from(byte >> 4) - 8.0) * scale;
    }
}

impl Q4Matrix {
    /// From a file's blocks, row by row: as many outputs as the bias has, a multiple of 16, and inputs a multiple of 32.
    pub(crate) fn new(blocks: &[u8], bias: Vec<f32>, inputs: usize) -> Self {
        let (outputs, per_row) = (bias.len(), inputs / BLOCK);
        assert!(outputs % LANES == 0 && blocks.len() == outputs * per_row * BLOCK_BYTES, "blocks of another shape");
        let empty = Weights { nibbles: [[0; LANES * GROUP]; GROUPS / 2], scales: [0.0; LANES] };
        let mut packed = vec![empty; outputs / LANES * per_row];
        for (k, block) in blocks.chunks_exact(BLOCK_BYTES).enumerate() {
            let (output, place) = (k / per_row, k % per_row);
            packed[output / LANES * per_row + place].set(output % LANES, block);
        }
        Self { blocks: packed, bias, inputs }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `y = x Wᵀ + b`, y `[rows, outputs]`.
    pub(crate) fn product(&self, x: &RoundedRows, y: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(vnni) = Vnni::detected() {
            return self.run(x, y, vnni);
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return simd.vectorize(Product { matrix: self, x, y, kernel: Avx2(simd) });
        }
        self.run(x, y, Portable);
    }

    #[inline(always)]
    fn run<K: Kernel<Weights, Inputs, LANES>>(&self, x: &RoundedRows, y: &mut [f32], kernel: K) {
        let (outputs, per_row) = (self.outputs(), self.inputs / BLOCK);
        assert!(y.len() * per_row == x.blocks.len() * outputs, "product of another shape");
        tiles::each(&self.blocks, &x.blocks, per_row, kernel, |row, first, sums| {
            let y = &mut y[row * outputs + first..][..LANES];
            for lane in 0..LANES {
                y[lane] = sums[lane] + self.bias[first + lane];
            }
        });
    }
}

impl Weights {
    /// Takes over the block of one output from a file.
    fn set(&mut self, lane: usize, block: &[u8]) {
        self.scales[lane] = f16_from(block);
        for (j, byte) in block[2..].iter().enumerate() {
            self.nibbles[j / GROUP][lane * GROUP + j % GROUP] = *byte;
        }
    }
}

impl RoundedRows {
    /// Rounds every block to whole numbers of up to 127 times its own scale; the length is a multiple of 32.
    pub(crate) fn round(&mut self, x: &[f32]) {
        self.blocks.resize(x.len() / BLOCK, Inputs::default());
        vectorized(
            #[inline(always)]
            || {
                for (x, block) in x.as_chunks::<BLOCK>().0.iter().zip(&mut self.blocks) {
                    block.round(x);
                }
            },
        );
    }
}

impl Inputs {
    #[inline(always)]
    fn round(&mut self, x: &[f32; BLOCK]) {
        self.scale = largest(x) / 127.0;
        let inverse = if self.scale > 0.0 { 1.0 / self.scale } else { 0.0 };
        // Adding 1.5 · 2^23 rounds to the nearest whole number, ties to even, which the low byte then holds.
        let mut bytes = [0_i8; BLOCK];
        for at in 0..BLOCK {
            bytes[at] = (x[at] * inverse + 12_582_912.0).to_bits() as u8 as i8;
        }
        let sum = bytes.iter().map(|byte| i32::from(*byte)).sum::<i32>();
        self.quads = pulp::cast(bytes);
        self.offset = -8 * sum;
    }
}

/// A product to be compiled for the processor's vectors; a closure would be called instead of inlined.
#[cfg(target_arch = "x86_64")]
struct Product<'a> {
    matrix: &'a Q4Matrix,
    x: &'a RoundedRows,
    y: &'a mut [f32],
    kernel: Avx2,
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Product<'_> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        self.matrix.run(self.x, self.y, self.kernel);
    }
}

/// The kernels give each block's `Σ n u − 8 Σ u` times both scales, added up.
#[derive(Clone, Copy)]
struct Portable;

impl Kernel<Weights, Inputs, LANES> for Portable {
    const ROWS: usize = 4;

    #[inline(always)]
    fn tile<const R: usize>(self, weights: &[Weights], rows: [&[Inputs]; R]) -> [[f32; LANES]; R] {
        let mut kept = [[0.0; LANES]; R];
        for (k, weights) in weights.iter().enumerate() {
            for (kept, row) in kept.iter_mut().zip(rows) {
                let inputs: [i8; BLOCK] = pulp::cast(row[k].quads);
                for (lane, kept) in kept.iter_mut().enumerate() {
                    let byte = |j: usize| i32::from(weights.nibbles[j / GROUP][lane * GROUP + j % GROUP]);
                    let pair = |j: usize| {
                        (byte(j) & 15) * i32::from(inputs[j]) + (byte(j) >> 4) * i32::from(inputs[j + BLOCK / 2])
                    };
                    let sum = (0..BLOCK / 2).map(pair).sum::<i32>() + row[k].offset;
                    *kept += sum as f32 * (weights.scales[lane] * row[k].scale);
                }
            }
        }
        kept
    }
}

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2(pulp::x86::V3);

#[cfg(target_arch = "x86_64")]
impl Kernel<Weights, Inputs, LANES> for Avx2 {
    const ROWS: usize = 4;

    #[inline(always)]
    fn tile<const R: usize>(self, weights: &[Weights], rows: [&[Inputs]; R]) -> [[f32; LANES]; R] {
        let mut sums = [[0.0; LANES]; R];
        for half in 0..2 {
            let eight = self.half(weights, rows, half);
            for r in 0..R {
                sums[r][half * 8..][..8].copy_from_slice(&eight[r]);
            }
        }
        sums
    }
}

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    /// Eight of the sixteen outputs.
    #[inline(always)]
    fn half<const R: usize>(self, weights: &[Weights], rows: [&[Inputs]; R], half: usize) -> [[f32; LANES / 2]; R] {
        let pulp::x86::V3 { avx, avx2, .. } = self.0;
        let mut kept = [avx._mm256_setzero_ps(); R];
        let (ones, low) = (avx._mm256_set1_epi16(1), avx._mm256_set1_epi8(15));
        for (k, weights) in weights.iter().enumerate() {
            // Sums of sixteen products n u, so below 2^15.
            let mut pairs = [avx._mm256_setzero_si256(); R];
            for (group, nibbles) in weights.nibbles.iter().enumerate() {
                let both: [[u8; LANES * GROUP / 2]; 2] = pulp::cast(*nibbles);
                let both = pulp::cast(both[half]);
                let first = avx2._mm256_and_si256(both, low);
                let second = avx2._mm256_and_si256(avx2._mm256_srli_epi16::<4>(both), low);
                for r in 0..R {
                    let quads = &rows[r][k].quads;
                    let products = avx2._mm256_maddubs_epi16(first, avx._mm256_set1_epi32(quads[group]));
                    pairs[r] = avx2._mm256_add_epi16(pairs[r], products);
                    let products = avx2._mm256_maddubs_epi16(second, avx._mm256_set1_epi32(quads[group + GROUPS / 2]));
                    pairs[r] = avx2._mm256_add_epi16(pairs[r], products);
                }
            }
            let scales: [[f32; LANES / 2]; 2] = pulp::cast(weights.scales);
            for r in 0..R {
                let Inputs { scale, offset, .. } = rows[r][k];
                let sums = avx2._mm256_madd_epi16(pairs[r], ones);
                let sums = avx2._mm256_add_epi32(sums, avx._mm256_set1_epi32(offset));
                let scale = avx._mm256_mul_ps(pulp::cast(scales[half]), avx._mm256_set1_ps(scale));
                kept[r] = avx._mm256_add_ps(kept[r], avx._mm256_mul_ps(avx._mm256_cvtepi32_ps(sums), scale));
            }
        }
        kept.map(pulp::cast)
    }
}

#[cfg(target_arch = "x86_64")]
impl Kernel<Weights, Inputs, LANES> for Vnni {
    const ROWS: usize = 8;

    #[inline(always)]
    #[allow(unsafe_code)]
    fn tile<const R: usize>(self, weights: &[Weights], rows: [&[Inputs]; R]) -> [[f32; LANES]; R] {
        // SAFETY: all that `vnni_tile` asks for is a processor with these instructions, and a `Vnni` is made only there.
        // Safe code has no way to say so: pulp has no VNNI. A sentence takes 4.1 ms instead of 7.5.
        unsafe { vnni_tile(weights, rows) }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn vnni_tile<const R: usize>(weights: &[Weights], rows: [&[Inputs]; R]) -> [[f32; LANES]; R] {
    use std::arch::x86_64::{
        _mm512_add_ps, _mm512_and_si512, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_mul_ps, _mm512_set1_epi8,
        _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_srli_epi16,
    };
    let mut kept = [_mm512_setzero_ps(); R];
    let low = _mm512_set1_epi8(15);
    for (k, weights) in weights.iter().enumerate() {
        let mut sums = [_mm512_setzero_si512(); R];
        for r in 0..R {
            sums[r] = _mm512_set1_epi32(rows[r][k].offset);
        }
        for (group, nibbles) in weights.nibbles.iter().enumerate() {
            let both = pulp::cast(*nibbles);
            let first = _mm512_and_si512(both, low);
            let second = _mm512_and_si512(_mm512_srli_epi16::<4>(both), low);
            for r in 0..R {
                let quads = &rows[r][k].quads;
                sums[r] = _mm512_dpbusd_epi32(sums[r], first, _mm512_set1_epi32(quads[group]));
                sums[r] = _mm512_dpbusd_epi32(sums[r], second, _mm512_set1_epi32(quads[group + GROUPS / 2]));
            }
        }
        let scales = pulp::cast(weights.scales);
        for r in 0..R {
            let scale = _mm512_mul_ps(scales, _mm512_set1_ps(rows[r][k].scale));
            kept[r] = _mm512_add_ps(kept[r], _mm512_mul_ps(_mm512_cvtepi32_ps(sums[r]), scale));
        }
    }
    let mut sums = [[0.0; LANES]; R];
    for r in 0..R {
        sums[r] = pulp::cast(kept[r]);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::gradient_check::random;

    /// Blocks with every scale and nibble different.
    fn blocks(count: usize) -> Vec<u8> {
        let noise = random(5, count * BLOCK_BYTES);
        let mut bytes: Vec<u8> = noise.iter().map(|x| (x * 40.0) as i32 as u8).collect();
        for block in bytes.chunks_exact_mut(BLOCK_BYTES) {
            let scale = crate::half::f32_to_f16(0.01 + f32::from(block[0]) / 1e4);
            block[..2].copy_from_slice(&scale.to_le_bytes());
        }
        bytes
    }

    /// What each kernel of this processor makes of a product.
    fn on_every_kernel(matrix: &Q4Matrix, x: &RoundedRows, length: usize) -> Vec<(&'static str, Vec<f32>)> {
        let product = |run: &dyn Fn(&mut [f32])| {
            let mut y = vec![9.0; length];
            run(&mut y);
            y
        };
        let mut found = vec![("the chosen kernel", product(&|y| matrix.product(x, y)))];
        #[cfg(target_arch = "x86_64")]
        match pulp::x86::V3::try_new() {
            Some(simd) => found.push(("AVX2", product(&|y| matrix.run(x, y, Avx2(simd))))),
            None => println!("LEFT OUT: this processor has no AVX2"),
        }
        #[cfg(target_arch = "x86_64")]
        match Vnni::detected() {
            Some(vnni) => found.push(("VNNI", product(&|y| matrix.run(x, y, vnni)))),
            None => println!("LEFT OUT: this processor has no AVX-512 VNNI"),
        }
        found
    }

    #[test]
    fn products_are_those_of_the_unpacked_matrix() {
        for (rows, inputs, outputs) in [(1, 32, 16), (4, 64, 32), (7, 384, 48), (13, 96, 16), (23, 1536, 16)] {
            let blocks = blocks(outputs * inputs / BLOCK);
            let mut plain = vec![0.0; outputs * inputs];
            blocks.chunks(BLOCK_BYTES).zip(plain.chunks_mut(BLOCK)).for_each(|(block, out)| unpack(block, out));
            let (x, bias) = (random(1, rows * inputs), random(2, outputs));
            let matrix = Q4Matrix::new(&blocks, bias.clone(), inputs);
            let (mut rounded, mut y) = (RoundedRows::default(), vec![0.0; rows * outputs]);
            rounded.round(&x);
            matrix.run(&rounded, &mut y, Portable);
            for (kernel, found) in on_every_kernel(&matrix, &rounded, y.len()) {
                assert_eq!(y, found, "{kernel} gives other bits than plain code: {rows}x{inputs}x{outputs}");
            }
            for (k, found) in y.iter().enumerate() {
                let (r, o) = (k / outputs, k % outputs);
                let products = || (0..inputs).map(|i| x[r * inputs + i] * plain[o * inputs + i]);
                let exact = products().sum::<f32>() + bias[o];
                // Each input errs by up to 1/254 of its block's largest.
                let size = products().map(|p| p * p).sum::<f32>().sqrt();
                assert!((found - exact).abs() < 0.03 * size, "{rows}x{inputs}x{outputs}: {found}, not {exact}");
            }
        }
    }

    #[test]
    fn sums_of_the_largest_numbers_do_not_overflow() {
        let block = [[0x00, 0x3C].as_slice(), &[0xFF; 16]].concat(); // scale 1, every weight 7
        let matrix = Q4Matrix::new(&block.repeat(LANES), vec![0.0; LANES], BLOCK);
        for sign in [1.0, -1.0] {
            let mut rounded = RoundedRows::default();
            rounded.round(&[sign * 127.0; BLOCK]);
            for (kernel, y) in on_every_kernel(&matrix, &rounded, LANES) {
                assert_eq!(y, [sign * 127.0 * 7.0 * 32.0; LANES], "{kernel}");
            }
        }
    }
}
