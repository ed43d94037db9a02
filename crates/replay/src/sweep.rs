//! A policy at each of its margins: the line it draws between what it allots and how often that is too little.

use crate::{
    Decisions, Options, Player, ReplayError, Trace,
    parallel::{self, Progress},
    run::{run_asked, run_at},
    score::{
        class::{self, Class},
        tally::{Tally, tally},
        together::{Together, together},
        total::{Scores, ratio, scores},
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
    /// Scores by metric and kind of workload.
    #[serde(default)]
    pub kinds: BTreeMap<String, BTreeMap<Class, Scores>>,
    /// By metric, the share of workloads that are over as often as the margin says, give or take a fifth; where the margin is an
    /// asked share.
    #[serde(default)]
    pub met: BTreeMap<String, f64>,
    /// Replicas and their size, where workloads can run as such.
    #[serde(default)]
    pub together: Option<Together>,
}

/// Measured within this share of what was asked is met.
const MET_SHARE: f64 = 0.2;

impl Point {
    /// What was decided at a margin, judged.
    #[must_use]
    pub fn of(
        trace: &Trace,
        decisions: &Decisions,
        margin: f64,
        is_asked: bool,
        warmup_s: i64,
        threads: usize,
    ) -> Self {
        let tallies = tallies(trace, decisions, warmup_s, threads);
        let classes: Vec<Class> = trace.series().iter().map(|series| class::of(series, trace.first_s())).collect();
        let members = |metric: &str| -> Vec<(Class, &Tally)> {
            let all = trace.series().iter().zip(classes.iter().copied().zip(&tallies));
            let judged = all.filter(|(series, (_, tally))| *series.metric == *metric && tally.samples > 0);
            judged.map(|(_, member)| member).collect()
        };
        let mut made = Self {
            margin,
            scores: BTreeMap::new(),
            kinds: BTreeMap::new(),
            met: BTreeMap::new(),
            together: together(trace, decisions, warmup_s),
        };
        for metric in trace.metrics() {
            let members = members(&metric);
            let total = scores(members.iter().map(|(_, tally)| *tally));
            if total.workloads == 0 || total.bare >= 1.0 {
                continue;
            }
            let of = |class: Class| scores(members.iter().filter(|(own, _)| *own == class).map(|(_, tally)| *tally));
            let kinds = Class::ALL.into_iter().map(|class| (class, of(class))).filter(|(_, kind)| kind.workloads > 0);
            made.kinds.insert(metric.to_string(), kinds.collect());
            made.scores.insert(metric.to_string(), total);
            if is_asked {
                made.met.insert(metric.to_string(), met(members.iter().map(|(_, tally)| *tally), margin));
            }
        }
        made
    }
}

/// Share of series that are over as often as asked, give or take a fifth.
fn met<'a>(tallies: impl ExactSizeIterator<Item = &'a Tally>, asked: f64) -> f64 {
    let count = tallies.len() as f64;
    let over = |tally: &Tally| f64::from(tally.over) / f64::from(tally.samples);
    ratio(tallies.filter(|tally| (over(tally) / asked - 1.0).abs() <= MET_SHARE).count() as f64, count)
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

/// Plays and judges a policy at each of its margins; what it decided at its own, and the line. Nothing is played twice, and nothing
/// forecast twice.
///
/// # Errors
/// As [`crate::run()`].
pub fn sweep(
    trace: &Trace,
    player: Player<'_>,
    options: &Options,
    warmup_s: i64,
    progress: Progress<'_>,
) -> Result<(Decisions, Sweep), ReplayError> {
    let (means, grid) = player.grid();
    let own = player.margin(options);
    let margins: Vec<f64> = grid.iter().copied().chain((!grid.contains(&own)).then_some(own)).collect();
    let (mut points, mut recorded) = (Vec::with_capacity(grid.len()), None);
    let is_asked = matches!(player, Player::Engine(_));
    let mut take = |margin: f64, made: Decisions| {
        if grid.contains(&margin) {
            points.push(Point::of(trace, &made, margin, is_asked, warmup_s, options.threads));
        }
        if margin == own {
            recorded = Some(made);
        }
    };
    match player {
        Player::Engine(engine) => {
            let made = run_asked(trace, engine, &margins, options, progress)?;
            margins.iter().zip(made).for_each(|(margin, made)| take(*margin, made));
        }
        Player::Peer(_) => {
            for (done, margin) in margins.iter().enumerate() {
                let part = |at: usize, total: usize| progress(done * total + at, margins.len() * total);
                take(*margin, run_at(trace, player, *margin, options, &part)?);
            }
        }
    }
    let sweep = Sweep { policy: player.name().to_owned(), margin_means: means.to_owned(), points };
    Ok((recorded.ok_or(ReplayError::BrokenOff)?, sweep))
}

/// One tally per series of the trace.
pub(crate) fn tallies(trace: &Trace, decisions: &Decisions, warmup_s: i64, threads: usize) -> Vec<Tally> {
    parallel::map(trace.series().len(), threads, |at| {
        tally(&trace.series()[at], &decisions.series[at].decided, warmup_s)
    })
}

impl Sweep {
    /// The point with the least risk that saves so much of a metric against holding each workload at its own peak, or the one that saves
    /// most where none does; `None` without any.
    #[must_use]
    pub fn saving(&self, metric: &str, wanted: f64) -> Option<&Point> {
        let saved = |point: &Point| point.scores.get(metric).map(Scores::below_peak);
        let mut by_risk: Vec<(&Point, f64)> =
            self.points.iter().filter_map(|point| Some((point, saved(point)?))).collect();
        by_risk.sort_by(|a, b| a.0.margin.total_cmp(&b.0.margin));
        let enough = by_risk.iter().find(|(_, saved)| *saved >= wanted);
        let most = || by_risk.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        enough.or_else(most).map(|(point, _)| *point)
    }
    /// The footprint at which the policy has a share `over` of samples over on a metric, of all workloads or of a kind: between
    /// two margins on a line in logarithms. `None` beyond the ends, where nothing was measured.
    #[must_use]
    pub fn footprint_at(&self, metric: &str, class: Option<Class>, over: f64) -> Option<f64> {
        let scores = |point: &'_ Point| match class {
            None => point.scores.get(metric).cloned(),
            Some(class) => point.kinds.get(metric)?.get(&class).cloned(),
        };
        let drawn = self.points.iter().filter_map(scores).filter(|scores| scores.footprint > 0.0);
        between(drawn.map(|scores| (scores.over, scores.footprint)).collect(), over)
    }
    /// What is allotted to workloads that run as replicas where these are short of CPU for a share of all minutes, by `of`; `None`
    /// beyond the ends, where nothing was measured.
    #[must_use]
    pub fn at_short_share(&self, short_share: f64, of: fn(&Together) -> f64) -> Option<f64> {
        let points = self.points.iter().filter_map(|point| point.together);
        between(points.map(|made| (made.short_share(), of(&made))).filter(|point| point.1 > 0.0).collect(), short_share)
    }
}

