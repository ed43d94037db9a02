//! What is sized, and what people have said about it.

use crate::{Knob, knob::Bounds};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The name of a workload, unique on its machine: a cgroup path, a unit, a process group, or the name in a trace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkloadId(Arc<str>);

impl WorkloadId {
    /// The machine as a whole: its capacity, disks, interfaces and load are series of this workload.
    pub const MACHINE: &'static str = "machine";

    /// A workload by name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// True for the machine itself, which is watched and never sized.
    #[must_use]
    pub fn is_machine(&self) -> bool {
        self.as_str() == Self::MACHINE
    }
}

impl From<&str> for WorkloadId {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a workload was found; decides which executor can reach its knobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadKind {
    /// A group of the cgroup v1 or v2 tree, containers included.
    Cgroup,
    /// A systemd service, scope or slice.
    SystemdUnit,
    /// Processes of one executable in one session, where nothing groups them. Has no knobs.
    ProcessGroup,
    /// The machine.
    Machine,
    /// A series of a trace or of a Prometheus server. Has no knobs.
    Trace,
}

/// A workload and how to find it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Its name.
    pub id: WorkloadId,
    /// Where it was found.
    pub kind: WorkloadKind,
    /// Its path below the mount of the tree (`/system.slice/nginx.service`), or the unit's name; empty where there is none.
    pub path: String,
    /// Labels that help to recognise it (image, owner, executable), sorted.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// How far Apportion may go with a workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Say what would be done; change nothing.
    #[default]
    Recommend,
    /// Change it.
    Apply,
}

/// What people have said about a workload, in force now: configuration and accepted instructions, already merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether its knobs are written.
    pub mode: Mode,
    /// Bounds per knob.
    pub bounds: BTreeMap<Knob, Bounds>,
    /// Who is served first when the machine is short: higher first. 0 is low, 1 normal, 2 high, 3 critical.
    pub priority: u8,
    /// Share among equals; positive.
    pub weight: f64,
    /// Why nothing may be changed now, where so.
    pub hold: Option<String>,
    /// The share of time in which more may be wanted than is allotted, 0..1. The one knob of risk.
    pub violation_share: f64,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            mode: Mode::Recommend,
            bounds: BTreeMap::new(),
            priority: 1,
            weight: 1.0,
            hold: None,
            violation_share: 0.01,
        }
    }
}
