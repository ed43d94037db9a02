//! `y = x Wᵀ` in 8-bit whole numbers on AVX-512 VNNI, three times the rate of f32 on the same processor.
//!
//! Weights: one scale a row of W (an output), `w ≈ s_o · q`, q in −127..=127, rounded once at load. Inputs: one scale a
//! row of x, `x ≈ s_r · (u − 128)`, u in 1..=255, rounded in each pass. `y[r, o] = s_r s_o (Σ u q − 128 Σ q)`.
//! Processors without VNNI use f32: `QuantizedMatrix::new` gives `None` there.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::linear::{Linear, Weights};
use super::vectorized;
use crate::matmul::Store;
use crate::params::Slot;

/// Outputs of one register of sums.
const LANES: usize = 16;
/// Inputs that one instruction multiplies and adds.
const GROUP: usize = 4;
/// Rows of x that share a load of weights.
const ROWS: usize = 6;
/// Registers of outputs in one tile: ROWS x TILE sums stay in registers.
const TILE: usize = 4;

/// A matrix `[outputs, inputs]`, packed `[outputs / 16][inputs / 4][16][4]`.
#[derive(Clone, Debug)]
pub(crate) struct QuantizedMatrix {
    packed: Vec<i8>,
    /// Per output: scale, and Σ q.
    scales: Vec<f32>,
    sums: Vec<i32>,
    outputs: usize,
    inputs: usize,
}

/// The matrices of a network that are multiplied in 8 bits, by where they lie.
pub(crate) type QuantizedMatrices = BTreeMap<Slot, QuantizedMatrix>;

/// Weights of one thread's forward pass, some matrices in 8 bits.
#[derive(Debug)]
pub(crate) struct Int8Weights<'a> {
    flat: &'a [f32],
    matrices: &'a QuantizedMatrices,
    rows: RefCell<QuantizedRows>,
}

impl<'a> Int8Weights<'a> {
    pub(crate) fn new(flat: &'a [f32], matrices: &'a QuantizedMatrices) -> Self {
        Self { flat, matrices, rows: RefCell::default() }
    }
}

impl Weights for Int8Weights<'_> {
    fn flat(&self) -> &[f32] {
        self.flat
    }

    fn product(&self, linear: &Linear, x: &[f32], y: &mut [f32], store: Store) {
        let Some(matrix) = self.matrices.get(&linear.weight) else {
            return self.flat.product(linear, x, y, store);
        };
        matrix.product(x, y, store, &mut self.rows.borrow_mut());
        linear.add_bias(self.flat, y);
    }
}

/// Reused buffers of the inputs' rounding.
#[derive(Clone, Debug, Default)]
pub(crate) struct QuantizedRows {
    values: Vec<u8>,
    scales: Vec<f32>,
}

impl QuantizedMatrix {
    /// Rounds a row-major `[outputs, inputs]` matrix; `None` where the processor lacks VNNI.
    pub(crate) fn new(weight: &[f32], outputs: usize, inputs: usize) -> Option<Self> {
        supported().then(|| Self::pack(weight, outputs, inputs))
    }

    fn pack(weight: &[f32], outputs: usize, inputs: usize) -> Self {
        let (blocks, groups) = (outputs.div_ceil(LANES), inputs.div_ceil(GROUP));
        let mut packed = vec![0_i8; blocks * groups * LANES * GROUP];
        let (mut scales, mut sums) = (vec![0.0; blocks * LANES], vec![0; blocks * LANES]);
        for (output, row) in weight.chunks_exact(inputs).enumerate() {
            let scale = largest(row) / 127.0;
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            for (input, w) in row.iter().enumerate() {
                let q = (w * inverse).round() as i8;
                let block = (output / LANES * groups + input / GROUP) * LANES * GROUP;
                packed[block + output % LANES * GROUP + input % GROUP] = q;
                sums[output] += i32::from(q);
            }
            scales[output] = scale;
        }
        Self { packed, scales, sums, outputs, inputs }
    }

    /// `y = x Wᵀ`, or added to y.
    pub(crate) fn product(&self, x: &[f32], y: &mut [f32], store: Store, rows: &mut QuantizedRows) {
        let count = x.len() / self.inputs;
        assert!(x.len() == count * self.inputs && y.len() == count * self.outputs, "product of another shape");
        let stride = self.inputs.div_ceil(GROUP) * GROUP;
        rows.round(x, self.inputs, stride);
        for start in (0..count).step_by(ROWS) {
            let end = (start + ROWS).min(count);
            let (values, scales) = (&rows.values[start * stride..end * stride], &rows.scales[start..end]);
            self.tile_rows(values, scales, &mut y[start * self.outputs..end * self.outputs], store);
        }
    }

