//! From recorded decisions to comparable scores. Needs no policy: what was recorded can be judged again.

use crate::{
    Decisions, LIMITS, SeriesDecisions, Trace,
    engine::{SCALING, SIZING},
    quantity::{Kind, Quantity},
    replicas,
    score::{
        bootstrap::{Interval, Intervals, intervals, middle},
        class::{self, Class},
        scaling::{Scaling, scaling},
        tally::{Tally, tally},
        together::{Together, together},
        total::{Scores, scores},
    },
    share::Claim,
    sweep::{Sweep, tallies},
    trace::{Repairs, usual_step_s},
    world::in_force,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How decisions are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgeOptions {
    /// Usage counts from so long after a series' first sample, seconds.
    pub warmup_s: i64,
    /// The policy that is compared with all others, and whose best and worst workloads are shown.
    pub ours: String,
    /// Seed of the intervals.
    pub seed: u64,
    /// Threads to use; changes nothing in the results.
    pub threads: usize,
    /// From asking for a replica until it serves, seconds.
    pub replica_start_s: i64,
    /// How what is judged was played, where that is known.
    pub played: Option<Played>,
}

impl Default for JudgeOptions {
    fn default() -> Self {
        Self {
            warmup_s: 86_400,
            ours: SIZING.to_owned(),
            seed: 0,
            threads: 1,
            replica_start_s: replicas::START_S,
            played: None,
        }
    }
}

/// What decisions rest on beside the trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Played {
    /// Share of samples that might be over, for policies that aim at one, 0..1.
    pub violation: f64,
    /// Forecaster of our policy.
    pub model: String,
    /// What the shared node had of each metric, in its own unit; empty where there was none.
    pub capacity: BTreeMap<String, f64>,
    /// Who was served first on it and in which shares, by workload.
    #[serde(default)]
    pub claims: BTreeMap<String, Claim>,
    /// Changes a day that the perfect forecast might make.
    #[serde(default)]
    pub oracle_changes: f64,
    /// Ours was played by the rules of the configuration instead of by `violation` alone.
    #[serde(default)]
    pub as_configured: bool,
}

/// How a metric was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The metric.
    pub metric: String,
    /// What it counts as.
    pub quantity: Quantity,
    /// Series.
    pub workloads: usize,
    /// Usual distance of two samples, seconds.
    #[serde(default)]
    pub step_s: i64,
}

/// What a report must say to be repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Version of this crate.
    pub version: String,
    /// SHA-256 of the trace.
    pub data_digest: String,
    /// Samples of the trace.
    pub samples: usize,
    /// Time of its first sample, seconds since 1970.
    pub first_s: i64,
    /// Time of its last sample, seconds since 1970.
    pub last_s: i64,
    /// What was mended in it.
    pub repairs: Repairs,
    /// Its metrics.
    pub metrics: Vec<Reading>,
    /// Warm-up, seconds.
    pub warmup_s: i64,
    /// Seed.
    pub seed: u64,
    /// From asking for a replica until it serves, seconds.
    #[serde(default)]
    pub replica_start_s: i64,
    /// How policies were played, where that is known.
    #[serde(default)]
    pub played: Option<Played>,
}

/// One policy on one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The policy.
    pub policy: String,
    /// The metric.
    pub metric: String,
    /// Its scores.
    pub scores: Scores,
    /// Intervals over workloads, 95 %.
    pub intervals: Intervals,
    /// Footprint over that of the best constants at the same share over, less 1; where those were swept so far.
    pub regret_best_static: Option<f64>,
    /// Footprint over that of the perfect forecast at the same share over, less 1; where that was swept so far.
    pub regret_oracle: Option<f64>,
    /// Intervals of these two over workloads, 95 %: the bound's line held as it is, in draws whose share over it reaches.
    #[serde(default)]
    pub regret_intervals: [Option<Interval>; 2],
    /// Allotment saved against `static`, as a share of it; where `static` was judged too.
    pub saving: Option<f64>,
    /// Both limits of memory, where the policy sets two.
    #[serde(default)]
    pub limits: Option<Limits>,
}

/// A limit above which memory is slowed and one above which it is killed, in a world that has both: kills are told of the second
/// only. Memory is taken to grow as recorded however much it is slowed, so there are no more kills than these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Scores of the first; what is over is slowed.
    pub slowing: Scores,
    /// Scores of the second; what is over is killed.
    pub killing: Scores,
}

