//! What answers rest on. Each is what the store or the ledger gave, with its unit in the name or by its resource (cores, bytes, bytes
//! per second), so that an answer can be checked against it.

use crate::reading::question::Span;
use apportion_core::{
    Counterfactual, Decision, DecisionId, Harm, Instructed, Knob, Resource, Setting, Time, WorkloadId,
    plan::{Expected, Used},
};
use serde::{Deserialize, Serialize};

/// One thing that an answer rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "record", content = "is")]
pub enum Record {
    /// A decision of the ledger.
    Decision(Box<Decision>),
    /// A cut that hurt and was taken back.
    Harm {
        /// When it was seen.
        time: Time,
        /// What.
        harm: Harm,
    },
    /// Time under a CPU limit.
    Throttled(Throttled),
    /// Kills for want of memory.
    Killed(Killed),
    /// What was used.
    Used(UsedOver),
    /// What is forecast.
    Expected(ExpectedOf),
    /// What is allotted.
    Allotted(Allotted),
    /// One place of a ranking.
    Ranked(Ranked),
    /// How near a workload is to its limit.
    Near(Near),
    /// What was saved.
    Saved(Saved),
    /// An instruction of the ledger.
    Said(Said),
    /// What another size would have cost.
    Smaller(Smaller),
    /// What the machine has.
    Free(Free),
    /// Decisions of a time, counted.
    Counted(Counted),
}

impl Record {
    /// The workloads that it is about, by name.
    #[must_use]
    pub fn workloads(&self) -> Vec<String> {
        let workload = match self {
            Self::Decision(of) => &of.change.workload,
            Self::Harm { harm, .. } => &harm.workload,
            Self::Throttled(of) => &of.workload,
            Self::Killed(of) => &of.workload,
            Self::Used(of) => &of.workload,
            Self::Expected(of) => &of.workload,
            Self::Allotted(of) => &of.workload,
            Self::Ranked(of) => &of.workload,
            Self::Near(of) => &of.workload,
            Self::Smaller(of) => &of.workload,
            Self::Said(of) => return of.said.instruction.workloads.clone(),
            Self::Saved(_) | Self::Free(_) | Self::Counted(_) => return Vec::new(),
        };
        vec![workload.as_str().to_owned()]
    }
}

/// Time in which a workload ran into its CPU limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Throttled {
    /// Whose.
    pub workload: WorkloadId,
    /// When it was looked for.
    pub span: Span,
    /// How much of that was measured, seconds.
    pub measured_s: f64,
    /// Its throttled enforcement periods, added up, seconds.
    pub throttled_s: f64,
    /// The end of the step with most of it.
    pub worst_at: Time,
    /// The share of periods throttled in that step, 0..1.
    pub worst_share: f64,
    /// The limit in force then, cores, with the decision that set it; where the ledger knows.
    pub limit: Option<(f64, DecisionId)>,
    /// The most that it wanted, cores: the limit that would not have throttled it.
    pub wanted: Option<f64>,
}

/// Kills for want of memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Killed {
    /// Whose.
    pub workload: WorkloadId,
    /// When they were looked for.
    pub span: Span,
    /// How much of that was measured, seconds.
    pub measured_s: f64,
    /// How many.
    pub kills: u64,
    /// The end of the step with the last one.
    pub last_at: Time,
    /// The hard limit in force then, bytes, with the decision that set it; where the ledger knows.
    pub limit: Option<(f64, DecisionId)>,
    /// The most that was used, bytes.
    pub peak: Option<f64>,
}

/// What was used over a span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsedOver {
    /// Whose.
    pub workload: WorkloadId,
    /// Of what.
    pub resource: Resource,
    /// By which metric.
    pub metric: String,
    /// When.
    pub span: Span,
    /// Mean.
    pub mean: f64,
    /// The rest, of means over steps.
    pub used: Used,
    /// Those steps, seconds.
    pub step_s: u32,
}

/// What is forecast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpectedOf {
    /// Whose.
    pub workload: WorkloadId,
    /// Of what.
    pub resource: Resource,
    /// When it was made, where that is not now.
    pub made: Option<Time>,
    /// The time that was asked about, where one was; else it is what comes until it ends.
    pub span: Option<Span>,
    /// The decision that recorded it, where it is not the newest forecast itself.
    pub decision: Option<DecisionId>,
    /// What.
    pub expected: Expected,
}

/// What is allotted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allotted {
    /// To whom.
    pub workload: WorkloadId,
    /// Of which knob.
    pub knob: Knob,
    /// What it is set to; `None` where that cannot be read.
    pub setting: Option<Setting>,
    /// What it would be allotted now.
    pub allotted: Option<f64>,
    /// The decision that set it, where the ledger knows.
    pub since: Option<(DecisionId, Time)>,
}

