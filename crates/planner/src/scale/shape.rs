//! Count and size together.

use super::{Terms, WorkCost};

/// Sizes at which a replica may run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizes {
    /// Smallest, cores; positive.
    pub least_cores: f64,
    /// Largest, cores: what fits a node.
    pub most_cores: f64,
    /// Share of its size to which a replica is kept busy at most, 0..1.
    pub busy_share: f64,
    /// What each replica takes beside its size (memory, say), at the worth of so many cores; not negative.
    pub beside_cores: f64,
}

/// Sizes that are tried lie this far apart.
const APART: f64 = 1.25;
/// A size is left only for one that is cheaper by this factor: each change of size restarts or resizes every replica.
const LOYALTY: f64 = 0.9;

/// Replicas that serve `need`, within the terms.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to u32")]
pub fn replicas_for(need: f64, served_by_one: f64, terms: &Terms) -> u32 {
    let wanted = if served_by_one > 0.0 { (need / served_by_one * (1.0 - 1e-9)).ceil() } else { f64::INFINITY };
    let least = terms.least.max(1);
    wanted.clamp(f64::from(least), f64::from(terms.most.max(least))) as u32
}

/// The size at which the replicas that serve the needs of the past would have cost least; `now_cores` unless another is clearly
/// cheaper. To be asked once a day, while the count stands still: load moves the count, cost moves the size.
#[must_use]
pub fn best_size(needs: &[f64], cost: &WorkCost, sizes: &Sizes, terms: &Terms, now_cores: f64) -> f64 {
    let price = |size: f64| -> Option<f64> {
        let served = cost.served(size, sizes.busy_share).filter(|served| *served > 0.0)?;
        let enough = needs.iter().all(|need| *need <= served * f64::from(terms.most));
        enough.then(|| {
            needs.iter().map(|need| f64::from(replicas_for(*need, served, terms)) * (size + sizes.beside_cores)).sum()
        })
    };
    let tried = std::iter::successors(Some(sizes.least_cores), |size| Some(size * APART));
    let tried = tried.take_while(|size| *size < sizes.most_cores).chain([sizes.most_cores]);
    let priced = tried.filter_map(|size| price(size).map(|price| (size, price)));
    let Some((best, least)) = priced.min_by(|a, b| a.1.total_cmp(&b.1)) else { return now_cores };
    let is_allowed = (sizes.least_cores..=sizes.most_cores).contains(&now_cores);
    match price(now_cores).filter(|_| is_allowed) {
        Some(price) if least > price * LOYALTY => now_cores,
        _ => best,
    }
}
