//! Which controller is where.

use super::{Controller, Error, Mount, Reader, Version, group_from_text, group_to_text};
use super::{parse_membership, parse_mountinfo};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// One mounted tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Which interface.
    pub version: Version,
    /// The folder of its top group.
    pub dir: PathBuf,
    mount: Mount,
}

impl Tree {
    /// The folder of a group, whether it exists or not. `group` is a path below the top, as [`group_to_text`] gives it.
    #[must_use]
    pub fn group_dir(&self, group: &str) -> PathBuf {
        let group = group_from_text(group);
        let inside = group.components().filter(|part| matches!(part, std::path::Component::Normal(_)));
        self.dir.join(inside.collect::<PathBuf>())
    }
}

/// The cgroup trees of a machine: version 1, version 2, or both at once (hybrid).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchy {
    root: PathBuf,
    /// The kernel's own name of this run of the machine; empty where it has none.
    boot: Vec<u8>,
    trees: Vec<Tree>,
    of: BTreeMap<Controller, usize>,
}

impl Hierarchy {
    /// Looks where the trees are mounted below `root`, by `root/proc/self/mountinfo`. A machine without cgroups gives an
    /// empty hierarchy.
    ///
    /// # Errors
    /// `mountinfo` or the tree's `cgroup.controllers` cannot be read or is malformed.
    pub fn discover(root: &Path) -> Result<Self, Error> {
        let mut reader = Reader::default();
        let mounts = reader.parsed(&root.join("proc/self"), "mountinfo", parse_mountinfo)?.unwrap_or_default();
        let boot = std::fs::read(root.join("proc/sys/kernel/random/boot_id")).unwrap_or_default();
        let mut hierarchy = Self { root: root.to_owned(), boot, ..Self::default() };
        for mount in best_mounts(mounts) {
            hierarchy.add(mount, &mut reader)?;
        }
        Ok(hierarchy)
    }

    fn add(&mut self, mount: Mount, reader: &mut Reader) -> Result<(), Error> {
        let below_root = mount.mount_point.strip_prefix("/").unwrap_or(&mount.mount_point);
        let dir = self.root.join(below_root);
        let on = match mount.version {
            Version::V1 => mount.controllers.clone(),
            Version::V2 => reader.words(&dir, "cgroup.controllers")?.unwrap_or_default(),
        };
        let tree = self.trees.len();
        for controller in Controller::ALL {
            let name = match mount.version {
                Version::V1 => Some(controller.v1_name()),
                Version::V2 => controller.v2_name(),
            };
            if name.is_none_or(|name| on.iter().any(|on| on == name)) {
                self.of.entry(controller).or_insert(tree);
            }
        }
        self.trees.push(Tree { version: mount.version, dir, mount });
        Ok(())
    }

    /// The folder that the paths of this hierarchy are below: `/` in life.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every tree, version 1 first. A tree with several controllers (`cpu,cpuacct`) is here once.
    #[must_use]
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// The tree that a controller is bound to; `None` where it is not mounted.
    #[must_use]
    pub fn tree(&self, controller: Controller) -> Option<&Tree> {
        self.of.get(&controller).map(|tree| &self.trees[*tree])
    }

    /// The version 2 tree, which alone has pressure files; with version 1 controllers beside it on a hybrid machine.
    #[must_use]
    pub fn unified(&self) -> Option<&Tree> {
        self.trees.iter().find(|tree| tree.version == Version::V2)
    }

    /// The trees that account CPU time, in the order in which to ask them: on a hybrid machine a group may be in either.
    pub fn cpu_trees(&self) -> impl Iterator<Item = &Tree> {
        let first = self.tree(Controller::CpuAcct);
        let second = self.unified().filter(|tree| first.is_some_and(|first| first.dir != tree.dir));
        first.into_iter().chain(second)
    }

    /// The trees in which a group is a workload: those that account CPU time, or all where none does.
    #[must_use]
    pub fn workload_trees(&self) -> Vec<&Tree> {
        let accounting: Vec<&Tree> = self.cpu_trees().collect();
        if accounting.is_empty() { self.trees.iter().collect() } else { accounting }
    }

