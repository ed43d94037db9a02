//! The rolling back-test: each candidate forecasts from earlier ends of the past, and is held against what came.
//!
//! Score: mean over the ends of the log of the weighted quantile loss relative to seasonal naive; the mean of logs, because
//! the loss of one day with a burst would outweigh all others in a mean of losses.

use super::{Candidate, blend::blend};
use crate::forecasters::{Past, Row, Rule, SeasonalNaive};
use apportion_core::{LEVELS, Series, traits::ForecastInput};
use std::collections::BTreeMap;

/// At most so many ends.
const ORIGINS: usize = 4;
/// A costly candidate is tried on the last ones only.
const COSTLY_ORIGINS: usize = 2;
/// And only where no cheap one brings the loss below this part of seasonal naive's.
const HARD: f32 = 0.8;
/// Not fewer values than this before an end.
const LEAST: usize = 24;
/// A candidate that is exact where seasonal naive is not gains no more than this.
const FLOOR: f64 = 1e-3;

/// How one candidate did.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Its name.
    pub name: String,
    /// Weighted quantile loss relative to seasonal naive; below 1 is better.
    pub wql: f32,
    /// Absolute error of the median relative to seasonal naive (the ratio of MASEs).
    pub mase: f32,
}

/// Ends of the past from which to forecast, latest first, and the steps forecast from each: not overlapping, each with at least a
/// third of the past before it.
pub(super) fn origins(len: usize, horizon: usize) -> Vec<usize> {
    let span = span(len, horizon);
    let ends = (1..=ORIGINS).map_while(|back| len.checked_sub(back * span));
    ends.take_while(|end| span > 0 && *end >= LEAST.max(len / 3)).collect()
}

/// Steps forecast from each end: the horizon, or a fifth of a shorter past.
pub(super) fn span(len: usize, horizon: usize) -> usize {
    horizon.min(len / 5)
}

/// The input as it was at an earlier end.
pub(crate) fn until(input: &ForecastInput, end: usize) -> ForecastInput {
    let past = Series { values: input.past.values[..end].to_vec(), ..input.past };
    ForecastInput { workload: input.workload.clone(), metric: input.metric.clone(), past, announced: Vec::new() }
}

pub(super) fn truth_after(input: &ForecastInput, end: usize, span: usize) -> &[f32] {
    &input.past.values[end..end + span]
}

/// One end of one series.
struct Origin {
    truth: Vec<f32>,
    naive: Vec<Row>,
    /// Per candidate; none where it was not tried.
    rows: Vec<Option<Vec<Row>>>,
}

/// What the candidates said of the past of a few series.
pub(super) struct Tried {
    series: Vec<Vec<Origin>>,
}

impl Tried {
    /// `costly` says of each input whether costly candidates may be tried.
    pub(super) fn new(candidates: &[Candidate], inputs: &[&ForecastInput], horizon: usize, costly: &[bool]) -> Self {
        let mut series: Vec<Vec<Origin>> =
            inputs.iter().map(|input| prepare(input, horizon, candidates.len())).collect();
        for (index, candidate) in candidates.iter().enumerate().filter(|(_, candidate)| !candidate.costly) {
            try_one(&mut series, inputs, horizon, (index, candidate), ORIGINS);
        }
        let mut tried = Self { series };
        let hard: Vec<bool> = (0..inputs.len()).map(|place| costly[place] && tried.is_hard(place)).collect();
        for (index, candidate) in candidates.iter().enumerate().filter(|(_, candidate)| candidate.costly) {
            for place in (0..inputs.len()).filter(|place| hard[*place]) {
                let one = &mut tried.series[place..=place];
                try_one(one, &inputs[place..=place], horizon, (index, candidate), COSTLY_ORIGINS);
            }
        }
        tried
    }

    /// No cheap candidate does much better than seasonal naive: worth a costly one.
    fn is_hard(&self, place: usize) -> bool {
        let losses = self.losses(place);
        losses.iter().filter(|(_, ends)| *ends > 0).all(|(loss, _)| *loss > HARD.ln())
    }