/// One policy on one kind of workloads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRow {
    /// The policy.
    pub policy: String,
    /// The metric.
    pub metric: String,
    /// The kind.
    pub class: Class,
    /// Its scores.
    pub scores: Scores,
    /// Intervals over workloads, 95 %.
    #[serde(default)]
    pub intervals: Intervals,
}

/// One policy's replicas for one metric of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingRow {
    /// The policy.
    pub policy: String,
    /// The metric.
    pub metric: String,
    /// What they cost and how late they came.
    pub scaling: Scaling,
}

/// One policy's replicas and their size together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TogetherRow {
    /// The policy.
    pub policy: String,
    /// What all of them were allotted, and how long that was too little.
    pub together: Together,
}

/// Our footprint where we are over as often as a peer is at its own margin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matched {
    /// The peer.
    pub peer: String,
    /// The metric.
    pub metric: String,
    /// Over workloads of one kind only.
    #[serde(default)]
    pub class: Option<Class>,
    /// The peer's measured share of samples over.
    pub over: f64,
    /// Its footprint.
    pub footprint: f64,
    /// Ours at that share; `None` where our sweep does not reach it.
    pub ours: Option<f64>,
    /// How much smaller ours is, as a share of the peer's.
    pub smaller: Option<f64>,
}

/// Ours on workloads that run as replicas, where these are short of CPU as often as under a peer at its own margin.
#[derive(Clone, Debug, PartialEq)]
pub struct AsShort {
    /// The peer.
    pub policy: String,
    /// Its share of minutes short of CPU.
    pub short_share: f64,
    /// What it allots.
    pub peer: Together,
    /// Core-hours and GiB-hours of ours; `None` where its sweep does not reach that share.
    pub ours: Option<(f64, f64)>,
}

/// One of the best or worst workloads of a policy, with a plot's worth of points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The policy.
    pub policy: String,
    /// The workload.
    pub workload: String,
    /// The metric.
    pub metric: String,
    /// Its kind.
    pub class: Class,
    /// What was allotted and not used, and ten times what was used and not allotted, over usage.
    pub cost: f64,
    /// Allotted over used.
    pub footprint: f64,
    /// Share of samples over.
    pub over: f64,
    /// Time, mean usage, greatest usage and greatest allotment of each part of the time.
    pub points: Vec<[f64; 4]>,
}

/// Everything that a report shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// What it rests on.
    pub conditions: Conditions,
    /// Policy by policy, metric by metric.
    pub rows: Vec<Row>,
    /// By kind of workload.
    pub classes: Vec<ClassRow>,
    /// Replicas, policy by policy.
    #[serde(default)]
    pub scaling: Vec<ScalingRow>,
    /// Replicas and their size together, policy by policy; empty where no policy decides how many there are.
    #[serde(default)]
    pub together: Vec<TogetherRow>,
    /// Lines of slack against violation.
    pub sweeps: Vec<Sweep>,
    /// Ours against each peer where both are over as often.
    pub matched: Vec<Matched>,
    /// The ten cheapest workloads of one policy, cheapest first.
    pub best: Vec<Example>,
    /// The ten dearest, dearest first.
    pub worst: Vec<Example>,
}

/// What unmet usage weighs against unused allotment when workloads are ranked.
const UNMET_WEIGHT: f64 = 10.0;
const EXAMPLES: usize = 10;
const EXAMPLE_POINTS: usize = 240;

/// Judges recorded decisions, with sweeps where there are any.
#[must_use]
pub fn judge(trace: &Trace, decisions: &[Decisions], sweeps: &[Sweep], options: &JudgeOptions) -> Judged {
    let classes: Vec<Class> = trace.series().iter().map(|series| class::of(series, trace.first_s())).collect();
    let mut judged = Judged {
        conditions: conditions(trace, options),
        rows: Vec::new(),
        classes: Vec::new(),
        scaling: Vec::new(),
        together: Vec::new(),
        sweeps: sweeps.to_vec(),
        matched: Vec::new(),
        best: Vec::new(),
        worst: Vec::new(),
    };
    for made in decisions {
        let tallies = tallies(trace, made, options.warmup_s, options.threads);
        for metric in trace.metrics() {
            judged.add(trace, made, &metric, (&tallies, &classes), options);
        }
        judged.scaling.extend(scaled(trace, made, options));
        if decisions.iter().any(|made| !made.replicas.is_empty()) {
            let row = |together| TogetherRow { policy: made.policy.clone(), together };
            judged.together.extend(together(trace, made, options.warmup_s).map(row));
        }
        let first = decisions.iter().all(|other| other.policy != options.ours) && judged.best.is_empty();
        if made.policy == options.ours || first {
            (judged.best, judged.worst) = examples(trace, made, &tallies, &classes);
        }
    }
    judged.save_against_static();
    judged.matched = judged.matched(&options.ours);
    judged
}

