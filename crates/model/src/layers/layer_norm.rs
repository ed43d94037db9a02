//! `y = g · (x − mean) / √(var + ε) + b`, per row, in place; rows of the gain's width. Ba et al. 2016.

use super::vectorized;

/// Partial sums of a row, so that the compiler may use vector registers without reordering a sum on its own.
const LANES: usize = 16;

#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    pub(crate) gain: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    pub(crate) epsilon: f32,
}

impl LayerNorm {
    pub(crate) fn apply(&self, x: &mut [f32]) {
        let width = self.gain.len();
        vectorized(
            #[inline(always)]
            || {
                for row in x.chunks_exact_mut(width) {
                    let mean = sum(row, 0.0, false) / width as f32;
                    let variance = sum(row, mean, true) / width as f32;
                    let inverse = 1.0 / (variance + self.epsilon).sqrt();
                    let (gain, bias) = (&self.gain[..row.len()], &self.bias[..row.len()]);
                    for at in 0..row.len() {
                        row[at] = (row[at] - mean) * inverse * gain[at] + bias[at];
                    }
                }
            },
        );
    }
}

/// Σ (x − offset), or of its squares.
#[inline(always)]
fn sum(row: &[f32], offset: f32, squares: bool) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let x = chunk[lane] - offset;
            lanes[lane] += if squares { x * x } else { x };
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        let x = x - offset;
        *lane += if squares { x * x } else { x };
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_mean_and_deviation() {
        let norm = LayerNorm { gain: vec![2.0, 2.0, 1.0], bias: vec![0.0, 1.0, 0.0], epsilon: 0.0 };
        let mut x = [1.0, 2.0, 3.0, -5.0, -5.0, -2.0];
        norm.apply(&mut x);
        let deviation = (2.0_f32 / 3.0).sqrt();
        let expected = [-2.0 / deviation, 1.0, 1.0 / deviation, -2.0_f32.sqrt(), 1.0 - 2.0_f32.sqrt(), 2.0_f32.sqrt()];
        for (found, expected) in x.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
    }
}