    fn tile_rows(&self, values: &[u8], scales: &[f32], y: &mut [f32], store: Store) {
        let blocks = self.scales.len() / LANES;
        for block in (0..blocks).step_by(TILE) {
            let mut sums = [[[0_i32; LANES]; TILE]; ROWS];
            kernel::sum(self, values, scales.len(), block, (block + TILE).min(blocks), &mut sums);
            for (row, scale) in scales.iter().enumerate() {
                let y = &mut y[row * self.outputs..(row + 1) * self.outputs];
                for (k, sums) in sums[row].iter().enumerate().take(blocks - block) {
                    self.write(y, (block + k) * LANES, sums, *scale, store);
                }
            }
        }
    }

    fn write(&self, y: &mut [f32], first: usize, sums: &[i32; LANES], scale: f32, store: Store) {
        let last = (first + LANES).min(self.outputs);
        let (scales, offsets) = (&self.scales[first..last], &self.sums[first..last]);
        for (((y, sum), s), offset) in y[first..last].iter_mut().zip(sums).zip(scales).zip(offsets) {
            let value = (sum - 128 * offset) as f32 * scale * s;
            *y = if store == Store::Add { *y + value } else { value };
        }
    }
}

impl QuantizedRows {
    fn round(&mut self, x: &[f32], inputs: usize, stride: usize) {
        let count = x.len() / inputs;
        // What pads a row multiplies weights that are zero; its value does not matter.
        self.values.resize(count * stride, 0);
        self.scales.resize(count, 0.0);
        vectorized(|| {
            let rows = x.chunks_exact(inputs).zip(self.values.chunks_exact_mut(stride));
            for ((row, out), scale) in rows.zip(&mut self.scales) {
                *scale = largest(row) / 127.0;
                let inverse = if *scale > 0.0 { 1.0 / *scale } else { 0.0 };
                // Adding 1.5 · 2^23 rounds to a whole number, which the low byte then holds (128 added beforehand).
                row.iter().zip(out).for_each(|(x, u)| *u = (x * inverse + 12_583_040.0).to_bits() as u8);
            }
        });
    }
}

/// The largest size in a row.
#[inline(always)]
pub(crate) fn largest(row: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let chunks = row.chunks_exact(16);
    let rest = chunks.remainder().iter().fold(0.0_f32, |top, x| top.max(x.abs()));
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane = if x.abs() > *lane { x.abs() } else { *lane });
    }
    // Halves against halves: one after another would take as long as all before.
    let mut width = lanes.len() / 2;
    while width > 0 {
        for at in 0..width {
            lanes[at] = if lanes[at + width] > lanes[at] { lanes[at + width] } else { lanes[at] };
        }
        width /= 2;
    }
    rest.max(lanes[0])
}

/// Whether this processor multiplies 8-bit numbers in vectors of 512 bits.
#[cfg(target_arch = "x86_64")]
pub(crate) fn supported() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn supported() -> bool {
    false
}

#[cfg(target_arch = "x86_64")]
mod kernel {
    use super::{GROUP, LANES, QuantizedMatrix, ROWS, TILE, supported};
    use std::arch::x86_64::{
        __m512i, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
    };

    type Sums = [[[i32; LANES]; TILE]; ROWS];

    /// Σ u q for `rows` rows of `values` and the blocks `from..to` of outputs.
    #[allow(unsafe_code)]
    pub(super) fn sum(matrix: &QuantizedMatrix, values: &[u8], rows: usize, from: usize, to: usize, sums: &mut Sums) {
        let groups = matrix.inputs.div_ceil(GROUP);
        assert!(supported() && rows <= ROWS && to <= from + TILE);
        assert!(values.len() >= rows * groups * GROUP && matrix.packed.len() >= to * groups * LANES * GROUP);
        // SAFETY: the processor has the instructions, and the asserts above keep every load inside its slice: `tile` reads
        // rows · groups · 4 bytes of `values` and blocks below `to` of `packed`.
        unsafe {
            match (rows, to - from) {
                (6, 4) => tile::<6, 4>(matrix, values, groups, from, sums),
                (6, 3) => tile::<6, 3>(matrix, values, groups, from, sums),
                (6, 2) => tile::<6, 2>(matrix, values, groups, from, sums),
                _ => {
                    for row in 0..rows {
                        for block in from..to {
                            let mut one = [[[0; LANES]; TILE]; ROWS];
                            tile::<1, 1>(matrix, &values[row * groups * GROUP..], groups, block, &mut one);
                            sums[row][block - from] = one[0][0];
                        }
                    }
                }
            }
        }
    }

