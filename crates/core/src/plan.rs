//! What a policy wants, why, and what it proposes to change.

use crate::{Capacity, DecisionId, InstructionId, Knob, Setting, Time, WorkloadId, workload::Asked};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was used, from the samples that are there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// Over how long, seconds.
    pub window_s: f64,
    /// Share of that time with samples, 0..1.
    pub present_share: f64,
    /// Time with samples in all the history that is kept of it, also before that window, seconds.
    #[serde(default)]
    pub seen_s: f64,
    /// Median, in the knob's unit.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// Greatest.
    pub max: f64,
    /// Time of the greatest.
    pub max_at: Time,
}

/// What is expected until the next decision may act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The forecaster that was chosen.
    pub by: String,
    /// Its back-test score relative to seasonal naive (weighted quantile loss; below 1 is better), where there was enough history.
    pub score: Option<f64>,
    /// How far ahead, seconds.
    pub horizon_s: f64,
    /// When the median is greatest.
    pub peak_at: Time,
    /// 10 %, 50 % and 90 % quantiles at that time, in the knob's unit.
    pub peak: [f64; 3],
}

/// What the next lower size would have cost on recorded history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counterfactual {
    /// The lower size, in the knob's unit.
    pub value: f64,
    /// How much history was looked at, seconds.
    pub window_s: f64,
    /// Time in which more was wanted than that, seconds.
    pub over_s: f64,
    /// Start (UTC midnight) of the day on which most of it fell; none where `over_s` is 0.
    pub worst_day: Option<Time>,
    /// Time over on that day, seconds.
    pub worst_day_over_s: f64,
}

/// What decided the number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// The forecast at the quantile that the cost picked.
    Forecast,
    /// What was used recently, because nothing better is known yet.
    Recent,
    /// Too little history: a wide margin on what was seen.
    ColdStart,
    /// Too little history of its own: what others like it needed, with a wide margin.
    LookAlikes {
        /// How many those are.
        count: usize,
    },
    /// What people announced of demand; what would be enough without that, in the knob's unit.
    Announced {
        /// Enough for usual demand.
        usual: f64,
    },
    /// The least that people allow.
    Floor,
    /// The most that people allow.
    Ceiling,
    /// The machine cannot give all that is wanted: `wanted` in total of `capacity`.
    Share {
        /// Sum of what all workloads want.
        wanted: f64,
        /// What there is.
        capacity: f64,
    },
    /// At most so much a step.
    StepLimit,
    /// Memory in use now, with headroom.
    MemoryInUse,
    /// An earlier change hurt and is taken back.
    TakeBack {
        /// That change.
        of: DecisionId,
    },
    /// A person asked for the former value.
    RolledBack {
        /// That change.
        of: DecisionId,
    },
    /// The most that people allowed is over, on which alone an earlier change rested.
    BoundOver {
        /// That change.
        of: DecisionId,
    },
    /// What was set was lost with what held it (rules that were emptied, a link that is no longer used), and nobody chose that.
    SetAgain,
    /// A peer's rule (replay only), by name.
    Rule(String),
}

/// Why a number is what it is. Every number in an explanation is one of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// What was used.
    pub used: Option<Used>,
    /// What is expected.
    pub expected: Option<Expected>,
    /// The quantile of demand that the allotment covers, 0..1.
    pub quantile: f64,
    /// Factor on top: 1 is none. Raised by harm (then it decays) and by what people report.
    pub margin: f64,
    /// What decided.
    pub binding: Binding,
    /// What the next lower size would have cost.
    pub counterfactual: Option<Counterfactual>,
    /// What people or signals asked for beyond what is enough; its factor is in `margin` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// The least or the most that people allow, where that decided, in the knob's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// The instructions of people that bear on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<InstructionId>,
}

impl Reason {
    /// A reason that is nothing but what decided.
    #[must_use]
    pub const fn only(binding: Binding) -> Self {
        Self {
            used: None,
            expected: None,
            quantile: 0.0,
            margin: 1.0,
            binding,
            counterfactual: None,
            asked: None,
            bound: None,
            said: Vec::new(),
        }
    }

    /// The part of `margin` that earlier harm raised.
    #[must_use]
    pub fn harm_margin(&self) -> f64 {
        self.margin / self.asked.map_or(1.0, |asked| asked.factor)
    }

    /// True where it rests on the most that people allow and on nothing that was measured.
    #[must_use]
    pub const fn is_bound_alone(&self) -> bool {
        matches!(self.binding, Binding::Ceiling) && self.used.is_none() && self.quantile == 0.0
    }
}

/// What a workload should have of one knob, before it is shared out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Want {
    /// Which knob.
    pub knob: Knob,
    /// How much, in the knob's unit, within the bounds that people gave.
    pub value: f64,
    /// Where known, the least that keeps the workload going (what it uses now): shared out first.
    pub least: f64,
    /// Why.
    pub reason: Reason,
}

/// All that a workload should have: made when it is looked at anew, used at every tick until then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// When it was made.
    pub made: Time,
    /// One per knob.
    pub wants: Vec<Want>,
}

/// A proposal to turn one knob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Of what.
    pub workload: WorkloadId,
    /// Which knob.
    pub knob: Knob,
    /// As observed.
    pub from: Setting,
    /// As proposed.
    pub to: Setting,
    /// Why.
    pub reason: Reason,
}

impl Change {
    /// True when the change gives less than before.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.to.or_infinite() < self.from.or_infinite()
    }
    /// True where both are of the same knob of the same workload.
    #[must_use]
    pub fn is_of_knob_of(&self, other: &Self) -> bool {
        self.knob == other.knob && self.workload == other.workload
    }
    /// True when the change restores a former value: harm, a person or the end of a bound asked for it.
    #[must_use]
    pub const fn is_undo(&self) -> bool {
        self.undoes().is_some()
    }
    /// True when the change sets what was set and got lost: no step of its own.
    #[must_use]
    pub const fn is_set_again(&self) -> bool {
        matches!(self.reason.binding, Binding::SetAgain)
    }
    /// The decision that the change takes back.
    #[must_use]
    pub const fn undoes(&self) -> Option<DecisionId> {
        match self.reason.binding {
            Binding::TakeBack { of } | Binding::RolledBack { of } | Binding::BoundOver { of } => Some(of),
            _ => None,
        }
    }
}

/// What a policy proposes at one tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// In the order in which they should be carried out: what gives before what takes.
    pub changes: Vec<Change>,
    /// What each workload would be allotted, changed or not: shown, and the basis of the saving.
    pub allotted: BTreeMap<WorkloadId, BTreeMap<Knob, f64>>,
    /// What was there to share.
    pub capacity: Capacity,
}
