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

/// True when `name` fits `pattern`, in which `*` stands for anything and `?` for one character.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, from)) => {
                    *from += 1;
                    (p, n) = (*at + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern, name, fits| assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        check("*", "", true);
        check("web-*", "web-1", true);
        check("web-*", "db", false);
        check("*.service", "nginx.service", true);
        check("a*b*c", "axxbyybzc", true);
        check("a*b*c", "axxbyyb", false);
        check("w?b", "web", true);
        check("w?b", "wb", false);
        check("", "", true);
    }
}
