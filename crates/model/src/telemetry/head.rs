//! From the network's output to quantiles, and the pinball loss.
//!
//! For each step t of the patch ahead, w = softmax of 8 logits; `y[t, τ] = Σ_c w[c] · candidate_c[t, τ] + δ[t, τ]`.
//! The candidates (`tokens::Candidates`) are simple forecasts: the network says how far to trust each and what to add,
//! so it starts from them rather than having to learn to copy. Output row: `[PATCH, 8]` logits, then `[PATCH, 9]` δ.
//!
//! Pinball: `ρ_τ(z, y) = max(τ (z − y), (τ − 1)(z − y))`, averaged over levels and over observed targets.

use super::tokens::{CANDIDATES, Candidates, Tokens};
use super::{LEVELS, PATCH, QUANTILES};
use crate::layers::activation::softmax;

/// Numbers of one output row.
pub(crate) const OUTPUTS: usize = PATCH * (CANDIDATES + LEVELS);

/// The candidates of one step: `[CANDIDATES][LEVELS]`.
type StepCandidates = [[f32; LEVELS]; CANDIDATES];

fn step_candidates(c: &Candidates, row: usize, step: usize) -> StepCandidates {
    let at = row * PATCH + step;
    let levels = |from: &[f32], at: usize| std::array::from_fn(|level| from[at * LEVELS + level]);
    [
        levels(&c.recent, row),
        levels(&c.long, row),
        [c.last[row]; LEVELS],
        [c.lag[at]; LEVELS],
        [c.other_lag[at]; LEVELS],
        [c.trend[at]; LEVELS],
        levels(&c.seasonal, at),
        levels(&c.drifted, at),
    ]
}

fn weights(output: &[f32], step: usize) -> [f32; CANDIDATES] {
    let mut w: [f32; CANDIDATES] = std::array::from_fn(|k| output[step * CANDIDATES + k]);
    softmax(&mut w);
    w
}

fn mix(candidates: &StepCandidates, w: &[f32; CANDIDATES], delta: &[f32]) -> [f32; LEVELS] {
    let mut y: [f32; LEVELS] = std::array::from_fn(|level| delta[level]);
    for (candidate, w) in candidates.iter().zip(w) {
        for level in 0..LEVELS {
            y[level] += w * candidate[level];
        }
    }
    y
}

/// Quantiles of one step in the row's local scale, sorted so that levels never cross.
pub(crate) fn quantiles(output: &[f32], tokens: &Tokens, row: usize, step: usize) -> [f32; LEVELS] {
    let delta = &output[PATCH * CANDIDATES + step * LEVELS..][..LEVELS];
    let mut y = mix(&step_candidates(&tokens.candidates, row, step), &weights(output, step), delta);
    y.sort_unstable_by(f32::total_cmp);
    y
}

/// Sum over observed targets of the mean pinball over levels, and how many targets that were.
/// `gradient` (like `outputs`, `[rows, OUTPUTS]`) is overwritten with the sum's derivative.
pub(crate) fn pinball(outputs: &[f32], tokens: &Tokens, gradient: &mut [f32]) -> (f64, usize) {
    gradient.fill(0.0);
    let (mut loss, mut count) = (0.0_f64, 0);
    let rows = outputs.chunks_exact(OUTPUTS).zip(gradient.chunks_exact_mut(OUTPUTS)).enumerate();
    for (row, (output, gradient)) in rows {
        for (step, target) in tokens.targets[row * PATCH..(row + 1) * PATCH].iter().enumerate() {
            if !target.is_nan() {
                loss += f64::from(step_loss(output, tokens, row, step, *target, gradient));
                count += 1;
            }
        }
    }
    (loss, count)
}

fn step_loss(output: &[f32], tokens: &Tokens, row: usize, step: usize, target: f32, gradient: &mut [f32]) -> f32 {
    let candidates = step_candidates(&tokens.candidates, row, step);
    let w = weights(output, step);
    let at = PATCH * CANDIDATES + step * LEVELS;
    let y = mix(&candidates, &w, &output[at..at + LEVELS]);
    let (logit_gradient, delta_gradient) = gradient.split_at_mut(PATCH * CANDIDATES);
    let dy = &mut delta_gradient[step * LEVELS..(step + 1) * LEVELS];
    let mut loss = 0.0;
    for level in 0..LEVELS {
        let (error, tau) = (target - y[level], QUANTILES[level]);
        let slope = if error > 0.0 { tau } else { tau - 1.0 };
        loss += slope * error / LEVELS as f32;
        dy[level] = -slope / LEVELS as f32;
    }
    // Softmax backward: dl_c = w_c (g_c − Σ w g), g_c = Σ_τ dy_τ · candidate_c.
    let g = candidates.map(|candidate| candidate.iter().zip(&*dy).map(|(c, d)| c * d).sum::<f32>());
    let mean: f32 = g.iter().zip(&w).map(|(g, w)| g * w).sum();
    for k in 0..CANDIDATES {
        logit_gradient[step * CANDIDATES + k] = w[k] * (g[k] - mean);
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::gradient_check::random;

    const ROWS: usize = 2;

    /// Rows with candidates, and targets that lie off every quantile of `outputs`, where the loss has a slope; some are missing.
    fn tokens(outputs: &[f32]) -> Tokens {
        let candidates = Candidates {
            recent: random(1, ROWS * LEVELS),
            long: random(2, ROWS * LEVELS),
            last: random(3, ROWS),
            lag: random(4, ROWS * PATCH),
            other_lag: random(5, ROWS * PATCH),
            trend: random(6, ROWS * PATCH),
            seasonal: random(7, ROWS * PATCH * LEVELS),
            drifted: random(8, ROWS * PATCH * LEVELS),
        };
        let mut tokens = Tokens { candidates, targets: random(9, ROWS * PATCH), ..Tokens::default() };
        for at in 0..ROWS * PATCH {
            let (row, step) = (at / PATCH, at % PATCH);
            let levels = quantiles(&outputs[row * OUTPUTS..(row + 1) * OUTPUTS], &tokens, row, step);
            while levels.iter().any(|level| (level - tokens.targets[at]).abs() < 0.05) {
                tokens.targets[at] += 0.11;
            }
            if at % 7 == 3 {
                tokens.targets[at] = f32::NAN;
            }
        }
        tokens
    }

    #[test]
    fn gradients_of_pinball_and_softmax_are_difference_quotients() {
        let mut outputs = random(10, ROWS * OUTPUTS);
        let tokens = tokens(&outputs);
        let mut found = vec![0.0; outputs.len()];
        let (_, targets) = pinball(&outputs, &tokens, &mut found);
        assert_eq!(targets, tokens.targets.iter().filter(|target| !target.is_nan()).count());
        let mut unused = vec![0.0; outputs.len()];
        for k in 0..outputs.len() {
            let (step, at) = (4e-3, outputs[k]);
            let mut loss = |value: f32| {
                outputs[k] = value;
                pinball(&outputs, &tokens, &mut unused).0
            };
            let expected = (loss(at + step) - loss(at - step)) / f64::from(2.0 * step);
            outputs[k] = at;
            assert!(
                (expected - f64::from(found[k])).abs() < 2e-4,
                "output {k}: {}, by differences {expected}",
                found[k]
            );
        }
        assert!(found.iter().any(|slope| slope.abs() > 0.05), "nothing was compared");
    }
}
