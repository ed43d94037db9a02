//! Chooses per series among forecasters by rolling back-test, blends those that do well, and calibrates what comes out.
//!
//! A choice is made anew once a day per series (staggered by the series' name, so that not all fall on one tick) and remembered;
//! in between only what was chosen is run. A costly forecaster must win clearly, and then its forecast is used for an hour. Whoever
//! has no time for a choice gets what was chosen last, or what did best on others (`forecast_choosing`).
//!
//! Promise: by its own back-test the choice is never clearly worse (by two standard errors) than the best that it was made of.

mod backtest;
mod blend;
mod calibrate;
mod settled;

pub use backtest::{Score, relative_loss};
pub(crate) use backtest::{clearly_below, until};
pub use calibrate::Calibration;
pub(crate) use calibrate::{off_by, width};

use crate::forecasters::{
    Direct, Ets, Mstl, Profile, Recent, Row, SeasonalNaive, Simple, Transformer, Walk, finish, floor,
};
use apportion_core::{
    Forecast, Forecaster, Metric, WorkloadId,
    stats::fnv1a,
    time::DAY_S,
    traits::{ForecastInput, MayChoose},
};
use backtest::{Tried, mean, origins, usable};
use settled::Settled;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One of those that are chosen among.
pub struct Candidate {
    /// Makes its forecasts.
    pub forecaster: Box<dyn Forecaster + Send + Sync>,
    /// Log of its relative loss to expect before anything is known of a series (0 is seasonal naive; lower is better).
    pub prior: f32,
    /// Takes more than a few milliseconds a forecast: chosen only where it wins clearly, then used for an hour.
    pub costly: bool,
}

impl Candidate {
    /// A candidate that takes at most a few milliseconds.
    #[must_use]
    pub fn cheap(forecaster: impl Forecaster + Send + Sync + 'static, prior: f32) -> Self {
        Self { forecaster: Box::new(forecaster), prior, costly: false }
    }
    /// A candidate that takes longer.
    #[must_use]
    pub fn costly(forecaster: impl Forecaster + Send + Sync + 'static, prior: f32) -> Self {
        Self { forecaster: Box::new(forecaster), prior, costly: true }
    }
}

/// The simple ones. Priors are the mean log of the weighted quantile loss relative to seasonal naive over the training files
/// (`docs/forecasting.md`).
#[must_use]
pub fn simple_candidates() -> Vec<Candidate> {
    vec![
        Candidate::cheap(Simple(SeasonalNaive), 0.0),
        Candidate::cheap(Simple(Recent::SHORT), -0.34),
        Candidate::cheap(Simple(Recent::BRIEF), -0.27),
        Candidate::cheap(Simple(Recent::LONG), -0.21),
        Candidate::cheap(Simple(Walk), -0.21),
        Candidate::cheap(Simple(Profile), -0.45),
        Candidate::cheap(Simple(Direct), -0.6),
        Candidate::costly(Simple(Ets), 0.0),
        Candidate::costly(Simple(Mstl), -0.2),
    ]
}

/// The simple ones and the telemetry Transformer.
#[must_use]
pub fn all_candidates() -> Vec<Candidate> {
    candidates_with(Transformer::embedded())
}

/// The simple ones and a telemetry Transformer whose weights are given.
#[must_use]
pub fn candidates_with(transformer: Option<Transformer>) -> Vec<Candidate> {
    let transformer = transformer.map(|model| Candidate::cheap(model, -0.8));
    simple_candidates().into_iter().chain(transformer).collect()
}

/// What was chosen for one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// End of the past that it rests on, seconds since 1970.
    pub made_s: i64,
    /// Back-test scores of all candidates that were tried, in the order of the candidates.
    pub scores: Vec<Score>,
    /// Back-test weighted quantile loss of what was chosen, relative to seasonal naive; `None` where nothing could be tried.
    pub score: Option<f32>,
    /// What is run: place among the candidates, and weight.
    pub weights: Vec<(usize, f32)>,
    /// Shifts of the quantiles.
    pub calibration: Calibration,
    step_s: u32,
    horizon: usize,
}