/// The place of `x` on a line through points, straight in logarithms between two of them.
fn between(points: Vec<(f64, f64)>, x: f64) -> Option<f64> {
    let logs = |(share, size): (f64, f64)| (share.max(LEAST_OVER).ln(), size.ln());
    let mut line: Vec<(f64, f64)> = points.into_iter().map(logs).collect();
    line.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let x = x.max(LEAST_OVER).ln();
    let pair = line.windows(2).find(|pair| pair[0].0 <= x && x <= pair[1].0)?;
    let width = pair[1].0 - pair[0].0;
    let share = if width > 0.0 { (x - pair[0].0) / width } else { 1.0 };
    Some((pair[0].1 + (pair[1].1 - pair[0].1) * share).exp())
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
            kinds: BTreeMap::new(),
            met: BTreeMap::new(),
            together: None,
        };
        let sweep = Sweep {
            policy: "a".into(),
            margin_means: String::new(),
            points: vec![point(0.0, 0.1, 1.0), point(1.0, 0.001, 4.0)],
        };
        let check = |over: f64, expect: Option<f64>| {
            let found = sweep.footprint_at("cpu_cores", None, over);
            assert!(found.zip(expect).map_or(found == expect, |(a, b)| (a - b).abs() < 1e-9), "{over}: {found:?}");
        };
        check(0.1, Some(1.0));
        check(0.01, Some(2.0));
        check(0.001, Some(4.0));
        check(0.2, None);
        check(0.0005, None);
        assert_eq!(sweep.footprint_at("mem_mib", None, 0.01), None);
        assert_eq!(sweep.footprint_at("cpu_cores", Some(Class::Flat), 0.01), None);
    }

    #[test]
    fn a_saving_is_had_at_the_least_risk_that_gives_it() {
        let point = |margin: f64, footprint: f64| {
            let scores = Scores { workloads: 1, footprint, peak_footprint: 4.0, ..Scores::default() };
            let scores = BTreeMap::from([("cpu_cores".to_owned(), scores)]);
            Point { margin, scores, kinds: BTreeMap::new(), met: BTreeMap::new(), together: None }
        };
        let points = vec![point(0.1, 1.0), point(0.001, 3.0), point(0.01, 2.0)];
        let sweep = Sweep { policy: "a".into(), margin_means: String::new(), points };
        let check = |wanted: f64, margin: f64| {
            assert_eq!(sweep.saving("cpu_cores", wanted).map(|point| point.margin), Some(margin), "{wanted}");
        };
        check(0.0, 0.001);
        check(0.25, 0.001);
        check(0.3, 0.01);
        check(0.75, 0.1);
        check(0.9, 0.1);
        assert_eq!(sweep.saving("memory_bytes", 0.1), None);
    }

    #[test]
    fn met_is_within_a_fifth() {
        let tally = |over: u32| Tally { samples: 1_000, over, ..Tally::default() };
        let tallies = [7, 8, 10, 12, 13].map(tally);
        assert_eq!(met(tallies.iter(), 0.01), 0.6);
    }
}
