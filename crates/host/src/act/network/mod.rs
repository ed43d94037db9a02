//! What a group may send: its packets get a class of the interface's queue.
//!
//! A rule of nftables (`socket cgroupv2`) sets the priority of a group's packets to the number of an HTB class, and that
//! class holds their rate; HTB takes a priority that names one of its classes as the choice of it, so no filter and no
//! mark is needed (marks belong to the routing of the machine). All else goes past the classes, unlimited. Everything is
//! in a table and a queue of our own; with the last limit both are removed and the kernel's own queue stands again.
//!
//! A rule is made before its class and removed after it, so that a crash in between leaves a rule without a class, which
//! is seen and cleaned when values are put back.

mod classes;
mod command;
mod rules;

use super::{Access, ActError, Order, cgroup::names_a_group, patience::Patience};
use crate::{
    cgroupfs::{self, Hierarchy, Reader},
    collect::parse_default_route,
};
use apportion_core::{Knob, Setting, Workload, WorkloadKind};
use classes::{Queue, Root};
use rules::Rules;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Takes any text as an answer of `tc` and `nft`, for the fuzzer.
pub(crate) fn parse_any(text: &str) {
    let _ = classes::parse_root(text);
    let _ = classes::parse_classes(text);
    let _ = rules::parse(text);
}

/// `nft` looks for groups below this folder and nowhere else.
const GROUPS: &str = "/sys/fs/cgroup";
/// Two programs are started to look, so a glance uses what was seen within this time.
const GLANCE_FOR: Duration = Duration::from_secs(60);

/// Send rates of groups of the version 2 tree on one interface. Needs `nft`, `tc` and the right to administer the network.
pub struct NetworkRates {
    interface: String,
    hierarchy: Hierarchy,
    seen: Mutex<Option<(Instant, Result<Seen, String>)>>,
    patience: Patience,
}

/// Rules and classes at one time.
#[derive(Debug, Default)]
struct Seen {
    rules: Rules,
    queue: Queue,
}

/// One group as `nft` knows it.
struct Group {
    name: String,
    dir: PathBuf,
}

impl NetworkRates {
    /// Rates on `interface` (see [`egress_interface`]).
    ///
    /// # Errors
    /// There is no such interface, `nft` or `tc` is missing or may not be used, or groups are not where `nft` looks.
    pub fn new(interface: &str, hierarchy: Hierarchy) -> Result<Self, ActError> {
        let unfit = |why: String| ActError::Unsafe { place: interface.to_owned(), why };
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
        if !interface.chars().all(plain) || !is_here(interface) {
            return Err(unfit("no such network interface; see `ip link`".to_owned()));
        }
        if !hierarchy.unified().is_some_and(|tree| tree.dir.starts_with(GROUPS)) {
            return Err(unfit(format!("network rates need a version 2 cgroup tree mounted below {GROUPS}")));
        }
        let rates = Self { interface: interface.to_owned(), hierarchy, seen: Mutex::new(None), patience: patience() };
        rates.look()?;
        Ok(rates)
    }

    /// Asks `nft` and `tc`.
    fn look(&self) -> Result<Seen, ActError> {
        self.patience.ask(|| Ok(Seen { rules: rules::list()?, queue: classes::list(&self.interface)? }))
    }

    /// What was seen within the last minute, or else is now.
    fn remembered<T>(&self, judge: impl FnOnce(&Seen) -> Result<T, ActError>) -> Result<T, ActError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.as_ref().is_none_or(|(when, _)| when.elapsed() >= GLANCE_FOR) {
            *seen = Some((Instant::now(), self.look().map_err(|error| error.to_string())));
        }
        match seen.as_ref() {
            Some((_, Ok(seen))) => judge(seen),
            Some((_, Err(said))) => {
                let (said, remedy) = (said.clone(), "it is tried again after a minute");
                Err(ActError::Call { place: "nft and tc".to_owned(), said, remedy })
            }
            None => Err(ActError::NotMine),
        }
    }

    fn group(&self, workload: &Workload, knob: Knob) -> Result<Group, ActError> {
        let of_group = matches!(workload.kind, WorkloadKind::Cgroup | WorkloadKind::SystemdUnit);
        if knob != Knob::NetworkSendMax || !of_group || !names_a_group(&workload.path) {
            return Err(ActError::NotMine);
        }
        let dir = self.hierarchy.unified().ok_or(ActError::NotMine)?.group_dir(&workload.path);
        let below = dir.strip_prefix(GROUPS).ok().and_then(Path::to_str).filter(|name| rules::can_name(name));
        let name = below.ok_or(ActError::NotMine)?.to_owned();
        Ok(Group { name, dir })
    }

    /// The setting that rules and classes make, for a group that is there.
    fn setting(&self, group: &Group, seen: &Seen) -> Result<Setting, ActError> {
        let half = |why: &str| ActError::Uneven {
            place: format!("{} on {}", group.name, self.interface),
            why: why.to_owned(),
        };
        if let Root::Foreign(kind) = &seen.queue.root {
            return Err(foreign(&self.interface, kind));
        }
        if !group.dir.exists() {
            let left = seen.rules.of_nobody > 0 || seen.rules.classes.contains_key(&group.name);
            let gone = ActError::Gone { place: group.dir.display().to_string() };
            return Err(if left { half("the group is gone and its rate is left") } else { gone });
        }
        check_namespace(&group.dir)?;
        match seen.rules.classes.get(&group.name) {
            None => Ok(Setting::Unlimited),
            Some(class) => match seen.queue.rates.get(class) {
                Some(bytes_per_s) => Ok(Setting::Value(*bytes_per_s)),
                None => Err(half("a rule without a class, left by a crash; put the former value back")),
            },
        }
    }

    fn limit(&self, group: &Group, seen: &Seen, bytes_per_s: f64) -> Result<(), ActError> {
        let mut classes = living(&seen.rules);
        let class = *classes.entry(group.name.clone()).or_insert_with(|| free_class(seen));
        rules::replace(&self.interface, self.above(), &classes)?;
        classes::set(&self.interface, &seen.queue.root, class, bytes_per_s, &unused(seen, &classes))
    }

    fn free(&self, group: &Group, seen: &Seen) -> Result<(), ActError> {
        let mut classes = living(&seen.rules);
        classes.remove(&group.name);
        if classes.is_empty() {
            classes::remove_all(&self.interface, &seen.queue.root)?;
            return rules::remove_all();
        }
        classes::remove(&self.interface, &unused(seen, &classes))?;
        rules::replace(&self.interface, self.above(), &classes)
    }

    /// How many folders the top of the tree is below [`GROUPS`].
    fn above(&self) -> usize {
        let top = self.hierarchy.unified().and_then(|tree| tree.dir.strip_prefix(GROUPS).ok());
        top.map_or(0, |below| below.components().count())
    }
}

