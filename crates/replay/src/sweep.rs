//! A policy at each of its margins: the line it draws between what it allots and how often that is too little.

use crate::{
    Options, Player, ReplayError, Trace,
    parallel::{self, Progress},
    run::run_at,
    score::{
        tally::{Tally, tally},
        total::{Scores, scores},
    },
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One margin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The margin, as the policy means it.
    pub margin: f64,
    /// Scores by metric.
    pub scores: BTreeMap<String, Scores>,
}

/// A policy's scores over its margins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// Its name.
    pub policy: String,
    /// What the margin is.
    pub margin_means: String,
    /// In order of the margin.
    pub points: Vec<Point>,
}

/// Plays and judges a policy at each of its margins.
///
/// # Errors
/// As [`crate::run()`].
pub fn sweep(
    trace: &Trace,
    player: Player<'_>,
    options: &Options,
    warmup_s: i64,
    progress: Progress<'_>,
) -> Result<Sweep, ReplayError> {
    let (means, grid) = player.grid();
    let mut points = Vec::with_capacity(grid.len());
    for (done, margin) in grid.iter().enumerate() {
        let part = |at: usize, total: usize| progress(done * total + at, grid.len() * total);
        let decisions = run_at(trace, player, *margin, options, &part)?;
        let tallies = tallies(trace, &decisions, warmup_s, options.threads);
        points.push(Point { margin: *margin, scores: by_metric(trace, &tallies) });
    }
    Ok(Sweep { policy: player.name().to_owned(), margin_means: means.to_owned(), points })
}

/// One tally per series of the trace.
pub(crate) fn tallies(trace: &Trace, decisions: &crate::Decisions, warmup_s: i64, threads: usize) -> Vec<Tally> {
    parallel::map(trace.series().len(), threads, &|_, _| {}, |at| {
        tally(&trace.series()[at], &decisions.series[at].decided, warmup_s)
    })
}

/// Scores by metric; a metric for which nothing was decided is left out.
fn by_metric(trace: &Trace, tallies: &[Tally]) -> BTreeMap<String, Scores> {
    let of = |metric: &str| {
        let members = trace.series().iter().zip(tallies).filter(|(series, _)| *series.metric == *metric);
        scores(members.map(|(_, tally)| tally))
    };
    let all = trace.metrics().into_iter().map(|metric| (metric.to_string(), of(&metric)));
    all.filter(|(_, scores)| scores.workloads > 0 && scores.bare < 1.0).collect()
}

impl Sweep {
    /// The footprint at which the policy has a share `over` of samples over on a metric: between two margins on a line in
    /// logarithms. `None` beyond the ends, where nothing was measured.
    #[must_use]
    pub fn footprint_at(&self, metric: &str, over: f64) -> Option<f64> {
        let mut line: Vec<(f64, f64)> = self
            .points
            .iter()
            .filter_map(|point| point.scores.get(metric))
            .filter(|scores| scores.footprint > 0.0)
            .map(|scores| (scores.over.max(LEAST_OVER).ln(), scores.footprint.ln()))
            .collect();
        line.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let x = over.max(LEAST_OVER).ln();
        let pair = line.windows(2).find(|pair| pair[0].0 <= x && x <= pair[1].0)?;
        let width = pair[1].0 - pair[0].0;
        let share = if width > 0.0 { (x - pair[0].0) / width } else { 1.0 };
        Some((pair[0].1 + (pair[1].1 - pair[0].1) * share).exp())
    }
}

/// A share below this counts as this, so that none at all has a place on a logarithmic line.
pub(crate) const LEAST_OVER: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_margins_the_line_is_straight_in_logarithms() {
        let point = |margin: f64, over: f64, footprint: f64| Point {
            margin,
            scores: BTreeMap::from([(
                "cpu_cores".to_owned(),
                Scores { workloads: 1, over, footprint, ..Scores::default() },
            )]),
        };
        let sweep = Sweep {
            policy: "a".into(),
            margin_means: String::new(),
            points: vec![point(0.0, 0.1, 1.0), point(1.0, 0.001, 4.0)],
        };
        let check = |over: f64, expect: Option<f64>| {
            let found = sweep.footprint_at("cpu_cores", over);
            assert!(found.zip(expect).map_or(found == expect, |(a, b)| (a - b).abs() < 1e-9), "{over}: {found:?}");
        };
        check(0.1, Some(1.0));
        check(0.01, Some(2.0));
        check(0.001, Some(4.0));
        check(0.2, None);
        check(0.0005, None);
        assert_eq!(sweep.footprint_at("mem_mib", 0.01), None);
    }
}
