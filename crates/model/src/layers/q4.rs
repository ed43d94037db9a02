//! `y = x Wᵀ + b` with W in four bits (GGML's Q4_0) and x rounded to eight, both in blocks of 32 inputs.
//!
//! Weights: `w = d_w (n − 8)`, n in 0..=15. Inputs: `x ≈ d_x u`, u in −127..=127, rounded in each pass.
//! `y[r, o] = b[o] + Σ_blocks d_w d_x (Σ n u − 8 Σ u)`. The sums of a block are whole numbers and the blocks are added in
//! order without fused products, so every processor gives the same bits.

use super::vectorized;
use crate::half::f16_to_f32;

/// Inputs of one block.
pub(crate) const BLOCK: usize = 32;
/// Bytes of one block in a file: a 16-bit scale and 32 nibbles.
pub(crate) const BLOCK_BYTES: usize = 18;
/// Outputs that are computed side by side.
const LANES: usize = 8;
/// Inputs that one lane multiplies and adds at once.
const GROUP: usize = 4;
/// Groups of a block.
const GROUPS: usize = BLOCK / GROUP;
/// Rows of x that share a load of weights.
const ROWS: usize = 4;

/// The nibbles of one block of eight outputs, one a byte: `[group][output][4]`.
type Nibbles = [[u8; LANES * GROUP]; GROUPS];
/// Four rounded inputs in each whole number.
type Quads = [i32; GROUPS];

/// A matrix `[outputs, inputs]` with its bias.
#[derive(Clone, Debug)]
pub(crate) struct Q4Matrix {
    /// `[outputs / 8][inputs / 32]`
    nibbles: Vec<Nibbles>,
    /// The blocks' scales, in the same order.
    scales: Vec<[f32; LANES]>,
    bias: Vec<f32>,
    inputs: usize,
}

/// Inputs rounded to eight bits, `[rows, inputs / 32]` blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundedRows {
    quads: Vec<Quads>,
    scales: Vec<f32>,
    /// What the nibbles' offset takes away: −8 times the sum of each block's inputs, of the first and of the second pair of
    /// every four, two numbers of 16 bits.
    offsets: Vec<i32>,
}

/// One row of the rounded inputs.
#[derive(Clone, Copy)]
struct Row<'a> {
    quads: &'a [Quads],
    scales: &'a [f32],
    offsets: &'a [i32],
}

/// The numbers of a block of a file.
pub(crate) fn unpack(block: &[u8], out: &mut [f32]) {
    let scale = f16_to_f32(u16::from_le_bytes([block[0], block[1]]));
    let (low, high) = out.split_at_mut(BLOCK / 2);
    for ((byte, low), high) in block[2..].iter().zip(low).zip(high) {
        *low = (f32::from(byte & 15) - 8.0) * scale;
        *high = (f32::from(byte >> 4) - 8.0) * scale;
    }
}

impl Q4Matrix {
    /// From a file's blocks, row by row: as many outputs as the bias has, a multiple of 8, and inputs a multiple of 32.
    pub(crate) fn new(blocks: &[u8], bias: Vec<f32>, inputs: usize) -> Self {
        let (outputs, per_row) = (bias.len(), inputs / BLOCK);
        assert!(outputs % LANES == 0 && blocks.len() == outputs * per_row * BLOCK_BYTES, "blocks of another shape");
        let count = outputs / LANES * per_row;
        let (mut nibbles, mut scales) = (vec![[[0; LANES * GROUP]; GROUPS]; count], vec![[0.0; LANES]; count]);
        for (k, block) in blocks.chunks_exact(BLOCK_BYTES).enumerate() {
            let (output, place) = (k / per_row, k % per_row);
            let (at, lane) = (output / LANES * per_row + place, output % LANES);
            scales[at][lane] = f16_to_f32(u16::from_le_bytes([block[0], block[1]]));
            for (j, byte) in block[2..].iter().enumerate() {
                for (input, nibble) in [(j, byte & 15), (j + BLOCK / 2, byte >> 4)] {
                    nibbles[at][input / GROUP][lane * GROUP + input % GROUP] = nibble;
                }
            }
        }
        Self { nibbles, scales, bias, inputs }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `y = x Wᵀ + b`, y `[rows, outputs]`.
    pub(crate) fn product(&self, x: &RoundedRows, y: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return simd.vectorize(Product { matrix: self, x, y, kernel: Avx2(simd) });
        }
        self.run(x, y, Portable);
    }