/// How both limits of a metric of memory did; `None` where there is one only.
fn limits(trace: &Trace, made: &Decisions, metric: &str, warmup_s: i64) -> Option<Limits> {
    let [slowing, killing] = LIMITS.map(|ending| {
        let of = |limit: &SeriesDecisions| {
            let series = limit.metric.strip_suffix(ending).filter(|own| *own == metric)?;
            let at = trace.find(&limit.workload, series)?;
            Some(tally(&trace.series()[at], &limit.decided, warmup_s))
        };
        let tallies: Vec<Tally> = made.limits.iter().filter_map(of).collect();
        (!tallies.is_empty()).then(|| scores(&tallies))
    });
    Some(Limits { slowing: slowing?, killing: killing? })
}

/// How a policy's replicas did, metric by metric.
fn scaled<'a>(
    trace: &'a Trace,
    made: &'a Decisions,
    options: &'a JudgeOptions,
) -> impl Iterator<Item = ScalingRow> + 'a {
    trace.metrics().into_iter().filter_map(move |metric| {
        let mine = trace.series().iter().zip(&made.series).filter(|(series, _)| series.metric == metric);
        let sized = mine.filter(|(_, own)| !own.decided.is_empty()).map(|(series, own)| (series, &*own.decided));
        let scaling = scaling(sized, options.warmup_s, options.replica_start_s)?;
        Some(ScalingRow { policy: made.policy.clone(), metric: metric.to_string(), scaling })
    })
}

fn conditions(trace: &Trace, options: &JudgeOptions) -> Conditions {
    let reading = |metric: &str| {
        let own = || trace.series().iter().filter(|series| *series.metric == *metric);
        let step_s = usual_step_s(own()).unwrap_or(0);
        Reading { metric: metric.to_owned(), quantity: Quantity::of(metric), workloads: own().count(), step_s }
    };
    Conditions {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_digest: trace.digest(),
        samples: trace.samples(),
        first_s: trace.first_s(),
        last_s: trace.last_s(),
        repairs: trace.repairs().clone(),
        metrics: trace.metrics().iter().map(|metric| reading(metric)).collect(),
        warmup_s: options.warmup_s,
        seed: options.seed,
        replica_start_s: options.replica_start_s,
        played: options.played.clone(),
    }
}

impl Judged {
    fn add(
        &mut self,
        trace: &Trace,
        made: &Decisions,
        metric: &str,
        (tallies, classes): (&[Tally], &[Class]),
        &JudgeOptions { seed, warmup_s, .. }: &JudgeOptions,
    ) {
        let members: Vec<usize> = (0..tallies.len())
            .filter(|at| *trace.series()[*at].metric == *metric && tallies[*at].samples > 0)
            .collect();
        let own: Vec<&Tally> = members.iter().map(|at| &tallies[*at]).collect();
        let total = scores(own.iter().copied());
        if members.is_empty() || total.bare >= 1.0 {
            return;
        }
        let (wide, draws) = intervals(&own, seed, metric);
        let regret = |bound: &str| self.regret(bound, metric, (total.footprint, total.over));
        let regrets = |bound: &str| {
            let mut all: Vec<f64> = draws.iter().filter_map(|draw| self.regret(bound, metric, *draw)).collect();
            (!all.is_empty()).then(|| middle(&mut all))
        };
        self.rows.push(Row {
            policy: made.policy.clone(),
            metric: metric.to_owned(),
            regret_best_static: regret("best-static"),
            regret_oracle: regret("oracle"),
            regret_intervals: ["best-static", "oracle"].map(regrets),
            saving: None,
            limits: limits(trace, made, metric, warmup_s),
            intervals: wide,
            scores: total,
        });
        for class in Class::ALL {
            let kind: Vec<&Tally> =
                members.iter().filter(|at| classes[**at] == class).map(|at| &tallies[*at]).collect();
            if !kind.is_empty() {
                let (wide, _) = intervals(&kind, seed, metric);
                let (policy, metric) = (made.policy.clone(), metric.to_owned());
                self.classes.push(ClassRow { policy, metric, class, scores: scores(kind), intervals: wide });
            }
        }
    }

    fn regret(&self, bound: &str, metric: &str, (footprint, over): (f64, f64)) -> Option<f64> {
        let sweep = self.sweeps.iter().find(|sweep| sweep.policy == bound)?;
        sweep.footprint_at(metric, None, over).map(|least| footprint / least - 1.0)
    }