    /// The interface and the folder of a group for one controller; `None` where the controller is not mounted. The folder
    /// need not exist. `group` is a workload's path, such as `/system.slice/nginx.service`.
    #[must_use]
    pub fn group_dir(&self, controller: Controller, group: &str) -> Option<(Version, PathBuf)> {
        self.tree(controller).map(|tree| (tree.version, tree.group_dir(group)))
    }

    /// A number that differs for a group of the same name that is another one: made anew, or after the machine was started
    /// again. `None` where there is no such group, or no boot id.
    #[must_use]
    pub fn life(&self, group: &str) -> Option<u64> {
        use std::os::unix::fs::MetadataExt as _;
        let inode = self.workload_trees().iter().find_map(|tree| std::fs::metadata(tree.group_dir(group)).ok())?.ino();
        let bytes = self.boot.iter().copied().chain(inode.to_le_bytes());
        (!self.boot.is_empty()).then(|| apportion_core::stats::fnv1a(bytes))
    }

    /// The groups of one process (`"self"`, `"1"`), one a tree, as paths below the mounts; groups that no mount shows are
    /// left out. A process that is gone has none.
    ///
    /// # Errors
    /// `/proc/PID/cgroup` cannot be read or is malformed.
    pub fn groups_of(&self, pid: &str) -> Result<BTreeSet<String>, Error> {
        let all: Vec<&Tree> = self.trees.iter().collect();
        Ok(self.groups_in(&all, pid, &mut Reader::default())?.into_iter().collect())
    }

    /// The groups of one process in some of the trees, in the kernel's order.
    ///
    /// # Errors
    /// As [`Self::groups_of`].
    pub fn groups_in(&self, trees: &[&Tree], pid: &str, reader: &mut Reader) -> Result<Vec<String>, Error> {
        let proc = self.root.join("proc").join(pid);
        let memberships = reader.parsed(&proc, "cgroup", parse_membership)?.unwrap_or_default();
        let below = memberships.iter().filter_map(|membership| {
            let tree = trees.iter().find(|tree| tree.mount.holds(&membership.controllers))?;
            tree.mount.below(&membership.group)
        });
        Ok(below.map(|group| group_to_text(&group)).collect())
    }

    /// The groups of this process and of init: never to be changed.
    ///
    /// # Errors
    /// As [`Self::groups_of`]; also where the groups of this process are not said while there are some.
    pub fn own_groups(&self) -> Result<BTreeSet<String>, Error> {
        let path = self.root.join("proc/self/cgroup");
        if let Err(source) = std::fs::metadata(&path)
            && !self.trees.is_empty()
        {
            return Err(Error::Io { path, source });
        }
        let mut own = self.groups_of("self")?;
        own.extend(self.groups_of("1")?);
        Ok(own)
    }
}

impl Mount {
    fn holds(&self, controllers: &[String]) -> bool {
        match self.version {
            Version::V2 => controllers.is_empty(),
            Version::V1 => !controllers.is_empty() && controllers.iter().all(|name| self.controllers.contains(name)),
        }
    }

    fn names_a_controller(&self) -> bool {
        let known = |name: &String| Controller::ALL.iter().any(|controller| controller.v1_name() == name);
        self.version == Version::V2 || self.controllers.iter().any(known)
    }
}

/// One mount a tree: the one that shows most of it. Version 1 first, so that it wins where both could answer.
fn best_mounts(mounts: Vec<Mount>) -> Vec<Mount> {
    let mut best: Vec<Mount> = Vec::new();
    for mount in mounts.into_iter().filter(Mount::names_a_controller) {
        let same = |kept: &&mut Mount| kept.version == mount.version && kept.controllers == mount.controllers;
        match best.iter_mut().find(same) {
            Some(kept) if mount.top.as_os_str().len() < kept.top.as_os_str().len() => *kept = mount,
            Some(_) => {}
            None => best.push(mount),
        }
    }
    best.sort_by_key(|mount| mount.version);
    best
}
