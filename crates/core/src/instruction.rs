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

impl Instruction {
    /// True for a hold that names this workload (or none, which is all) and stands at `now`.
    #[must_use]
    pub fn holds(&self, workload: &str, now: Time) -> bool {
        let begun = self.start.is_none_or(|start| start <= now);
        let over = self.repeat.is_none() && self.end.is_some_and(|end| end <= now);
        let named = self.workloads.is_empty() || self.workloads.iter().any(|pattern| crate::matches(pattern, workload));
        self.kind == InstructionKind::Hold && begun && !over && named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_stands_for_its_window_and_its_names() {
        let hold = Instruction {
            kind: InstructionKind::Hold,
            workloads: vec!["web-*".to_owned()],
            resource: None,
            effect: None,
            amount: None,
            start: Some(Time::from_s(10)),
            end: Some(Time::from_s(20)),
            repeat: None,
            text: "audit".to_owned(),
        };
        let check = |name: &str, at, stands| assert_eq!(hold.holds(name, Time::from_s(at)), stands, "{name} {at}");
        check("web-1", 9, false);
        check("web-1", 10, true);
        check("web-1", 20, false);
        check("db", 15, false);
        assert!(Instruction { workloads: Vec::new(), end: None, ..hold.clone() }.holds("db", Time::from_s(99)));
        assert!(!Instruction { kind: InstructionKind::Rule, ..hold.clone() }.holds("web-1", Time::from_s(15)));
    }
}
