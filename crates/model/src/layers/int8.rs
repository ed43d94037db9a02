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
/// Registers of outputs in one tile: with up to six rows of x, whose sums all stay in registers.
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
        let mut start = 0;
        while start < count {
            // As many rows at once as have their sums in registers, then what is left.
            let together = [6, 4, 2, 1].into_iter().find(|n| *n <= count - start).unwrap_or(1);
            let end = start + together;
            let (values, scales) = (&rows.values[start * stride..end * stride], &rows.scales[start..end]);
            kernel::product(self, values, scales, &mut y[start * self.outputs..end * self.outputs], store);
            start = end;
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
    use super::{GROUP, LANES, QuantizedMatrix, TILE, supported};
    use crate::matmul::Store;
    use std::arch::x86_64::{
        __m512, __m512i, _mm512_add_ps, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_loadu_ps, _mm512_loadu_si512,
        _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps,
        _mm512_setzero_si512, _mm512_slli_epi32, _mm512_sub_epi32,
    };

    /// One, two, four or six rows of x by all outputs.
    #[allow(unsafe_code)]
    pub(super) fn product(matrix: &QuantizedMatrix, values: &[u8], scales: &[f32], y: &mut [f32], store: Store) {
        let (groups, blocks, rows) = (matrix.inputs.div_ceil(GROUP), matrix.scales.len() / LANES, scales.len());
        assert!(supported() && values.len() >= rows * groups * GROUP && y.len() == rows * matrix.outputs);
        assert!(matrix.packed.len() == blocks * groups * LANES * GROUP && matrix.sums.len() == blocks * LANES);
        assert!(matrix.outputs <= blocks * LANES && matrix.outputs + LANES > blocks * LANES);
        // SAFETY: the processor has the instructions, and the lengths are those that `some_rows` states.
        unsafe {
            match rows {
                6 => some_rows::<6>(matrix, values, scales, y, store),
                4 => some_rows::<4>(matrix, values, scales, y, store),
                2 => some_rows::<2>(matrix, values, scales, y, store),
                _ => some_rows::<1>(matrix, values, scales, y, store),
            }
        }
    }

    /// # Safety
    /// The processor has the instructions; `values` are `[R][inputs / 4][4]`, `scales` `[R]`, `y` `[R][outputs]`, and the
    /// matrix is packed as its type says.
    #[target_feature(enable = "avx512f,avx512vnni")]
    #[allow(unsafe_code)]
    unsafe fn some_rows<const R: usize>(
        matrix: &QuantizedMatrix,
        values: &[u8],
        scales: &[f32],
        y: &mut [f32],
        store: Store,
    ) {
        let blocks = matrix.scales.len() / LANES;
        for block in (0..blocks).step_by(TILE) {
            // SAFETY: as the caller's, and each call's blocks are among those of the matrix.
            unsafe {
                match blocks - block {
                    1 => tile::<R, 1>(matrix, values, scales, block, y, store),
                    2 => tile::<R, 2>(matrix, values, scales, block, y, store),
                    3 => tile::<R, 3>(matrix, values, scales, block, y, store),
                    _ => tile::<R, TILE>(matrix, values, scales, block, y, store),
                }
            }
        }
    }

    /// R rows by the B blocks of outputs from `from` on.
    ///
    /// # Safety
    /// As `some_rows`; the matrix has `from + B` blocks.
    #[target_feature(enable = "avx512f,avx512vnni")]
    #[allow(unsafe_code)]
    unsafe fn tile<const R: usize, const B: usize>(
        matrix: &QuantizedMatrix,
        values: &[u8],
        scales: &[f32],
        from: usize,
        y: &mut [f32],
        store: Store,
    ) {
        let groups = matrix.inputs.div_ceil(GROUP);
        let mut kept: [[__m512i; B]; R] = [[_mm512_setzero_si512(); B]; R];
        let (weights, values) = (matrix.packed.as_ptr(), values.as_ptr());
        for group in 0..groups {
            // SAFETY: the matrix has `from + B` blocks of `groups`, each of the 64 bytes loaded; each row's four bytes end at
            // or before (R · groups · 4) of `values`.
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
        for (r, kept) in kept.iter().enumerate() {
            for (b, sums) in kept.iter().enumerate() {
                let first = (from + b) * LANES;
                // SAFETY: `first` is below the outputs of row r, and `sums` and `scales` of the matrix have whole blocks.
                unsafe {
                    write(matrix, *sums, scales[r], first, &mut y[r * matrix.outputs..][..matrix.outputs], store);
                };
            }
        }
    }

    /// `y[first..] = s_r s_o (Σ u q − 128 Σ q)`, or added to it, for one block of a row's outputs.
    ///
    /// # Safety
    /// The processor has the instructions, `first` is below `y.len()`, and the matrix's scales and sums reach to `first + 16`.
    #[target_feature(enable = "avx512f")]
    #[allow(unsafe_code)]
    unsafe fn write(matrix: &QuantizedMatrix, sums: __m512i, scale: f32, first: usize, y: &mut [f32], store: Store) {
        let lanes = (y.len() - first).min(LANES);
        let mask = u16::MAX >> (LANES - lanes);
        // SAFETY: whole blocks are read of the matrix's numbers, and of `y` the masked lanes only, which end with it.
        unsafe {
            let offsets = _mm512_slli_epi32(_mm512_loadu_si512(matrix.sums.as_ptr().add(first).cast()), 7);
            let sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums, offsets));
            let per_output = _mm512_loadu_ps(matrix.scales.as_ptr().add(first));
            let mut value: __m512 = _mm512_mul_ps(_mm512_mul_ps(sum, _mm512_set1_ps(scale)), per_output);
            let to = y.as_mut_ptr().add(first);
            if store == Store::Add {
                value = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, to), value);
            }
            _mm512_mask_storeu_ps(to, mask, value);
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod kernel {
    use super::QuantizedMatrix;
    use crate::matmul::Store;

    /// Never reached: `QuantizedMatrix::new` gives `None` on this processor.
    pub(super) fn product(_: &QuantizedMatrix, _: &[u8], _: &[f32], _: &mut [f32], _: Store) {}
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
