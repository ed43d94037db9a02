//! The cgroup trees as files: where they are mounted, which groups there are, what a group's files say.
//!
//! Nothing here decides anything or keeps state beyond buffers. `root` is a parameter everywhere (`/` in life, a temporary
//! folder in tests). What is absent is `None`; what cannot be read is an [`Error`] that names the file; what does not read
//! as the kernel writes it names file, line and content as well.

mod hierarchy;
mod mountinfo;
mod name;
mod parse;
mod read;
mod walk;

pub use hierarchy::{Hierarchy, Tree};
pub use mountinfo::{Membership, Mount, parse_membership, parse_mountinfo};
pub use name::{group_from_text, group_to_text};
pub use parse::{
    CpuMax, CpuStat, DeviceIo, DeviceNumber, MemoryEvents, MemoryStat, Pressure, PressureLine, Syntax, number,
    parse_blkio, parse_cpu_list, parse_cpu_max, parse_cpu_stat, parse_io_stat, parse_limit, parse_memory_events,
    parse_memory_stat, parse_number, parse_pressure,
};
pub use read::{Reader, allow_many_open_files};
pub use walk::{Found, walk};

use std::path::{Path, PathBuf};

/// What accounts or limits one resource of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// CPU quota and throttling.
    Cpu,
    /// CPU time used; in version 2 part of every group, whether the cpu controller is on or not.
    CpuAcct,
    /// Memory.
    Memory,
    /// Block I/O (`blkio` in version 1).
    Io,
    /// Number of tasks.
    Pids,
    /// Which CPUs may be used.
    Cpuset,
}

impl Controller {
    /// Every controller that is looked for.
    pub const ALL: [Self; 6] = [Self::Cpu, Self::CpuAcct, Self::Memory, Self::Io, Self::Pids, Self::Cpuset];

    /// Its name as a mount option of version 1.
    #[must_use]
    pub const fn v1_name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::CpuAcct => "cpuacct",
            Self::Memory => "memory",
            Self::Io => "blkio",
            Self::Pids => "pids",
            Self::Cpuset => "cpuset",
        }
    }

    /// Its name in `cgroup.controllers`; `None` for CPU accounting, which needs no controller in version 2.
    #[must_use]
    pub const fn v2_name(self) -> Option<&'static str> {
        match self {
            Self::CpuAcct => None,
            Self::Io => Some("io"),
            other => Some(other.v1_name()),
        }
    }
}

/// Which of the two interfaces a tree has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// One tree a controller.
    V1,
    /// One tree for all.
    V2,
}

/// Why a kernel file gave nothing. The caller reports it as a problem and goes on with the rest.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It does not read as the kernel writes it.
    #[error("{}:{}: expected {}, found {:?}", path.display(), syntax.line, syntax.expected, syntax.content)]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in it, and what was there.
        syntax: Syntax,
    },
}

impl Error {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. } | Self::Malformed { path, .. } => path,
        }
    }
}
