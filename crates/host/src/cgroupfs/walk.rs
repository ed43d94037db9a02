//! Which groups a tree holds.

use super::{Error, Reader, Tree, group_to_text};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The kernel allows deeper trees; nothing that people make is.
const DEEPEST: usize = 32;

/// A group found in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Path below the top of the tree, as [`group_to_text`] gives it; never the top itself.
    pub group: String,
    /// True when there are processes in the group itself, not only in groups below it.
    pub has_processes: bool,
}

/// Every group below the top of a tree, parents before children, in the order of their names. A group that disappears
/// during the walk has no processes; one that cannot be read is an error beside the rest.
#[must_use]
pub fn walk(tree: &Tree) -> (Vec<Found>, Vec<Error>) {
    let mut walk = Walk::default();
    walk.below(&tree.dir, &mut PathBuf::from("/"), 0);
    (walk.found, walk.errors)
}

#[derive(Default)]
struct Walk {
    reader: Reader,
    found: Vec<Found>,
    errors: Vec<Error>,
}

impl Walk {
    fn below(&mut self, dir: &Path, group: &mut PathBuf, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for name in self.children(dir) {
            let child = dir.join(&name);
            group.push(&name);
            match self.reader.is_filled(&child, "cgroup.procs") {
                Ok(has_processes) => {
                    let has_processes = has_processes.unwrap_or(false);
                    self.found.push(Found { group: group_to_text(group), has_processes });
                    self.below(&child, group, depth + 1);
                }
                Err(error) => self.errors.push(error),
            }
            group.pop();
        }
    }

    /// Names of the folders in a group's folder, sorted.
    fn children(&mut self, dir: &Path) -> Vec<std::ffi::OsString> {
        if is_leaf(dir) {
            return Vec::new();
        }
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(source) if super::read::is_gone(&source) => return Vec::new(),
            Err(source) => {
                self.errors.push(Error::Io { path: dir.to_owned(), source });
                return Vec::new();
            }
        };
        let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut names: Vec<_> = folders.map(|entry| entry.file_name()).collect();
        names.sort();
        names
    }
}

/// A folder with two links has no folder in it: cheaper to ask than to list its forty files. File systems that do not
/// count give 1.
fn is_leaf(dir: &Path) -> bool {
    fs::metadata(dir).is_ok_and(|data| data.nlink() == 2)
}