impl Access for NetworkRates {
    fn name(&self) -> &'static str {
        "network rates"
    }

    fn read(&self, workload: &Workload, knob: Knob) -> Result<Setting, ActError> {
        let group = self.group(workload, knob)?;
        self.setting(&group, &self.look()?)
    }

    fn glance(&self, workload: &Workload, knob: Knob) -> Result<Setting, ActError> {
        let group = self.group(workload, knob)?;
        self.remembered(|seen| self.setting(&group, seen))
    }

    fn write(&mut self, order: &Order) -> Result<(), ActError> {
        let group = self.group(order.workload(), order.knob())?;
        let seen = self.look()?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Root::Foreign(kind) = &seen.queue.root {
            return Err(foreign(&self.interface, kind));
        }
        self.patience.ask(|| match order.to() {
            Setting::Value(bytes_per_s) if group.dir.exists() => self.limit(&group, &seen, bytes_per_s),
            _ => self.free(&group, &seen),
        })
    }
}

/// The interface of the default route with the least metric; `root` is `/` in life.
///
/// # Errors
/// The routing table cannot be read, or is malformed.
pub fn egress_interface(root: &Path) -> Result<Option<String>, cgroupfs::Error> {
    Ok(Reader::default().parsed(&root.join("proc/net"), "route", parse_default_route)?.flatten())
}

const fn patience() -> Patience {
    Patience::with("nft and tc", "look for one that hangs with `ps`")
}

/// True for an interface of this process's network namespace (`/sys/class/net` would show that of its mount).
fn is_here(interface: &str) -> bool {
    let devices = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    devices.lines().any(|line| line.split_once(':').is_some_and(|(name, _)| name.trim() == interface))
}

/// The rules whose groups are still there.
fn living(rules: &Rules) -> BTreeMap<String, u16> {
    let there = rules.classes.iter().filter(|(name, _)| Path::new(GROUPS).join(name).exists());
    there.map(|(name, class)| (name.clone(), *class)).collect()
}

/// The classes that none of these rules leads to.
fn unused(seen: &Seen, classes: &BTreeMap<String, u16>) -> Vec<u16> {
    seen.queue.rates.keys().copied().filter(|known| !classes.values().any(|used| used == known)).collect()
}

/// The lowest number that no rule and no class has.
fn free_class(seen: &Seen) -> u16 {
    let has_rule = |class: &u16| seen.rules.classes.values().any(|used| used == class);
    let is_free = |class: &u16| !seen.queue.rates.contains_key(class) && !has_rule(class);
    (1..u16::MAX).find(is_free).unwrap_or(u16::MAX)
}

/// Packets of another network namespace (most containers) never pass this one's rules.
fn check_namespace(dir: &Path) -> Result<(), ActError> {
    let procs = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let theirs = procs.lines().find_map(namespace);
    if theirs.is_none() || theirs == namespace("self") {
        return Ok(());
    }
    let why = "its processes have a network namespace of their own; their rate cannot be held from here".to_owned();
    Err(ActError::Unsafe { place: dir.display().to_string(), why })
}

fn foreign(interface: &str, kind: &str) -> ActError {
    let why = format!(
        "has a queue of somebody else's ({kind}); network rates are set only over the kernel's default one: \
         remove it with `tc qdisc del dev {interface} root`, or leave this knob"
    );
    ActError::Unsafe { place: interface.to_owned(), why }
}
