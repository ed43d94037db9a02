//! What can go wrong with a knob. Each message names the place and what to do; it becomes the outcome in the ledger.

use crate::cgroupfs;
use std::{io, path::Path};

/// Why a knob could not be read or turned.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// This access does not reach the knob; the caller tries the next one.
    #[error("no executor reaches this knob of this workload")]
    NotMine,
    /// The workload is gone, and its knob with it: there is nothing to turn or to put back.
    #[error("{place}: gone; nothing is left to turn")]
    Gone {
        /// The folder or unit.
        place: String,
    },
    /// The machine said no.
    #[error("{place}: {what}: {source}; {remedy}")]
    Io {
        /// The file.
        place: String,
        /// What was being done.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
        /// What a person can do.
        remedy: String,
    },
    /// A file of the cgroup tree could not be read, or holds something that is not understood; it is left as it is.
    #[error("{0}; the knob is left as it is")]
    File(#[from] cgroupfs::Error),
    /// The knob is set in parts that differ, which one setting cannot say and so could not put back.
    #[error("{place}: {why}")]
    Uneven {
        /// The file or interface.
        place: String,
        /// How, and what to do.
        why: String,
    },
    /// Turning the knob would break something; nothing was written.
    #[error("{place}: {why}")]
    Unsafe {
        /// The file, unit or interface.
        place: String,
        /// What would break and what to do.
        why: String,
    },
    /// Another program did not answer in time; it is not asked again for a while, so that a tick goes on.
    #[error("{place}: no answer in time, so it is left alone for {rest_s} s; {remedy}")]
    Silent {
        /// The command, the call's name, or the program.
        place: String,
        /// For how long, seconds.
        rest_s: u64,
        /// What a person can do.
        remedy: &'static str,
    },
    /// A command or a call to another program failed.
    #[error("{place}: {said}; {remedy}")]
    Call {
        /// The command, or the call's name.
        place: String,
        /// What it said.
        said: String,
        /// What a person can do.
        remedy: &'static str,
    },
}

impl ActError {
    pub(super) fn io(path: &Path, what: &'static str, source: io::Error, remedy: impl Into<String>) -> Self {
        Self::Io { place: path.display().to_string(), what, source, remedy: remedy.into() }
    }
}
