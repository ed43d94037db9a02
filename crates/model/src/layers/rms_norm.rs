//! `y = g · x · r`, `r = 1 / sqrt(mean(x²) + ε)`, per row; x, y `[rows, width]`, g `[width]`; ε = 1e-6 in our own.
//!
//! Backward, with s = Σ g·dy·x over the row: `dx = r·g·dy − x·r³·s / width`, `dg += Σ_rows dy·x·r`.
//! Zhang & Sennrich 2019. The same function serves a Transformer's stream (width d) and QK-norm (width of a head).

use super::vectorized;
use crate::params::{Init, Layout, Slot};

pub(crate) const EPSILON: f32 = 1e-6;

#[derive(Clone, Debug)]
pub(crate) struct RmsNorm {
    gain: Slot,
    width: usize,
}

impl RmsNorm {
    pub(crate) fn new(layout: &mut Layout, name: &str, width: usize) -> Self {
        Self { gain: layout.add(format!("{name}.gain"), &[width], Init::One), width }
    }

    pub(crate) fn forward(&self, weights: &[f32], x: &[f32], y: &mut [f32]) {
        normalise(x, self.gain.of(weights), EPSILON, y);
    }

    pub(crate) fn backward(&self, weights: &[f32], x: &[f32], dy: &[f32], gradient: &mut [f32], dx: &mut [f32]) {
        let (gain, dg) = (self.gain.of(weights), self.gain.of_mut(gradient));
        let rows = x.chunks_exact(self.width).zip(dy.chunks_exact(self.width)).zip(dx.chunks_exact_mut(self.width));
        vectorized(|| {
            for ((x, dy), dx) in rows {
                row_backward(x, gain, dy, dg, dx);
            }
        });
    }
}

/// The formula above, for rows as wide as the gain.
pub(crate) fn normalise(x: &[f32], gain: &[f32], epsilon: f32, y: &mut [f32]) {
    vectorized(|| {
        for (x, y) in x.chunks_exact(gain.len()).zip(y.chunks_exact_mut(gain.len())) {
            let r = inverse_rms(x, epsilon);
            for ((y, x), g) in y.iter_mut().zip(x).zip(gain) {
                *y = x * r * g;
            }
        }
    });
}

/// 1 / root mean square of a row.
#[inline(always)]
pub(crate) fn inverse_rms(x: &[f32], epsilon: f32) -> f32 {
    1.0 / (sum_of_squares(x) / x.len() as f32 + epsilon).sqrt()
}

/// Sixteen partial sums, so that the compiler may use vector registers without reordering a sum on its own.
#[inline(always)]
fn sum_of_squares(x: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let chunks = x.chunks_exact(16);
    let rest: f32 = chunks.remainder().iter().map(|value| value * value).sum();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value * value;
        }
    }
    // Halves are added to halves: one lane after another would take as long as all before.
    let mut width = lanes.len() / 2;
    while width > 0 {
        (0..width).for_each(|at| lanes[at] += lanes[at + width]);
        width /= 2;
    }
    lanes[0] + rest
}

/// The backward pass of one row; `dg` is added to, `dx` overwritten.
#[inline(always)]
pub(crate) fn row_backward(x: &[f32], gain: &[f32], dy: &[f32], dg: &mut [f32], dx: &mut [f32]) {
    let r = inverse_rms(x, EPSILON);
    let mut s = 0.0;
    for k in 0..x.len() {
        s += gain[k] * dy[k] * x[k];
        dg[k] += dy[k] * x[k] * r;
    }
    let pull = r * r * r * s / x.len() as f32;
    for k in 0..x.len() {
        dx[k] = r * gain[k] * dy[k] - x[k] * pull;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::gradient_check::{check, random};

    #[test]
    fn gradients_are_difference_quotients() {
        let mut layout = Layout::default();
        let norm = RmsNorm::new(&mut layout, "n", 19);
        let weights: Vec<f32> = random(5, 19).iter().map(|value| 1.0 + 0.3 * value).collect();
        check(
            &weights,
            &random(6, 3 * 19),
            3 * 19,
            1e-3,
            |weights, x, y| norm.forward(weights, x, y),
            |weights, x, dy, gradient, dx| norm.backward(weights, x, dy, gradient, dx),
        );
    }

    /// numpy: `x = np.array([1, -2, 3, 0.5]); x / np.sqrt((x ** 2).mean() + 1e-6) * np.array([1, 1, 2, -1])`
    #[test]
    fn values_are_those_of_the_reference() {
        let weights = [1.0, 1.0, 2.0, -1.0];
        let mut layout = Layout::default();
        let norm = RmsNorm::new(&mut layout, "n", 4);
        let mut y = [0.0; 4];
        norm.forward(&weights, &[1.0, -2.0, 3.0, 0.5], &mut y);
        for (found, expected) in y.iter().zip([0.529_813, -1.059_626, 3.178_878, -0.264_906]) {
            assert!((found - expected).abs() < 2e-6, "{found} against {expected}");
        }
    }
}
