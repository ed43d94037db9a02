//! `y = silu(x Hᵀ + a) Oᵀ + b + x Sᵀ`: a two-layer map with a linear skip, used to enter and to leave the stream
//! (TimesFM, Chronos-Bolt). x `[rows, inputs]`, y `[rows, outputs]`.

use super::activation::{silu, silu_slope};
use super::linear::{Linear, Weights};
use super::{resize, vectorized};
use crate::matmul::Store;
use crate::params::Layout;

#[derive(Clone, Debug)]
pub(crate) struct ResidualMlp {
    pub(crate) hidden: Linear,
    pub(crate) output: Linear,
    pub(crate) skip: Linear,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ResidualMlpTrace {
    before: Vec<f32>,
    after: Vec<f32>,
    d_hidden: Vec<f32>,
}

impl ResidualMlp {
    pub(crate) fn new(layout: &mut Layout, name: &str, sizes: [usize; 3], out_gain: f32) -> Self {
        let [inputs, hidden, outputs] = sizes;
        let part = |part: &str| format!("{name}.{part}");
        let build =
            |layout: &mut Layout, part: &str, inputs, outputs, gain| Linear::new(layout, part, inputs, outputs, gain);
        Self {
            hidden: build(layout, &part("hidden"), inputs, hidden, 1.0).with_bias(layout, &part("hidden")),
            output: build(layout, &part("output"), hidden, outputs, out_gain).with_bias(layout, &part("output")),
            skip: build(layout, &part("skip"), inputs, outputs, out_gain),
        }
    }

    pub(crate) fn forward<W: Weights + ?Sized>(
        &self,
        weights: &W,
        x: &[f32],
        y: &mut [f32],
        trace: &mut ResidualMlpTrace,
    ) {
        let rows = x.len() / self.hidden.inputs;
        resize(&mut trace.before, rows * self.hidden.outputs);
        resize(&mut trace.after, rows * self.hidden.outputs);
        self.hidden.forward(weights, x, &mut trace.before);
        vectorized(|| trace.after.iter_mut().zip(&trace.before).for_each(|(after, before)| *after = silu(*before)));
        self.output.forward(weights, &trace.after, y);
        self.skip.forward_add(weights, x, y);
    }

    /// Without `dx` (a network's first layer) only the weights' gradient is made.
    pub(crate) fn backward(
        &self,
        weights: &[f32],
        x: &[f32],
        dy: &[f32],
        trace: &mut ResidualMlpTrace,
        gradient: &mut [f32],
        dx: Option<&mut [f32]>,
    ) {
        resize(&mut trace.d_hidden, trace.after.len());
        self.output.backward(weights, &trace.after, dy, gradient, &mut trace.d_hidden);
        vectorized(|| {
            trace.d_hidden.iter_mut().zip(&trace.before).for_each(|(d, before)| *d *= silu_slope(*before));
        });
        self.hidden.backward_weights(x, &trace.d_hidden, gradient);
        self.skip.backward_weights(x, dy, gradient);
        if let Some(dx) = dx {
            self.hidden.backward_input(weights, &trace.d_hidden, dx, Store::Overwrite);
            self.skip.backward_input(weights, dy, dx, Store::Add);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::gradient_check::{check, random};
    use std::cell::RefCell;

    #[test]
    fn gradients_are_difference_quotients() {
        let mut layout = Layout::default();
        let layer = ResidualMlp::new(&mut layout, "e", [5, 7, 4], 1.0);
        let trace = RefCell::new(ResidualMlpTrace::default());
        check(
            &layout.init(8),
            &random(9, 3 * 5),
            3 * 4,
            1e-3,
            |weights, x, y| layer.forward(weights, x, y, &mut trace.borrow_mut()),
            |weights, x, dy, gradient, dx| {
                layer.backward(weights, x, dy, &mut trace.borrow_mut(), gradient, Some(dx));
            },
        );
    }
}
