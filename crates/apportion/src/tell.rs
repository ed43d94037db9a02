//! What a sentence would do, shown before it is done; and doing it once a person confirmed. The command line, the page and the
//! API say and do the same through here. A sentence is read again when it is confirmed, at the time at which it was shown; where it would do
//! something else by then (somebody else said something), nothing is done.

pub mod effect;

use crate::zone;
use apportion_core::{
    Capacity, History, Instructed, Instruction, InstructionId, Objection, Standing, Time, WorkloadId,
    instruction::{InstructionKind, names_meet},
    stats::fnv1a,
};
use apportion_host::store::{Store, WriteError};
use apportion_language::{
    Language,
    reading::{
        Reader, Reading,
        question::{About, Question},
        zone_name,
    },
    wording::{self, Clock},
};
use apportion_planner::{AtWork, instructions::World};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// A sentence that was shown is confirmed within this time, seconds; after that its times would mean something else.
pub const CONFIRM_WITHIN_S: i64 = 900;

/// What there is to hold a sentence against.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Every workload with what the configuration says of it.
    pub configured: BTreeMap<WorkloadId, Standing>,
    /// All that the machine has.
    pub machine: Capacity,
    /// What was accepted before.
    pub said: Vec<Instructed>,
}

/// What stands against a sentence, or what should be known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// True where it cannot be accepted because of this.
    pub blocks: bool,
    /// What, and the nearest thing that works.
    pub words: String,
}

/// A sentence as it was understood. Nothing is done yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Told {
    /// The sentence.
    pub text: String,
    /// When it was read, seconds since 1970: to be given with the confirmation.
    pub at_s: i64,
    /// What it is: event, rule, hold, priority, report, undo, question or none.
    pub kind: String,
    /// What it means, with resolved times, in its own language.
    pub words: String,
    /// en or zh.
    pub language: String,
    /// The workloads that it is for now.
    pub workloads: Vec<String>,
    /// How sure the reading is, 0..1.
    pub confidence: f32,
    /// True where it can be confirmed.
    pub can_confirm: bool,
    /// True where all of it was read, but not for certain: only a person who is shown it can say that this is what they meant.
    pub can_ask: bool,
    /// What could not be read, where it is asked back.
    pub unread: Vec<String>,
    /// What was read but not for certain, where that is why it is asked back.
    pub doubted: Vec<String>,
    /// What stands against it, or should be known; what blocks comes first.
    pub notes: Vec<Note>,
    /// The instruction that an undo would take back.
    pub undoes: Option<i64>,
    /// Stands for what would be done, to be given with the confirmation: what is done is what was shown, or nothing.
    pub shown: String,
    /// What it would have done on the last days, in words, or why that is not computed; none where it was not asked for, or where the
    /// sentence has none that could be played.
    pub effect: Option<String>,
    /// What is asked, where it is a question: as `apportion ask --json` gives it.
    #[schema(value_type = Option<Object>)]
    pub question: Option<serde_json::Value>,
    /// The reading as `apportion interpret` prints it.
    #[schema(value_type = Object)]
    pub reading: serde_json::Value,
}

impl Told {
    /// The language that it was said in.
    #[must_use]
    pub fn language(&self) -> Language {
        if self.language == "zh" { Language::Zh } else { Language::En }
    }
}

/// What is to be done once confirmed.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Keep this, in the place of another where one is given.
    Keep(Instruction, Option<InstructionId>),
    /// Revoke that.
    Revoke(InstructionId),
}