    /// Log relative loss per candidate: the mean over the ends at which it was tried, and their number.
    pub(super) fn losses(&self, place: usize) -> Vec<(f32, usize)> {
        let origins = &self.series[place];
        let candidates = origins.first().map_or(0, |origin| origin.rows.len());
        (0..candidates).map(|index| mean_log(origins, |origin| origin.rows[index].as_deref())).collect()
    }

    pub(super) fn scores(&self, place: usize, candidates: &[Candidate]) -> Vec<Score> {
        let origins = &self.series[place];
        let score = |(index, candidate): (usize, &Candidate)| {
            let (wql, tried) = mean_log(origins, |origin| origin.rows[index].as_deref());
            let errors = origins.iter().filter_map(|origin| {
                let rows = origin.rows[index].as_deref()?;
                Some(log_ratio(absolute_error(rows, &origin.truth), absolute_error(&origin.naive, &origin.truth), 0.0))
            });
            let mase = (errors.sum::<f32>() / as_f32(tried)).exp();
            (tried > 0).then(|| Score { name: candidate.forecaster.name().to_owned(), wql: wql.exp(), mase })
        };
        candidates.iter().enumerate().filter_map(score).collect()
    }

    /// What a blend would have said, per end at which all of its parts were tried.
    pub(super) fn blended(&self, place: usize, weights: &[(usize, f32)]) -> Vec<Vec<Row>> {
        let at = |origin: &Origin| {
            let part = |(index, weight): &(usize, f32)| Some((origin.rows.get(*index)?.as_deref()?, *weight));
            let parts: Option<Vec<_>> = weights.iter().map(part).collect();
            parts.map(|parts| blend(&parts, origin.truth.len()))
        };
        self.series[place].iter().map_while(at).collect()
    }

    /// The best part of a blend, where alone it does clearly better than the blend did.
    pub(super) fn best_of(&self, place: usize, weights: &[(usize, f32)], blended: &[Vec<Row>]) -> Option<usize> {
        let whole = self.relative(place, blended);
        let alone = |index: usize| self.relative(place, &self.blended(place, &[(index, 1.0)])[..blended.len()]);
        let parts = weights.iter().map(|(index, _)| (*index, alone(*index)));
        let best = parts.min_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1)))?;
        clearly_below(&best.1, &whole).then_some(best.0)
    }

    pub(super) fn truth(&self, place: usize) -> Vec<&[f32]> {
        self.series[place].iter().map(|origin| origin.truth.as_slice()).collect()
    }

    /// Log relative loss of rows, per end.
    pub(super) fn relative(&self, place: usize, rows: &[Vec<Row>]) -> Vec<f32> {
        self.series[place].iter().zip(rows).map(|(origin, rows)| relative_to_naive(rows, origin)).collect()
    }
}

/// Has one candidate forecast from the last `most` ends of each series: all series with the same span in one call, since some
/// forecasters work in batches.
fn try_one(
    series: &mut [Vec<Origin>],
    inputs: &[&ForecastInput],
    horizon: usize,
    (index, candidate): (usize, &Candidate),
    most: usize,
) {
    let mut by_span: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for (place, input) in inputs.iter().enumerate() {
        let ends = series[place].len().min(most);
        by_span.entry(span(input.past.len(), horizon)).or_default().extend((0..ends).map(|end| (place, end)));
    }
    for (span, asked) in by_span {
        let input =
            |(place, back): &(usize, usize)| until(inputs[*place], inputs[*place].past.len() - (back + 1) * span);
        let made = candidate.forecaster.forecast(&asked.iter().map(input).collect::<Vec<_>>(), span);
        for ((place, back), made) in asked.into_iter().zip(made) {
            series[place][back].rows[index] = Some(made.quantiles().to_vec());
        }
    }
}