    /// Ours against each peer at its own share over, over all workloads and over those of each kind.
    fn matched(&self, ours: &str) -> Vec<Matched> {
        let Some(sweep) = self.sweeps.iter().find(|sweep| sweep.policy == ours) else { return Vec::new() };
        let compare = |policy: &str, metric: &str, class: Option<Class>, scores: &Scores| {
            let at = sweep.footprint_at(metric, class, scores.over);
            Matched {
                peer: policy.to_owned(),
                metric: metric.to_owned(),
                class,
                over: scores.over,
                footprint: scores.footprint,
                ours: at,
                smaller: at.map(|footprint| 1.0 - footprint / scores.footprint),
            }
        };
        let all = self.rows.iter().map(|row| compare(&row.policy, &row.metric, None, &row.scores));
        let kinds = self.classes.iter().map(|row| compare(&row.policy, &row.metric, Some(row.class), &row.scores));
        all.chain(kinds).filter(|row| row.peer != ours).collect()
    }

    /// Ours against each peer on workloads that run as replicas; empty where the policy that decides both was not swept.
    #[must_use]
    pub fn as_short(&self) -> Vec<AsShort> {
        let Some(sweep) = self.sweeps.iter().find(|sweep| sweep.policy == SCALING) else { return Vec::new() };
        let compare = |row: &TogetherRow| {
            let (policy, peer, short_share) = (row.policy.clone(), row.together, row.together.short_share());
            let of = |amount| sweep.at_short_share(short_share, amount);
            let ours = of(|made| made.core_hours).map(|cores| (cores, of(|made| made.gib_hours).unwrap_or(0.0)));
            AsShort { policy, short_share, peer, ours }
        };
        self.together.iter().filter(|row| row.policy != SCALING).map(compare).collect()
    }

    fn save_against_static(&mut self) {
        let fixed: Vec<(String, f64)> = self
            .rows
            .iter()
            .filter(|row| row.policy == "static")
            .map(|row| (row.metric.clone(), row.scores.footprint))
            .collect();
        for row in &mut self.rows {
            let before = fixed.iter().find(|(metric, _)| *metric == row.metric).map(|(_, footprint)| *footprint);
            row.saving = before.filter(|before| *before > 0.0).map(|before| 1.0 - row.scores.footprint / before);
        }
    }
}

fn examples(trace: &Trace, made: &Decisions, tallies: &[Tally], classes: &[Class]) -> (Vec<Example>, Vec<Example>) {
    let cost = |tally: &Tally| (tally.unused + UNMET_WEIGHT * tally.beyond) / tally.usage;
    let sized = |at: usize| matches!(trace.series()[at].quantity().kind, Kind::Cpu | Kind::Memory | Kind::Requests);
    let mut ranked: Vec<usize> =
        (0..tallies.len()).filter(|at| tallies[*at].usage > 0.0 && tallies[*at].bare == 0 && sized(*at)).collect();
    ranked.sort_by(|a, b| cost(&tallies[*a]).total_cmp(&cost(&tallies[*b])));
    let show = |at: &usize| {
        let (series, tally) = (&trace.series()[*at], &tallies[*at]);
        Example {
            policy: made.policy.clone(),
            workload: series.workload.to_string(),
            metric: series.metric.to_string(),
            class: classes[*at],
            cost: cost(tally),
            footprint: tally.allotted / tally.usage,
            over: f64::from(tally.over) / f64::from(tally.samples),
            points: points(trace, made, *at),
        }
    };
    let best = ranked.iter().take(EXAMPLES).map(show).collect();
    let worst = ranked.iter().rev().take(EXAMPLES).map(show).collect();
    (best, worst)
}

/// The series in few enough points to draw.
fn points(trace: &Trace, made: &Decisions, at: usize) -> Vec<[f64; 4]> {
    let (series, decided) = (&trace.series()[at], &made.series[at].decided);
    let part = series.len().div_ceil(EXAMPLE_POINTS).max(1);
    let samples: Vec<(i64, f64)> = series.samples().collect();
    let point = |part: &[(i64, f64)]| {
        let mean = part.iter().map(|(_, usage)| usage).sum::<f64>() / part.len() as f64;
        let peak = part.iter().map(|(_, usage)| *usage).fold(0.0, f64::max);
        let given = part.iter().filter_map(|(time, _)| in_force(decided, *time)).fold(0.0, f64::max);
        [part[0].0 as f64, mean, peak, given]
    };
    samples.chunks(part).map(point).collect()
}
