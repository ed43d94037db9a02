//! What a group may send: its packets get a class of the interface's queue.
//!
//! A rule of nftables (`socket cgroupv2`) sets the priority of a group's packets to the number of an HTB class, and that
//! class holds their rate; HTB takes a priority that names one of its classes as the choice of it, so no filter and no
//! mark is needed (marks belong to the routing of the machine). All else goes past the classes, unlimited. Everything is
//! in a table and a queue of our own; with the last limit both are removed and the kernel's own queue stands again.
//!
//! A rule is made before its class and removed after it, so that a crash in between leaves a rule without a class. That is seen as a
//! rate that got lost, as is one whose table was emptied or whose interface is not the one of the default route any more: whoever turns
//! a knob next, or puts it back, cleans up what is left, on whichever interface it is.

mod classes;
mod command;
mod counts;
mod known;
mod rules;
mod seen;

pub use counts::{NetworkCounts, Nft, remove_network_counts};

use super::{Access, ActError, Order, cgroup::names_a_group, patience::Patience};
use crate::{
    cgroupfs::{self, Hierarchy, Reader},
    collect::{default_route, is_in_ours},
};
use apportion_core::{Knob, Setting, Workload, WorkloadKind};
use classes::Root;
use known::Known;
use rules::{Rule, Rules};
use seen::Seen;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{DirEntryExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Takes any text as an answer of `tc` and `nft`, for the fuzzer.
pub(crate) fn parse_any(text: &str) {
    let _ = classes::parse_roots(text);
    let _ = classes::parse_classes(text);
    let _ = rules::parse(text);
    let _ = counts::parse(text);
}

/// `nft` looks for groups below this folder and nowhere else.
const GROUPS: &str = "/sys/fs/cgroup";

/// Send rates of groups of the version 2 tree on the interface of the default route, whichever that is at the time. Needs `nft`, `tc`
/// and the right to administer the network.
pub struct NetworkRates {
    hierarchy: Hierarchy,
    known: Mutex<Known>,
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
    /// Rates of groups of `hierarchy`.
    ///
    /// # Errors
    /// `nft` or `tc` is missing or may not be used, or groups are not where `nft` looks.
    pub fn new(hierarchy: Hierarchy) -> Result<Self, ActError> {
        check_tree(&hierarchy)?;
        let rates = Self { hierarchy, known: Mutex::default() };
        rates.look()?;
        Ok(rates)
    }

    /// Asks `nft` and `tc`.
    fn look(&self) -> Result<Seen, ActError> {
        // What stands on another interface can be read and undone all the same.
        let egress = egress_interface(self.hierarchy.root())?;
        let seen = patience().ask(|| Seen::ask(egress))?;
        Ok(Seen { living: living(&self.hierarchy, &seen.rules), ..seen })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen within the last minute, or else is now.
    fn remembered<T>(&self, judge: impl FnOnce(&Known, &Seen) -> Result<T, ActError>) -> Result<T, ActError> {
        let mut known = self.known();
        known.renew(|| self.look().map_err(|error| error.to_string()));
        let seen = known.seen().map_err(|said| {
            let (said, remedy) = (said.to_owned(), "it is tried again after a minute");
            ActError::Call { place: "nft and tc".to_owned(), said, remedy }
        })?;
        judge(&known, seen)
    }

    /// What is known since the last minute says of a group that is there.
    fn says(&self, workload: &Workload, knob: Knob, what: fn(&Known, &Seen, u64) -> bool) -> bool {
        let group = self.group(workload, knob).ok().and_then(|group| inode(&group.dir));
        group.is_some_and(|inode| self.remembered(|known, seen| Ok(what(known, seen, inode))).unwrap_or(false))
    }

    fn group(&self, workload: &Workload, knob: Knob) -> Result<Group, ActError> {
        let reached = group_of(&self.hierarchy, workload).filter(|_| knob == Knob::NetworkSendMax);
        reached.ok_or(ActError::NotMine)
    }

    /// The setting that rules and classes make, for a group that is there.
    fn setting(&self, group: &Group, seen: &Seen) -> Result<Setting, ActError> {
        let Some(inode) = inode(&group.dir) else {
            let (place, why) = (group.dir.display().to_string(), "the group is gone and its rate is left".to_owned());
            return Err(if seen.has_leftovers() { ActError::Uneven { place, why } } else { ActError::Gone { place } });
        };
        check_namespace(&group.dir)?;
        Ok(seen.rate(inode).map_or(Setting::Unlimited, Setting::Value))
    }

    fn limit(&self, group: &Group, inode: u64, seen: &Seen, bytes_per_s: f64) -> Result<(), ActError> {
        let interface = seen.interface.as_deref().ok_or_else(no_egress)?;
        check_root(seen)?;
        let mut rules = seen.living.clone();
        let class = seen.rules.get(&inode).copied().unwrap_or_else(|| seen.free_class());
        rules.insert(group.name.clone(), Rule { inode, class });
        let unused = self.known().unused(seen, &rules);
        rules::replace(interface, above(&self.hierarchy), &rules)?;
        classes::set(interface, &seen.root(), class, bytes_per_s, &unused)?;
        seen.strays().try_for_each(classes::remove_all)
    }

    fn free(&self, group: &Group, seen: &Seen) -> Result<(), ActError> {
        let mut rules = seen.living.clone();
        rules.remove(&group.name);
        let Some(interface) = seen.interface.as_deref().filter(|_| !rules.is_empty()) else {
            seen.ours().try_for_each(classes::remove_all)?;
            return rules::remove_all();
        };
        let unused = self.known().unused(seen, &rules);
        classes::remove(interface, &unused)?;
        seen.strays().try_for_each(classes::remove_all)?;
        rules::replace(interface, above(&self.hierarchy), &rules)
    }
}

impl Access for NetworkRates {
    fn name(&self) -> &'static str {
        "network rates"
    }

    fn read(&self, workload: &Workload, knob: Knob) -> Result<Setting, ActError> {
        let group = self.group(workload, knob)?;
        let seen = self.look()?;
        let setting = self.setting(&group, &seen);
        self.known().keep(Ok(seen));
        setting
    }

    /// Where a queue of somebody else's keeps a rate from being set, none is to be planned; one that got lost is said to be kept out.
    fn glance(&self, workload: &Workload, knob: Knob) -> Result<Setting, ActError> {
        let group = self.group(workload, knob)?;
        let is_lost = |known: &Known, seen: &Seen| inode(&group.dir).is_some_and(|inode| known.is_lost(seen, inode));
        self.remembered(|known, seen| match self.setting(&group, seen)? {
            Setting::Unlimited if !is_lost(known, seen) => check_root(seen).map(|()| Setting::Unlimited),
            setting => Ok(setting),
        })
    }

    fn is_lost(&self, workload: &Workload, knob: Knob) -> bool {
        self.says(workload, knob, Known::is_lost)
    }

    fn has_leftover(&self, workload: &Workload, knob: Knob) -> bool {
        self.says(workload, knob, Known::has_leftover)
    }

    fn write(&mut self, order: &Order) -> Result<(), ActError> {
        let group = self.group(order.workload(), order.knob())?;
        let seen = self.look()?;
        self.known().change(&seen);
        let inode = inode(&group.dir);
        patience().ask(|| match (order.to(), inode) {
            (Setting::Value(bytes_per_s), Some(inode)) => self.limit(&group, inode, &seen, bytes_per_s),
            _ => self.free(&group, &seen),
        })?;
        if let (Setting::Unlimited, Some(inode)) = (order.to(), inode) {
            self.known().give_up(inode);
        }
        Ok(())
    }
}

/// The interface of the default route, where it can be named to `nft` and `tc`; `root` is `/` in life.
fn egress_interface(root: &Path) -> Result<Option<String>, cgroupfs::Error> {
    Ok(default_route(root, &mut Reader::default())?.filter(|interface| can_be_named(interface)))
}

/// One for all who ask them, so that silence is waited for once.
fn patience() -> &'static Patience {
    static PATIENCE: Patience = Patience::with("nft and tc", "look for one that hangs with `ps`");
    &PATIENCE
}