/// Reads a sentence at `now`, whose zone is the operator's: what it means, and what is to be done where it can be confirmed.
#[must_use]
pub fn read(reader: &Reader, text: &str, now: &Zoned, scene: &Scene, history: &dyn History) -> (Told, Option<Deed>) {
    let names = names(scene.configured.keys());
    let reading = reader.interpret(text, now, &names);
    let at = at(now);
    let clock = Clock::new(reading.language, now.time_zone().clone(), at);
    let world = World {
        at_work: AtWork::new(&scene.said, at, &zone::offset_s),
        configured: &scene.configured,
        machine: &scene.machine,
        history,
    };
    let instruction = reading.instruction(text).or_else(|| reading.guess(text));
    let instruction = instruction.map(|instruction| in_zone(instruction, now));
    let objections = instruction.as_ref().map(|instruction| world.objections(instruction)).unwrap_or_default();
    let undone = instruction.as_ref().filter(|said| said.kind == InstructionKind::Undo);
    let undone = undone.and_then(|undo| world.at_work.undone(undo));
    let matches = instruction.as_ref().filter(|_| undone.is_none()).map(|said| world.matches(said)).unwrap_or_default();
    let is_possible = instruction.is_some() && !objections.iter().any(Objection::blocks);
    let mut told = Told {
        text: text.to_owned(),
        at_s: at.s(),
        kind: serde_name(&reading.kind),
        words: words(&reading, undone),
        language: serde_name(&reading.language),
        workloads: matches.into_iter().map(ToString::to_string).collect(),
        confidence: reading.confidence,
        can_confirm: is_possible && reading.sure,
        can_ask: is_possible && !reading.sure,
        unread: reading.unread.clone(),
        doubted: reading.doubted.clone(),
        notes: objections.iter().map(|found| note(found, &clock)).collect(),
        undoes: undone.map(|said| said.id.0),
        shown: String::new(),
        effect: None,
        question: (!reading.kind.acts()).then(|| reader.question(text, now, &names)).and_then(typed),
        reading: serde_json::to_value(&reading).unwrap_or_default(),
    };
    let deed = instruction.filter(|_| is_possible).map(|instruction| deed(instruction, undone, &objections));
    told.shown = deed.as_ref().map(|deed| mark(&told, deed)).unwrap_or_default();
    (told, deed)
}

/// What would be done and what was shown of it, as one short text: the words, the workloads, the instruction that is replaced or revoked.
fn mark(told: &Told, deed: &Deed) -> String {
    let other = match deed {
        Deed::Keep(_, replaced) => replaced.map(|id| id.0),
        Deed::Revoke(id) => Some(id.0),
    };
    let shown = format!("{:?}", (&told.words, &told.workloads, other));
    format!("{:016x}", fnv1a(shown.bytes()))
}

/// Why something else would be done now than what was shown; `None` where it is the same.
#[must_use]
pub fn changed_since(told: &Told, shown: &str) -> Option<String> {
    let reads = || format!("it would do something else now than what was shown: {}", told.words);
    (told.shown != shown).then(reads)
}

/// Does what was confirmed; gives what was done, in words.
///
/// # Errors
/// [`WriteError`]: tell the person that it was not taken.
pub fn carry_out(deed: &Deed, store: &Store, now: Time) -> Result<(InstructionId, String), WriteError> {
    match deed {
        Deed::Revoke(id) => {
            store.revoke(*id, now)?;
            Ok((*id, format!("instruction {} is revoked", id.0)))
        }
        Deed::Keep(instruction, None) => {
            let id = store.instruct(instruction, now)?;
            Ok((id, format!("taken as instruction {}", id.0)))
        }
        Deed::Keep(instruction, Some(old)) => {
            let id = store.instruct_instead(instruction, *old, now)?;
            Ok((id, format!("taken as instruction {}, in the place of instruction {}", id.0, old.0)))
        }
    }
}

/// Ends the holds that are of one workload alone; gives how many there were. Those of several, or of a wildcard, stay: they are
/// revoked by number. A workload's whole name is that of no other; any other name may be a shorter one of what is held.
///
/// # Errors
/// The store cannot be read or written.
pub fn release(store: &Store, workload: &WorkloadId, now: Time) -> anyhow::Result<usize> {
    let is_whole = store.workloads()?.iter().any(|seen| seen.workload.id == *workload);
    let is_short = !is_whole && !is_wildcard(workload.as_str());
    let is_meant = |name: &str| workload.answers_to(name) || (is_short && names_meet(workload.as_str(), name));
    let is_own = |said: &Instructed| {
        let names = said.instruction.workloads.as_slice();
        let alone = matches!(names, [name] if is_meant(name) && !is_wildcard(name));
        said.instruction.kind == InstructionKind::Hold && alone
    };
    let mut ended = 0;
    for hold in store.instructions(now)?.iter().filter(|said| is_own(said)) {
        ended += usize::from(store.revoke(hold.id, now)?);
    }
    Ok(ended)
}

