//! The whole network, its loss and its gradients against PyTorch, on weights that both sides make by a formula. The reference is
//! `bench/network_parity.py --numbers`, which prints what stands here.

use super::{
    LEVELS, ModelConfig, PATCH,
    head::{OUTPUTS, pinball},
    network::{Network, Trace},
    tokens::{Candidates, Tokens},
};

const WINDOWS: usize = 2;
const TOKENS: usize = 3;
const ROWS: usize = WINDOWS * TOKENS;

/// The reference's numbers of the same name.
fn wave(count: usize, len: usize) -> Vec<f32> {
    (0..len).map(|k| (0.7 * k as f64 + count as f64).sin() as f32).collect()
}

/// The reference's `made`: by the order of their names; gains about 1.
fn weights(network: &Network) -> Vec<f32> {
    let mut specs: Vec<_> = network.layout.specs().iter().collect();
    specs.sort_by(|a, b| a.name.cmp(&b.name));
    let mut flat = vec![0.0; network.layout.len()];
    for (count, spec) in specs.into_iter().enumerate() {
        let width = (*spec.shape.last().unwrap() as f64).sqrt() as f32;
        let weight = |x: f32| if spec.name.ends_with("gain") { 1.0 + x / 4.0 } else { x / width };
        let made = wave(count, spec.shape.iter().product());
        spec.slot.of_mut(&mut flat).iter_mut().zip(made).for_each(|(to, x)| *to = weight(x));
    }
    flat
}

fn tokens() -> Tokens {
    let candidates = Candidates {
        recent: wave(60, ROWS * LEVELS),
        long: wave(61, ROWS * LEVELS),
        last: wave(62, ROWS),
        lag: wave(63, ROWS * PATCH),
        other_lag: wave(64, ROWS * PATCH),
        trend: wave(65, ROWS * PATCH),
        seasonal: wave(66, ROWS * PATCH * LEVELS),
        drifted: wave(67, ROWS * PATCH * LEVELS),
    };
    let targets = wave(68, ROWS * PATCH).iter().map(|x| 2.0 * x).collect();
    Tokens { candidates, targets, ..Tokens::default() }
}

fn near(found: &[f32], expected: &[f32], what: &str) {
    let apart = |(a, b): (&f32, &f32)| (a - b).abs() > 1e-4 * b.abs().max(1.0);
    assert!(!found.iter().zip(expected).any(apart), "{what}: {found:?}, by PyTorch {expected:?}");
}

/// Of the first and the last row: six of their outputs.
const OUTPUTS_OF: [(usize, [f32; 6]); 2] = [
    (0, [-0.1405, -0.07143, -0.83294, -0.02679, -0.03629, 0.55322]),
    (5, [-0.24454, -0.18701, -0.96526, -0.12489, 0.0163, 0.555]),
];
const LOSS: f32 = 133.84859;
/// Of each tensor's gradient the first number, the last, and the norm.
const GRADIENTS: &[(&str, [f32; 3])] = &[
    ("blocks.0.attention.k_norm.gain", [-0.02263, -0.05939, 0.11685]),
    ("blocks.0.attention.out.weight", [-0.22840, -0.14146, 1.14867]),
    ("blocks.0.attention.q_norm.gain", [0.08634, -0.09171, 0.28549]),
    ("blocks.0.attention.qkv.weight", [0.14853, -0.25730, 2.79784]),
    ("blocks.0.feed.down.weight", [-0.04624, -0.00763, 0.42118]),
    ("blocks.0.feed.gate_up.weight", [-0.00648, 0.02625, 0.67383]),
    ("blocks.0.feed_norm.gain", [0.07318, 0.06834, 0.17537]),
    ("blocks.0.mixer_norm.gain", [-0.91419, 0.36279, 1.33596]),
    ("blocks.1.attention.k_norm.gain", [0.09915, 0.01985, 0.11812]),
    ("blocks.1.attention.out.weight", [-0.10582, 0.05245, 0.85837]),
    ("blocks.1.attention.q_norm.gain", [0.12401, 0.01897, 0.15101]),
    ("blocks.1.attention.qkv.weight", [-0.09862, 0.31163, 2.12825]),
    ("blocks.1.feed.down.weight", [-0.00411, -0.01612, 0.23375]),
    ("blocks.1.feed.gate_up.weight", [-0.13644, 0.02620, 0.49075]),
    ("blocks.1.feed_norm.gain", [0.01469, 0.00874, 0.02499]),
    ("blocks.1.mixer_norm.gain", [0.77772, -0.14942, 1.06765]),
    ("embed.hidden.bias", [-0.01970, -0.07269, 0.11687]),
    ("embed.hidden.weight", [0.00867, -0.05735, 1.38710]),
    ("embed.output.bias", [0.42480, 0.24090, 0.95406]),
    ("embed.output.weight", [0.97627, 0.61474, 7.23983]),
    ("embed.skip.weight", [0.11068, 0.20605, 8.56098]),
    ("head.hidden.bias", [0.44826, -0.17579, 0.67833]),
    ("head.hidden.weight", [1.64147, -0.05661, 4.93397]),
    ("head.output.bias", [-0.05654, -0.26667, 3.48876]),
    ("head.output.weight", [-0.00906, 0.05605, 1.95335]),
    ("head.skip.weight", [-0.01957, 0.02130, 6.25785]),
    ("norm.gain", [2.62434, 0.94024, 5.55780]),
];

#[test]
fn outputs_loss_and_gradients_are_those_of_pytorch() {
    let config = ModelConfig { d: 8, heads: 2, layers: 2, hidden: 6, edge: 5, ..ModelConfig::default() };
    let (network, mut trace) = (Network::new(config), Trace::default());
    let weights = weights(&network);
    let features = wave(50, ROWS * config.features);
    network.forward(weights.as_slice(), &features, TOKENS, TOKENS, &mut trace);
    for (row, expected) in OUTPUTS_OF {
        let found = [0, 100, 255, 256, 400, 543].map(|k| trace.out[row * OUTPUTS + k]);
        near(&found, &expected, "outputs");
    }
    let mut slopes = vec![0.0; trace.out.len()];
    let (loss, targets) = pinball(&trace.out, &tokens(), &mut slopes);
    near(&[loss as f32], &[LOSS], "loss");
    assert_eq!(targets, ROWS * PATCH);
    let mut gradient = vec![0.0; weights.len()];
    trace.d_out = slopes;
    network.backward(&weights, &features, &mut trace, &mut gradient);
    assert_eq!(GRADIENTS.len(), network.layout.specs().len());
    for (name, expected) in GRADIENTS {
        let spec = network.layout.specs().iter().find(|spec| spec.name == *name).unwrap();
        let of = spec.slot.of(&gradient);
        let norm = of.iter().map(|x| x * x).sum::<f32>().sqrt();
        near(&[of[0], of[of.len() - 1], norm], expected, name);
    }
}