fn prepare(input: &ForecastInput, horizon: usize, candidates: usize) -> Vec<Origin> {
    let span = span(input.past.len(), horizon);
    let origin = |end: usize| {
        let past = Past::new(&until(input, end).past);
        let naive = if past.filled.is_empty() { vec![[0.0; 9]; span] } else { SeasonalNaive.rows(&past, span) };
        Origin { truth: truth_after(input, end, span).to_vec(), naive, rows: vec![None; candidates] }
    };
    usable(input, horizon).map(origin).collect()
}

/// The ends that something can be held against: those before the first after which hardly anything was seen.
pub(super) fn usable(input: &ForecastInput, horizon: usize) -> impl Iterator<Item = usize> {
    let span = span(input.past.len(), horizon);
    let seen = move |end: usize| truth_after(input, end, span).iter().filter(|y| y.is_finite()).count();
    origins(input.past.len(), horizon).into_iter().take_while(move |end| seen(*end) * 4 >= span)
}

fn mean_log<'a>(origins: &'a [Origin], rows: impl Fn(&'a Origin) -> Option<&'a [Row]>) -> (f32, usize) {
    let ratios: Vec<f32> = origins.iter().filter_map(|origin| Some(relative_to_naive(rows(origin)?, origin))).collect();
    (mean(&ratios), ratios.len())
}

/// The mean; 0 of nothing.
pub(super) fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / as_f32(values.len()).max(1.0)
}

/// Whether losses are lower than others, end by end, by more than two standard errors of the mean difference: a few ends must not
/// overrule what is known of many series. Never where there are fewer than two ends.
pub(crate) fn clearly_below(losses: &[f32], others: &[f32]) -> bool {
    let gains: Vec<f32> = losses.iter().zip(others).map(|(loss, other)| other - loss).collect();
    let gain = mean(&gains);
    let squares: Vec<f32> = gains.iter().map(|one| (one - gain).powi(2)).collect();
    let error = (mean(&squares) / (as_f32(gains.len()) - 1.0)).sqrt();
    gains.len() >= 2 && gain > 0.0 && gain > 2.0 * error
}

fn relative_to_naive(rows: &[Row], origin: &Origin) -> f32 {
    relative_loss(rows, &origin.naive, &origin.truth)
}

/// Log of the weighted quantile loss of `rows` relative to that of `naive`; gaps in the truth are left out.
#[must_use]
pub fn relative_loss(rows: &[Row], naive: &[Row], truth: &[f32]) -> f32 {
    let size: f64 = truth.iter().filter(|y| y.is_finite()).map(|y| f64::from(y.abs())).sum();
    log_ratio(pinball(rows, truth), pinball(naive, truth), size)
}

#[allow(clippy::cast_possible_truncation, reason = "a log")]
fn log_ratio(loss: f64, reference: f64, size: f64) -> f32 {
    let least = FLOOR * reference + 1e-6 * size + f64::from(f32::MIN_POSITIVE);
    ((loss + least) / (reference + least)).ln() as f32
}

pub(super) fn pinball(rows: &[Row], truth: &[f32]) -> f64 {
    let seen = rows.iter().zip(truth).filter(|(_, y)| y.is_finite());
    let loss = |(level, (q, y)): (f32, (f32, f32))| {
        let error = f64::from(y) - f64::from(q);
        (f64::from(level) * error).max((f64::from(level) - 1.0) * error)
    };
    seen.map(|(row, y)| LEVELS.into_iter().zip(row.map(|q| (q, *y))).map(loss).sum::<f64>()).sum()
}

fn absolute_error(rows: &[Row], truth: &[f32]) -> f64 {
    let seen = rows.iter().zip(truth).filter(|(_, y)| y.is_finite());
    seen.map(|(row, y)| (f64::from(*y) - f64::from(row[4])).abs()).sum()
}

#[allow(clippy::cast_precision_loss, reason = "a count of few")]
const fn as_f32(count: usize) -> f32 {
    count as f32
}