/// A forecast of a costly candidate, kept for an hour.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    start_s: i64,
    step_s: u32,
    rows: Vec<Row>,
}

type Key = (WorkloadId, Metric);

/// What is remembered from call to call: the choices, and forecasts of costly candidates. The content follows from the inputs
/// seen, in order, and from nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    made: BTreeMap<Key, Choice>,
    kept: BTreeMap<(Key, usize), Kept>,
}

impl Choices {
    /// Takes a new choice for a series; what is kept of candidates that it leaves out is of no use any more.
    fn take(&mut self, key: Key, choice: Choice, candidates: usize) {
        let is_chosen = |index: &usize| choice.weights.iter().any(|(chosen, _)| chosen == index);
        for index in (0..candidates).filter(|index| !is_chosen(index)) {
            self.kept.remove(&(key.clone(), index));
        }
        self.made.insert(key, choice);
    }
}

/// The chooser.
pub struct Auto {
    candidates: Vec<Candidate>,
    choices: Mutex<Choices>,
}

/// A choice is made anew after this time.
const CHOICE_LASTS_S: i64 = DAY_S;
/// What a costly candidate said is used for this long.
const KEPT_S: i64 = 3_600;
/// A costly candidate must be better than the best cheap one by this factor.
const CLEARLY: f32 = 0.95;
/// Costly candidates are tried on one day of so many.
const COSTLY_DAYS: i64 = 7;
/// So many series are tried at once, to bound memory while a batched forecaster has enough to do.
const CHUNK: usize = 8;

impl Default for Auto {
    fn default() -> Self {
        Self::new(all_candidates())
    }
}

impl Auto {
    /// Chooses among `candidates`; there must be at least one, and scores are relative to the seasonal naive of this crate.
    #[must_use]
    pub fn new(candidates: Vec<Candidate>) -> Self {
        Self { candidates, choices: Mutex::default() }
    }
    /// What was chosen for a series, where it was forecast before.
    #[must_use]
    pub fn choice(&self, workload: &WorkloadId, metric: &Metric) -> Option<Choice> {
        self.memory().made.get(&(workload.clone(), metric.clone())).cloned()
    }
    fn memory(&self) -> MutexGuard<'_, Choices> {
        self.choices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the choices that are due.
    fn choose(&self, inputs: &[ForecastInput], horizon: usize, may_choose: &MayChoose<'_>) {
        let is_due = |input: &&ForecastInput| may_choose(input) && self.lacks_choice(input, horizon);
        let due: Vec<&ForecastInput> = inputs.iter().filter(is_due).collect();
        for chunk in due.chunks(CHUNK) {
            let costly: Vec<bool> = chunk.iter().map(|input| self.may_be_costly(input)).collect();
            let tried = Tried::new(&self.candidates, chunk, horizon, &costly);
            for (place, input) in chunk.iter().enumerate() {
                let choice = self.decide(&tried, place, input, horizon);
                self.memory().take(key(input), choice, self.candidates.len());
            }
        }
    }

    /// No choice stands for it. Where nothing of its past can be tried on, what is chosen is the priors, at no cost, and does not stand
    /// where its grid has room for a back-test.
    fn lacks_choice(&self, input: &ForecastInput, horizon: usize) -> bool {
        let memory = self.memory();
        let Some(choice) = memory.made.get(&key(input)) else { return true };
        let age_s = input.past.end().s() - choice.made_s;
        let days = |time_s: i64| (time_s + stagger_s(input)).div_euclid(CHOICE_LASTS_S);
        let is_old = age_s < 0 || days(input.past.end().s()) != days(choice.made_s);
        // Also when it was looked at a little of the past, of which there is twice as much now.
        is_old || !choice.is_on_grid(input, horizon) || choice.has_outgrown(input)
    }

