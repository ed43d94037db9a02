//! Whether the group behind a name is the one that it was.

use apportion_core::{Time, WorkloadId};
use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path};

/// A name that was not looked at for this long is forgotten, seconds: readings so far apart make no rate.
const FORGET_AFTER_S: f64 = 3_600.0;

/// The number of the folder behind each name, and when it was looked at last.
#[derive(Debug, Default)]
pub(crate) struct Lives(BTreeMap<WorkloadId, (u64, Time)>);

impl Lives {
    /// True where another group has this name than at the look before: its counters began anew, whatever they have reached.
    pub(crate) fn is_another(&mut self, workload: &WorkloadId, dir: &Path, now: Time) -> bool {
        let Ok(folder) = fs::metadata(dir) else { return false };
        let before = self.0.insert(workload.clone(), (folder.ino(), now));
        before.is_some_and(|(inode, _)| inode != folder.ino())
    }

    /// Forgets names that are no longer looked at.
    pub(crate) fn forget(&mut self, now: Time) {
        self.0.retain(|_, (_, seen)| now.since_s(*seen) < FORGET_AFTER_S);
    }
}
