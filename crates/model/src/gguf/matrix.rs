//! `y = x Wᵀ` with W in 8-bit blocks (Q8_0) and x in 16 bits.
//!
//! `w[o, i] ≈ s[o, i / 32] q[o, i]`, q in −127..=127 as the file has it; `x[r, i] ≈ t[r] u[r, i]`, u in −32767..=32767, one scale a row: with
//! 16 bits a row's outliers leave the rest as fine as blocks of 8 bits would. `y[r, o] = t[r] Σ_b s[o, b] Σ_{i in b} q u`; the inner
//! sum is exact in 32 bits (32 · 127 · 32767 < 2^27).

use super::{GgufError, block::BLOCK, damaged, file::GgufFile, kernel};
use crate::layers::{int8::largest, vectorized};
use std::io::{Read, Seek};

/// Outputs that are computed side by side.
pub(super) const TILE: usize = 32;

/// One block of 32 outputs.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Weights {
    /// `[pair of inputs][output][2]`: one instruction multiplies a pair and adds the two products.
    pub(super) quants: [[i8; 2 * TILE]; BLOCK / 2],
    pub(super) scales: [f32; TILE],
}

/// A matrix `[outputs, inputs]`.
#[derive(Debug)]
pub(super) struct Matrix {
    /// `[outputs / 32][inputs / 32]`
    pub(super) weights: Vec<Weights>,
    pub(super) outputs: usize,
    pub(super) blocks: usize,
}

/// A block of x: two numbers of 16 bits in each.
pub(super) type Pairs = [i32; BLOCK / 2];

/// Reused buffers of x in 16 bits, `[rows, inputs / 32]` blocks.
#[derive(Debug, Default)]
pub(super) struct Rounded {
    pub(super) values: Vec<Pairs>,
    pub(super) scales: Vec<f32>,
}

impl Weights {
    pub(super) fn quant(&self, lane: usize, input: usize) -> i8 {
        self.quants[input / 2][2 * lane + input % 2]
    }
}

impl Matrix {
    /// A tensor of a file, which must have this shape.
    pub(super) fn load<R: Read + Seek>(
        file: &mut GgufFile<R>,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self, GgufError> {
        let tensor = file.tensor(name)?;
        let precision = tensor.precision;
        if (tensor.outputs, tensor.inputs) != (outputs, inputs) || !inputs.is_multiple_of(BLOCK) {
            let found = format!("[{}, {}]", tensor.outputs, tensor.inputs);
            return Err(damaged(format!(
                "tensor {name} is {found} where [{outputs}, {inputs}] in blocks of 32 is wanted"
            )));
        }
        let blocks = inputs / BLOCK;
        let mut matrix = Self::empty(outputs, blocks);
        let bytes = file.bytes(name)?;
        for (at, bytes) in bytes.chunks_exact(precision.bytes(BLOCK)).enumerate() {
            let (scale, quants) = precision.block(bytes);
            if !scale.is_finite() {
                return Err(damaged(format!("tensor {name} holds {scale} in row {}", at / blocks)));
            }
            matrix.set(at / blocks, at % blocks, scale, &quants);
        }
        Ok(matrix)
    }

    /// All zero.
    pub(super) fn empty(outputs: usize, blocks: usize) -> Self {
        let none = Weights { quants: [[0; 2 * TILE]; BLOCK / 2], scales: [0.0; TILE] };
        Self { weights: vec![none; outputs.div_ceil(TILE) * blocks], outputs, blocks }
    }

    pub(super) fn set(&mut self, output: usize, block: usize, scale: f32, quants: &[i8; BLOCK]) {
        let (weights, lane) = (&mut self.weights[output / TILE * self.blocks + block], output % TILE);
        weights.scales[lane] = scale;
        for (to, two) in weights.quants.iter_mut().zip(quants.chunks_exact(2)) {
            to[2 * lane..2 * lane + 2].copy_from_slice(two);
        }
    }

    /// One row of W as floats.
    pub(super) fn row(&self, output: usize, y: &mut [f32]) {
        let (weights, lane) = (&self.weights[output / TILE * self.blocks..][..self.blocks], output % TILE);
        for (weights, y) in weights.iter().zip(y.chunks_exact_mut(BLOCK)) {
            for (input, y) in y.iter_mut().enumerate() {
                *y = f32::from(weights.quant(lane, input)) * weights.scales[lane];
            }
        }
    }

    /// `y = x Wᵀ`.
    pub(super) fn product(&self, x: &Rounded, y: &mut [f32]) {
        kernel::product(self, x, y);
    }
}

impl Rounded {
    /// Rounds rows of x.
    pub(super) fn set(&mut self, x: &[f32], inputs: usize) {
        self.values.resize(x.len() / BLOCK, Pairs::default());
        self.scales.resize(x.len() / inputs, 0.0);
        vectorized(|| {
            let rows = x.chunks_exact(inputs).zip(self.values.chunks_exact_mut(inputs / BLOCK));
            for ((row, out), scale) in rows.zip(&mut self.scales) {
                *scale = largest(row) / 32_767.0;
                let inverse = if *scale > 0.0 { 1.0 / *scale } else { 0.0 };
                for (x, out) in row.as_chunks::<BLOCK>().0.iter().zip(out) {
                    let mut values = [0; BLOCK];
                    for at in 0..BLOCK {
                        // Adding 1.5 · 2^23 rounds to a whole number, which the low half then holds.
                        values[at] = (x[at] * inverse + 12_582_912.0).to_bits() as i16;
                    }
                    *out = pulp::cast(values);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::gradient_check::random;

    #[test]
    fn products_are_those_of_floats_within_the_rounding() {
        for (rows, inputs, outputs) in [(1, 32, 8), (5, 96, 40), (4, 64, 16), (13, 128, 21), (3, 32, 1), (2, 576, 192)]
        {
            let (x, w) = (random(1, rows * inputs), random(2, outputs * inputs));
            let blocks = inputs / BLOCK;
            let mut matrix = Matrix::empty(outputs, blocks);
            for (at, block) in w.chunks_exact(BLOCK).enumerate() {
                let bytes: Vec<u8> = block.iter().flat_map(|w| w.to_le_bytes()).collect();
                let (scale, quants) = super::super::block::Precision::F32.block(&bytes);
                matrix.set(at / blocks, at % blocks, scale, &quants);
            }
            let mut rounded = Rounded::default();
            rounded.set(&x, inputs);
            let (mut y, mut row) = (vec![9.0; rows * outputs], vec![0.0; inputs]);
            matrix.product(&rounded, &mut y);
            for o in 0..outputs {
                matrix.row(o, &mut row);
                for r in 0..rows {
                    let exact: f32 = row.iter().zip(&x[r * inputs..]).map(|(w, x)| w * x).sum();
                    let found = y[r * outputs + o];
                    assert!((found - exact).abs() < 2e-3, "{rows}x{inputs}x{outputs} [{r},{o}]: {found}, not {exact}");
                }
            }
        }
    }
}