    /// # Safety
    /// The caller checks the processor and the lengths; see `sum`.
    #[target_feature(enable = "avx512f,avx512vnni")]
    #[allow(unsafe_code)]
    unsafe fn tile<const R: usize, const B: usize>(
        matrix: &QuantizedMatrix,
        values: &[u8],
        groups: usize,
        from: usize,
        sums: &mut Sums,
    ) {
        let mut kept: [[__m512i; B]; R] = [[_mm512_setzero_si512(); B]; R];
        let (weights, values) = (matrix.packed.as_ptr(), values.as_ptr());
        for group in 0..groups {
            // SAFETY: `from + b` < `to` and `group` < `groups`, so each load is of 64 bytes inside `packed`; each row's four
            // bytes end at or before (R · groups · 4) of `values`.
            unsafe {
                let w: [__m512i; B] = std::array::from_fn(|b| {
                    _mm512_loadu_si512(weights.add(((from + b) * groups + group) * LANES * GROUP).cast())
                });
                for (r, kept) in kept.iter_mut().enumerate() {
                    let four = values.add((r * groups + group) * GROUP).cast::<i32>().read_unaligned();
                    let u = _mm512_set1_epi32(four);
                    for b in 0..B {
                        kept[b] = _mm512_dpbusd_epi32(kept[b], u, w[b]);
                    }
                }
            }
        }
        for (sums, kept) in sums.iter_mut().zip(&kept) {
            for (sums, kept) in sums.iter_mut().zip(kept) {
                // SAFETY: sixteen i32 are the 64 bytes stored.
                unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), *kept) };
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod kernel {
    use super::{LANES, QuantizedMatrix, ROWS, TILE};

    /// Never reached: `QuantizedMatrix::new` gives `None` on this processor.
    pub(super) fn sum(
        _: &QuantizedMatrix,
        _: &[u8],
        _: usize,
        _: usize,
        _: usize,
        _: &mut [[[i32; LANES]; TILE]; ROWS],
    ) {
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::gradient_check::random;

    #[test]
    fn products_are_those_of_f32_within_the_rounding() {
        if !supported() {
            println!("LEFT OUT: this processor has no AVX-512 VNNI");
            return;
        }
        for (rows, inputs, outputs) in [(1, 4, 16), (13, 128, 384), (6, 7, 5), (12, 344, 128), (7, 130, 70), (1, 1, 1)]
        {
            let (x, w) = (random(1, rows * inputs), random(2, outputs * inputs));
            let mut y = vec![1.0; rows * outputs];
            let matrix = QuantizedMatrix::new(&w, outputs, inputs).unwrap();
            matrix.product(&x, &mut y, Store::Add, &mut QuantizedRows::default());
            for r in 0..rows {
                for o in 0..outputs {
                    let exact: f32 = (0..inputs).map(|k| x[r * inputs + k] * w[o * inputs + k]).sum::<f32>() + 1.0;
                    // Each product errs by about 1/127 of the largest value over sqrt(12), and errors add as their root.
                    let tolerance = 0.07 * (inputs as f32).sqrt().max(1.5);
                    let found = y[r * outputs + o];
                    assert!(
                        (found - exact).abs() < tolerance,
                        "{rows}x{inputs}x{outputs} [{r},{o}]: {found}, not {exact}"
                    );
                }
            }
        }
    }

    #[test]
    fn zeros_and_whole_numbers_are_exact() {
        if !supported() {
            println!("LEFT OUT: this processor has no AVX-512 VNNI");
            return;
        }
        let matrix = QuantizedMatrix::new(&[127.0, -3.0, 0.0, 0.0], 2, 2).unwrap();
        let mut y = [9.0; 4];
        matrix.product(&[127.0, 5.0, 0.0, 0.0], &mut y, Store::Overwrite, &mut QuantizedRows::default());
        assert_eq!(y, [127.0 * 127.0 - 15.0, 0.0, 0.0, 0.0]);
    }
}