    #[inline(always)]
    fn run<K: Kernel>(&self, x: &RoundedRows, y: &mut [f32], kernel: K) {
        let (outputs, per_row) = (self.outputs(), self.inputs / BLOCK);
        let rows = x.scales.len() / per_row;
        assert!(y.len() == rows * outputs && x.scales.len() == rows * per_row, "product of another shape");
        let blocks = self.nibbles.chunks_exact(per_row).zip(self.scales.chunks_exact(per_row));
        for (k, (nibbles, scales)) in blocks.enumerate() {
            let bias = &self.bias[k * LANES..][..LANES];
            let mut put = |row: usize, sums: &[f32; LANES]| {
                let y = &mut y[row * outputs + k * LANES..][..LANES];
                for lane in 0..LANES {
                    y[lane] = sums[lane] + bias[lane];
                }
            };
            let mut row = 0;
            while row + ROWS <= rows {
                let tile =
                    [x.row(row, per_row), x.row(row + 1, per_row), x.row(row + 2, per_row), x.row(row + 3, per_row)];
                let sums = kernel.tile(nibbles, scales, tile);
                for (r, sums) in sums.iter().enumerate() {
                    put(row + r, sums);
                }
                row += ROWS;
            }
            for row in row..rows {
                put(row, &kernel.tile(nibbles, scales, [x.row(row, per_row)])[0]);
            }
        }
    }
}

impl RoundedRows {
    /// Rounds every block to whole numbers of up to 127 times its own scale; the length is a multiple of 32.
    pub(crate) fn round(&mut self, x: &[f32]) {
        let count = x.len() / BLOCK;
        self.quads.resize(count, [0; GROUPS]);
        self.scales.resize(count, 0.0);
        self.offsets.resize(count, 0);
        vectorized(
            #[inline(always)]
            || {
                for (at, block) in x.as_chunks::<BLOCK>().0.iter().enumerate() {
                    (self.scales[at], self.offsets[at]) = round_block(block, &mut self.quads[at]);
                }
            },
        );
    }

    #[inline(always)]
    fn row(&self, row: usize, per_row: usize) -> Row<'_> {
        let range = row * per_row..(row + 1) * per_row;
        Row { quads: &self.quads[range.clone()], scales: &self.scales[range.clone()], offsets: &self.offsets[range] }
    }
}

