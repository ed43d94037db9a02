//! What an instruction would have done: recorded usage played with and without it, before it is accepted.
//!
//! An event can come true or not, so demand is played as recorded and as announced. A window that is still to come is moved back by
//! whole weeks (days, where the trace is shorter than a week) to where the trace holds it last.

use crate::{
    Decided, Decisions, Engine, Options, Player, Progress, ReplayError, Told, Trace, TraceSeries, ZoneOffset,
    engine::knob_of,
    run::run_at,
    score::{
        tally::{Tally, changes, tally},
        total::{Scores, ratio, scores},
    },
};
use apportion_core::{
    History, Instructed, Instruction, InstructionId, Metric, Series, Time, Window, WorkloadId,
    instruction::InstructionKind, metric::name, time::DAY_S,
};
use apportion_planner::instructions::{names, spans};
use serde::{Deserialize, Serialize};

const WEEK_S: i64 = 7 * DAY_S;

/// What demand is taken to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// As recorded: an announced event does not come.
    AsRecorded,
    /// As announced: it comes, as large as was said.
    AsAnnounced,
}

/// Which samples count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All after the warm-up.
    Whole,
    /// Those within the instruction's windows.
    InWindow,
}

/// How the policy did, with or without the instruction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Mean allotment of a workload, in the metric's own unit.
    pub allotted: f64,
    /// Its scores.
    pub scores: Scores,
}

/// The effect on one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricEffect {
    /// The metric.
    pub metric: String,
    /// What demand was.
    pub demand: Demand,
    /// Which samples count.
    pub scope: Scope,
    /// Mean usage of a workload, in the metric's own unit.
    pub used: f64,
    /// Without the instruction.
    pub without: Side,
    /// With it.
    pub with: Side,
}

/// The effect of an instruction on recorded usage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhatIf {
    /// The instruction in its place in the past.
    pub said: Instructed,
    /// By how many days it was moved back.
    pub moved_days: i64,
    /// When it was in force within what is judged, seconds since 1970.
    pub windows: Vec<(i64, i64)>,
    /// First and last judged time, seconds since 1970.
    pub judged_s: (i64, i64),
    /// Workloads that it names.
    pub workloads: Vec<String>,
    /// Metric by metric.
    pub effects: Vec<MetricEffect>,
}

/// Plays what an instruction names with and without it, besides what `engine` is told already (it is left as it was). On a shared
/// node all workloads are played, and those that it names are judged.
///
/// # Errors
/// [`ReplayError::NotNamed`] where it names no workload of the trace; [`ReplayError::BrokenOff`] where `progress` breaks; and as [`crate::run()`].
pub fn what_if(
    trace: &Trace,
    engine: &mut Engine<'_>,
    (instruction, offset_s): (&Instruction, ZoneOffset),
    options: &Options,
    warmup_s: i64,
    progress: Progress<'_>,
) -> Result<WhatIf, ReplayError> {
    let is_named = |workload: &str| names(instruction, &WorkloadId::new(workload));
    let named = trace.only(is_named).ok_or_else(|| ReplayError::NotNamed {
        names: instruction.workloads.join(", "),
        known: trace.workloads().join(", "),
    })?;
    let judged_s = (trace.first_s() + warmup_s, trace.last_s());
    let (said, moved_days) = moved(instruction, judged_s);
    let windows = spans(&said, judged_s.0, judged_s.1 + 1, &offset_s);
    let workloads = named.workloads().iter().map(ToString::to_string).collect();
    let mut made = WhatIf { said: said.clone(), moved_days, windows, judged_s, workloads, effects: Vec::new() };
    let before = engine.told.clone();
    let mut with = before.clone().unwrap_or(Told { said: Vec::new(), offset_s });
    with.said.push(said);
    let played = if options.node.is_some() { trace } else { &named };
    let worlds = worlds(played, &with, instruction);
    let compared = Options { both_limits: false, ..options.clone() };
    let sides = sides(engine, &worlds, [before.clone(), Some(with)], &compared, progress);
    engine.told = before;
    let sides = sides?;
    for (number, (demand, world)) in worlds.iter().enumerate() {
        made.add(*demand, world, (&sides[number], &sides[worlds.len() + number]), warmup_s);
    }
    Ok(made)
}

