//! Executors: what turns knobs.
//!
//! An [`Access`] reaches one sort of knob: files of the cgroup trees ([`CgroupFiles`]), properties of systemd units
//! ([`SystemdUnits`]), classes of the network's queue ([`NetworkRates`]). [`Route`] is the executor over them: it alone
//! observes, compares, writes and reads back. [`Recorded`] writes the former value down before any of that, [`DryRun`]
//! writes nothing, and [`restore`] puts recorded values back. [`NetworkCounts`] turns no knob: it has the kernel count what the
//! network's is sized for. What is checked, and the limits: `docs/acting.md`.

mod access;
mod cgroup;
mod devices;
mod dry_run;
mod error;
mod limit_file;
mod network;
mod own_group;
mod patience;
mod recorded;
mod restore;
mod route;
mod systemd;

pub(crate) use limit_file::parse_io;
pub(crate) use network::parse_any as parse_network;

pub use access::{Access, Order};
pub use cgroup::CgroupFiles;
pub use dry_run::DryRun;
pub use error::ActError;
pub use network::{NetworkCounts, NetworkRates, Nft, remove_network_counts};
pub use own_group::OwnGroup;
pub use recorded::{Journal, Recorded};
pub use restore::{PutBack, Restored, restore};
pub use route::Route;
pub use systemd::{SystemdUnits, systemd_runs};
