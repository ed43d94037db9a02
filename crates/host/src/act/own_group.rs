//! Groups that Apportion makes for itself (a demonstration's workloads, tests), and removes again.

use crate::cgroupfs::{Controller, Hierarchy, Tree, Version};
use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// A group in every tree that accounts or limits something we use. Removed when dropped, as far as it is empty by then.
///
/// Controllers are switched on inside groups of this type only: elsewhere that is somebody else's decision.
pub struct OwnGroup {
    path: String,
    dirs: Vec<PathBuf>,
}

impl OwnGroup {
    /// Makes the group at `path` (such as `/apportion-demo`) in each tree. What existed before is refused, not taken over.
    ///
    /// # Errors
    /// The folder that could not be made and why; whatever was made before it is removed.
    pub fn create(hierarchy: &Hierarchy, path: &str) -> io::Result<Self> {
        let mut group = Self { path: path.to_owned(), dirs: Vec::new() };
        for tree in trees(hierarchy) {
            let dir = tree.group_dir(path);
            fs::create_dir(&dir).map_err(|error| named(&dir, "cannot be made", &error))?;
            group.dirs.push(dir);
        }
        Ok(group)
    }

    /// Makes a group inside this one, with the controllers that this one has.
    ///
    /// # Errors
    /// As [`OwnGroup::create`]; also where this group has processes of its own (version 2 allows that in leaves only).
    pub fn child(&self, hierarchy: &Hierarchy, name: &str) -> io::Result<Self> {
        for tree in trees(hierarchy).filter(|tree| tree.version == Version::V2) {
            let dir = tree.group_dir(&self.path);
            let file = dir.join("cgroup.subtree_control");
            let on: Vec<String> = fs::read_to_string(dir.join("cgroup.controllers"))?
                .split_whitespace()
                .map(|name| format!("+{name}"))
                .collect();
            fs::write(&file, on.join(" "))
                .map_err(|error| named(&file, "controllers cannot be switched on", &error))?;
        }
        Self::create(hierarchy, &format!("{}/{name}", self.path))
    }

    /// Its path below the mounts, as a workload's path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Moves a process into the group.
    ///
    /// # Errors
    /// The file and what the kernel said.
    pub fn add(&self, pid: u32) -> io::Result<()> {
        self.dirs.iter().try_for_each(|dir| {
            let file = dir.join("cgroup.procs");
            fs::write(&file, pid.to_string()).map_err(|error| named(&file, "the process cannot be moved", &error))
        })
    }
}

impl Drop for OwnGroup {
    /// The kernel lets a group go only some milliseconds after its last process has ended.
    fn drop(&mut self) {
        for dir in &self.dirs {
            for _ in 0..40 {
                match fs::remove_dir(dir) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                        thread::sleep(Duration::from_millis(25));
                    }
                    _ => break,
                }
            }
        }
    }
}

/// The trees with something that we use; each once, also where several controllers share it.
fn trees(hierarchy: &Hierarchy) -> impl Iterator<Item = &Tree> {
    let used = [Controller::Cpu, Controller::CpuAcct, Controller::Memory, Controller::Io];
    let is_used = move |tree: &&Tree| {
        used.iter().any(|controller| hierarchy.tree(*controller).is_some_and(|used| used.dir == tree.dir))
    };
    hierarchy.trees().iter().filter(move |tree| tree.version == Version::V2 || is_used(tree))
}

fn named(path: &Path, what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {what}: {error}", path.display()))
}