/// Every world played with each of what is told.
fn sides(
    engine: &mut Engine<'_>,
    worlds: &[(Demand, Trace)],
    told: [Option<Told>; 2],
    options: &Options,
    progress: Progress<'_>,
) -> Result<Vec<Decisions>, ReplayError> {
    let mut sides = Vec::new();
    for told in told {
        engine.told = told;
        for (_, world) in worlds {
            let before = sides.len();
            let part = |at: usize, total: usize| progress(before * total + at, 2 * worlds.len() * total);
            sides.push(run_at(world, Player::Engine(engine), options.violation, options, &part)?);
        }
    }
    Ok(sides)
}

/// Demand as recorded, and as announced where the instruction is an event.
fn worlds(played: &Trace, with: &Told, instruction: &Instruction) -> Vec<(Demand, Trace)> {
    let mut worlds = vec![(Demand::AsRecorded, played.clone())];
    if instruction.kind == InstructionKind::Event {
        worlds.push((Demand::AsAnnounced, played.with_values(|series| as_announced(series, with))));
    }
    worlds
}

/// Nothing is known of what was usual when it was said: sizes are taken as they were said.
struct Nothing;

impl History for Nothing {
    fn series(&self, _: &WorkloadId, _: &Metric, _: Window) -> Option<Series> {
        None
    }
}

/// Usage with what was announced on top.
fn as_announced(series: &TraceSeries, told: &Told) -> Vec<f64> {
    let (metric, unit) = knob_of(series).map_or((name::REQUESTS, 1.0), |(knob, unit)| (knob.demand_metric(), unit));
    let (workload, metric) = (WorkloadId::new(&series.workload), Metric::new(metric));
    let step_s = u32::try_from(series.step_s).unwrap_or(u32::MAX).max(1);
    let one = |(time_s, value): (i64, f64)| {
        let window = Window { from_s: time_s, to_s: time_s + i64::from(step_s), step_s };
        let announced = told.at(Time::from_s(time_s)).announced(&Nothing, &workload, &metric, window);
        announced.greatest(value * unit) / unit
    };
    series.samples().map(one).collect()
}

/// The instruction in its place in the past, said when judging begins, and by how many days it was moved back.
fn moved(instruction: &Instruction, (first_s, last_s): (i64, i64)) -> (Instructed, i64) {
    let back_s = match (instruction.start, instruction.end, instruction.repeat) {
        // One window: as late as the trace holds all of it.
        (_, Some(end), None) => {
            let unit_s = if last_s - first_s >= WEEK_S { WEEK_S } else { DAY_S };
            up_to(end.s() - last_s, unit_s)
        }
        // Repeated or without an end: from the beginning on, on the same day of the week.
        (Some(start), ..) => up_to(start.s() - first_s, WEEK_S),
        (None, ..) => 0,
    };
    let back = |time: Option<Time>| time.map(|time| time.plus_s(-back_s));
    let mut placed = instruction.clone();
    (placed.start, placed.end) = (back(instruction.start), back(instruction.end));
    let said = Instructed { id: InstructionId(0), time: Time::from_s(first_s), revoked: None, instruction: placed };
    (said, back_s / DAY_S)
}

/// The least multiple of `unit_s` that is not less than `span_s`; 0 for a span that is past.
fn up_to(span_s: i64, unit_s: i64) -> i64 {
    (span_s.max(0) + unit_s - 1) / unit_s * unit_s
}

