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
mod counts;
mod rules;

pub use counts::{NetworkCounts, Nft, remove_network_counts};

use super::{Access, ActError, Order, cgroup::names_a_group, patience::Patience};
use crate::{
    cgroupfs::{self, Hierarchy, Reader},
    collect::{is_in_ours, parse_default_route},
};
use apportion_core::{Knob, Setting, Workload, WorkloadKind};
use classes::{Queue, Root};
use rules::{Rule, Rules};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{DirEntryExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Takes any text as an answer of `tc` and `nft`, for the fuzzer.
pub(crate) fn parse_any(text: &str) {
    let _ = classes::parse_root(text);
    let _ = classes::parse_classes(text);
    let _ = rules::parse(text);
    let _ = counts::parse(text);
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
}

/// Rules and classes at one time.
#[derive(Debug, Default)]
struct Seen {
    rules: Rules,
    /// The rules whose groups were there, by the path of the group.
    living: BTreeMap<String, Rule>,
    queue: Queue,
}

/// One group as `nft` knows it.
struct Group {
    /// Its path below [`GROUPS`].
    name: String,
    dir: PathBuf,
}

impl Group {
    /// How deep it lies in its tree, whose top is `above` folders below [`GROUPS`].
    fn level(&self, above: usize) -> usize {
        rules::depth(&self.name).saturating_sub(above)
    }
}

impl NetworkRates {
    /// Rates on `interface` (see [`egress_interface`]).
    ///
    /// # Errors
    /// There is no such interface, `nft` or `tc` is missing or may not be used, or groups are not where `nft` looks.
    pub fn new(interface: &str, hierarchy: Hierarchy) -> Result<Self, ActError> {
        check_place(interface, &hierarchy)?;
        let rates = Self { interface: interface.to_owned(), hierarchy, seen: Mutex::new(None) };
        rates.look()?;
        Ok(rates)
    }

    /// Asks `nft` and `tc`.
    fn look(&self) -> Result<Seen, ActError> {
        let (rules, queue) = patience().ask(|| Ok((rules::list()?, classes::list(&self.interface)?)))?;
        Ok(Seen { living: living(&self.hierarchy, &rules), rules, queue })
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
        let reached = group_of(&self.hierarchy, workload).filter(|_| knob == Knob::NetworkSendMax);
        reached.ok_or(ActError::NotMine)
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
        let Some(inode) = inode(&group.dir) else {
            let left = seen.living.len() < seen.rules.len();
            let gone = ActError::Gone { place: group.dir.display().to_string() };
            return Err(if left { half("the group is gone and its rate is left") } else { gone });
        };
        check_namespace(&group.dir)?;
        match seen.rules.get(&inode) {
            None => Ok(Setting::Unlimited),
            Some(class) => match seen.queue.rates.get(class) {
                Some(bytes_per_s) => Ok(Setting::Value(*bytes_per_s)),
                None => Err(half("a rule without a class, left by a crash; put the former value back")),
            },
        }
    }

    fn limit(&self, group: &Group, seen: &Seen, bytes_per_s: f64) -> Result<(), ActError> {
        let gone = || ActError::Gone { place: group.dir.display().to_string() };
        let (inode, mut rules) = (inode(&group.dir).ok_or_else(gone)?, seen.living.clone());
        let class = seen.rules.get(&inode).copied().unwrap_or_else(|| free_class(seen));
        rules.insert(group.name.clone(), Rule { inode, class });
        rules::replace(&self.interface, above(&self.hierarchy), &rules)?;
        classes::set(&self.interface, &seen.queue.root, class, bytes_per_s, &unused(seen, &rules))
    }

    fn free(&self, group: &Group, seen: &Seen) -> Result<(), ActError> {
        let mut rules = seen.living.clone();
        rules.remove(&group.name);
        if rules.is_empty() {
            classes::remove_all(&self.interface, &seen.queue.root)?;
            return rules::remove_all();
        }
        classes::remove(&self.interface, &unused(seen, &rules))?;
        rules::replace(&self.interface, above(&self.hierarchy), &rules)
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
        patience().ask(|| match order.to() {
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

/// One for all who ask them, so that silence is waited for once.
fn patience() -> &'static Patience {
    static PATIENCE: Patience = Patience::with("nft and tc", "look for one that hangs with `ps`");
    &PATIENCE
}

/// That this interface and these groups can be named to `nft`.
fn check_place(interface: &str, hierarchy: &Hierarchy) -> Result<(), ActError> {
    let unfit = |why: String| Err(ActError::Unsafe { place: interface.to_owned(), why });
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if !interface.chars().all(plain) || !is_here(interface) {
        return unfit("no such network interface; see `ip link`".to_owned());
    }
    if !hierarchy.unified().is_some_and(|tree| tree.dir.starts_with(GROUPS)) {
        return unfit(format!("network rates need a version 2 cgroup tree mounted below {GROUPS}"));
    }
    Ok(())
}

/// The folder below which `nft` looks for groups; elsewhere than [`GROUPS`] on a made-up machine only.
fn groups(hierarchy: &Hierarchy) -> PathBuf {
    hierarchy.root().join(GROUPS.trim_start_matches('/'))
}

/// The group of the version 2 tree that a workload is, where `nft` can name it.
fn group_of(hierarchy: &Hierarchy, workload: &Workload) -> Option<Group> {
    let is_group = matches!(workload.kind, WorkloadKind::Cgroup | WorkloadKind::SystemdUnit);
    let dir = hierarchy.unified().filter(|_| is_group && names_a_group(&workload.path))?.group_dir(&workload.path);
    let below = dir.strip_prefix(groups(hierarchy)).ok().and_then(Path::to_str);
    let name = below.filter(|name| rules::can_name(name))?.to_owned();
    Some(Group { name, dir })
}

/// How many folders the top of the tree is below [`GROUPS`].
fn above(hierarchy: &Hierarchy) -> usize {
    let groups = groups(hierarchy);
    let top = hierarchy.unified().and_then(|tree| tree.dir.strip_prefix(&groups).ok());
    top.map_or(0, |below| below.components().count())
}

/// True for an interface of this process's network namespace (`/sys/class/net` would show that of its mount).
fn is_here(interface: &str) -> bool {
    let devices = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    devices.lines().any(|line| line.split_once(':').is_some_and(|(name, _)| name.trim() == interface))
}

/// The rules whose groups are there, by the path of the group.
fn living(hierarchy: &Hierarchy, rules: &Rules) -> BTreeMap<String, Rule> {
    let mut found = BTreeMap::new();
    if let Some(tree) = hierarchy.unified().filter(|_| !rules.is_empty()) {
        find(&tree.dir, &groups(hierarchy), rules, &mut found);
    }
    found
}

/// Looks through a folder for the groups of rules.
fn find(dir: &Path, top: &Path, rules: &Rules, found: &mut BTreeMap<String, Rule>) {
    for child in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !child.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let (inode, path) = (child.ino(), child.path());
        let name = path.strip_prefix(top).ok().and_then(Path::to_str);
        if let Some((name, class)) = name.zip(rules.get(&inode).copied()) {
            found.insert(name.to_owned(), Rule { inode, class });
        }
        find(&path, top, rules, found);
    }
}

/// The number of a group's folder, by which the kernel knows the group; `None` where it is gone.
fn inode(dir: &Path) -> Option<u64> {
    fs::metadata(dir).ok().map(|folder| folder.ino())
}

/// The classes that none of these rules leads to.
fn unused(seen: &Seen, rules: &BTreeMap<String, Rule>) -> Vec<u16> {
    seen.queue.rates.keys().copied().filter(|known| !rules.values().any(|rule| rule.class == *known)).collect()
}

/// The lowest number that no rule and no class has.
fn free_class(seen: &Seen) -> u16 {
    let has_rule = |class: &u16| seen.rules.values().any(|used| used == class);
    let is_free = |class: &u16| !seen.queue.rates.contains_key(class) && !has_rule(class);
    (1..u16::MAX).find(is_free).unwrap_or(u16::MAX)
}

/// Packets of another network namespace (most containers) never pass this one's rules.
fn check_namespace(dir: &Path) -> Result<(), ActError> {
    if is_in_ours(Path::new("/"), dir, &mut Reader::default()) != Some(false) {
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
