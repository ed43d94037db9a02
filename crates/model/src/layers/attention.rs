//! Causal self-attention with QK-norm and rotary positions, added to the residual stream y.
//!
//! `[q|k|v] = x Wᵀ`; per head of width w: `q̂ = R_t(g_q · q / rms(q))`, likewise k̂, with R_t the rotation by position t
//! (half-split pairs, θ = 10000); `P = softmax_causal(q̂ k̂ᵀ / √w)`; `y += concat(P v) Oᵀ`.
//! x `[windows · tokens, d]`, y `[windows · wanted, d]`, W `[3d, d]`, O `[d, d]`, g_q and g_k `[w]`, shared by all heads.
//! Of each window only the last `wanted` tokens ask; a backward pass needs all of them (`wanted == tokens`).
//!
//! Backward: `dv = Pᵀ do`, `dP = do vᵀ`, `dS = P · (dP − Σ dP·P)`, `dq̂ = dS k̂ / √w`, `dk̂ = dSᵀ q̂ / √w`; a rotation's
//! transpose is the rotation by −t.

use super::activation::{LANES, softmax};
use super::linear::{Linear, Weights};
use super::rms_norm::{EPSILON, inverse_rms, row_backward};
use super::{resize, vectorized};
use crate::matmul::{Mat, MatMut, Store, matmul};
use crate::params::{Init, Layout, Slot};

const ROPE_BASE: f32 = 10_000.0;

#[derive(Clone, Debug)]
pub(crate) struct Attention {
    pub(crate) qkv: Linear,
    pub(crate) out: Linear,
    q_gain: Slot,
    k_gain: Slot,
    heads: usize,
    d: usize,
}

/// Buffers of one pass. `probabilities` is `[windows, heads, wanted, tokens]`, zero above the diagonal.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttentionTrace {
    qkv: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    probabilities: Vec<f32>,
    mixed: Vec<f32>,
    d_mixed: Vec<f32>,
    d_qkv: Vec<f32>,
    d_q: Vec<f32>,
    d_k: Vec<f32>,
    d_scores: Vec<f32>,
    /// cos and sin for each (token, pair).
    rotation: Vec<f32>,
    tokens: usize,
}

impl Attention {
    pub(crate) fn new(layout: &mut Layout, name: &str, d: usize, heads: usize, out_gain: f32) -> Self {
        let width = d / heads;
        Self {
            qkv: Linear::new(layout, &format!("{name}.qkv"), d, 3 * d, 1.0),
            q_gain: layout.add(format!("{name}.q_norm.gain"), &[width], Init::One),
            k_gain: layout.add(format!("{name}.k_norm.gain"), &[width], Init::One),
            out: Linear::new(layout, &format!("{name}.out"), d, d, out_gain),
            heads,
            d,
        }
    }

    fn width(&self) -> usize {
        self.d / self.heads
    }

    pub(crate) fn forward_add<W: Weights + ?Sized>(
        &self,
        weights: &W,
        x: &[f32],
        [tokens, wanted]: [usize; 2],
        y: &mut [f32],
        trace: &mut AttentionTrace,
    ) {
        let rows = x.len() / self.d;
        resize(&mut trace.qkv, rows * 3 * self.d);
        self.qkv.forward(weights, x, &mut trace.qkv);
        self.mix(weights.flat(), tokens, wanted, trace);
        self.out.forward_add(weights, &trace.mixed, y);
    }

    /// From `trace.qkv` to `trace.mixed`: everything between the two matrices.
    fn mix(&self, weights: &[f32], tokens: usize, wanted: usize, trace: &mut AttentionTrace) {
        let windows = trace.qkv.len() / (3 * self.d * tokens);
        trace.prepare(windows, tokens, wanted, self.d, self.heads);
        self.normalise(self.q_gain.of(weights), 0, &trace.qkv, &trace.rotation, [tokens, wanted], &mut trace.q);
        self.normalise(self.k_gain.of(weights), 1, &trace.qkv, &trace.rotation, [tokens, tokens], &mut trace.k);
        let (d, width) = (self.d, self.width());
        let scale = 1.0 / (width as f32).sqrt();
        for window in 0..windows {
            for head in 0..self.heads {
                let at = |rows: usize, stride: usize| window * rows * stride + head * width;
                let q = head_view(&trace.q, at(wanted, d), wanted, width, d);
                let k = head_view(&trace.k, at(tokens, d), tokens, width, d);
                let v = head_view(&trace.qkv, at(tokens, 3 * d) + 2 * d, tokens, width, 3 * d);
                let area = (window * self.heads + head) * wanted * tokens;
                let p = &mut trace.probabilities[area..area + wanted * tokens];
                matmul(MatMut::dense(p, wanted, tokens), q, k.t(), scale, Store::Overwrite);
                causal_softmax(p, tokens);
                let mixed = MatMut::strided(&mut trace.mixed[at(wanted, d)..], wanted, width, d);
                matmul(mixed, Mat::dense(p, wanted, tokens), v, 1.0, Store::Overwrite);
            }
        }
    }