impl WhatIf {
    fn add(&mut self, demand: Demand, world: &Trace, (without, with): (&Decisions, &Decisions), warmup_s: i64) {
        let is_named = |at: &usize| self.workloads.iter().any(|name| **name == *world.series()[*at].workload);
        for metric in world.metrics() {
            let places: Vec<usize> =
                (0..world.series().len()).filter(|at| world.series()[*at].metric == metric).filter(is_named).collect();
            for scope in [Scope::Whole, Scope::InWindow] {
                let side = |made: &Decisions| -> Vec<Tally> {
                    let of = |at: &usize| self.tally(&world.series()[*at], &made.series[*at].decided, scope, warmup_s);
                    places.iter().filter_map(of).collect()
                };
                let (plain, told) = (side(without), side(with));
                if !plain.is_empty() {
                    let used = mean(&plain, |tally| tally.usage);
                    let [without, with] = [plain, told].map(|tallies| Side {
                        allotted: mean(&tallies, |tally| tally.allotted),
                        scores: scores(&tallies),
                    });
                    self.effects.push(MetricEffect { metric: metric.to_string(), demand, scope, used, without, with });
                }
            }
        }
    }

    /// Judges one series; `None` where nothing of it counts, or nothing was decided.
    fn tally(&self, series: &TraceSeries, decided: &[Decided], scope: Scope, warmup_s: i64) -> Option<Tally> {
        if decided.is_empty() {
            return None;
        }
        let made = match scope {
            Scope::Whole => tally(series, decided, warmup_s),
            Scope::InWindow => {
                let counts = |time: i64| self.windows.iter().any(|(from, to)| *from < time && time <= *to);
                let (times_s, values): (Vec<i64>, Vec<f64>) =
                    series.samples().filter(|(time, _)| counts(*time)).unzip();
                let within = TraceSeries { times_s, values, ..series.clone() };
                // What was decided outside the window changes nothing within it.
                let (changes, changed) = changes(decided, &counts);
                Tally { changes, changed, ..tally(&within, decided, 0) }
            }
        };
        (made.samples > 0).then_some(made)
    }
}

