//! What is said against what it does, as data.

#![allow(clippy::needless_pass_by_value, clippy::cloned_ref_to_slice_refs, reason = "tests as data")]

mod effects;
mod objections;
mod windows;

use super::*;
use apportion_core::{InstructionId, instruction::Repeat};

/// Monday 2026-11-23 00:00 UTC.
const MONDAY_S: i64 = 1_795_392_000;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

/// Hours after Monday midnight.
fn hour(hours: f64) -> Time {
    Time(MONDAY_S * 1_000 + (hours * 3_600_000.0) as i64)
}

fn utc(_: Option<&str>, _: Time) -> i64 {
    0
}

fn said(id: i64, at: Time, instruction: Instruction) -> Instructed {
    Instructed { id: InstructionId(id), time: at, revoked: None, instruction }
}

fn of(kind: InstructionKind, names: &[&str]) -> Instruction {
    let workloads = names.iter().map(|name| (*name).to_owned()).collect();
    Instruction { workloads, ..Instruction::new(kind, "as said") }
}

fn within(from: f64, to: f64, instruction: Instruction) -> Instruction {
    Instruction { start: Some(hour(from)), end: Some(hour(to)), ..instruction }
}

fn every(repeat: Repeat, instruction: Instruction) -> Instruction {
    Instruction { repeat: Some(repeat), ..instruction }
}

fn rule(names: &[&str], topic: Topic, effect: Effect, amount: f64, unit: Unit) -> Instruction {
    let (resource, effect, amount, unit) = (Some(topic), Some(effect), Some(amount), Some(unit));
    Instruction { resource, effect, amount, unit, ..of(InstructionKind::Rule, names) }
}

fn times(names: &[&str], topic: Topic, factor: f64) -> Instruction {
    let (effect, unit) = (Some(Effect::Multiply), Some(Unit::X));
    Instruction { resource: Some(topic), effect, amount: Some(factor), unit, ..of(InstructionKind::Event, names) }
}

fn machine() -> Capacity {
    Capacity { amounts: [(Resource::Cpu, 16.0), (Resource::Memory, 64e9)].into_iter().collect() }
}
