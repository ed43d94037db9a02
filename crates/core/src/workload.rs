//! What is sized, and what people have said about it.

use crate::{InstructionId, Knob, knob::Bounds};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The name of a workload, unique on its machine: a cgroup path, a unit, a process group, or the name in a trace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkloadId(Arc<str>);

/// What systemd puts behind the name of a unit.
const UNIT_KINDS: [&str; 3] = [".service", ".scope", ".slice"];

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
    /// True where a name or wildcard that a person said means this workload: the whole name, its last part
    /// (`/system.slice/nginx.service`: `nginx.service`), or that without the kind of unit (`nginx`), in either case of letters.
    #[must_use]
    pub fn answers_to(&self, said: &str) -> bool {
        let (name, said) = (self.as_str().to_lowercase(), said.to_lowercase());
        let last = name.rsplit('/').next().unwrap_or_default();
        let plain = UNIT_KINDS.iter().find_map(|kind| last.strip_suffix(kind)).unwrap_or(last);
        [name.as_str(), last, plain].iter().any(|name| !name.is_empty() && matches(&said, name))
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
    /// Knobs that may not be changed now, each with why.
    pub holds: BTreeMap<Knob, String>,
    /// What people asked for on top of what would be enough, for a time: they reported a lack or a surplus.
    pub asked: BTreeMap<Knob, Asked>,
    /// The instructions that bear on each knob now.
    pub said: BTreeMap<Knob, Vec<InstructionId>>,
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
            holds: BTreeMap::new(),
            asked: BTreeMap::new(),
            said: BTreeMap::new(),
            violation_share: 0.01,
        }
    }
}

/// What is given beyond (or short of) what would be enough.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Times what would be enough; positive, 1 is just that.
    pub factor: f64,
    /// Added to that, in the knob's unit; negative takes away.
    pub added: f64,
    /// True where an alert or a log line asks, false where people do.
    #[serde(default)]
    pub by_signal: bool,
}

impl Default for Asked {
    fn default() -> Self {
        Self { factor: 1.0, added: 0.0, by_signal: false }
    }
}

impl Standing {
    /// The same with no knob to be changed, because of `why`.
    #[must_use]
    pub fn held(self, why: &str) -> Self {
        Self { holds: crate::knob::ALL.into_iter().map(|knob| (knob, why.to_owned())).collect(), ..self }
    }
    /// Why something of it may not be changed now, where so.
    #[must_use]
    pub fn hold(&self) -> Option<&str> {
        self.holds.values().next().map(String::as_str)
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

/// Insertions, deletions, replacements and swaps of neighbours that make one word of another.
#[must_use]
pub fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let mut least = (row[j] + usize::from(a[i] != b[j])).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_say_less_than_the_whole_name() {
        let check =
            |said: &str, name: &str, fits| assert_eq!(WorkloadId::new(name).answers_to(said), fits, "{said} {name}");
        check("nginx", "nginx", true);
        check("nginx", "/system.slice/nginx.service", true);
        check("nginx.service", "/system.slice/nginx.service", true);
        check("NGINX", "nginx.service", true);
        check("web-*", "/system.slice/Web-1.service", true);
        check("nginx", "/system.slice/nginx-proxy.service", false);
        check("system.slice", "/system.slice/nginx.service", false);
        check("", "/", false);
    }

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