/// What a ranking is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Mean use.
    Use,
    /// What the limit, or else the allotment, is beyond the 95th percentile of use.
    Waste,
}

/// One place of a ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Which, 1 the first.
    pub place: u64,
    /// Who.
    pub workload: WorkloadId,
    /// Of what.
    pub resource: Resource,
    /// By what.
    pub by: By,
    /// When.
    pub span: Span,
    /// What it is ranked by.
    pub value: f64,
    /// For waste, the 95th percentile of use.
    pub p95: f64,
    /// For waste, the limit or else the allotment.
    pub limit: Option<f64>,
}

/// How near a workload is to its limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Near {
    /// Who.
    pub workload: WorkloadId,
    /// Of what.
    pub resource: Resource,
    /// When.
    pub span: Span,
    /// The limit.
    pub limit: f64,
    /// The 95th percentile of what it wanted.
    pub p95: f64,
    /// That as a share of the limit.
    pub share: f64,
}

/// What was saved of one knob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Of which knob.
    pub knob: Knob,
    /// When.
    pub span: Span,
    /// Applied changes.
    pub changes: u64,
    /// Workloads that they were of.
    pub workloads: u64,
    /// The sum of those workloads' limits before the first of them.
    pub before: f64,
    /// The same on average over the span.
    pub since: f64,
    /// The difference.
    pub saved: f64,
}

/// An instruction, and whether it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// What was said.
    pub said: Instructed,
    /// True where it is in force now; else it is to come.
    pub in_force: bool,
}

/// What another size would have cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Smaller {
    /// Whom.
    pub workload: WorkloadId,
    /// Of which knob.
    pub knob: Knob,
    /// What it would have cost.
    pub cost: Counterfactual,
    /// The most that was wanted in that time.
    pub peak: f64,
    /// When that was.
    pub peak_at: Time,
}

/// What the machine has of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Free {
    /// Of what.
    pub resource: Resource,
    /// All there is.
    pub capacity: f64,
    /// Used now, where it is measured.
    pub used: Option<f64>,
    /// Allotted to workloads in all.
    pub allotted: f64,
    /// Not allotted.
    pub left: f64,
}

/// Decisions of a span, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// When.
    pub span: Span,
    /// All.
    pub decisions: u64,
    /// Those that turned a knob.
    pub applied: u64,
    /// Of these, those that took back what hurt.
    pub taken_back: u64,
    /// Of these, those that a person asked for.
    pub rolled_back: u64,
    /// Those that were only recommended.
    pub recommended: u64,
    /// Those that the guard refused for another reason.
    pub refused: u64,
}

/// What an answer lacks, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "missing")]
pub enum Missing {
    /// No workload answers to that name.
    Workload {
        /// The name.
        name: String,
        /// Those that are called nearly so.
        nearest: Vec<String>,
    },
    /// The question needs the name of a workload.
    Name,
    /// Nothing of a metric is recorded for a time.
    Readings {
        /// Whose.
        workload: WorkloadId,
        /// Of which metric.
        metric: String,
        /// For which time.
        span: Span,
    },
    /// There is no forecast.
    Forecast {
        /// Of whom.
        workload: WorkloadId,
    },
    /// The forecast ends before the time that was asked about.
    Beyond {
        /// Where it ends.
        until: Time,
    },
    /// The ledger has no decision about it for the time.
    Decisions {
        /// For which time, where one was asked about.
        span: Option<Span>,
    },
    /// There is no decision of that number.
    Decision {
        /// The number.
        id: u64,
    },
    /// No limit is known that it could be held against.
    Limit {
        /// Whose.
        workload: WorkloadId,
        /// Of what.
        resource: Resource,
    },
    /// What a smaller size would have cost is not known of a decision.
    Counterfactual {
        /// Its number.
        id: u64,
    },
    /// No workload is so.
    None,
    /// Nothing was applied in the time, so nothing was saved.
    Savings {
        /// The time.
        span: Span,
    },
    /// So many workloads that answer to what was named are not told of.
    LeftOut {
        /// How many.
        workloads: u64,
    },
    /// A percentile that is not told.
    Percentile {
        /// Which: `p99`.
        asked: String,
    },
    /// The store could not be read, so that the answer may leave out what is there.
    Unreadable {
        /// Why.
        why: String,
    },
    /// No instruction stands.
    Instructions,
    /// The machine's capacity is not known here.
    Machine,
    /// The ledger keeps what was said, not who said it.
    Names,
    /// What would be with other demand is for a replay.
    OtherDemand,
    /// Nothing that can be asked; or what can be asked was asked.
    Examples {
        /// True where the question was understood.
        asked: bool,
    },
    /// The sentence reads as an instruction: asking takes none.
    ToTell,
    /// The sentence was not read.
    Unread {
        /// Why.
        why: String,
    },
}
