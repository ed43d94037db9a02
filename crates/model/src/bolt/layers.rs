//! Layers of T5 as Chronos-Bolt uses them. Rows are tokens; weights are `[outputs, inputs]` as in the published files.

use crate::layers::activation::softmax;
use crate::layers::{add, rms_norm};
use crate::matmul::{Mat, MatMut, Store, matmul};

/// `y = x Wᵀ (+ b)`.
#[derive(Clone, Debug)]
pub(super) struct Dense {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

impl Dense {
    pub(super) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.inputs;
        let mut y = vec![0.0; rows * self.outputs];
        let weight = Mat::dense(&self.weight, self.outputs, self.inputs);
        matmul(
            MatMut::dense(&mut y, rows, self.outputs),
            Mat::dense(x, rows, self.inputs),
            weight.t(),
            1.0,
            Store::Overwrite,
        );
        if !self.bias.is_empty() {
            y.chunks_exact_mut(self.outputs).for_each(|row| add(row, &self.bias));
        }
        y
    }
}

/// `relu(x Iᵀ) Oᵀ`.
#[derive(Clone, Debug)]
pub(super) struct FeedForward {
    pub(super) norm: Norm,
    pub(super) wi: Dense,
    pub(super) wo: Dense,
}

impl FeedForward {
    /// `h += FF(RMS(h))`
    pub(super) fn add_to(&self, h: &mut [f32]) {
        let mut inside = self.wi.apply(&self.norm.apply(h));
        inside.iter_mut().for_each(|x| *x = x.max(0.0));
        add(h, &self.wo.apply(&inside));
    }
}

/// `O relu(H x + a) + b + R x + c`: enters and leaves the network.
#[derive(Clone, Debug)]
pub(super) struct ResidualBlock {
    pub(super) hidden: Dense,
    pub(super) output: Dense,
    pub(super) residual: Dense,
}

impl ResidualBlock {
    pub(super) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut inside = self.hidden.apply(x);
        inside.iter_mut().for_each(|x| *x = x.max(0.0));
        let mut y = self.output.apply(&inside);
        add(&mut y, &self.residual.apply(x));
        y
    }
}

/// `g · x / sqrt(mean(x²) + ε)`.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    pub(super) gain: Vec<f32>,
    pub(super) epsilon: f32,
}

impl Norm {
    pub(super) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        rms_norm::normalise(x, &self.gain, self.epsilon, &mut y);
        y
    }
}

/// T5 attention: no 1/√width, a position bias shared by all layers, keys that may be masked.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    pub(super) norm: Norm,
    pub(super) q: Dense,
    pub(super) k: Dense,
    pub(super) v: Dense,
    pub(super) o: Dense,
    pub(super) heads: usize,
}

impl Attention {
    /// `h += Attn(RMS(h), RMS(h))`, with `bias` `[heads, rows, rows]`.
    pub(super) fn add_self(&self, h: &mut [f32], valid: &[bool], bias: &[f32]) {
        let x = self.norm.apply(h);
        add(h, &self.attend(&x, &x, valid, Some(bias)));
    }

    /// `h += Attn(RMS(h), memory)`.
    pub(super) fn add_cross(&self, h: &mut [f32], memory: &[f32], valid: &[bool]) {
        let x = self.norm.apply(h);
        add(h, &self.attend(&x, memory, valid, None));
    }

    fn attend(&self, x: &[f32], memory: &[f32], valid: &[bool], bias: Option<&[f32]>) -> Vec<f32> {
        let (q, k, v) = (self.q.apply(x), self.k.apply(memory), self.v.apply(memory));
        let (inner, keys) = (self.q.outputs, valid.len());
        let (rows, width) = (q.len() / inner, inner / self.heads);
        let mut mixed = vec![0.0; rows * inner];
        let mut scores = vec![0.0; rows * keys];
        for head in 0..self.heads {
            let at = head * width;
            let view = |data, rows| Mat::strided(data, rows, width, inner);
            matmul(
                MatMut::dense(&mut scores, rows, keys),
                view(&q[at..], rows),
                view(&k[at..], keys).t(),
                1.0,
                Store::Overwrite,
            );
            if let Some(bias) = bias {
                add(&mut scores, &bias[head * rows * keys..(head + 1) * rows * keys]);
            }
            for row in scores.chunks_exact_mut(keys) {
                row.iter_mut().zip(valid).filter(|(_, valid)| !**valid).for_each(|(score, _)| *score = f32::MIN);
                softmax(row);
            }
            let mixed = MatMut::strided(&mut mixed[at..], rows, width, inner);
            matmul(mixed, Mat::dense(&scores, rows, keys), view(&v[at..], keys), 1.0, Store::Overwrite);
        }
        self.o.apply(&mixed)
    }
}

/// T5's bidirectional bucket of (key − query): 16 a side, exact below 8, then logarithmic up to `max_distance`.
pub(super) fn bucket(distance: i64, buckets: usize, max_distance: usize) -> usize {
    let side = buckets / 2;
    let exact = side / 2;
    let r = distance.unsigned_abs() as usize;
    let within = if r < exact {
        r
    } else {
        let share = (r as f32 / exact as f32).ln() / (max_distance as f32 / exact as f32).ln();
        (exact + (share * (side - exact) as f32) as usize).min(side - 1)
    };
    if distance > 0 { side + within } else { within }
}