    /// Costly candidates are tried at first, then once a week, and as long as one is in force.
    fn may_be_costly(&self, input: &ForecastInput) -> bool {
        let memory = self.memory();
        let in_force = |choice: &Choice| choice.weights.iter().any(|(index, _)| self.candidates[*index].costly);
        let day = (input.past.end().s() + stagger_s(input)).div_euclid(CHOICE_LASTS_S);
        memory.made.get(&key(input)).is_none_or(|choice| day.rem_euclid(COSTLY_DAYS) == 0 || in_force(choice))
    }

    fn decide(&self, tried: &Tried, place: usize, input: &ForecastInput, horizon: usize) -> Choice {
        let losses = tried.losses(place);
        let mut weights = blend::weights(&losses, &self.candidates, CLEARLY, blend::prior_ends(&input.past));
        let mut blended = tried.blended(place, &weights);
        if let Some(best) = tried.best_of(place, &weights, &blended) {
            weights = vec![(best, 1.0)];
            blended = tried.blended(place, &weights);
        }
        let truth = tried.truth(place);
        let calibration = Calibration::fit(&blended, &truth);
        let score = (!blended.is_empty()).then(|| mean(&tried.relative(place, &blended)).exp());
        Choice {
            made_s: input.past.end().s(),
            scores: tried.scores(place, &self.candidates),
            score,
            weights,
            calibration,
            step_s: input.past.step_s,
            horizon,
        }
    }

    /// What was chosen for a series on its grid; before that, what did best on others.
    fn standing(&self, input: &ForecastInput, horizon: usize) -> Choice {
        let made = self.choice(&input.workload, &input.metric).filter(|choice| choice.is_on_grid(input, horizon));
        made.unwrap_or_else(|| Choice {
            made_s: input.past.end().s(),
            scores: Vec::new(),
            score: None,
            weights: blend::weights(&[], &self.candidates, CLEARLY, blend::prior_ends(&input.past)),
            calibration: Calibration::default(),
            step_s: input.past.step_s,
            horizon,
        })
    }

    /// Rows of the chosen candidates for every input: `rows[input]` are pairs of rows and weight.
    fn run(&self, inputs: &[ForecastInput], choices: &[Choice], horizon: usize) -> Vec<Vec<(Vec<Row>, f32)>> {
        let mut rows: Vec<Vec<(Vec<Row>, f32)>> = vec![Vec::new(); inputs.len()];
        for (index, candidate) in self.candidates.iter().enumerate() {
            let weight = |choice: &Choice| choice.weights.iter().find(|(chosen, _)| *chosen == index).map(|of| of.1);
            let wanted: Vec<(usize, f32)> =
                choices.iter().enumerate().filter_map(|(place, choice)| Some((place, weight(choice)?))).collect();
            let asked: Vec<ForecastInput> = wanted.iter().map(|(place, _)| inputs[*place].clone()).collect();
            let made = if candidate.costly {
                self.run_costly(index, &asked, horizon)
            } else {
                candidate.forecaster.forecast(&asked, horizon).iter().map(|made| made.quantiles().to_vec()).collect()
            };
            for ((place, weight), made) in wanted.into_iter().zip(made) {
                rows[place].push((made, weight));
            }
        }
        rows
    }

    /// One forecast from what the chosen candidates said of an input: blended, calibrated, named.
    fn put_together(
        &self,
        choice: &Choice,
        input: &ForecastInput,
        parts: &[(&[Row], f32)],
        horizon: usize,
    ) -> Forecast {
        let mut rows = blend::blend(parts, horizon);
        choice.calibration.apply(&mut rows);
        // Candidates have applied what is announced.
        let plain = ForecastInput { announced: Vec::new(), ..input.clone() };
        let floor = floor(&input.past);
        finish(&plain, &choice.by(&self.candidates), rows, floor).with_score(choice.score)
    }

