//! What people said, at work: accepted instructions become what planner and guard go by. Pure, of typed instructions only; no
//! words are read here.
//!
//! | said | becomes |
//! |---|---|
//! | event | demand announced per step, taken out of the past and put on what is to come ([`AtWork::announced`]) |
//! | rule | bounds of knobs; the tightest counts, and where they cross the ceiling wins; a share of everything together limits what is shared out ([`AtWork::capacity`]) |
//! | hold | knobs that may not be changed |
//! | priority | the tier in which a short resource is shared out; the newest counts |
//! | report | more or less than would be enough, for two hours or as long as was said; the strongest counts |
//! | undo | nothing of itself: when it is accepted, what it means is revoked ([`undone`]) |

mod check;
mod demand;
mod window;

pub use check::{World, nearest};
pub use demand::UNSIZED;
pub use window::{Offset, REPEAT_LASTS_S, is_in_force, spans};

use crate::size::AHEAD_S;
use apportion_core::{
    Capacity, Instructed, Instruction, Knob, Resource, Standing, Time, WorkloadId,
    instruction::{Direction, Effect, InstructionKind, Level, Topic, Unit, names_meet},
    knob,
    workload::Asked,
};

/// A report of too much takes this part away.
const LESS: f64 = 0.9;
/// How far back an event still matters: as far as history is looked at, seconds.
pub const REMEMBER_S: i64 = 90 * apportion_core::time::DAY_S;
/// What a report asks for is held within these factors.
const ASKED: (f64, f64) = (0.1, 10.0);

/// All that people said and that bears on what is decided at `now`: what is in force, what is to come, and the events of the
/// past that history still remembers, those that were taken back among them.
#[derive(Clone, Copy)]
pub struct AtWork<'a> {
    said: &'a [Instructed],
    now: Time,
    offset: Offset<'a>,
}

impl<'a> AtWork<'a> {
    /// The instructions, in the order in which they were given, at a time; `offset` knows the zones of their hours.
    #[must_use]
    pub const fn new(said: &'a [Instructed], now: Time, offset: Offset<'a>) -> Self {
        Self { said, now, offset }
    }

    /// What holds for a workload: what the configuration says, and what people said on top. `machine` is all there is, of which
    /// shares are taken.
    #[must_use]
    pub fn standing(&self, workload: &WorkloadId, configured: Standing, machine: &Capacity) -> Standing {
        let mut standing = configured;
        for said in self.said.iter().filter(|said| names(&said.instruction, workload)) {
            if is_in_force(said, self.now, self.offset) {
                put(&mut standing, &said.instruction, machine);
            }
            let soon = spans(said, self.now.s(), self.now.s() + AHEAD_S, self.offset);
            if !soon.is_empty() {
                for knob in knobs(&said.instruction) {
                    standing.said.entry(knob).or_default().push(said.id);
                }
            }
        }
        standing
    }

    /// What there is to share out: all of the machine, or the share of it that people allow everything together.
    #[must_use]
    pub fn capacity(&self, machine: &Capacity) -> Capacity {
        let mut left = machine.clone();
        for rule in self.in_force().map(|said| &said.instruction).filter(|rule| is_of_total(rule)) {
            let share = rule.amount.unwrap_or(100.0).clamp(0.0, 100.0) / 100.0;
            for (resource, amount) in &mut left.amounts {
                if rule.effect == Some(Effect::AtMost) && concerns(rule, *resource) {
                    *amount = amount.min(machine.of(*resource).unwrap_or(f64::INFINITY) * share);
                }
            }
        }
        left
    }

    /// The instructions that are in force now.
    pub fn in_force(&self) -> impl Iterator<Item = &'a Instructed> {
        let (now, offset) = (self.now, self.offset);
        self.said.iter().filter(move |said| is_in_force(said, now, offset))
    }

    /// What an undo means: the newest instruction that is not past, of the kind that was named where one was, and for the
    /// workloads named, or for any. One that is for others too is meant only where there is none for those alone.
    #[must_use]
    pub fn undone(&self, undo: &Instruction) -> Option<&'a Instructed> {
        let of_kind = |said: &&Instructed| {
            !said.is_past(self.now) && undo.undoes.is_none_or(|kind| kind == said.instruction.kind)
        };
        let standing = || self.said.iter().rev().filter(of_kind);
        if undo.workloads.is_empty() {
            return standing().next();
        }
        let meets = |name: &String| undo.workloads.iter().any(|other| names_meet(name, other));
        let within = |name: &String| {
            let is_one = !name.contains(['*', '?']);
            undo.workloads.iter().any(|other| WorkloadId::new(name).answers_to(other)) || (is_one && meets(name))
        };
        let names = |said: &'a Instructed| &said.instruction.workloads;
        let alone = standing().find(|said| !names(said).is_empty() && names(said).iter().all(within));
        alone.or_else(|| standing().find(|said| names(said).iter().any(meets)))
    }
}

