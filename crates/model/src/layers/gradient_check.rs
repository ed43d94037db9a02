//! Compares a hand-written backward pass with central differences of the forward pass.

use crate::rng::Rng;

pub(crate) fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| rng.normal()).collect()
}

/// Checks d(Σ y·r)/d(weights, x) for a random r. `tolerance` is relative to the largest gradient of its kind.
pub(crate) fn check(
    weights: &[f32],
    x: &[f32],
    outputs: usize,
    tolerance: f64,
    mut forward: impl FnMut(&[f32], &[f32], &mut [f32]),
    mut backward: impl FnMut(&[f32], &[f32], &[f32], &mut [f32], &mut [f32]),
) {
    let direction = random(99, outputs);
    let mut y = vec![0.0; outputs];
    let mut value = |weights: &[f32], x: &[f32]| -> f64 {
        forward(weights, x, &mut y);
        y.iter().zip(&direction).map(|(y, r)| f64::from(*y) * f64::from(*r)).sum()
    };
    let mut quotient = |weights: &[f32], x: &[f32], which: usize, in_weights: bool| {
        let step = 1e-2_f32;
        let mut at = |delta: f32| {
            let (mut weights, mut x) = (weights.to_vec(), x.to_vec());
            *(if in_weights { &mut weights[which] } else { &mut x[which] }) += delta;
            value(&weights, &x)
        };
        // Fourth order, so that the curvature of the layer does not hide in the tolerance.
        (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * f64::from(step))
    };
    let expected_weights: Vec<f64> = (0..weights.len()).map(|k| quotient(weights, x, k, true)).collect();
    let expected_inputs: Vec<f64> = (0..x.len()).map(|k| quotient(weights, x, k, false)).collect();

    let (mut gradient, mut dx) = (vec![0.0; weights.len()], vec![0.0; x.len()]);
    let mut y = vec![0.0; outputs];
    forward(weights, x, &mut y);
    backward(weights, x, &direction, &mut gradient, &mut dx);
    compare("weight", &expected_weights, &gradient, tolerance);
    compare("input", &expected_inputs, &dx, tolerance);
}

fn compare(what: &str, expected: &[f64], found: &[f32], tolerance: f64) {
    let largest = expected.iter().fold(0.0_f64, |top, value| top.max(value.abs()));
    assert!(expected.is_empty() || largest > 0.0, "{what}: nothing to compare");
    for (k, (expected, found)) in expected.iter().zip(found).enumerate() {
        let difference = (expected - f64::from(*found)).abs();
        assert!(difference <= tolerance * largest, "{what} {k}: {found}, by differences {expected} (of {largest})");
    }
}
