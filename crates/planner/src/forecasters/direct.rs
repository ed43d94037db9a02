//! Direct regression: for each of a few distances `h` ahead, a ridge regression in scaled space
//!
//! ```text
//! z[i+h] = a + b1 z[i] + b2 mean12 + b3 mean72 + b4 mean288 + c1 z[i+h-s] + c2 profile[i+h]
//! ```
//!
//! where `profile` is the mean of the earlier seasons at the same place. Quantiles are those of its errors on the past, added in
//! scaled space and scaled back, so that the fan is wide where the scale is. It holds a walk, a mean and a season as special cases
//! and weighs them by what held at that distance. Beyond the longest distance that the past tells enough of, what held there holds.

use super::{
    Past, Row, Rule, nine,
    walk::{nodes, place},
};
use crate::prepare::Scaler;

const FEATURES: usize = 7;
/// At most so many samples a regression.
const SAMPLES: usize = 384;
/// Fewer samples than these are fitted almost exactly, and their errors say nothing of what comes.
const LEAST_SAMPLES: usize = 3 * FEATURES;
/// Ridge, per sample: coefficients that earn less are drawn to 0.
const RIDGE: f64 = 0.02;
/// Steps over which the recent means run.
const MEANS: [usize; 3] = [12, 72, 288];
/// Errors on what was fitted are smaller than on what comes: widened by this.
const WIDER: f32 = 1.1;

/// Direct regression with errors as quantiles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Rule for Direct {
    fn name(&self) -> &'static str {
        "direct"
    }
    fn rows(&self, past: &Past, horizon: usize) -> Vec<Row> {
        let scaler = Scaler::fit(&past.filled);
        let scaled = Scaled::new(past, &scaler);
        let nodes = nodes(horizon);
        let reach = scaled.reach();
        let fits: Vec<Fit> = nodes.iter().map(|ahead| Fit::new(&scaled, (*ahead).min(reach))).collect();
        let now = scaled.len() - 1;
        let unscale = |z: f32| to_f32(scaler.undo(f64::from(z)));
        (1..=horizon)
            .map(|step| {
                let (low, high, share) = place(&nodes, step);
                let features = scaled.features(now, step);
                let (a, b) = (fits[low].row(&features), fits[high].row(&features));
                std::array::from_fn(|q| unscale(a[q] * (1.0 - share) + b[q] * share))
            })
            .collect()
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "values are f32 outside; what is beyond becomes infinite and is repaired"
)]
const fn to_f32(value: f64) -> f32 {
    value as f32
}

/// The past in scaled space, with running sums.
struct Scaled {
    values: Vec<f64>,
    sums: Vec<f64>,
    season: usize,
}

impl Scaled {
    fn new(past: &Past, scaler: &Scaler) -> Self {
        let values: Vec<f64> = past.filled.iter().map(|value| scaler.apply(f64::from(*value))).collect();
        let running = values.iter().scan(0.0, |sum, value| {
            *sum += value;
            Some(*sum)
        });
        let sums = std::iter::once(0.0).chain(running).collect();
        Self { values, sums, season: past.season }
    }
    const fn len(&self) -> usize {
        self.values.len()
    }
    /// The places from which what came `ahead` steps later is known, and most of what is looked at before them.
    fn starts(&self, ahead: usize) -> std::ops::Range<usize> {
        let end = self.len().saturating_sub(ahead);
        self.season.max(1).min(end / 2)..end
    }
    /// The longest distance ahead with enough samples; half of a past that has enough for none.
    fn reach(&self) -> usize {
        let enough = |ahead: &usize| self.starts(*ahead).len() >= LEAST_SAMPLES;
        (1..self.len()).rev().find(enough).unwrap_or(self.len() / 2).max(1)
    }
    /// Mean over `from..to`, held within what is there.
    #[allow(clippy::cast_precision_loss, reason = "lengths")]
    fn mean(&self, from: usize, to: usize) -> f64 {
        let to = to.clamp(1, self.len());
        let from = from.min(to - 1);
        (self.sums[to] - self.sums[from]) / (to - from) as f64
    }
    /// What is known at `now` about `now + ahead`.
    fn features(&self, now: usize, ahead: usize) -> [f64; FEATURES] {
        let [short, middle, long] = MEANS.map(|steps| self.mean((now + 1).saturating_sub(steps), now + 1));
        let (naive, profile) = self.seasonal(now, now + ahead).unwrap_or((long, long));
        [1.0, self.values[now], short, middle, long, naive, profile]
    }
    /// The last known value at the place of `target` in the season, and the mean of all of them, a little smoothed.
    #[allow(clippy::cast_precision_loss, reason = "a count of seasons")]
    fn seasonal(&self, now: usize, target: usize) -> Option<(f64, f64)> {
        if self.season < 2 {
            return None;
        }
        let side = self.season / 96;
        let newest = target.checked_sub((target - now).div_ceil(self.season) * self.season)?;
        let places = (0..).map_while(|back| newest.checked_sub(back * self.season));
        let seen = places.clone().count() as f64;
        // What lies after `now` is not known at `now`.
        let smooth = |place: usize| self.mean(place.saturating_sub(side), (place + side + 1).min(now + 1));
        Some((self.values[newest], places.map(smooth).sum::<f64>() / seen))
    }
}

