//! A gated recurrent unit (Cho et al. 2014) over the tokens of each window, added to the residual stream y.
//!
//! `[a_r|a_z|a_n] = x Wᵀ + b`, `[c_r|c_z|c_n] = h Uᵀ` with h the last step's output (zero before the first);
//! `r = σ(a_r + c_r)`, `z = σ(a_z + c_z)`, `n = tanh(a_n + r · c_n)`, `h' = (1 − z) n + z h`; `y += h'`.
//! x `[windows · tokens, d]`, y `[windows · wanted, d]` (the last tokens of each window), W and U `[3d, d]`, b `[3d]`.
//!
//! Backward, from the last token to the first, with g = dh': `dn = g (1 − z)(1 − n²)`, `dz = g (h − n) z (1 − z)`,
//! `dr = dn · c_n · r (1 − r)`, `dh = g z + [dr|dz|dn·r] U`.

use super::activation::{exp, sigmoid};
use super::linear::{Linear, Weights};
use super::{add, resize};
use crate::matmul::{Mat, MatMut, Store, matmul};
use crate::params::Layout;

#[derive(Clone, Debug)]
pub(crate) struct Gru {
    input: Linear,
    recurrent: Linear,
    d: usize,
}

/// `[rows, 3d]` sums from the input and from the past, `[rows, d]` states before and after, and their gradients.
#[derive(Clone, Debug, Default)]
pub(crate) struct GruTrace {
    from_input: Vec<f32>,
    from_past: Vec<f32>,
    before: Vec<f32>,
    after: Vec<f32>,
    d_input: Vec<f32>,
    d_past: Vec<f32>,
    d_state: Vec<f32>,
    tokens: usize,
}

/// The gates of one unit.
#[derive(Clone, Copy)]
struct Gates {
    r: f32,
    z: f32,
    n: f32,
}

impl Gates {
    fn of(a: &[f32], c: &[f32], k: usize, d: usize) -> Self {
        let r = sigmoid(a[k] + c[k]);
        let z = sigmoid(a[d + k] + c[d + k]);
        Self { r, z, n: tanh(a[2 * d + k] + r * c[2 * d + k]) }
    }
}

fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

impl Gru {
    pub(crate) fn new(layout: &mut Layout, name: &str, d: usize) -> Self {
        let input = format!("{name}.input");
        Self {
            input: Linear::new(layout, &input, d, 3 * d, 1.0).with_bias(layout, &input),
            recurrent: Linear::new(layout, &format!("{name}.recurrent"), d, 3 * d, 1.0),
            d,
        }
    }

    pub(crate) fn forward_add<W: Weights + ?Sized>(
        &self,
        weights: &W,
        x: &[f32],
        [tokens, wanted]: [usize; 2],
        y: &mut [f32],
        trace: &mut GruTrace,
    ) {
        let d = self.d;
        trace.prepare(x.len(), tokens);
        self.input.forward(weights, x, &mut trace.from_input);
        let windows = x.len() / (tokens * d);
        let recurrent = Mat::dense(self.recurrent.weight.of(weights.flat()), 3 * d, d);
        for token in 0..tokens {
            if token > 0 {
                let past = Mat::strided(&trace.after[(token - 1) * d..], windows, d, tokens * d);
                let sums = MatMut::strided(&mut trace.from_past[token * 3 * d..], windows, 3 * d, tokens * 3 * d);
                matmul(sums, past, recurrent.t(), 1.0, Store::Overwrite);
            }
            (0..windows).for_each(|window| trace.advance(window * tokens + token, token > 0, d));
        }
        let last = trace.after.chunks_exact(tokens * d).map(|window| &window[(tokens - wanted) * d..]);
        y.chunks_exact_mut(wanted * d).zip(last).for_each(|(y, h)| add(y, h));
    }

    pub(crate) fn backward(
        &self,
        weights: &[f32],
        x: &[f32],
        dy: &[f32],
        trace: &mut GruTrace,
        gradient: &mut [f32],
        dx: &mut [f32],
    ) {
        let (d, tokens) = (self.d, trace.tokens);
        let windows = x.len() / (tokens * d);
        resize(&mut trace.d_input, trace.from_input.len());
        resize(&mut trace.d_past, trace.from_past.len());
        resize(&mut trace.d_state, windows * d);
        trace.d_state.fill(0.0);
        let recurrent = Mat::dense(self.recurrent.weight.of(weights), 3 * d, d);
        for token in (0..tokens).rev() {
            (0..windows).for_each(|window| trace.retreat(window, token, dy, d));
            let sums = Mat::strided(&trace.d_past[token * 3 * d..], windows, 3 * d, tokens * 3 * d);
            matmul(MatMut::dense(&mut trace.d_state, windows, d), sums, recurrent, 1.0, Store::Add);
        }
        self.recurrent.backward_weights(&trace.before, &trace.d_past, gradient);
        self.input.backward(weights, x, &trace.d_input, gradient, dx);
    }
}

