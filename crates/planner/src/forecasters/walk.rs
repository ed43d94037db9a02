//! A walk from the last value: quantiles at `h` steps ahead are the last value plus the quantiles of `x[i] - x[i-h]` over the past.
//! Honest where the series wanders: the fan opens exactly as fast as the past did.

use super::{Past, Row, Rule, nine};

/// At most so many differences are looked at per distance.
const LOOKED_AT: usize = 512;

/// The last value, plus changes as the past knew them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk;

impl Rule for Walk {
    fn name(&self) -> &'static str {
        "walk"
    }
    fn rows(&self, past: &Past, horizon: usize) -> Vec<Row> {
        let nodes = nodes(horizon);
        let fans: Vec<Row> = nodes.iter().map(|ahead| changes(past, *ahead)).collect();
        let last = past.last();
        between(&nodes, &fans, horizon).into_iter().map(|row| row.map(|change| last + change)).collect()
    }
}

/// Quantiles of the changes over `ahead` steps; where the past is shorter, those over half of it.
fn changes(past: &Past, ahead: usize) -> Row {
    let ahead = ahead.min(past.filled.len() / 2);
    let count = past.values.len() - ahead;
    let mut seen: Vec<f32> = (0..count)
        .step_by((count / LOOKED_AT).max(1))
        .map(|from| past.values[from + ahead] - past.values[from])
        .filter(|change| change.is_finite())
        .collect();
    nine(&mut seen).unwrap_or_default()
}

/// Distances ahead at which something is worked out, denser near: 1, 2, 3, 4, 6, 8, 12, 16, ... and the horizon.
pub(crate) fn nodes(horizon: usize) -> Vec<usize> {
    let doubling = (0..).flat_map(|power| [1_usize << power, 3 << power >> 1]).skip(2);
    let mut nodes: Vec<usize> = std::iter::once(1).chain(doubling).take_while(|node| *node < horizon).collect();
    nodes.extend((horizon > 0).then_some(horizon));
    nodes.dedup();
    nodes
}

/// Rows at steps `1..=horizon` by a straight line between the rows at the nodes.
pub(crate) fn between(nodes: &[usize], rows: &[Row], horizon: usize) -> Vec<Row> {
    (1..=horizon)
        .map(|step| {
            let (low, high, share) = place(nodes, step);
            std::array::from_fn(|q| rows[low][q] * (1.0 - share) + rows[high][q] * share)
        })
        .collect()
}

/// The nodes on both sides of `step`, and how far it is from the first to the second.
#[allow(clippy::cast_precision_loss, reason = "steps")]
pub(crate) fn place(nodes: &[usize], step: usize) -> (usize, usize, f32) {
    let high = nodes.partition_point(|node| *node < step).min(nodes.len() - 1);
    let low = high.saturating_sub(1);
    let span = nodes[high] - nodes[low];
    let share = if span == 0 { 0.0 } else { (step.saturating_sub(nodes[low])) as f32 / span as f32 };
    (low, high, share)
}
