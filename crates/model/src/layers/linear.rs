//! `y = x Wᵀ + b`, with x `[rows, inputs]`, W `[outputs, inputs]`, b `[outputs]` (or none), y `[rows, outputs]`.
//!
//! Backward: `dx = dy W`, `dW += dyᵀ x`, `db += Σ_rows dy`.

use crate::matmul::{Mat, MatMut, Store, matmul};
use crate::params::{Init, Layout, Slot};

/// The weights of a forward pass: plain floats, or matrices in another precision beside them.
pub(crate) trait Weights {
    /// All weights as floats, for gains and biases.
    fn flat(&self) -> &[f32];

    /// `y = x Wᵀ + b`, or added to y.
    fn product(&self, linear: &Linear, x: &[f32], y: &mut [f32], store: Store);
}

impl Weights for [f32] {
    fn flat(&self) -> &[f32] {
        self
    }

    fn product(&self, linear: &Linear, x: &[f32], y: &mut [f32], store: Store) {
        let rows = x.len() / linear.inputs;
        let weight = Mat::dense(linear.weight.of(self), linear.outputs, linear.inputs);
        matmul(MatMut::dense(y, rows, linear.outputs), Mat::dense(x, rows, linear.inputs), weight.t(), 1.0, store);
        linear.add_bias(self, y);
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Linear {
    pub(crate) weight: Slot,
    pub(crate) bias: Option<Slot>,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl Linear {
    /// Weights start normal with deviation `gain / sqrt(inputs)`.
    pub(crate) fn new(layout: &mut Layout, name: &str, inputs: usize, outputs: usize, gain: f32) -> Self {
        let init = if gain == 0.0 { Init::Zero } else { Init::Normal(gain / (inputs as f32).sqrt()) };
        let weight = layout.add(format!("{name}.weight"), &[outputs, inputs], init);
        Self { weight, bias: None, inputs, outputs }
    }

    /// With a bias that starts at zero.
    pub(crate) fn with_bias(mut self, layout: &mut Layout, name: &str) -> Self {
        self.bias = Some(layout.add(format!("{name}.bias"), &[self.outputs], Init::Zero));
        self
    }

    pub(crate) fn forward<W: Weights + ?Sized>(&self, weights: &W, x: &[f32], y: &mut [f32]) {
        weights.product(self, x, y, Store::Overwrite);
    }

    /// `y += x Wᵀ + b`: the end of a residual branch.
    pub(crate) fn forward_add<W: Weights + ?Sized>(&self, weights: &W, x: &[f32], y: &mut [f32]) {
        weights.product(self, x, y, Store::Add);
    }

    pub(crate) fn add_bias(&self, flat: &[f32], y: &mut [f32]) {
        if let Some(bias) = &self.bias {
            let bias = bias.of(flat);
            for row in y.chunks_exact_mut(self.outputs) {
                row.iter_mut().zip(bias).for_each(|(value, b)| *value += b);
            }
        }
    }

    pub(crate) fn backward(&self, weights: &[f32], x: &[f32], dy: &[f32], gradient: &mut [f32], dx: &mut [f32]) {
        self.backward_input(weights, dy, dx, Store::Overwrite);
        self.backward_weights(x, dy, gradient);
    }

    /// `dx = dy W` or `dx += dy W`.
    pub(crate) fn backward_input(&self, weights: &[f32], dy: &[f32], dx: &mut [f32], store: Store) {
        let rows = dy.len() / self.outputs;
        let weight = Mat::dense(self.weight.of(weights), self.outputs, self.inputs);
        matmul(MatMut::dense(dx, rows, self.inputs), Mat::dense(dy, rows, self.outputs), weight, 1.0, store);
    }

    pub(crate) fn backward_weights(&self, x: &[f32], dy: &[f32], gradient: &mut [f32]) {
        let rows = x.len() / self.inputs;
        let dw = MatMut::dense(self.weight.of_mut(gradient), self.outputs, self.inputs);
        matmul(dw, Mat::dense(dy, rows, self.outputs).t(), Mat::dense(x, rows, self.inputs), 1.0, Store::Add);
        if let Some(bias) = &self.bias {
            let db = bias.of_mut(gradient);
            for row in dy.chunks_exact(self.outputs) {
                db.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::gradient_check::{check, random};

    #[test]
    fn gradients_are_difference_quotients() {
        let mut layout = Layout::default();
        let linear = Linear::new(&mut layout, "l", 5, 3, 1.0).with_bias(&mut layout, "l");
        let (weights, x) = (layout.init(1), random(2, 4 * 5));
        check(
            &weights,
            &x,
            4 * 3,
            1e-3,
            |weights, x, y| linear.forward(weights, x, y),
            |weights, x, dy, gradient, dx| linear.backward(weights, x, dy, gradient, dx),
        );
    }
}
