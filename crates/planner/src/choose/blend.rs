//! How candidates are weighed and put together.
//!
//! Weight: `(relative loss)^-8`, the loss shrunk towards the candidate's prior by three ends' worth, or by eight where the past is too
//! short for a rhythm: its ends then say little of what comes next. Together: level by level the weighted median, which keeps what
//! most say exactly (a zero stays a zero) and is not drawn away by one that is far off.

use super::Candidate;
use crate::{forecasters::Row, season::calendar_season};
use apportion_core::Series;

/// How steeply weights fall with loss.
const STEEPNESS: f32 = 8.0;
/// The prior counts as so many ends.
const PRIOR_ENDS: f32 = 3.0;
/// And as so many where the past holds two of neither a day nor an hour.
const PRIOR_ENDS_BRIEF: f32 = 8.0;
/// What weighs less than this share of the heaviest is left out.
const NEGLIGIBLE: f32 = 0.02;

/// By how many ends' worth losses on this past are drawn to the prior.
pub(super) fn prior_ends(past: &Series) -> f32 {
    if calendar_season(past.len(), past.step_s).is_some() { PRIOR_ENDS } else { PRIOR_ENDS_BRIEF }
}

/// Place and weight of the candidates that are worth running; at least one. `losses` are log relative losses with the number of ends.
pub(super) fn weights(
    losses: &[(f32, usize)],
    candidates: &[Candidate],
    clearly: f32,
    prior_ends: f32,
) -> Vec<(usize, f32)> {
    let tried = |index: usize| losses.get(index).copied().unwrap_or((0.0, 0));
    let shrunk: Vec<f32> = candidates
        .iter()
        .enumerate()
        .map(|(index, candidate)| shrink(tried(index), (candidate.prior, prior_ends)))
        .collect();
    let best = |costly: Option<bool>| {
        let of = candidates.iter().zip(&shrunk).filter(|(candidate, _)| costly.is_none_or(|c| candidate.costly == c));
        of.map(|(_, loss)| *loss).fold(f32::INFINITY, f32::min)
    };
    let cheapest = best(Some(false));
    // What is costly must have won, not only be expected to.
    let in_play = |index: usize| {
        let won = || tried(index).1 > 0 && shrunk[index] < cheapest + clearly.ln();
        !candidates[index].costly || cheapest.is_infinite() || won()
    };
    let places: Vec<usize> = (0..candidates.len()).filter(|index| in_play(*index)).collect();
    let lowest = places.iter().map(|index| shrunk[*index]).fold(f32::INFINITY, f32::min);
    let weigh = |index: usize| (index, (-STEEPNESS * (shrunk[index] - lowest)).exp());
    places.into_iter().map(weigh).filter(|(_, weight)| *weight >= NEGLIGIBLE).collect()
}

#[allow(clippy::cast_precision_loss, reason = "a count of few")]
fn shrink((loss, ends): (f32, usize), (prior, prior_ends): (f32, f32)) -> f32 {
    let ends = ends as f32;
    (loss * ends + prior * prior_ends) / (ends + prior_ends)
}

/// The weighted median of the parts, level by level.
pub(super) fn blend(parts: &[(&[Row], f32)], horizon: usize) -> Vec<Row> {
    let half = parts.iter().map(|(_, weight)| weight).sum::<f32>() / 2.0;
    let mut values: Vec<(f32, f32)> = Vec::with_capacity(parts.len());
    let mut median = |step: usize, level: usize| {
        values.clear();
        values.extend(parts.iter().filter_map(|(rows, weight)| Some((rows.get(step)?[level], *weight))));
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut below = 0.0;
        let reaches = |(value, weight): &(f32, f32)| {
            below += weight;
            (below >= half).then_some(*value)
        };
        values.iter().find_map(reaches).or_else(|| values.last().map(|last| last.0)).unwrap_or(0.0)
    };
    (0..horizon).map(|step| std::array::from_fn(|level| median(step, level))).collect()
}
