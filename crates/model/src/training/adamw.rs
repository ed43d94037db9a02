//! AdamW (Loshchilov & Hutter 2019) with the gradient clipped by its global norm, and a running average of the weights.
//!
//! `m = β₁m + (1−β₁)g`, `v = β₂v + (1−β₂)g²`, `w −= lr (m̂ / (√v̂ + ε) + λw)`; m̂, v̂ are m, v over 1−βᵗ. λ only on matrices.

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.95;
const EPSILON: f32 = 1e-8;
const WEIGHT_DECAY: f32 = 0.01;
/// Largest norm of the gradient.
const CLIP: f64 = 1.0;
/// Elements that one partial sum of the norm covers: fixed, so that the sum does not depend on the threads.
const CHUNK: usize = 1 << 14;

/// Weights with the optimiser's state, all of one length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AdamW {
    pub(crate) weights: Vec<f32>,
    pub(crate) average: Vec<f32>,
    pub(crate) m: Vec<f32>,
    pub(crate) v: Vec<f32>,
}

impl AdamW {
    pub(crate) fn new(weights: Vec<f32>) -> Self {
        let zeros = vec![0.0; weights.len()];
        Self { average: weights.clone(), weights, m: zeros.clone(), v: zeros }
    }

    /// One step with the gradient of the mean loss. Returns its norm before clipping; a norm that is not finite leaves
    /// everything as it was. `step` counts from 0, `rate` is the learning rate, `keep` what the average keeps of itself.
    pub(crate) fn step(&mut self, gradient: &[f32], decay_mask: &[f32], step: u64, rate: f32, keep: f32) -> f64 {
        let squares =
            gradient.chunks(CHUNK).map(|part| part.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>());
        let norm = squares.sum::<f64>().sqrt();
        if !norm.is_finite() {
            return norm;
        }
        let clip = (CLIP / norm.max(CLIP)) as f32;
        let exponent = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let (c1, c2) = (1.0 - BETA_1.powi(exponent), 1.0 - BETA_2.powi(exponent));
        for k in 0..gradient.len() {
            let g = gradient[k] * clip;
            self.m[k] = BETA_1 * self.m[k] + (1.0 - BETA_1) * g;
            self.v[k] = BETA_2 * self.v[k] + (1.0 - BETA_2) * g * g;
            let update = self.m[k] / c1 / ((self.v[k] / c2).sqrt() + EPSILON);
            self.weights[k] -= rate * (update + WEIGHT_DECAY * decay_mask[k] * self.weights[k]);
            self.average[k] += (1.0 - keep) * (self.weights[k] - self.average[k]);
        }
        norm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torch.optim.AdamW by its published formula, in numpy:
    /// ```python
    /// w, m, v = 1.0, 0.0, 0.0
    /// for t, g in enumerate([0.5, -0.25, 0.1], 1):
    ///     w -= 0.1 * 0.01 * w; m = 0.9*m + 0.1*g; v = 0.95*v + 0.05*g*g
    ///     w -= 0.1 * (m / (1 - 0.9**t)) / ((v / (1 - 0.95**t)) ** 0.5 + 1e-8); print(w)
    /// ```
    #[test]
    fn steps_are_those_of_the_reference() {
        let mut optimiser = AdamW::new(vec![1.0]);
        for (t, (g, expected)) in [(0.5, 0.899000), (-0.25, 0.871264), (0.1, 0.838264)].into_iter().enumerate() {
            optimiser.step(&[g], &[1.0], t as u64, 0.1, 0.9);
            assert!((optimiser.weights[0] - expected).abs() < 2e-6, "{t}: {} against {expected}", optimiser.weights[0]);
        }
    }

    #[test]
    fn a_gradient_that_is_not_a_number_changes_nothing() {
        let mut optimiser = AdamW::new(vec![1.0, 2.0]);
        let before = optimiser.clone();
        assert!(optimiser.step(&[f32::NAN, 1.0], &[1.0, 1.0], 0, 0.1, 0.9).is_nan());
        assert_eq!(optimiser, before);
    }
}
