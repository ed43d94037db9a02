//! The bare network on made-up features: what its speed is compared by with the same network in other programs.

use super::{ModelConfig, Precision, TelemetryModel, head::OUTPUTS, network::Network, network::Trace};
use crate::layers::int8::{Int8Weights, QuantizedMatrices};
use crate::rng::Rng;
use crate::training::adamw::AdamW;

const RATE: f32 = 1e-3;
const KEEP: f32 = 0.998;

/// A network of random weights with a batch of random features, and all buffers.
#[derive(Debug)]
pub struct BareNetwork {
    network: Network,
    optimiser: AdamW,
    quantized: QuantizedMatrices,
    decay_mask: Vec<f32>,
    features: Vec<f32>,
    tokens: usize,
    trace: Trace,
    gradient: Vec<f32>,
    steps: u64,
}

impl BareNetwork {
    /// A batch of `windows` windows of `tokens` tokens.
    pub fn new(config: ModelConfig, precision: Precision, windows: usize, tokens: usize) -> Self {
        let network = Network::new(config);
        let (weights, mut rng) = (network.layout.init(1), Rng::new(2));
        let features = (0..windows * tokens * config.features).map(|_| rng.normal()).collect();
        Self::with(network, weights, precision, features, tokens)
    }

    /// The network of a model in f32, on a batch of features `[windows · tokens, features]`.
    pub fn of(model: &TelemetryModel, features: Vec<f32>, tokens: usize) -> Self {
        let network = Network::new(model.config());
        Self::with(network, model.weights().to_vec(), Precision::F32, features, tokens)
    }

    fn with(network: Network, weights: Vec<f32>, precision: Precision, features: Vec<f32>, tokens: usize) -> Self {
        Self {
            quantized: match precision {
                Precision::F32 => QuantizedMatrices::new(),
                Precision::Int8 => network.quantize(&weights),
            },
            decay_mask: network.layout.decay_mask(),
            gradient: vec![0.0; weights.len()],
            optimiser: AdamW::new(weights),
            features,
            network,
            tokens,
            trace: Trace::default(),
            steps: 0,
        }
    }

    /// Numbers of one token that go in and come out.
    pub fn widths(&self) -> [usize; 2] {
        [self.network.config.features, OUTPUTS]
    }

    /// One forward pass; gives the first number that comes out.
    pub fn forward(&mut self) -> f32 {
        self.outputs()[0]
    }

    /// One forward pass; gives all that comes out, `[windows · tokens, outputs]`.
    pub fn outputs(&mut self) -> &[f32] {
        let weights = Int8Weights::new(&self.optimiser.weights, &self.quantized);
        self.network.forward(&weights, &self.features, self.tokens, self.tokens, &mut self.trace);
        &self.trace.out
    }

    /// Forward, backward of half the mean square of what comes out, and a step of AdamW; in f32. Gives the gradient's norm.
    pub fn train(&mut self) -> f64 {
        let weights = self.optimiser.weights.as_slice();
        self.network.forward(weights, &self.features, self.tokens, self.tokens, &mut self.trace);
        let scale = 1.0 / self.trace.out.len() as f32;
        self.trace.d_out.clear();
        self.trace.d_out.extend(self.trace.out.iter().map(|y| y * scale));
        self.gradient.fill(0.0);
        self.network.backward(weights, &self.features, &mut self.trace, &mut self.gradient);
        let norm = self.optimiser.step(&self.gradient, &self.decay_mask, self.steps, RATE, KEEP);
        self.steps += 1;
        norm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_brings_what_comes_out_towards_zero() {
        let mut bare = BareNetwork::new(ModelConfig::tiny(), Precision::F32, 2, 3);
        let before = bare.forward().abs();
        for _ in 0..200 {
            bare.train();
        }
        assert!(bare.forward().abs() < 0.2 * before, "from {before} to {}", bare.forward());
    }
}
