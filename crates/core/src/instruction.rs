//! What an operator said, typed. A sentence becomes one of these or nothing (`crates/language`).

use crate::{Resource, Time};
use serde::{Deserialize, Serialize};

/// What kind of instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstructionKind {
    /// Demand will change in a window.
    Event,
    /// A bound on what is allotted.
    Rule,
    /// No changes.
    Hold,
    /// Who is served first.
    Priority,
    /// The state now, asking for more or less.
    Report,
    /// Take back the last change or an earlier instruction.
    Undo,
}

/// How an amount is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Times usual.
    Multiply,
    /// That much more.
    Add,
    /// Not less than.
    AtLeast,
    /// Not more than.
    AtMost,
}

/// How a window repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Every day.
    Daily,
    /// Monday to Friday.
    Weekdays,
    /// Saturday and Sunday.
    Weekends,
    /// Every week at the same time.
    Weekly,
}

/// One instruction, as accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instruction {
    /// What kind.
    pub kind: InstructionKind,
    /// Names or wildcards (`web-*`); empty for every workload.
    pub workloads: Vec<String>,
    /// Of what; `None` for all.
    pub resource: Option<Resource>,
    /// How the amount is meant.
    pub effect: Option<Effect>,
    /// The amount, in base units; a factor for `Multiply`.
    pub amount: Option<f64>,
    /// From when; `None` for now.
    pub start: Option<Time>,
    /// Until when; `None` until revoked.
    pub end: Option<Time>,
    /// Whether the window repeats.
    pub repeat: Option<Repeat>,
    /// The words it came from.
    pub text: String,
}
