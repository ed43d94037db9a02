//! One record a decision: what was proposed, whether it was let through, and what came of it. The ledger holds these.

use crate::{Change, Refusal, Setting, Time};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of a decision in the ledger; grows by one, never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DecisionId(pub u64);

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What came of a change that was let through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// Written and read back.
    Applied {
        /// As the kernel gave it back.
        read_back: Setting,
    },
    /// It was so already.
    Unchanged,
    /// Not written: this executor only says what it would do.
    DryRun,
    /// The knob held something other than the plan had seen; nothing was written.
    Drifted {
        /// What it held.
        found: Setting,
    },
    /// It could not be written, or read back otherwise; the former value stands where it could be put back.
    Failed {
        /// What the machine said, with the file.
        error: String,
    },
}

impl Outcome {
    /// True when the knob now holds the new value because of this change.
    #[must_use]
    pub const fn is_applied(&self) -> bool {
        matches!(self, Self::Applied { .. })
    }
}

/// Whether the guard let a change through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It did; what came of it.
    Admitted {
        /// The value that was let through, which the guard may have moved towards the former one.
        to: Setting,
        /// What came of it.
        outcome: Outcome,
    },
    /// It did not.
    Refused {
        /// Why.
        why: Refusal,
    },
}

/// One decision, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Its number.
    pub id: DecisionId,
    /// When.
    pub time: Time,
    /// What was proposed and why.
    pub change: Change,
    /// What the guard said and what came of it.
    pub verdict: Verdict,
}

impl Decision {
    /// True when a knob was turned.
    #[must_use]
    pub const fn is_applied(&self) -> bool {
        matches!(&self.verdict, Verdict::Admitted { outcome, .. } if outcome.is_applied())
    }
    /// The value that was let through, where one was.
    #[must_use]
    pub const fn admitted_to(&self) -> Option<Setting> {
        match &self.verdict {
            Verdict::Admitted { to, .. } => Some(*to),
            Verdict::Refused { .. } => None,
        }
    }
}