#[inline(always)]
fn round_block(x: &[f32; BLOCK], quads: &mut Quads) -> (f32, i32) {
    let mut lanes = [0.0_f32; LANES];
    for at in 0..BLOCK {
        let (size, top) = (x[at].abs(), &mut lanes[at % LANES]);
        *top = if size > *top { size } else { *top };
    }
    let mut most = 0.0_f32;
    for lane in lanes {
        most = if lane > most { lane } else { most };
    }
    let scale = most / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let (mut bytes, mut pairs) = ([0_i8; BLOCK], [0_i16; 2]);
    for at in 0..BLOCK {
        // Adding 1.5 · 2^23 rounds to the nearest whole number, ties to even, which the low byte then holds.
        bytes[at] = (x[at] * inverse + 12_582_912.0).to_bits() as u8 as i8;
        pairs[at / 2 % 2] -= 8 * i16::from(bytes[at]);
    }
    *quads = pulp::cast(bytes);
    (scale, pulp::cast(pairs))
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

/// One tile: R rows by eight outputs.
trait Kernel: Copy {
    fn tile<const R: usize>(
        self,
        nibbles: &[Nibbles],
        scales: &[[f32; LANES]],
        rows: [Row<'_>; R],
    ) -> [[f32; LANES]; R];
}

#[derive(Clone, Copy)]
struct Portable;

impl Kernel for Portable {
    #[inline(always)]
    fn tile<const R: usize>(
        self,
        nibbles: &[Nibbles],
        scales: &[[f32; LANES]],
        rows: [Row<'_>; R],
    ) -> [[f32; LANES]; R] {
        let mut kept = [[0.0; LANES]; R];
        for (k, (nibbles, scales)) in nibbles.iter().zip(scales).enumerate() {
            for (kept, row) in kept.iter_mut().zip(rows) {
                let [first, second]: [i16; 2] = pulp::cast(row.offsets[k]);
                let mut sums = [i32::from(first) + i32::from(second); LANES];
                for (nibbles, quad) in nibbles.iter().zip(row.quads[k]) {
                    let four: [i8; GROUP] = pulp::cast(quad);
                    for (sum, nibbles) in sums.iter_mut().zip(nibbles.chunks_exact(GROUP)) {
                        *sum += nibbles.iter().zip(four).map(|(n, u)| i32::from(*n) * i32::from(u)).sum::<i32>();
                    }
                }
                for ((kept, sum), scale) in kept.iter_mut().zip(sums).zip(scales) {
                    *kept += sum as f32 * (scale * row.scales[k]);
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
impl Kernel for Avx2 {
    #[inline(always)]
    fn tile<const R: usize>(
        self,
        nibbles: &[Nibbles],
        scales: &[[f32; LANES]],
        rows: [Row<'_>; R],
    ) -> [[f32; LANES]; R] {
        let pulp::x86::V3 { avx, avx2, .. } = self.0;
        let mut kept = [avx._mm256_setzero_ps(); R];
        let ones = avx._mm256_set1_epi16(1);
        for (k, (nibbles, scales)) in nibbles.iter().zip(scales).enumerate() {
            // Sums of sixteen products (n − 8) u, so below 2^15 when all is added, whatever wraps around in between.
            let mut pairs = [avx._mm256_setzero_si256(); R];
            for r in 0..R {
                pairs[r] = avx._mm256_set1_epi32(rows[r].offsets[k]);
            }
            for (group, nibbles) in nibbles.iter().enumerate() {
                let weights = pulp::cast(*nibbles);
                for r in 0..R {
                    let inputs = avx._mm256_set1_epi32(rows[r].quads[k][group]);
                    pairs[r] = avx2._mm256_add_epi16(pairs[r], avx2._mm256_maddubs_epi16(weights, inputs));
                }
            }
            let scales = pulp::cast(*scales);
            for r in 0..R {
                let sums = avx2._mm256_madd_epi16(pairs[r], ones);
                let scale = avx._mm256_mul_ps(scales, avx._mm256_set1_ps(rows[r].scales[k]));
                kept[r] = avx._mm256_add_ps(kept[r], avx._mm256_mul_ps(avx._mm256_cvtepi32_ps(sums), scale));
            }
        }
        let mut sums = [[0.0; LANES]; R];
        for r in 0..R {
            sums[r] = pulp::cast(kept[r]);
        }
        sums
    }
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

    #[test]
    fn products_are_those_of_the_unpacked_matrix() {
        for (rows, inputs, outputs) in [(1, 32, 8), (4, 64, 16), (7, 384, 24)] {
            let blocks = blocks(outputs * inputs / BLOCK);
            let mut plain = vec![0.0; outputs * inputs];
            blocks.chunks(BLOCK_BYTES).zip(plain.chunks_mut(BLOCK)).for_each(|(block, out)| unpack(block, out));
            let (x, bias) = (random(1, rows * inputs), random(2, outputs));
            let matrix = Q4Matrix::new(&blocks, bias.clone(), inputs);
            let (mut rounded, mut y) = (RoundedRows::default(), vec![0.0; rows * outputs]);
            rounded.round(&x);
            matrix.product(&rounded, &mut y);
            let mut portable = y.clone();
            matrix.run(&rounded, &mut portable, Portable);
            assert_eq!(y, portable, "every processor gives the same bits");
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
        let matrix = Q4Matrix::new(&block.repeat(8), vec![0.0; 8], BLOCK);
        for sign in [1.0, -1.0] {
            let (mut rounded, mut y) = (RoundedRows::default(), [0.0; 8]);
            rounded.round(&[sign * 127.0; BLOCK]);
            matrix.product(&rounded, &mut y);
            assert_eq!(y, [sign * 127.0 * 7.0 * 32.0; 8]);
        }
    }
}