    /// As `run` for a costly candidate: what it said within the last hour is moved up, where nothing is announced.
    fn run_costly(&self, index: usize, inputs: &[ForecastInput], horizon: usize) -> Vec<Vec<Row>> {
        let one = |input: &ForecastInput| {
            let (start_s, step_s) = (input.past.time_s(input.past.len()), i64::from(input.past.step_s.max(1)));
            // What is announced is in what a candidate says: neither kept for later nor taken from before.
            let is_plain = input.announced.is_empty();
            let known = self.memory().kept.get(&(key(input), index)).and_then(|kept| {
                let steps = usize::try_from((start_s - kept.start_s).div_euclid(step_s)).ok()?;
                kept.rows.get(steps..steps + horizon).filter(|_| kept.step_s == input.past.step_s).map(<[Row]>::to_vec)
            });
            if let Some(rows) = known.filter(|_| is_plain) {
                return rows;
            }
            let more = usize::try_from(KEPT_S / step_s).unwrap_or(0).min(horizon / 4);
            let made = self.candidates[index].forecaster.forecast(std::slice::from_ref(input), horizon + more);
            let mut rows = made.first().map(|made| made.quantiles().to_vec()).unwrap_or_default();
            if is_plain {
                let kept = Kept { start_s, step_s: input.past.step_s, rows: rows.clone() };
                self.memory().kept.insert((key(input), index), kept);
            }
            rows.truncate(horizon);
            rows
        };
        inputs.iter().map(one).collect()
    }
}

impl Choice {
    fn is_on_grid(&self, input: &ForecastInput, horizon: usize) -> bool {
        self.step_s == input.past.step_s && self.horizon == horizon
    }
    fn has_outgrown(&self, input: &ForecastInput) -> bool {
        self.score.is_none() && !origins(input.past.len(), self.horizon).is_empty()
    }
    /// Names of what was chosen, heaviest first.
    fn by(&self, candidates: &[Candidate]) -> String {
        let mut order = self.weights.clone();
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let names: Vec<&str> = order.iter().take(3).map(|(index, _)| candidates[*index].forecaster.name()).collect();
        names.join("+")
    }
}

impl Forecaster for Auto {
    fn name(&self) -> &str {
        "auto"
    }
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        self.forecast_choosing(inputs, horizon, &|_| true)
    }
    fn is_due(&self, input: &ForecastInput, horizon: usize) -> bool {
        usable(input, horizon).next().is_some() && self.lacks_choice(input, horizon)
    }
    fn forecast_choosing(&self, inputs: &[ForecastInput], horizon: usize, may_choose: &MayChoose<'_>) -> Vec<Forecast> {
        self.choose(inputs, horizon, may_choose);
        let choices: Vec<Choice> = inputs.iter().map(|input| self.standing(input, horizon)).collect();
        let rows = self.run(inputs, &choices, horizon);
        let finish_one = |(place, input): (usize, &ForecastInput)| {
            let parts: Vec<_> = rows[place].iter().map(|(rows, weight)| (rows.as_slice(), *weight)).collect();
            self.put_together(&choices[place], input, &parts, horizon)
        };
        inputs.iter().enumerate().map(finish_one).collect()
    }
    fn settled<'a>(&'a self, input: &ForecastInput, horizon: usize) -> Option<Box<dyn Forecaster + 'a>> {
        Settled::new(self, input, horizon).map(|settled| Box::new(settled) as Box<dyn Forecaster>)
    }
    fn scores(&self, workload: &WorkloadId, metric: &Metric) -> Vec<(String, f32)> {
        let tried = self.choice(workload, metric).map(|choice| choice.scores).unwrap_or_default();
        tried.into_iter().map(|score| (score.name, score.wql)).collect()
    }
    fn forget(&self, is_there: &dyn Fn(&WorkloadId) -> bool) {
        let mut memory = self.memory();
        memory.made.retain(|(workload, _), _| is_there(workload));
        memory.kept.retain(|((workload, _), _), _| is_there(workload));
    }
}

fn key(input: &ForecastInput) -> Key {
    (input.workload.clone(), input.metric.clone())
}

/// A time of day that follows from the series' name, so that choices do not all fall due at once.
fn stagger_s(input: &ForecastInput) -> i64 {
    let hash = fnv1a(input.workload.as_str().bytes().chain(input.metric.as_str().bytes()));
    i64::try_from(hash % CHOICE_LASTS_S.unsigned_abs()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