/// That the groups can be named to `nft`.
fn check_tree(hierarchy: &Hierarchy) -> Result<(), ActError> {
    if hierarchy.unified().is_some_and(|tree| tree.dir.starts_with(GROUPS)) {
        return Ok(());
    }
    let why = format!("network rates need a version 2 cgroup tree mounted below {GROUPS}");
    Err(ActError::Unsafe { place: GROUPS.to_owned(), why })
}

/// Whether an interface can be named to `nft` and `tc`.
fn can_be_named(interface: &str) -> bool {
    interface.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c))
}

/// That no queue of somebody else's stands where ours would.
fn check_root(seen: &Seen) -> Result<(), ActError> {
    let (Root::Foreign(kind), Some(interface)) = (seen.root(), &seen.interface) else { return Ok(()) };
    let why = format!(
        "has a queue of somebody else's ({kind}); network rates are set only over the kernel's default one: \
         remove it with `tc qdisc del dev {interface} root`, or leave this knob"
    );
    Err(ActError::Unsafe { place: interface.clone(), why })
}

fn no_egress() -> ActError {
    let why = "there is no default route over an interface whose name is of letters, digits and ._-@, so where a rate should be set is not \
               known; see `ip route` and `ip -6 route`"
        .to_owned();
    ActError::Unsafe { place: "/proc/net/route".to_owned(), why }
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

/// Packets of another network namespace (most containers) never pass this one's rules.
fn check_namespace(dir: &Path) -> Result<(), ActError> {
    if is_in_ours(Path::new("/"), dir, &mut Reader::default()) != Some(false) {
        return Ok(());
    }
    let why = "its processes have a network namespace of their own; their rate cannot be held from here".to_owned();
    Err(ActError::Unsafe { place: dir.display().to_string(), why })
}
