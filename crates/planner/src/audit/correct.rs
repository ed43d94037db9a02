//! Group-wise calibration: where the quantiles of a group miss, they are shifted by what they were off by, in widths of the fan. One
//! group after another, the worst first, each on forecasts that the ones before have corrected already (a series is in several
//! groups): the patching of multicalibration (Hébert-Johnson et al. 2018), for quantiles (Jung et al. 2022).

use super::{Case, Group, Tally, groups, tally};
use crate::{
    choose::{clearly_below, off_by, relative_loss, width},
    forecasters::Row,
};
use apportion_core::{Forecast, Forecaster, LEVELS, WorkloadId, stats::quantile, traits::ForecastInput};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt::Display};

/// Smaller groups are not corrected: nine quantiles of a few forecasts are noise.
pub const LEAST_CASES: usize = 20;
/// No shift counts as so many forecasts.
const PRIOR_CASES: f32 = 10.0;
/// A shift is at most this many widths of the fan.
const MOST: f32 = 1.0;

/// The shift of one group's quantiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Patch {
    /// Whose.
    pub group: Group,
    /// Shift of the nine quantiles, in widths of the fan (q0.9 less q0.1).
    pub shifts: Row,
}

/// The forecasts that corrections are for: others are off by something else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fitted {
    /// Name of the forecaster.
    pub model: String,
    /// Version of the program.
    pub program: String,
    /// Number of the tuned weights; 0 for those that the program ships with.
    pub weights: u32,
    /// Steps of history that a forecast was made from, and its group told by, at most.
    pub context_steps: usize,
    /// Steps ahead.
    pub horizon_steps: usize,
    /// Steps of the series, seconds; those of others are not corrected.
    pub steps_s: BTreeSet<u32>,
}

impl Fitted {
    /// Why corrections of these forecasts are none of `asked`; a horizon of half to twice the steps will do.
    #[must_use]
    pub fn refuses(&self, asked: &Self) -> Option<String> {
        let horizons = self.horizon_steps.div_ceil(2)..=2 * self.horizon_steps;
        let differs = |what: &str, fitted: &dyn Display, asked: &dyn Display| {
            Some(format!("fitted for {what} {fitted}, not {asked}"))
        };
        if self.model != asked.model {
            differs("--model", &self.model, &asked.model)
        } else if self.program != asked.program {
            differs("version", &self.program, &asked.program)
        } else if self.weights != asked.weights {
            differs("weights of version", &self.weights, &asked.weights)
        } else if self.context_steps != asked.context_steps {
            differs("a context of", &self.context_steps, &asked.context_steps)
        } else if !horizons.contains(&asked.horizon_steps) {
            differs("a horizon of", &self.horizon_steps, &asked.horizon_steps)
        } else {
            None
        }
    }
}

/// Patches, in the order in which they are made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Corrections {
    /// What they were fitted for.
    pub fitted: Fitted,
    /// What is done, first to last.
    pub patches: Vec<Patch>,
}

impl Corrections {
    /// Fits patches to forecasts and what came, for groups that miss by more than `tolerance`. One is kept only where it clearly
    /// lowers the loss of forecasts that it was not fitted on.
    #[must_use]
    pub fn fit(fitted: Fitted, cases: &[Case], tolerance: f32) -> Self {
        let (mut cases, mut patches, mut done) = (cases.to_vec(), Vec::new(), BTreeSet::new());
        while let Some(group) = worst(&cases, tolerance, &done) {
            if let Some(shifts) = patch(&cases, &group) {
                cases
                    .iter_mut()
                    .filter(|case| case.groups.contains(&group))
                    .for_each(|case| shift(&mut case.rows, &shifts));
                patches.push(Patch { group: group.clone(), shifts });
            }
            done.insert(group);
        }
        Self { fitted, patches }
    }

    /// Corrects the rows of a series of these groups in place.
    pub fn apply(&self, of: &[Group], rows: &mut [Row]) {
        self.patches.iter().filter(|patch| of.contains(&patch.group)).for_each(|patch| shift(rows, &patch.shifts));
    }
}

fn worst(cases: &[Case], tolerance: f32, done: &BTreeSet<Group>) -> Option<Group> {
    let open = tally(cases).into_iter().filter(|tally| tally.cases >= LEAST_CASES && !done.contains(&tally.group));
    let beyond = open.filter(|tally| tally.miss() > tolerance);
    beyond.max_by(|a, b| a.miss().total_cmp(&b.miss())).map(|tally: Tally| tally.group)
}

