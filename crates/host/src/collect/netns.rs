//! Which groups have a network of their own, and what went over it.

use super::proc_files::{self, Interface};
use crate::cgroupfs::{Error, Reader};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Network namespaces already spoken for: the machine's own, and those of earlier groups.
pub(crate) struct Namespaces<'a> {
    root: &'a Path,
    taken: BTreeSet<PathBuf>,
    /// Without the machine's own there is nothing to compare with.
    is_known: bool,
}

impl<'a> Namespaces<'a> {
    pub(crate) fn new(root: &'a Path) -> Self {
        let own = namespace(root, "1");
        Self { root, is_known: own.is_some(), taken: own.into_iter().collect() }
    }

    /// The first process of a group (or of a group below it), when its network is nobody else's.
    pub(crate) fn claim(&mut self, group_dir: &Path, reader: &mut Reader) -> Option<u32> {
        if !self.is_known {
            return None;
        }
        let pid = first_process(group_dir, reader)?;
        let namespace = namespace(self.root, &pid.to_string())?;
        self.taken.insert(namespace).then_some(pid)
    }
}

/// Whether the first process of a group (or of a group below it) is in the network that this process is in; `None` without a process,
/// or where that is closed to us.
pub(crate) fn is_in_ours(root: &Path, group_dir: &Path, reader: &mut Reader) -> Option<bool> {
    let pid = first_process(group_dir, reader)?;
    Some(namespace(root, &pid.to_string())? == namespace(root, "self")?)
}

/// The name of a process's network namespace, such as `net:[4026531840]`; `None` when it is gone or closed to us.
fn namespace(root: &Path, process: &str) -> Option<PathBuf> {
    fs::read_link(root.join(format!("proc/{process}/ns/net"))).ok()
}

fn first_process(dir: &Path, reader: &mut Reader) -> Option<u32> {
    let pids = reader.bytes(dir, "cgroup.procs").ok().flatten()?;
    let first = pids.split(|byte| *byte == b'\n').find_map(crate::cgroupfs::number);
    first.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0).or_else(|| {
        let children =
            fs::read_dir(dir).ok()?.flatten().filter(|child| child.file_type().is_ok_and(|kind| kind.is_dir()));
        children.into_iter().find_map(|child| first_process(&child.path(), reader))
    })
}

/// Bytes received and sent by all interfaces of a process's network but the loopback.
pub(crate) fn network_bytes(root: &Path, pid: u32, reader: &mut Reader) -> Result<Option<(u64, u64)>, Error> {
    let dir = root.join(format!("proc/{pid}/net"));
    let interfaces = reader.parsed(&dir, "dev", proc_files::parse_net_dev)?;
    Ok(interfaces.map(|interfaces| sum(interfaces.iter().filter(|interface| interface.name != "lo"))))
}

/// The interface of the default route with the least metric: of IPv4, else of IPv6.
pub(crate) fn default_route(root: &Path, reader: &mut Reader) -> Result<Option<String>, Error> {
    let dir = root.join("proc/net");
    let v4 = reader.parsed(&dir, "route", proc_files::parse_default_route)?.flatten();
    let v6 = |reader: &mut Reader| reader.parsed(&dir, "ipv6_route", proc_files::parse_default_route_v6);
    v4.map_or_else(|| Ok(v6(reader)?.flatten()), |v4| Ok(Some(v4)))
}

/// Bytes received and sent in all.
pub(crate) fn sum<'a>(interfaces: impl Iterator<Item = &'a Interface>) -> (u64, u64) {
    interfaces.fold((0, 0), |(receive, send), interface| {
        (receive.saturating_add(interface.receive_bytes), send.saturating_add(interface.send_bytes))
    })
}