    /// QK-norm and rotation of part 0 (q) or 1 (k) of the `[q|k|v]` rows, of each window's last `wanted`.
    fn normalise(
        &self,
        gain: &[f32],
        part: usize,
        qkv: &[f32],
        rotation: &[f32],
        [tokens, wanted]: [usize; 2],
        out: &mut [f32],
    ) {
        let (d, width) = (self.d, self.width());
        vectorized(|| {
            let rows = qkv.chunks_exact(3 * d).enumerate().filter(|(row, _)| row % tokens + wanted >= tokens);
            for ((row, qkv), out) in rows.zip(out.chunks_exact_mut(d)) {
                let angles = &rotation[row % tokens * width..][..width];
                for (x, out) in qkv[part * d..(part + 1) * d].chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                    let r = inverse_rms(x, EPSILON);
                    for k in 0..width {
                        out[k] = x[k] * r * gain[k];
                    }
                    rotate(out, angles, 1.0);
                }
            }
        });
    }

    pub(crate) fn backward(
        &self,
        weights: &[f32],
        x: &[f32],
        dy: &[f32],
        trace: &mut AttentionTrace,
        gradient: &mut [f32],
        dx: &mut [f32],
    ) {
        trace.prepare_backward();
        self.out.backward(weights, &trace.mixed, dy, gradient, &mut trace.d_mixed);
        self.mix_backward(trace);
        let AttentionTrace { qkv, rotation, d_q, d_k, d_qkv, tokens, .. } = trace;
        self.normalise_backward(self.q_gain, weights, 0, qkv, rotation, *tokens, d_q, d_qkv, gradient);
        self.normalise_backward(self.k_gain, weights, 1, qkv, rotation, *tokens, d_k, d_qkv, gradient);
        self.qkv.backward(weights, x, d_qkv, gradient, dx);
    }

    fn mix_backward(&self, trace: &mut AttentionTrace) {
        let (d, width, tokens) = (self.d, self.width(), trace.tokens);
        let scale = 1.0 / (width as f32).sqrt();
        for window in 0..trace.q.len() / (tokens * d) {
            for head in 0..self.heads {
                let at = window * tokens * d + head * width;
                let (q, k) = (head_view(&trace.q, at, tokens, width, d), head_view(&trace.k, at, tokens, width, d));
                let value_at = window * tokens * 3 * d + 2 * d + head * width;
                let v = head_view(&trace.qkv, value_at, tokens, width, 3 * d);
                let d_mixed = head_view(&trace.d_mixed, at, tokens, width, d);
                let area = (window * self.heads + head) * tokens * tokens;
                let p = &trace.probabilities[area..area + tokens * tokens];
                let probabilities = Mat::dense(p, tokens, tokens);
                let dv = MatMut::strided(&mut trace.d_qkv[value_at..], tokens, width, 3 * d);
                matmul(dv, probabilities.t(), d_mixed, 1.0, Store::Overwrite);
                matmul(MatMut::dense(&mut trace.d_scores, tokens, tokens), d_mixed, v.t(), 1.0, Store::Overwrite);
                softmax_backward(p, &mut trace.d_scores, tokens);
                let d_scores = Mat::dense(&trace.d_scores, tokens, tokens);
                matmul(MatMut::strided(&mut trace.d_q[at..], tokens, width, d), d_scores, k, scale, Store::Overwrite);
                matmul(
                    MatMut::strided(&mut trace.d_k[at..], tokens, width, d),
                    d_scores.t(),
                    q,
                    scale,
                    Store::Overwrite,
                );
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn normalise_backward(
        &self,
        gain: Slot,
        weights: &[f32],
        part: usize,
        qkv: &[f32],
        rotation: &[f32],
        tokens: usize,
        d_out: &mut [f32],
        d_qkv: &mut [f32],
        gradient: &mut [f32],
    ) {
        let (d, width) = (self.d, self.width());
        let (g, dg) = (gain.of(weights), gain.of_mut(gradient));
        let rows = qkv.chunks_exact(3 * d).zip(d_out.chunks_exact_mut(d)).zip(d_qkv.chunks_exact_mut(3 * d));
        vectorized(|| {
            for (row, ((qkv, d_out), d_qkv)) in rows.enumerate() {
                let angles = &rotation[row % tokens * width..][..width];
                let (x, dx) = (&qkv[part * d..(part + 1) * d], &mut d_qkv[part * d..(part + 1) * d]);
                let heads = x.chunks_exact(width).zip(d_out.chunks_exact_mut(width)).zip(dx.chunks_exact_mut(width));
                for ((x, d_out), dx) in heads {
                    rotate(d_out, angles, -1.0);
                    row_backward(x, g, d_out, dg, dx);
                }
            }
        });
    }
}

impl AttentionTrace {
    fn prepare(&mut self, windows: usize, tokens: usize, wanted: usize, d: usize, heads: usize) {
        let width = d / heads;
        resize(&mut self.k, windows * tokens * d);
        for buffer in [&mut self.q, &mut self.mixed] {
            resize(buffer, windows * wanted * d);
        }
        resize(&mut self.probabilities, windows * heads * wanted * tokens);
        if self.tokens != tokens {
            self.tokens = tokens;
            self.rotation = rotation_table(tokens, width);
        }
    }

    fn prepare_backward(&mut self) {
        resize(&mut self.d_mixed, self.mixed.len());
        resize(&mut self.d_q, self.q.len());
        resize(&mut self.d_k, self.k.len());
        resize(&mut self.d_qkv, self.qkv.len());
        resize(&mut self.d_scores, self.tokens * self.tokens);
    }
}

fn head_view(data: &[f32], at: usize, tokens: usize, width: usize, stride: usize) -> Mat<'_> {
    Mat::strided(&data[at..], tokens, width, stride)
}

/// Per token: `[cos of each pair | sin of each pair]`.
fn rotation_table(tokens: usize, width: usize) -> Vec<f32> {
    let half = width / 2;
    let mut table = vec![0.0; tokens * width];
    for (token, row) in table.chunks_exact_mut(width).enumerate() {
        for pair in 0..half {
            let angle = token as f32 * ROPE_BASE.powf(-(pair as f32) / half as f32);
            row[pair] = angle.cos();
            row[half + pair] = angle.sin();
        }
    }
    table
}

/// Rotates the pairs (x[k], x[k + half]) forward (`direction` 1) or back (-1).
#[inline(always)]
fn rotate(x: &mut [f32], angles: &[f32], direction: f32) {
    let half = x.len() / 2;
    let ((low, high), (cos, sin)) = (x.split_at_mut(half), angles.split_at(half));
    for k in 0..half {
        let (a, b, s) = (low[k], high[k], direction * sin[k]);
        low[k] = a * cos[k] - b * s;
        high[k] = a * s + b * cos[k];
    }
}

/// Of the rows of a window's last tokens, each up to its own token; zero beyond.
fn causal_softmax(scores: &mut [f32], tokens: usize) {
    let first = tokens - scores.len() / tokens;
    vectorized(|| {
        for (token, row) in (first..).zip(scores.chunks_exact_mut(tokens)) {
            // Whole lanes: what is added to them weighs nothing.
            let end = (token + 1).next_multiple_of(LANES).min(tokens);
            row[token + 1..end].fill(f32::NEG_INFINITY);
            softmax(&mut row[..end]);
            row[token + 1..].fill(0.0);
        }
    });
}

/// dP to dS in place.
fn softmax_backward(p: &[f32], d: &mut [f32], tokens: usize) {
    vectorized(|| {
        for (p, d) in p.chunks_exact(tokens).zip(d.chunks_exact_mut(tokens)) {
            let dot: f32 = p.iter().zip(d.iter()).map(|(p, d)| p * d).sum();
            d.iter_mut().zip(p).for_each(|(d, p)| *d = p * (*d - dot));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::gradient_check::{check, random};
    use std::cell::RefCell;

    fn layer() -> (Attention, Vec<f32>) {
        let mut layout = Layout::default();
        let attention = Attention::new(&mut layout, "a", 8, 2, 1.0);
        let weights = layout.init(11);
        (attention, weights)
    }

    #[test]
    fn gradients_are_difference_quotients() {
        let (attention, weights) = layer();
        let trace = RefCell::new(AttentionTrace::default());
        check(
            &weights,
            &random(12, 2 * 5 * 8),
            2 * 5 * 8,
            2e-3,
            |weights, x, y| {
                y.fill(0.0);
                attention.forward_add(weights, x, [5, 5], y, &mut trace.borrow_mut());
            },
            |weights, x, dy, gradient, dx| attention.backward(weights, x, dy, &mut trace.borrow_mut(), gradient, dx),
        );
    }

    /// Layout order: W, g_q, g_k, O. The reference, in numpy:
    /// ```python
    /// import numpy as np
    /// d, heads, T, w = 4, 2, 3, 2
    /// make = lambda shape, c: np.sin(0.7 * np.arange(np.prod(shape)) + c).reshape(shape)
    /// W, O, gq, gk, x = make((3*d, d), 1), make((d, d), 4), make(w, 2), make(w, 3), make((T, d), 5)
    /// rms = lambda v, g: g * v / np.sqrt((v * v).mean(-1, keepdims=True) + 1e-6)
    /// def rotate(v, t):                       # half-split pairs; w = 2 has one pair, at angle t
    ///     c, s = np.cos(t), np.sin(t); return np.array([v[0]*c - v[1]*s, v[0]*s + v[1]*c])
    /// q, k, v = (p.reshape(T, heads, w) for p in np.split(x @ W.T, 3, axis=1))
    /// y = np.zeros((T, heads, w))
    /// for h in range(heads):
    ///     Q = np.array([rotate(rms(q[t, h], gq), t) for t in range(T)]); K = np.array([rotate(rms(k[t, h], gk), t) for t in range(T)])
    ///     S = Q @ K.T / np.sqrt(w); S[np.triu_indices(T, 1)] = -np.inf
    ///     P = np.exp(S - S.max(1, keepdims=True)); P /= P.sum(1, keepdims=True); y[:, h] = P @ v[:, h]
    /// print(np.round(y.reshape(T, d) @ O.T, 6).tolist())
    /// ```
    #[test]
    fn values_are_those_of_the_reference() {
        let mut layout = Layout::default();
        let attention = Attention::new(&mut layout, "a", 4, 2, 1.0);
        let make = |len: u8, c: f32| (0..len).map(move |k| (0.7 * f32::from(k) + c).sin());
        let weights: Vec<f32> = make(48, 1.0).chain(make(2, 2.0)).chain(make(2, 3.0)).chain(make(16, 4.0)).collect();
        let (x, mut y) = (make(12, 5.0).collect::<Vec<_>>(), [0.0; 12]);
        attention.forward_add(weights.as_slice(), &x, [3, 3], &mut y, &mut AttentionTrace::default());
        let first = [-0.526_598, 0.229_465, 0.094_184, -0.406_95];
        let second = [-0.117_645, 0.159_384, -0.182_705, 0.184_913];
        let third = [0.010_157, -0.082_929, 0.146_117, -0.192_421];
        for (found, expected) in y.iter().zip([first, second, third].concat()) {
            assert!((found - expected).abs() < 5e-6, "{found} against {expected}");
        }
    }

    #[test]
    fn a_later_token_never_changes_an_earlier_one() {
        let (attention, weights) = layer();
        let mut x = random(13, 5 * 8);
        let run = |x: &[f32]| {
            let mut y = vec![0.0; x.len()];
            attention.forward_add(weights.as_slice(), x, [5, 5], &mut y, &mut AttentionTrace::default());
            y
        };
        let before = run(&x);
        x[3 * 8..].iter_mut().for_each(|value| *value += 5.0);
        let after = run(&x);
        assert_eq!(before[..3 * 8], after[..3 * 8]);
        assert_ne!(before[3 * 8..], after[3 * 8..]);
    }
}