/// The shifts of a group; `None` where they do not clearly help beyond what they were fitted on, by two standard errors: each half
/// is held against the other's.
fn patch(cases: &[Case], group: &Group) -> Option<Row> {
    let members: Vec<&Case> = cases.iter().filter(|case| case.groups.contains(group)).collect();
    let half = |odd: bool| members.iter().enumerate().filter(move |(k, _)| (k % 2 == 1) == odd).map(|(_, case)| *case);
    let (even, odd): (Vec<_>, Vec<_>) = (half(false).collect(), half(true).collect());
    let losses = [(&even, &odd), (&odd, &even)].into_iter().flat_map(|(fitted, held)| {
        let shifts = fit_shifts(fitted);
        held.iter().map(move |case| (loss_after(case, &shifts), loss_of(case, &case.rows)))
    });
    let (after, before): (Vec<f32>, Vec<f32>) = losses.unzip();
    clearly_below(&after, &before).then(|| fit_shifts(&members))
}

fn loss_of(case: &Case, rows: &[Row]) -> f32 {
    relative_loss(rows, &case.naive, &case.truth)
}

fn loss_after(case: &Case, shifts: &Row) -> f32 {
    let mut rows = case.rows.clone();
    shift(&mut rows, shifts);
    loss_of(case, &rows)
}

#[allow(clippy::cast_precision_loss, reason = "a count of forecasts")]
fn fit_shifts(cases: &[&Case]) -> Row {
    let trust = cases.len() as f32 / (cases.len() as f32 + PRIOR_CASES);
    std::array::from_fn(|level| {
        let off = cases
            .iter()
            .flat_map(|case| case.rows.iter().zip(&case.truth))
            .filter_map(|(row, y)| off_by(row, level, *y));
        let off: Vec<f32> = off.collect();
        trust * quantile(&off, LEVELS[level]).unwrap_or(0.0).clamp(-MOST, MOST)
    })
}

/// No value falls below the lowest of its row, or 0.
fn shift(rows: &mut [Row], shifts: &Row) {
    for row in rows {
        let (width, floor) = (width(row), row[0].min(0.0));
        row.iter_mut().zip(shifts).for_each(|(value, shift)| *value = (*value + shift * width).max(floor));
        row.sort_unstable_by(f32::total_cmp);
    }
}

/// A forecaster whose forecasts are corrected by group.
pub struct Corrected {
    /// Makes them.
    pub forecaster: Box<dyn Forecaster + Send + Sync>,
    /// Corrects them.
    pub corrections: Corrections,
}

impl Corrected {
    /// The forecast of a series of these groups, corrected where it is at a step that corrections were fitted for.
    fn correct(&self, of: &[Group], made: &Forecast) -> Forecast {
        let mut rows = made.quantiles().to_vec();
        if self.corrections.fitted.steps_s.contains(&made.step_s) {
            self.corrections.apply(of, &mut rows);
        }
        Forecast::new(made.start_s, made.step_s, &made.by, rows, f32::NEG_INFINITY).with_score(made.score)
    }
}

impl Forecaster for Corrected {
    fn name(&self) -> &str {
        self.forecaster.name()
    }
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        let made = self.forecaster.forecast(inputs, horizon);
        inputs.iter().zip(made).map(|(input, made)| self.correct(&groups(input), &made)).collect()
    }
    fn settled<'a>(&'a self, input: &ForecastInput, horizon: usize) -> Option<Box<dyn Forecaster + 'a>> {
        let settled = self.forecaster.settled(input, horizon);
        Some(Box::new(Settled { settled, corrected: self, groups: groups(input) }))
    }
    fn forget(&self, is_there: &dyn Fn(&WorkloadId) -> bool) {
        self.forecaster.forget(is_there);
    }
}

/// With the groups of one series held fixed, and the choice where the forecaster makes one.
struct Settled<'a> {
    settled: Option<Box<dyn Forecaster + 'a>>,
    corrected: &'a Corrected,
    groups: [Group; 6],
}

impl Settled<'_> {
    fn inner(&self) -> &dyn Forecaster {
        match &self.settled {
            Some(settled) => settled.as_ref(),
            None => self.corrected.forecaster.as_ref(),
        }
    }
}

impl Forecaster for Settled<'_> {
    fn name(&self) -> &str {
        self.inner().name()
    }
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        let made = self.inner().forecast(inputs, horizon);
        made.iter().map(|made| self.corrected.correct(&self.groups, made)).collect()
    }
}
