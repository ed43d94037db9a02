//! `--what-if`: an operator's sentence, read as it would be, played on recorded usage, told in words.

use crate::zone;
use anyhow::{Context as _, bail};
use apportion_core::{Instruction, Time, WorkloadId};
use apportion_language::{
    Language,
    reading::Reading,
    wording::{Clock, describe, figure, share},
};
use apportion_replay::{
    Engine, Options, Progress, Trace, ZoneOffset,
    what_if::{Demand, MetricEffect, Scope, Side, WhatIf, what_if},
};
use jiff::{Zoned, tz::TimeZone};
use std::fmt::Write as _;

/// Reads a sentence, said at `now`, with the trace's workloads for a catalogue; gives what it means in words, and the instruction.
///
/// # Errors
/// It is no instruction, or none that can be read for sure.
pub(crate) fn read(sentence: &str, now: &Zoned, trace: &Trace) -> anyhow::Result<(String, Instruction)> {
    let reading = interpret(sentence, now, trace)?;
    let read = describe(&reading);
    let Some(instruction) = reading.instruction(sentence) else {
        let unread = if reading.unread.is_empty() { "it is not sure".to_owned() } else { reading.unread.join("; ") };
        bail!("--what-if '{sentence}': read as: {read} ({unread}). Say it as an event, a rule, a hold or a priority");
    };
    Ok((read, crate::tell::in_zone(instruction, now)))
}

/// The instruction that is meant, or likely meant where that is not sure: only to show a person what they are asked about.
///
/// # Errors
/// No reader can be had.
pub(crate) fn likely(sentence: &str, now: &Zoned, trace: &Trace) -> anyhow::Result<Option<Instruction>> {
    let reading = interpret(sentence, now, trace)?;
    let instruction = reading.instruction(sentence).or_else(|| reading.guess(sentence));
    Ok(instruction.map(|instruction| crate::tell::in_zone(instruction, now)))
}

fn interpret(sentence: &str, now: &Zoned, trace: &Trace) -> anyhow::Result<Reading> {
    let workloads: Vec<WorkloadId> = trace.workloads().iter().map(|name| WorkloadId::new(name)).collect();
    Ok(crate::encoder_model::reader()?.interpret(sentence, now, &crate::tell::names(&workloads)))
}

/// Plays an instruction on recorded usage, with and without it.
///
/// # Errors
/// It names no workload that is there.
pub(crate) fn play(
    trace: &Trace,
    engine: &mut Engine<'_>,
    instruction: &Instruction,
    options: &Options,
    warmup_s: i64,
    progress: Progress<'_>,
) -> anyhow::Result<WhatIf> {
    let asked = (instruction, zone::offset_s as ZoneOffset);
    what_if(trace, engine, asked, options, warmup_s, progress).context("--what-if")
}

/// The effect in words: when it would have been in force, and what it would have changed.
#[must_use]
pub(crate) fn words(made: &WhatIf, language: Language) -> String {
    let mut text = format!("{}\n", placed(made, language));
    let changed = |effect: &&MetricEffect| effect.without != effect.with;
    let told = made.effects.iter().filter(changed);
    let mut is_told = false;
    for effect in told.filter(|effect| effect.scope == Scope::Whole || is_part(made)) {
        let _ = writeln!(text, "  {}", line(effect, language));
        is_told = true;
    }
    if !is_told {
        text += match language {
            Language::En => "  It would have changed nothing.\n",
            Language::Zh => "  不会有任何变化。\n",
        };
    }
    text
}

/// True where its windows are not all of what is judged.
fn is_part(made: &WhatIf) -> bool {
    let covered: i64 = made.windows.iter().map(|(from, to)| to - from).sum();
    covered < made.judged_s.1 - made.judged_s.0
}

fn placed(made: &WhatIf, language: Language) -> String {
    let clock = Clock::new(language, TimeZone::system(), Time::from_s(made.judged_s.1));
    let full = |time_s: i64| clock.full(Time::from_s(time_s));
    let (from, to) = (full(made.judged_s.0), full(made.judged_s.1));
    let (names, days) = (made.workloads.len(), made.moved_days);
    let window = made.windows.first().map(|(begin, end)| (full(*begin), full(*end), made.windows.len()));
    match (language, window) {
        (Language::En, Some((begin, end, count))) => format!(
            "Played on {names} workload(s) from {from} to {to}; in force {count} time(s), first from {begin} to {end}{}.",
            if days > 0 { format!(" (moved back by {days} days)") } else { String::new() }
        ),
        (Language::En, None) => format!("Played on {names} workload(s) from {from} to {to}; never in force there."),
        (Language::Zh, Some((begin, end, count))) => format!(
            "在 {from} 至 {to} 的记录上重放 {names} 个工作负载；生效 {count} 次，首次从 {begin} 到 {end}{}。",
            if days > 0 { format!("（提前 {days} 天）") } else { String::new() }
        ),
        (Language::Zh, None) => format!("在 {from} 至 {to} 的记录上重放 {names} 个工作负载；期间从未生效。"),
    }
}

fn line(effect: &MetricEffect, language: Language) -> String {
    let (without, with) = (&effect.without, &effect.with);
    let pair = |of: &dyn Fn(&Side) -> String| format!("{} → {}", of(without), of(with));
    let allotted = pair(&|side| figure(side.allotted));
    let footprint = pair(&|side| figure(side.scores.footprint));
    let over = pair(&|side| share(side.scores.over));
    let changes = pair(&|side| figure(side.scores.changes));
    let (metric, used) = (&effect.metric, figure(effect.used));
    let is_whole = effect.scope == Scope::Whole;
    match language {
        Language::En => {
            let scope = if is_whole { "over all" } else { "in its window" };
            let demand = if effect.demand == Demand::AsRecorded { "as recorded" } else { "as announced" };
            let tail = if is_whole { format!(", changes a day {changes}") } else { String::new() };
            format!(
                "{metric} {scope}, demand {demand} (mean {used}): allotted {allotted}, footprint {footprint}, over {over}{tail}"
            )
        }
        Language::Zh => {
            let scope = if is_whole { "全程" } else { "生效期间" };
            let demand = if effect.demand == Demand::AsRecorded { "按记录的需求" } else { "按预告的需求" };
            let tail = if is_whole { format!("，每日变更 {changes}") } else { String::new() };
            format!("{metric} {scope}，{demand}（平均 {used}）：分配 {allotted}，占用比 {footprint}，超限 {over}{tail}")
        }
    }
}
