//! Whether forecasts are right for every kind of series: coverage of q0.1, q0.5, q0.9 and error by group, and a correction for the
//! groups that miss.

mod correct;
mod group;

pub use correct::{Corrected, Corrections, Fitted, LEAST_CASES, Patch};
pub use group::{By, Group, groups};

use crate::{
    choose::{relative_loss, until},
    forecasters::{Past, Row, Rule, SeasonalNaive},
};
use apportion_core::{Forecaster, traits::ForecastInput};
use serde::Serialize;
use std::collections::BTreeMap;

/// The levels that are audited, and their places among the nine.
const AUDITED: [(f32, usize); 3] = [(0.1, 0), (0.5, 4), (0.9, 8)];
/// Fewer values of a horizon than this part of it say nothing.
const LEAST_SEEN: f32 = 0.5;

/// One forecast, and what came.
#[derive(Clone, Debug)]
pub struct Case {
    /// The groups of its series.
    pub groups: [Group; 6],
    /// Nine quantiles a step.
    pub rows: Vec<Row>,
    /// What seasonal naive says.
    pub naive: Vec<Row>,
    /// What came.
    pub truth: Vec<f32>,
}

/// Forecasts a series from its end less `back` horizons, from at most `context` steps before that, for each of `backs`; those before
/// whose end there is less than a horizon, or after which too little was seen, are left out.
#[must_use]
pub fn cases(
    forecaster: &dyn Forecaster,
    whole: &ForecastInput,
    (context, horizon): (usize, usize),
    backs: impl Iterator<Item = usize>,
) -> Vec<Case> {
    let len = whole.past.len();
    let one = |back: usize| {
        let end = len.checked_sub(back * horizon).filter(|end| *end >= horizon)?;
        let truth = whole.past.values.get(end..end + horizon)?.to_vec();
        let mut input = until(whole, end);
        input.past = input.past.tail(context);
        let enough =
            |values: &[f32]| values.iter().filter(|y| y.is_finite()).count() as f32 >= LEAST_SEEN * horizon as f32;
        if !enough(&truth) || !enough(&input.past.values) {
            return None;
        }
        let naive = SeasonalNaive.rows(&Past::new(&input.past), horizon);
        let made = forecaster.forecast(std::slice::from_ref(&input), horizon).pop()?;
        Some(Case { groups: groups(&input), rows: made.quantiles().to_vec(), naive, truth })
    };
    backs.filter_map(one).collect()
}

/// How the forecasts of one group did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tally {
    /// Which.
    pub group: Group,
    /// Forecasts.
    pub cases: usize,
    /// Share of what came below q0.1, q0.5 and q0.9, and share at or below: with exact zeros the level should lie between.
    pub below: [f32; 3],
    /// See `below`.
    pub at_most: [f32; 3],
    /// Weighted quantile loss relative to seasonal naive, geometric mean.
    pub wql: f32,
    /// Absolute error of the median relative to seasonal naive (the ratio of MASEs), geometric mean.
    pub mase: f32,
}

impl Tally {
    /// The furthest that a level lies outside `below..=at_most`; 0 where all lie within.
    #[must_use]
    pub fn miss(&self) -> f32 {
        let off = |((level, _), (below, at_most)): ((f32, usize), (&f32, &f32))| {
            (below - level).max(level - at_most).max(0.0)
        };
        AUDITED.into_iter().zip(self.below.iter().zip(&self.at_most)).map(off).fold(0.0, f32::max)
    }
}

/// Every group that there is a case of, by kind and name.
#[must_use]
pub fn tally(cases: &[Case]) -> Vec<Tally> {
    let mut by_group: BTreeMap<&Group, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        case.groups.iter().for_each(|group| by_group.entry(group).or_default().push(case));
    }
    by_group.into_iter().map(|(group, members)| of(group, &members)).collect()
}

#[allow(clippy::cast_precision_loss, reason = "counts of steps")]
fn of(group: &Group, members: &[&Case]) -> Tally {
    let share = |place: usize, counts: fn(f32, f32) -> bool| {
        let steps = members.iter().flat_map(|case| case.rows.iter().zip(&case.truth)).filter(|(_, y)| y.is_finite());
        let (sum, all) =
            steps.fold((0_usize, 0_usize), |(sum, all), (row, y)| (sum + usize::from(counts(*y, row[place])), all + 1));
        sum as f32 / all.max(1) as f32
    };
    let geometric =
        |log: &dyn Fn(&Case) -> f32| (members.iter().map(|case| log(case)).sum::<f32>() / members.len() as f32).exp();
    let medians = |rows: &[Row]| rows.iter().map(|row| [row[4]; 9]).collect::<Vec<Row>>();
    Tally {
        group: group.clone(),
        cases: members.len(),
        below: AUDITED.map(|(_, place)| share(place, |y, q| y < q)),
        at_most: AUDITED.map(|(_, place)| share(place, |y, q| y <= q)),
        wql: geometric(&|case| relative_loss(&case.rows, &case.naive, &case.truth)),
        // Nine times the same value: its pinball losses add up to a multiple of its absolute error.
        mase: geometric(&|case| relative_loss(&medians(&case.rows), &medians(&case.naive), &case.truth)),
    }
}

#[cfg(test)]
mod tests;
