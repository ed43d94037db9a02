//! Every sizing rule, simulated on the past at once: a statistic times a margin, with a dead band below. Kept per rule: how often
//! demand was above it, what it allotted, and how often it changed. A rule is then chosen by what it would have cost. In the
//! beginning, how often a rule was over on others counts too.

use super::{bases::BASES, prior};

/// Margins, a geometric ladder around 1.
pub(super) const MARGINS: usize = 32;
/// One step of that ladder.
const MARGIN_STEP: f32 = 1.09;
/// The place of margin 1: the ladder reaches from 0.42 to 6.1.
const EVEN: i32 = 10;
/// How far what is needed must fall below what is allotted before it is cut, as a share.
const BANDS: [f32; 2] = [0.3, 0.7];
/// Rules without their margins: each statistic with each dead band.
pub(super) const GROUPS: usize = BASES * BANDS.len();
/// Steps in which what was seen loses half its weight (two weeks of five-minute steps).
const HALF_LIFE: f64 = 4_032.0;
/// Sums are scaled back when the weight of a step passes this.
const MOST_WEIGHT: f32 = 1e6;

/// A rule: its group, and the place of its margin.
pub(super) type Rule = (usize, usize);

/// Where one begins: twice the greatest demand of the last steps.
pub(super) const FIRST: Rule = (0, 18);

/// All margins of one statistic with one dead band. They move together, since a margin stands on both sides of the comparison with
/// the band: only how often demand was above them differs. Sums are weighted by recency.
#[derive(Clone, Debug)]
struct Group {
    /// What a margin of 1 allots now.
    held: f32,
    /// Of `held`, over the steps seen.
    cost: f32,
    changes: f32,
    over: [f32; MARGINS],
}

/// What a rule would have cost, per step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    /// Share of steps with demand above it.
    pub(super) over: f32,
    /// Mean allotment.
    pub(super) mean: f32,
    /// Changes per step.
    pub(super) changes: f32,
}

/// All rules.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    groups: Vec<Group>,
    margins: [f32; MARGINS],
    /// Weight of the next step; grows, so that older sums need no touch.
    weight: f32,
    growth: f32,
    seen: f32,
    /// Weight of what is known beforehand, in `over` of each group.
    known: f32,
}

impl Grid {
    #[allow(clippy::cast_possible_truncation, reason = "near 1")]
    pub(super) fn new() -> Self {
        let over = |group: usize| std::array::from_fn(|place| prior::WEIGHT * prior::over(group / BANDS.len(), place));
        let group = |index: usize| Group { held: 0.0, cost: 0.0, changes: 0.0, over: over(index) };
        let margin = |place: usize| MARGIN_STEP.powi(i32::try_from(place).unwrap_or(0) - EVEN);
        Self {
            groups: (0..GROUPS).map(group).collect(),
            margins: std::array::from_fn(margin),
            weight: 1.0,
            growth: (1.0 / HALF_LIFE).exp2() as f32,
            seen: 0.0,
            known: prior::WEIGHT,
        }
    }

    /// Holds demand over the step that ends against the rules as they stood before it.
    pub(super) fn judge(&mut self, value: f32) {
        self.weight *= self.growth;
        self.seen += self.weight;
        for group in &mut self.groups {
            group.cost += group.held * self.weight;
            for (over, margin) in group.over.iter_mut().zip(&self.margins) {
                *over += if value > group.held * margin { self.weight } else { 0.0 };
            }
        }
        if self.weight > MOST_WEIGHT {
            self.rescale();
        }
    }

    /// Moves every rule to what it says now.
    pub(super) fn follow(&mut self, bases: &[f32; BASES]) {
        for (index, group) in self.groups.iter_mut().enumerate() {
            let (base, keep) = (bases[index / BANDS.len()].max(0.0), 1.0 - BANDS[index % BANDS.len()]);
            if base > group.held || base < group.held * keep {
                group.held = base;
                group.changes += self.weight;
            }
        }
    }

    /// What a rule allots now.
    pub(super) fn held(&self, (group, place): Rule) -> f32 {
        self.groups[group].held * self.margins[place]
    }

    pub(super) fn cost(&self, (group, place): Rule) -> Cost {
        let (group, seen) = (&self.groups[group], self.seen.max(f32::MIN_POSITIVE));
        let mean = group.cost * self.margins[place] / seen;
        Cost { over: group.over[place] / (seen + self.known), mean, changes: group.changes / seen }
    }

    /// The least margin of a group with at most a share `aim` of steps over; where none is, the least with the fewest over.
    pub(super) fn least(&self, group: usize, aim: f32) -> Rule {
        let over = &self.groups[group].over;
        let most = (aim * (self.seen + self.known)).max(over[MARGINS - 1]);
        (group, over.partition_point(|over| *over > most).min(MARGINS - 1))
    }

    /// How often each margin of a statistic was over on this series alone, the mean of both dead bands.
    pub(super) fn own_over(&self, base: usize) -> [f32; MARGINS] {
        let own = |group: &Group, place: usize| group.over[place] - self.known * prior::over(base, place);
        let groups = &self.groups[base * BANDS.len()..(base + 1) * BANDS.len()];
        let sum = |place: usize| groups.iter().map(|group| own(group, place)).sum::<f32>();
        std::array::from_fn(|place| sum(place) / (self.seen * BANDS.len() as f32))
    }

    fn rescale(&mut self) {
        let by = self.weight.recip();
        for group in &mut self.groups {
            let sums = group.over.iter_mut().chain([&mut group.cost, &mut group.changes]);
            sums.for_each(|sum| *sum *= by);
        }
        self.seen *= by;
        self.known *= by;
        self.weight = 1.0;
    }
}

/// Whether a rule looks at the same time of earlier days.
pub(super) const fn is_daily((group, _): Rule) -> bool {
    group / BANDS.len() >= super::bases::FIRST_DAILY
}
