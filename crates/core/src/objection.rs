//! What stands against an instruction before it is accepted: what cannot be done, and what a person should know, each with the
//! nearest thing that works.

use crate::{InstructionId, Knob, Resource, Time};
use serde::Serialize;

/// One thing that stands against an instruction.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "objection")]
pub enum Objection {
    /// No workload answers to a name that was said.
    NoSuchWorkload {
        /// The name.
        name: String,
        /// Workloads that are called nearly so, nearest first.
        nearest: Vec<String>,
    },
    /// Its window is over.
    Past {
        /// When it ended.
        end: Time,
    },
    /// Nothing that can be set here counts in what was said (copies, space on a disk).
    NothingToSet,
    /// How much of a resource there is in all is not known here, so that a share of it says nothing; an amount works.
    ShareOfUnknown {
        /// Of what; `None` for everything.
        resource: Option<Resource>,
    },
    /// A least share of everything together: such a share can only be a most.
    FloorOnTotal,
    /// So many more requests mean nothing where requests are not measured; a factor works.
    NotMeasured {
        /// Of which workload.
        workload: String,
    },
    /// More than the machine has.
    MoreThanMachine {
        /// Of what.
        resource: Resource,
        /// What was asked for.
        asked: f64,
        /// What there is.
        has: f64,
    },
    /// A floor above a ceiling, whichever of the two is new.
    FloorAboveCeiling {
        /// Of which workload.
        workload: String,
        /// Which knob.
        knob: Knob,
        /// The floor.
        floor: f64,
        /// The ceiling.
        ceiling: f64,
        /// The instruction that stands; the configuration where none.
        by: Option<InstructionId>,
    },
    /// A ceiling below what a group can run with.
    CeilingTooSmall {
        /// On which knob.
        knob: Knob,
        /// What was said.
        asked: f64,
        /// The least that can be set.
        least: f64,
    },
    /// The floors of all workloads together are more than the machine has.
    FloorsTogether {
        /// Of what.
        resource: Resource,
        /// Their sum with the new one.
        sum: f64,
        /// What there is.
        has: f64,
        /// The most that the new floor can be for each of its workloads.
        left: f64,
    },
    /// The same was said before and stands.
    SaidAlready {
        /// As this.
        by: InstructionId,
    },
    /// There is nothing that an undo could mean.
    NothingToUndo,
    /// It takes the place of one that says otherwise of the same; that one is revoked.
    Replaces {
        /// Which.
        what: InstructionId,
    },
    /// A workload is held, so nothing of it is changed meanwhile.
    Held {
        /// Which workload.
        workload: String,
        /// By which instruction.
        by: InstructionId,
        /// Until when; `None` until released.
        until: Option<Time>,
    },
    /// These workloads are only recommended for: nothing of them is set.
    RecommendOnly {
        /// How many of those that are named.
        workloads: usize,
    },
    /// A ceiling below what is used now.
    BelowUse {
        /// The first workload that uses more.
        workload: String,
        /// Of which knob.
        knob: Knob,
        /// The ceiling.
        asked: f64,
        /// What it uses.
        used: f64,
        /// How many others use more than that too.
        others: usize,
    },
    /// A tighter bound on the same knob counts meanwhile.
    Tighter {
        /// Of which workload; `None` for everything together.
        workload: Option<String>,
        /// On which knob.
        knob: Knob,
        /// The bound that counts.
        bound: f64,
        /// The instruction that it is from; the configuration where none.
        by: Option<InstructionId>,
    },
    /// What is expected is more than the machine has.
    BeyondMachine {
        /// Of what.
        resource: Resource,
        /// How many workloads it is expected of.
        workloads: usize,
        /// What all of them would use: a day's mean with what was said.
        asked: f64,
        /// What there is.
        has: f64,
    },
    /// It has no end: it stands until it is revoked.
    NoEnd,
    /// It has no size: this factor is taken.
    NoSize {
        /// Times usual.
        factor: f64,
    },
}

impl Objection {
    /// True where the instruction cannot be accepted; false where a person should only know.
    #[must_use]
    pub const fn blocks(&self) -> bool {
        !matches!(
            self,
            Self::Replaces { .. }
                | Self::Held { .. }
                | Self::RecommendOnly { .. }
                | Self::BelowUse { .. }
                | Self::Tighter { .. }
                | Self::BeyondMachine { .. }
                | Self::NoEnd
                | Self::NoSize { .. }
        )
    }
}
