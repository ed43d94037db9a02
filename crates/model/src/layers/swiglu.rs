//! `y += (silu(x Gᵀ) · (x Uᵀ)) Dᵀ`: the gated feed-forward branch (Shazeer 2020), added to the residual stream y.
//!
//! x, y `[rows, d]`; G and U are the halves of one matrix `[2f, d]`, D `[d, f]`.

use super::activation::{silu, silu_slope};
use super::linear::{Linear, Weights};
use super::{resize, vectorized};
use crate::params::Layout;

#[derive(Clone, Debug)]
pub(crate) struct SwiGlu {
    pub(crate) gate_up: Linear,
    pub(crate) down: Linear,
}

/// What backward needs: `[rows, 2f]` before the gate and `[rows, f]` after it, with their gradients.
#[derive(Clone, Debug, Default)]
pub(crate) struct SwiGluTrace {
    gate_up: Vec<f32>,
    gated: Vec<f32>,
    d_gate_up: Vec<f32>,
    d_gated: Vec<f32>,
}

impl SwiGlu {
    pub(crate) fn new(layout: &mut Layout, name: &str, d: usize, hidden: usize, out_gain: f32) -> Self {
        Self {
            gate_up: Linear::new(layout, &format!("{name}.gate_up"), d, 2 * hidden, 1.0),
            down: Linear::new(layout, &format!("{name}.down"), hidden, d, out_gain),
        }
    }

    pub(crate) fn forward_add<W: Weights + ?Sized>(
        &self,
        weights: &W,
        x: &[f32],
        y: &mut [f32],
        trace: &mut SwiGluTrace,
    ) {
        let (rows, hidden) = (x.len() / self.gate_up.inputs, self.down.inputs);
        resize(&mut trace.gate_up, rows * 2 * hidden);
        resize(&mut trace.gated, rows * hidden);
        self.gate_up.forward(weights, x, &mut trace.gate_up);
        gate(&trace.gate_up, &mut trace.gated, hidden);
        self.down.forward_add(weights, &trace.gated, y);
    }

    /// `dy` is the gradient of the stream; the stream's own share passes by outside, `dx` is the branch's.
    pub(crate) fn backward(
        &self,
        weights: &[f32],
        x: &[f32],
        dy: &[f32],
        trace: &mut SwiGluTrace,
        gradient: &mut [f32],
        dx: &mut [f32],
    ) {
        let hidden = self.down.inputs;
        resize(&mut trace.d_gated, trace.gated.len());
        resize(&mut trace.d_gate_up, trace.gate_up.len());
        self.down.backward(weights, &trace.gated, dy, gradient, &mut trace.d_gated);
        let rows = trace.gate_up.chunks_exact(2 * hidden).zip(trace.d_gated.chunks_exact(hidden));
        vectorized(|| {
            for ((gate_up, d), d_gate_up) in rows.zip(trace.d_gate_up.chunks_exact_mut(2 * hidden)) {
                let ((g, u), (dg, du)) = (gate_up.split_at(hidden), d_gate_up.split_at_mut(hidden));
                for k in 0..hidden {
                    dg[k] = d[k] * u[k] * silu_slope(g[k]);
                    du[k] = d[k] * silu(g[k]);
                }
            }
        });
        self.gate_up.backward(weights, x, &trace.d_gate_up, gradient, dx);
    }
}

/// `out = silu(gate) · up` for rows of `[gate | up]`.
fn gate(gate_up: &[f32], out: &mut [f32], hidden: usize) {
    vectorized(|| {
        for (row, out) in gate_up.chunks_exact(2 * hidden).zip(out.chunks_exact_mut(hidden)) {
            let (gate, up) = row.split_at(hidden);
            for k in 0..hidden {
                out[k] = silu(gate[k]) * up[k];
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::gradient_check::{check, random};
    use std::cell::RefCell;

    #[test]
    fn gradients_are_difference_quotients() {
        let mut layout = Layout::default();
        let layer = SwiGlu::new(&mut layout, "f", 6, 5, 1.0);
        let trace = RefCell::new(SwiGluTrace::default());
        check(
            &layout.init(3),
            &random(4, 3 * 6),
            3 * 6,
            1e-3,
            |weights, x, y| {
                y.fill(0.0);
                layer.forward_add(weights, x, y, &mut trace.borrow_mut());
            },
            |weights, x, dy, gradient, dx| layer.backward(weights, x, dy, &mut trace.borrow_mut(), gradient, dx),
        );
    }

    /// numpy: `make = lambda shape, c: np.sin(0.7 * np.arange(np.prod(shape)) + c).reshape(shape)`,
    /// `G, D, x = make((6, 4), 1), make((4, 3), 2), make((2, 4), 3)`, `g, u = np.split(x @ G.T, 2, axis=1)`,
    /// `(g / (1 + np.exp(-g)) * u) @ D.T`
    #[test]
    fn values_are_those_of_the_reference() {
        let mut layout = Layout::default();
        let layer = SwiGlu::new(&mut layout, "f", 4, 3, 1.0);
        let make = |len: u8, c: f32| (0..len).map(move |k| (0.7 * f32::from(k) + c).sin());
        let weights: Vec<f32> = make(24, 1.0).chain(make(12, 2.0)).collect();
        let (x, mut y) = (make(8, 3.0).collect::<Vec<_>>(), [0.0; 8]);
        layer.forward_add(weights.as_slice(), &x, &mut y, &mut SwiGluTrace::default());
        let expected = [-1.547_639, 3.371_093, -1.856_127, -1.496_976, -0.056_583, 2.392_763, -2.359_371, -0.010_524];
        for (found, expected) in y.iter().zip(expected) {
            assert!((found - expected).abs() < 5e-6, "{found} against {expected}");
        }
    }
}