/// One distance's coefficients and the quantiles of its errors.
struct Fit {
    weights: [f64; FEATURES],
    errors: Row,
}

impl Fit {
    fn new(scaled: &Scaled, ahead: usize) -> Self {
        let starts = scaled.starts(ahead);
        let stride = (starts.len() / SAMPLES).max(1);
        let samples: Vec<([f64; FEATURES], f64)> =
            starts.rev().step_by(stride).map(|i| (scaled.features(i, ahead), scaled.values[i + ahead])).collect();
        let weights = ridge(&samples);
        let error = |(features, target): &([f64; FEATURES], f64)| to_f32(target - dot(&weights, features)) * WIDER;
        let errors = nine(&mut samples.iter().map(error).collect::<Vec<f32>>()).unwrap_or_default();
        Self { weights, errors }
    }
    fn row(&self, features: &[f64; FEATURES]) -> Row {
        let centre = to_f32(dot(&self.weights, features));
        self.errors.map(|error| centre + error)
    }
}

fn dot(a: &[f64; FEATURES], b: &[f64; FEATURES]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Least squares with a ridge on all but the constant; with too few samples, the last value again.
#[allow(clippy::cast_precision_loss, reason = "a count")]
fn ridge(samples: &[([f64; FEATURES], f64)]) -> [f64; FEATURES] {
    let mut normal = [[0.0; FEATURES + 1]; FEATURES];
    for (features, target) in samples {
        for (row, left) in normal.iter_mut().zip(features) {
            for (cell, right) in row.iter_mut().zip(features.iter().chain([target])) {
                *cell += left * right;
            }
        }
    }
    for (index, row) in normal.iter_mut().enumerate().skip(1) {
        row[index] += RIDGE * samples.len() as f64 + 1e-9;
    }
    let walk = std::array::from_fn(|index| if index == 1 { 1.0 } else { 0.0 });
    if samples.len() < LEAST_SAMPLES { walk } else { solve(normal).unwrap_or(walk) }
}

/// Gauss elimination with pivots; `None` where the system has no single finite solution.
fn solve(mut system: [[f64; FEATURES + 1]; FEATURES]) -> Option<[f64; FEATURES]> {
    for column in 0..FEATURES {
        let pivot = (column..FEATURES).max_by(|a, b| system[*a][column].abs().total_cmp(&system[*b][column].abs()))?;
        system.swap(column, pivot);
        let top = system[column];
        if top[column].abs() < 1e-12 {
            return None;
        }
        for row in &mut system[column + 1..] {
            let factor = row[column] / top[column];
            row.iter_mut().zip(top).for_each(|(cell, above)| *cell -= factor * above);
        }
    }
    let mut solution = [0.0; FEATURES];
    for index in (0..FEATURES).rev() {
        let known: f64 = (index + 1..FEATURES).map(|other| system[index][other] * solution[other]).sum();
        solution[index] = (system[index][FEATURES] - known) / system[index][index];
    }
    solution.iter().all(|value| value.is_finite()).then_some(solution)
}
