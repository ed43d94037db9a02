//! What machines report of a workload in text: alerts and log lines, typed. A hint and never an instruction: nothing of the text but what
//! is typed here reaches what is decided.

use crate::{Resource, Time, WorkloadId, instruction::Level};
use serde::{Deserialize, Serialize};

/// Where a signal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalSource {
    /// An alert that somebody's rule raised.
    Alert,
    /// A line that the workload itself, the service manager or the kernel wrote.
    Log,
}

/// One report of a machine that a workload lacks something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Which workload.
    pub workload: WorkloadId,
    /// What it lacks; `None` where the text does not say.
    pub resource: Option<Resource>,
    /// How bad.
    pub level: Level,
    /// When it was taken in.
    pub time: Time,
    /// Where it came from.
    pub source: SignalSource,
    /// Its text, cut short: shown, never read again.
    pub text: String,
}