impl GruTrace {
    fn prepare(&mut self, len: usize, tokens: usize) {
        self.tokens = tokens;
        for buffer in [&mut self.from_input, &mut self.from_past] {
            resize(buffer, 3 * len);
        }
        for buffer in [&mut self.before, &mut self.after] {
            resize(buffer, len);
        }
    }

    /// One window's state from the token before `row` to `row`.
    fn advance(&mut self, row: usize, has_past: bool, d: usize) {
        if has_past {
            self.before[row * d..(row + 1) * d].copy_from_slice(&self.after[(row - 1) * d..row * d]);
        } else {
            self.before[row * d..(row + 1) * d].fill(0.0);
            self.from_past[row * 3 * d..(row + 1) * 3 * d].fill(0.0);
        }
        let (a, c) =
            (&self.from_input[row * 3 * d..(row + 1) * 3 * d], &self.from_past[row * 3 * d..(row + 1) * 3 * d]);
        for k in 0..d {
            let Gates { z, n, .. } = Gates::of(a, c, k, d);
            self.after[row * d + k] = (1.0 - z) * n + z * self.before[row * d + k];
        }
    }

    /// The gradients of one window's token; `d_state` becomes that of the state before, less the share through U.
    fn retreat(&mut self, window: usize, token: usize, dy: &[f32], d: usize) {
        let row = window * self.tokens + token;
        let at = row * 3 * d;
        let (a, c) = (&self.from_input[at..at + 3 * d], &self.from_past[at..at + 3 * d]);
        let (d_input, d_past) = (&mut self.d_input[at..at + 3 * d], &mut self.d_past[at..at + 3 * d]);
        for k in 0..d {
            let Gates { r, z, n } = Gates::of(a, c, k, d);
            let g = self.d_state[window * d + k] + dy[row * d + k];
            let dn = g * (1.0 - z) * (1.0 - n * n);
            let dr = dn * c[2 * d + k] * r * (1.0 - r);
            let dz = g * (self.before[row * d + k] - n) * z * (1.0 - z);
            (d_input[k], d_input[d + k], d_input[2 * d + k]) = (dr, dz, dn);
            (d_past[k], d_past[d + k], d_past[2 * d + k]) = (dr, dz, dn * r);
            self.d_state[window * d + k] = g * z;
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
        let gru = Gru::new(&mut layout, "g", 4);
        let trace = RefCell::new(GruTrace::default());
        check(
            &layout.init(21),
            &random(22, 2 * 5 * 4),
            2 * 5 * 4,
            2e-3,
            |weights, x, y| {
                y.fill(0.0);
                gru.forward_add(weights, x, [5, 5], y, &mut trace.borrow_mut());
            },
            |weights, x, dy, gradient, dx| gru.backward(weights, x, dy, &mut trace.borrow_mut(), gradient, dx),
        );
    }

    /// torch.nn.GRU by its published formula, in numpy, d = 1, `W = [0.5, -0.3, 0.8]`, `U = [0.2, 0.7, -0.6]`, b = 0:
    /// ```python
    /// s = lambda x: 1 / (1 + np.exp(-x)); h = 0
    /// for x in (1.0, -2.0, 0.5):
    ///     r, z = s(.5*x + .2*h), s(-.3*x + .7*h); n = np.tanh(.8*x + r*-.6*h); h = (1-z)*n + z*h; print(round(h, 6))
    /// ```
    #[test]
    fn values_are_those_of_the_reference() {
        let mut layout = Layout::default();
        let gru = Gru::new(&mut layout, "g", 1);
        let weights = [0.5, -0.3, 0.8, 0.0, 0.0, 0.0, 0.2, 0.7, -0.6];
        let mut y = [0.0; 3];
        gru.forward_add(weights.as_slice(), &[1.0, -2.0, 0.5], [3, 3], &mut y, &mut GruTrace::default());
        for (found, expected) in y.iter().zip([0.381451_f32, -0.006840, 0.202554]) {
            assert!((found - expected).abs() < 2e-6, "{found} against {expected}");
        }
    }
}