fn is_wildcard(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// What an instruction means, in words; its times in its own zone, else the machine's.
#[must_use]
pub fn describe(instruction: &Instruction, language: Language) -> String {
    let zone = instruction.zone.as_deref().and_then(zone::named).unwrap_or_else(TimeZone::system);
    wording::describe(&Reading::of(instruction, &zone, language))
}

/// A time in a zone by name, else in the machine's.
#[must_use]
pub fn zoned(at: Time, zone: Option<&str>) -> Zoned {
    let zone = zone.and_then(zone::named).unwrap_or_else(TimeZone::system);
    Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(zone)
}

/// A time without its zone, to the second.
fn at(now: &Zoned) -> Time {
    Time::from_s(now.timestamp().as_second())
}

/// Names by which workloads may be called: whole, their last part, and that without the kind of unit.
#[must_use]
pub fn names<'a>(workloads: impl IntoIterator<Item = &'a WorkloadId>) -> Vec<String> {
    let mut names = BTreeSet::new();
    for workload in workloads.into_iter().filter(|workload| !workload.is_machine()) {
        let last = workload.as_str().rsplit('/').next().unwrap_or_default();
        let plain = last.rsplit_once('.').map_or(last, |(plain, _)| plain);
        names.extend([workload.as_str(), last, plain].map(str::to_owned));
    }
    names.retain(|name| name.chars().filter(|c| c.is_alphanumeric()).count() > 1);
    names.into_iter().collect()
}

/// An instruction that keeps its hours in the zone that it names, else in that of the time at which it was said.
pub(crate) fn in_zone(instruction: Instruction, now: &Zoned) -> Instruction {
    let zone = instruction.zone.clone().or_else(|| Some(zone_name(now)));
    Instruction { zone, ..instruction }
}

fn deed(instruction: Instruction, undone: Option<&Instructed>, objections: &[Objection]) -> Deed {
    let replaced = objections.iter().find_map(|objection| match objection {
        Objection::Replaces { what } => Some(*what),
        _ => None,
    });
    undone.map_or_else(|| Deed::Keep(instruction, replaced), |undone| Deed::Revoke(undone.id))
}

/// What the reading means; of one that is not sure, what a person is asked.
fn words(reading: &Reading, undone: Option<&Instructed>) -> String {
    let zh = reading.language == Language::Zh;
    let described = wording::describe(reading);
    let said = match undone.map(|undone| (undone.id.0, describe(&undone.instruction, reading.language))) {
        Some((id, was)) if zh => format!("{described}即指令 {id}：{was}"),
        Some((id, was)) => format!("{described} That is instruction {id}: {was}"),
        None => described,
    };
    let listed = |words: &[String]| words.join(if zh { "、" } else { ", " });
    let (unread, doubted) = (listed(&reading.unread), listed(&reading.doubted));
    match (reading.kind.acts(), reading.sure) {
        (true, false) if unread.is_empty() && zh => format!("不确定：是否指“{said}”？拿不准的是：{doubted}。"),
        (true, false) if unread.is_empty() => format!("Not sure. Did you mean: {said} Not certain: {doubted}."),
        (true, false) if zh => format!("不确定：是否指“{said}”？没有读懂：{unread}。"),
        (true, false) => format!("Not sure. Did you mean: {said} Not read: {unread}."),
        (false, _) if unread.is_empty() => said,
        (false, _) => format!("{said} ({unread})"),
        _ => said,
    }
}

/// A question that can be answered.
fn typed(question: Question) -> Option<serde_json::Value> {
    (question.about != About::Unclear).then(|| serde_json::to_value(question).ok()).flatten()
}

fn note(objection: &Objection, clock: &Clock) -> Note {
    Note { blocks: objection.blocks(), words: wording::objection(objection, clock) }
}

fn serde_name(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