/// True where an instruction is for a workload.
#[must_use]
pub fn names(instruction: &Instruction, workload: &WorkloadId) -> bool {
    let named = &instruction.workloads;
    !workload.is_machine() && (named.is_empty() || named.iter().any(|name| workload.answers_to(name)))
}

/// True for a bound on everything together.
fn is_of_total(instruction: &Instruction) -> bool {
    let is_share = instruction.unit == Some(Unit::Percent) && instruction.workloads.is_empty();
    instruction.kind == InstructionKind::Rule && is_share
}

/// True where an instruction is about a resource; requests are about each, replicas about none.
fn concerns(instruction: &Instruction, resource: Resource) -> bool {
    match instruction.resource {
        Some(Topic::Replicas) => false,
        Some(Topic::Requests) => instruction.kind != InstructionKind::Rule,
        topic => topic.and_then(Topic::resource).is_none_or(|named| named == resource),
    }
}

/// The knobs that an instruction bears on.
pub fn knobs(instruction: &Instruction) -> impl Iterator<Item = Knob> {
    knob::ALL.into_iter().filter(|knob| concerns(instruction, knob.resource()))
}

fn put(standing: &mut Standing, said: &Instruction, machine: &Capacity) {
    match said.kind {
        InstructionKind::Rule if !is_of_total(said) => bound(standing, said, machine),
        InstructionKind::Hold => {
            standing.holds.extend(knobs(said).map(|knob| (knob, said.text.clone())));
        }
        InstructionKind::Priority => standing.priority = priority(said.level),
        InstructionKind::Report => ask(standing, said),
        InstructionKind::Rule | InstructionKind::Event | InstructionKind::Undo => {}
    }
}

/// The bound that a rule puts on a knob, in the knob's unit; `None` where it is of something else, or of a machine unknown.
#[must_use]
pub fn bound_on(rule: &Instruction, knob: Knob, machine: &Capacity) -> Option<f64> {
    let amount = rule.amount.filter(|amount| amount.is_finite() && *amount >= 0.0)?;
    match rule.unit {
        Some(Unit::Percent) => machine.of(knob.resource()).map(|all| all * amount / 100.0),
        unit => demand::counts(unit, knob.resource()).then_some(amount),
    }
}

fn bound(standing: &mut Standing, rule: &Instruction, machine: &Capacity) {
    for knob in knobs(rule) {
        let Some(value) = bound_on(rule, knob, machine) else { continue };
        let bounds = standing.bounds.entry(knob).or_default();
        match rule.effect {
            Some(Effect::AtLeast) => bounds.min = bounds.min.max(value),
            Some(Effect::AtMost) => bounds.max = Some(bounds.max.map_or(value, |max| max.min(value))),
            _ => {}
        }
    }
}

const fn priority(level: Option<Level>) -> u8 {
    match level {
        Some(Level::Critical) => 3,
        Some(Level::High) => 2,
        Some(Level::Low) => 0,
        Some(Level::Normal) | None => 1,
    }
}

fn ask(standing: &mut Standing, report: &Instruction) {
    for knob in knobs(report) {
        let asked = standing.asked.entry(knob).or_default();
        let more = asked_for(report, knob.resource());
        let (factor, added) = (stronger(asked.factor, more.factor), larger(asked.added, more.added));
        *asked = Asked { factor, added, ..Asked::default() };
    }
}

fn asked_for(report: &Instruction, resource: Resource) -> Asked {
    let down = report.direction == Some(Direction::Down);
    let amount = report.amount.filter(|amount| amount.is_finite() && *amount >= 0.0);
    match (report.effect, amount) {
        (Some(Effect::Multiply), Some(factor)) => Asked { factor: factor.clamp(ASKED.0, ASKED.1), ..Asked::default() },
        (Some(_), Some(added)) if demand::counts(report.unit, resource) => {
            Asked { added: if down { -added } else { added }, ..Asked::default() }
        }
        (Some(_), _) => Asked::default(),
        (None, _) => Asked { factor: if down { LESS } else { urgency(report.level) }, ..Asked::default() },
    }
}

/// What a lack without an amount asks for, as a factor.
const fn urgency(level: Option<Level>) -> f64 {
    match level {
        Some(Level::Critical) => 2.0,
        Some(Level::High) => 1.5,
        Some(Level::Low) => 1.15,
        Some(Level::Normal) | None => 1.3,
    }
}

/// Of two factors the one that counts: more before less, the greater of more, the least of less; 1 is none.
#[must_use]
pub fn stronger(a: f64, b: f64) -> f64 {
    if a.max(b) > 1.0 { a.max(b) } else { a.min(b) }
}

/// The same of two amounts; 0 is none.
fn larger(a: f64, b: f64) -> f64 {
    if a.max(b) > 0.0 { a.max(b) } else { a.min(b) }
}

#[cfg(test)]
mod tests;
