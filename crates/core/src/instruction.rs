//! What an operator said, typed. A sentence becomes one of these or nothing (`crates/language`); what it does to sizing is
//! worked out by the planner (`planner::instructions`).

use crate::{Resource, Time, WorkloadId, time::DAY_S};
use serde::{Deserialize, Serialize};

/// A report is about now: without an end it holds for so long, seconds.
pub const REPORT_LASTS_S: i64 = 2 * 3_600;
/// However far off its end, no report holds longer, seconds.
pub const REPORT_LASTS_MOST_S: i64 = 7 * DAY_S;

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

/// What it is about. Unlike [`Resource`] it also knows demand and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Every resource.
    All,
    /// Compute, in cores.
    Cpu,
    /// Memory, in bytes.
    Memory,
    /// Disk space in bytes, or throughput in bytes per second.
    Storage,
    /// Bandwidth, in bytes per second.
    Network,
    /// Demand: traffic, users, orders.
    Requests,
    /// Copies of a workload.
    Replicas,
}

impl Topic {
    /// The resource that can be allotted; none for all of them, demand and counts.
    #[must_use]
    pub const fn resource(self) -> Option<Resource> {
        match self {
            Self::Cpu => Some(Resource::Cpu),
            Self::Memory => Some(Resource::Memory),
            Self::Storage => Some(Resource::Storage),
            Self::Network => Some(Resource::Network),
            Self::All | Self::Requests | Self::Replicas => None,
        }
    }
}

/// What an amount counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Cores.
    Cores,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Copies.
    Replicas,
    /// Times usual.
    X,
    /// Percent of the whole.
    Percent,
}

/// Which way a report asks to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More.
    Up,
    /// Less.
    Down,
}

/// How important a workload is, or how bad a lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Comes first; severe.
    Critical,
    /// Before others; strong.
    High,
    /// As others.
    Normal,
    /// After others; slight.
    Low,
}

/// One instruction, as accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instruction {
    /// What kind.
    pub kind: InstructionKind,
    /// Names or wildcards (`web-*`); empty for every workload.
    pub workloads: Vec<String>,
    /// Of what; `None` for all.
    pub resource: Option<Topic>,
    /// How the amount is meant.
    pub effect: Option<Effect>,
    /// The amount, in base units; a factor for `Multiply`, percent of the machine where `unit` says so.
    pub amount: Option<f64>,
    /// What the amount counts; `None` for demand such as requests per second.
    #[serde(default)]
    pub unit: Option<Unit>,
    /// Which way a report asks to go.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// How important, or how bad.
    #[serde(default)]
    pub level: Option<Level>,
    /// From when; `None` for now.
    pub start: Option<Time>,
    /// Until when; `None` until revoked.
    pub end: Option<Time>,
    /// Whether the window repeats.
    pub repeat: Option<Repeat>,
    /// Which kind an undo takes back, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<InstructionKind>,
    /// The zone in which a repeated window keeps its hours: an IANA name or an offset (`+08:00`); `None` for the machine's.
    #[serde(default)]
    pub zone: Option<String>,
    /// The words it came from.
    pub text: String,
}

impl Instruction {
    /// An instruction of which nothing is known but its kind and its words: for every workload, from now, until revoked.
    #[must_use]
    pub fn new(kind: InstructionKind, text: &str) -> Self {
        Self {
            kind,
            workloads: Vec::new(),
            resource: None,
            effect: None,
            amount: None,
            unit: None,
            direction: None,
            level: None,
            start: None,
            end: None,
            repeat: None,
            undoes: None,
            zone: None,
            text: text.to_owned(),
        }
    }
}

/// True where one of two names or wildcards answers to the other: `nginx` and `nginx.service`, `web-*` and `web-1`.
#[must_use]
pub fn names_meet(a: &str, b: &str) -> bool {
    WorkloadId::new(a).answers_to(b) || WorkloadId::new(b).answers_to(a)
}

/// Number of an instruction in the ledger; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstructionId(pub i64);

/// An instruction in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instructed {
    /// Its number.
    pub id: InstructionId,
    /// When it was given.
    pub time: Time,
    /// When it was taken back, where it was.
    #[serde(default)]
    pub revoked: Option<Time>,
    /// What was said.
    pub instruction: Instruction,
}

impl Instructed {
    /// When its one window begins.
    #[must_use]
    pub fn begin(&self) -> Time {
        self.instruction.start.unwrap_or(self.time)
    }

    /// When its one window ends, as was said; a report's by itself. `None` until revoked, and of one that repeats.
    #[must_use]
    pub fn end(&self) -> Option<Time> {
        let said = self.instruction.end.filter(|_| self.instruction.repeat.is_none());
        if self.instruction.kind != InstructionKind::Report || self.instruction.repeat.is_some() {
            return said;
        }
        let most = self.begin().plus_s(REPORT_LASTS_MOST_S);
        Some(said.unwrap_or_else(|| self.begin().plus_s(REPORT_LASTS_S)).min(most))
    }

    /// True where it has no effect any more at `now`. One that repeats is never past.
    #[must_use]
    pub fn is_past(&self, now: Time) -> bool {
        self.end().is_some_and(|end| end <= now) || self.revoked.is_some_and(|revoked| revoked <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_meet_where_a_workload_answers_to_both() {
        let check = |a: &str, b: &str, meet| {
            assert_eq!((names_meet(a, b), names_meet(b, a)), (meet, meet), "{a} {b}");
        };
        check("nginx", "nginx.service", true);
        check("Nginx", "/system.slice/nginx.service", true);
        check("web-*", "web-1", true);
        check("web-*", "*", true);
        check("web", "web-1", false);
        check("nginx.service", "nginx-proxy.service", false);
    }

    #[test]
    fn reports_end_by_themselves() {
        let said = |kind, end: Option<i64>, repeat| {
            let instruction = Instruction { end: end.map(Time::from_s), repeat, ..Instruction::new(kind, "") };
            let said = Instructed { id: InstructionId(1), time: Time::from_s(1_000), revoked: None, instruction };
            said.end().map(Time::s)
        };
        let (report, rule) = (InstructionKind::Report, InstructionKind::Rule);
        assert_eq!(said(report, None, None), Some(1_000 + REPORT_LASTS_S));
        assert_eq!(said(report, Some(90_000), None), Some(90_000));
        assert_eq!(said(report, Some(90 * DAY_S), None), Some(1_000 + REPORT_LASTS_MOST_S));
        assert_eq!((said(rule, None, None), said(rule, Some(5_000), None)), (None, Some(5_000)));
        assert_eq!(said(report, Some(5_000), Some(Repeat::Daily)), None);
    }
}