/// Per sample, over all series.
fn mean(tallies: &[Tally], of: fn(&Tally) -> f64) -> f64 {
    ratio(tallies.iter().map(of).sum(), tallies.iter().map(|tally| f64::from(tally.samples)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TraceBuilder, unwatched};
    use apportion_core::instruction::{Effect, Repeat, Topic, Unit};

    /// Two workloads, ten days at five minutes: a wave of 1 core, and requests.
    fn trace() -> Trace {
        let mut builder = TraceBuilder::default();
        for workload in ["checkout", "search"] {
            for k in 1..=10 * 288_i64 {
                let wave =
                    1.0 + 0.3 * (k as f64 / 288.0 * std::f64::consts::TAU).sin() + (k * 7_919 % 13) as f64 / 50.0;
                builder.push(workload, "cpu_cores", k * 300, wave).unwrap();
            }
        }
        builder.finish().unwrap()
    }

    fn asked(kind: InstructionKind) -> Instruction {
        Instruction { workloads: vec!["checkout".to_owned()], ..Instruction::new(kind, "said") }
    }

    fn play(instruction: &Instruction) -> Result<WhatIf, ReplayError> {
        let mut engine = Engine::apportion("recent", 6 * 3_600).unwrap();
        let options = Options { threads: 2, ..Options::default() };
        let made = what_if(&trace(), &mut engine, (instruction, |_, _| 0), &options, DAY_S, &unwatched);
        assert!(engine.told.is_none());
        made
    }

    fn effect(made: &WhatIf, demand: Demand, scope: Scope) -> &MetricEffect {
        made.effects.iter().find(|effect| effect.demand == demand && effect.scope == scope).unwrap()
    }

    /// Tripled demand for two hours, three weeks from the end: moved back by four weeks, met when announced and not otherwise.
    #[test]
    fn an_event_is_played_as_if_it_came_and_as_if_not() {
        let begin_s = (10 + 21) * DAY_S - 6 * 3_600;
        let event = Instruction {
            effect: Some(Effect::Multiply),
            amount: Some(3.0),
            start: Some(Time::from_s(begin_s)),
            end: Some(Time::from_s(begin_s + 2 * 3_600)),
            ..asked(InstructionKind::Event)
        };
        let made = play(&event).unwrap();
        assert_eq!((made.moved_days, &made.workloads[..]), (21, &["checkout".to_owned()][..]));
        assert_eq!(made.windows, [(begin_s - 21 * DAY_S, begin_s + 7_200 - 21 * DAY_S)]);
        let come = effect(&made, Demand::AsAnnounced, Scope::InWindow);
        assert!(come.without.scores.over > 0.0 && come.with.scores.over < come.without.scores.over, "{come:?}");
        assert!(come.with.allotted > 1.5 * effect(&made, Demand::AsRecorded, Scope::InWindow).without.allotted);
        let stayed_away = effect(&made, Demand::AsRecorded, Scope::InWindow);
        assert!(stayed_away.with.allotted > stayed_away.without.allotted, "the price of an event that does not come");
    }

    /// A ceiling below what is used: less is allotted, and more is over.
    #[test]
    fn a_rule_holds_from_the_beginning() {
        let rule = Instruction {
            resource: Some(Topic::Cpu),
            effect: Some(Effect::AtMost),
            amount: Some(1.0),
            unit: Some(Unit::Cores),
            start: Some(Time::from_s(400 * DAY_S)),
            ..asked(InstructionKind::Rule)
        };
        let made = play(&rule).unwrap();
        let whole = effect(&made, Demand::AsRecorded, Scope::Whole);
        assert!(whole.with.allotted <= 1.05 && whole.without.allotted > 1.3, "{whole:?}");
        assert!(whole.with.scores.over > 0.3 && whole.without.scores.over < 0.05);
        assert!(made.effects.iter().all(|effect| effect.demand == Demand::AsRecorded));
    }

    /// Replicas of a workload that runs as such are there for a sale that is told and comes.
    #[test]
    fn an_event_is_played_to_replicas_too() {
        let event = Instruction {
            workloads: vec!["shop".to_owned()],
            effect: Some(Effect::Multiply),
            amount: Some(3.0),
            start: Some(Time::from_s(40 * DAY_S + 5 * 3_600)),
            end: Some(Time::from_s(40 * DAY_S + 7 * 3_600)),
            ..asked(InstructionKind::Event)
        };
        let mut engine = Engine::replicas("seasonal-naive", 6 * 3_600).unwrap();
        let (trace, asked) = (crate::deployment::testing::shop(8), (&event, (|_, _| 0) as ZoneOffset));
        let made = what_if(&trace, &mut engine, asked, &Options::default(), DAY_S, &unwatched).unwrap();
        let is_it = |effect: &&MetricEffect| effect.metric == "cpu_cores" && effect.demand == Demand::AsAnnounced;
        let come = made.effects.iter().filter(is_it).find(|effect| effect.scope == Scope::InWindow).unwrap();
        assert!(come.without.scores.over > 0.01 && come.with.scores.over == 0.0, "{come:?}");
    }

    #[test]
    fn what_is_broken_off_leaves_the_engine_as_it_was() {
        let mut engine = Engine::apportion("recent", 6 * 3_600).unwrap();
        let hold = asked(InstructionKind::Hold);
        let stop = |_, _| std::ops::ControlFlow::Break(());
        let made = what_if(&trace(), &mut engine, (&hold, |_, _| 0), &Options::default(), DAY_S, &stop);
        assert_eq!((made, engine.told.is_none()), (Err(ReplayError::BrokenOff), true));
    }

    #[test]
    fn names_that_are_not_there_and_repetitions() {
        let hold = Instruction { workloads: vec!["nobody".to_owned()], ..asked(InstructionKind::Hold) };
        let error = play(&hold).unwrap_err().to_string();
        assert!(error.contains("nobody") && error.contains("checkout, search"), "{error}");
        let daily = Instruction {
            start: Some(Time::from_s(100 * DAY_S + 3_600)),
            end: Some(Time::from_s(100 * DAY_S + 7_200)),
            repeat: Some(Repeat::Daily),
            ..asked(InstructionKind::Event)
        };
        let (said, days) = moved(&daily, (DAY_S, 10 * DAY_S));
        assert_eq!(days % 7, 0);
        assert_eq!(spans(&said, DAY_S, 10 * DAY_S, &|_, _| 0).len(), 9);
    }
}
