//! How many replicas a workload should have, and how large each should be: one decision.
//!
//! ```text
//! need     = headroom * the best of (demand now or lately, its trend, the same time yesterday, what is forecast)
//! need     = max(need, need before the announced event began * announced factor)
//! replicas = need / what one serves, rounded up; taken away only once a tenth was spare for a while
//! size     = looked at anew once a day, for the needs of the past days, while the count stands still
//! ```
//!
//! - The need is that of the time until a replica that is decided on now serves, so that replicas are there before a peak
//!   ([`Ahead`]). The headroom on each basis is the quantile of how far demand really rose above it, and is corrected until the
//!   share of steps over is what was asked. The basis that would have cost least is used.
//! - What one replica serves is a stable estimate ([`WorkCost`]): cores per unit of work, which does not move when replicas
//!   come and go. Use per replica itself never decides a count, so counting and sizing do not chase each other.
//! - Count and size answer different questions at different times ([`best_size`]): load moves the count, cost moves the size.
//!   They never act on the same reading at once.

mod ahead;
mod capacity;
mod shape;

pub use ahead::{Ahead, Basis};
pub use capacity::{Fit, Line, WorkCost};
pub use shape::{Sizes, best_size, replicas_for};

use std::collections::VecDeque;

/// What holds for one scaled workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Share of steps in which more may be asked than all replicas serve, 0..1.
    pub violation_share: f64,
    /// Time between two looks, seconds.
    pub step_s: u32,
    /// From deciding on a replica until it serves, seconds.
    pub start_s: u32,
    /// A replica is taken away only once it has been spare for so long, seconds.
    pub settle_s: u32,
    /// Fewest replicas; at least one.
    pub least: u32,
    /// Most replicas.
    pub most: u32,
}

impl Default for Terms {
    /// A minute's steps, a minute to start, and the five minutes of the Kubernetes autoscaler before anything is taken away.
    fn default() -> Self {
        Self { violation_share: 0.01, step_s: 60, start_s: 60, settle_s: 300, least: 1, most: 10_000 }
    }
}

/// What is known at one look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Work asked of all replicas together over the step that ends now, in any unit (requests per second); not negative.
    pub demand: f64,
    /// Work that one replica serves, in the same unit; positive.
    pub served_by_one: f64,
    /// The most that is forecast until a replica decided on now serves, where there is a forecast.
    pub forecast: Option<f64>,
    /// Greatest announced factor on demand in that time; 1 where nothing is announced.
    pub announced: f64,
}

/// Fewer replicas are worth a change from one in so many on; and where more are wanted, this share more is given at least.
const LEAST_CUT_OF: u32 = 10;
const LEAST_RAISE_SHARE: f64 = 0.05;

/// How many replicas, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count {
    /// How many there should be.
    pub replicas: u32,
    /// Work that may be asked until a replica decided on now serves.
    pub need: f64,
    /// What the need rests on.
    pub basis: Basis,
}

/// The count of one workload, look by look. The same looks give the same counts.
#[derive(Clone, Debug)]
pub struct Scaling {
    terms: Terms,
    ahead: Ahead,
    /// Counts decided lately, newest last: what serves now is the least of them.
    decided: VecDeque<u32>,
    /// Counts wanted within the settling time.
    wanted: VecDeque<u32>,
    /// The need when nothing was announced last.
    usual: f64,
}

impl Scaling {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        let ahead = Ahead::new(terms.violation_share, terms.step_s, terms.start_s, terms.settle_s);
        Self { terms, ahead, decided: VecDeque::new(), wanted: VecDeque::new(), usual: 0.0 }
    }

    /// Takes one look and gives the count from now on.
    pub fn look(&mut self, look: &Look) -> Count {
        let serving = self.decided.iter().min().map(|replicas| f64::from(*replicas) * look.served_by_one);
        let is_over = serving.is_some_and(|serving| look.demand > serving);
        self.ahead.push(look.demand, look.forecast, serving.map(|_| is_over));
        let (need, basis) = self.ahead.need();
        let need = self.with_announced(need, look.announced);
        let wanted = replicas_for(need, look.served_by_one, &self.terms);
        let replicas = self.worth_it(wanted);
        self.decided.push_back(replicas);
        if self.decided.len() > starting_steps(&self.terms) + 1 {
            self.decided.pop_front();
        }
        Count { replicas, need, basis }
    }

    /// Each replica serves `served` instead of `before` from now on: counts that were decided become as many as serve as much.
    pub fn resized(&mut self, before: f64, served: f64) {
        for count in self.decided.iter_mut().chain(&mut self.wanted) {
            *count = replicas_for(f64::from(*count) * before, served, &self.terms);
        }
    }

    /// An announcement raises ahead of demand; it never cuts, since demand that stays away is seen soon enough.
    fn with_announced(&mut self, need: f64, factor: f64) -> f64 {
        if factor > 1.0 {
            return need.max(self.usual * factor);
        }
        self.usual = need;
        need
    }

    /// More is given at once, and then enough for a while; less only once it has been spare for a while, and where that is worth
    /// a change.
    fn worth_it(&mut self, wanted: u32) -> u32 {
        self.wanted.push_back(wanted);
        while self.wanted.len() > (self.terms.settle_s / self.terms.step_s.max(1)).max(1) as usize {
            self.wanted.pop_front();
        }
        let wanted = self.wanted.iter().copied().max().unwrap_or(wanted);
        let Some(now) = self.decided.back().copied() else { return wanted };
        let scaled = |share: f64| replicas_for(f64::from(now) * share, 1.0, &self.terms);
        match wanted.cmp(&now) {
            std::cmp::Ordering::Greater => wanted.max(scaled(1.0 + LEAST_RAISE_SHARE)),
            // Of fewer than twenty, one is worth it.
            _ if now - wanted >= (now / LEAST_CUT_OF).max(1) => wanted,
            _ => now,
        }
    }
}

/// Steps until a replica serves.
fn starting_steps(terms: &Terms) -> usize {
    terms.start_s.div_ceil(terms.step_s.max(1)) as usize
}

#[cfg(test)]
mod tests;
