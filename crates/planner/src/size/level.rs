//! One level of risk on one series: which rule is followed, what is allotted, and the feedback that makes the share of steps over
//! what was asked (adaptive conformal inference: Gibbs and Candès, 2021, with the count's own scale for a step size).

use super::{
    grid::{Cost, FIRST, GROUPS, Grid, Rule},
    track::YOUNG,
};

/// Allotments are compared as if each change per step cost this many times the mean allotment of a step: twice as much where
/// little risk is allowed, since what is allotted then stands long.
const CHANGE_PRICE: f32 = 12.0;
const LITTLE_RISK: f64 = 0.01;
/// A rule in force is left only for one that is cheaper by this factor.
const LOYALTY: f32 = 0.95;
/// It may be over this many times as often as is aimed at.
const LENIENCE: f32 = 1.2;
/// Being off by this share of the count that is due (or by so many steps at least) changes the aim by `GAIN` powers of two.
const SLACK_SHARE: f64 = 0.05;
const SLACK_STEPS: f64 = 3.0;
const GAIN: f64 = 1.5;
/// The aim stays within this factor of what is asked.
const REACH: f64 = 16.0;
/// Nor beyond this: to be over more often than not saves nothing worth having.
const MOST_OVER: f64 = 0.5;
/// A raise is at least, and a cut more than, these shares: each change is worth making, and the guard's dead band lets it through.
const LEAST_RAISE: f32 = 0.115;
const LEAST_CUT: f32 = 0.115;
/// What the guard lets through at once: a cut by this share, or back to before the raises of the last day.
const MOST_CUT: f32 = 0.3;
/// Demand within this share of the allotment would seem to have met it; what is then allotted above demand, as a share.
const AT_LIMIT: f32 = 0.01;
const CLEAR: f32 = 0.011;

/// One level of risk.
#[derive(Clone, Debug)]
pub(super) struct Level {
    /// Share of steps that may be over.
    risk: f64,
    rule: Rule,
    allotted: f32,
    over: f64,
    seen: f64,
    /// The least allotment before the raises of the last day, and the steps since the last of them.
    before_raise: (f32, u32),
}

impl Level {
    pub(super) const fn new(risk: f64) -> Self {
        Self { risk, rule: FIRST, allotted: 0.0, over: 0.0, seen: 0.0, before_raise: (f32::INFINITY, 0) }
    }
    pub(super) const fn allotted(&self) -> f32 {
        self.allotted
    }
    pub(super) const fn rule(&self) -> Rule {
        self.rule
    }

    /// Demand was over no more often than is due by now.
    pub(super) fn is_kept(&self) -> bool {
        self.over <= self.risk * self.seen
    }

    /// Counts a step of demand; true when it was over.
    pub(super) fn judge(&mut self, value: f32) -> bool {
        let over = value > self.allotted;
        self.seen += 1.0;
        self.over += if over { 1.0 } else { 0.0 };
        over
    }

    /// Chooses the rule that would have cost least among those with few enough steps over; where none has, among those with the
    /// fewest. The rule in force is left only for one that is clearly cheaper.
    pub(super) fn choose(&mut self, grid: &Grid) {
        let aim = self.aim();
        let change = if self.risk < LITTLE_RISK { 2.0 * CHANGE_PRICE } else { CHANGE_PRICE };
        let price = |rule: Rule, lenient: f32, loyal: f32| {
            let Cost { over, mean, changes } = grid.cost(rule);
            let beyond = if over <= aim * lenient { 0.0 } else { over };
            (beyond, mean * (1.0 + change * changes) * loyal, rule)
        };
        let rules = (0..GROUPS).map(|group| price(grid.least(group, aim), 1.0, 1.0));
        let kept = price(self.rule, LENIENCE, LOYALTY);
        let best = rules.chain([kept]).min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        if let Some((_, _, rule)) = best {
            self.rule = rule;
        }
    }

    /// Moves the allotment after a step of demand to what the rule says, where that is worth a change and as far as the guard
    /// will let it go, so that what is counted is what will be in force. `day` is a day in steps; a change leaves `headroom` as
    /// a share above what is used.
    pub(super) fn follow(&mut self, grid: &Grid, used: f32, day: u32, headroom: f32) {
        let needed = clear_of(used, grid.held(self.rule));
        let kept = clear_of(used, self.allotted);
        let needed = if kept > self.allotted { needed.max(kept) } else { needed };
        self.before_raise.1 += 1;
        if self.before_raise.1 > day {
            self.before_raise.0 = f32::INFINITY;
        }
        if needed > self.allotted {
            if self.allotted > 0.0 {
                self.before_raise = (self.before_raise.0.min(self.allotted), 0);
            }
            // A little more, so that use just as high as in the past does not meet it.
            let raised = (needed * (1.0 + CLEAR)).max(self.allotted * (1.0 + LEAST_RAISE));
            self.allotted = raised.max(used * (1.0 + headroom));
        } else if needed < self.allotted * (1.0 - if self.is_young() { MOST_CUT } else { LEAST_CUT }) {
            let cut =
                needed.max((self.allotted * (1.0 - MOST_CUT)).min(self.before_raise.0)).max(used * (1.0 + headroom));
            if cut < self.allotted * (1.0 - LEAST_CUT) {
                self.allotted = cut;
            }
        }
    }

    /// What is little known is cut by whole steps only.
    fn is_young(&self) -> bool {
        self.seen < YOUNG as f64
    }

    /// The share to aim at so that what is measured becomes what is asked.
    #[allow(clippy::cast_possible_truncation, reason = "a share")]
    fn aim(&self) -> f32 {
        let due = self.risk * self.seen;
        let off = (self.over - due) / (SLACK_SHARE * due).max(SLACK_STEPS);
        (self.risk * (-GAIN * off).exp2().clamp(1.0 / REACH, REACH)).min(MOST_OVER) as f32
    }
}

/// `allotted`, unless it lies so near what is used that use would seem to have met it.
fn clear_of(used: f32, allotted: f32) -> f32 {
    let near = (1.0 - AT_LIMIT..1.0 + AT_LIMIT).contains(&(allotted / used));
    if near { used * (1.0 + CLEAR) } else { allotted }
}
