//! What the machine has to give. Where this runs inside a container or a limited group, that is what the group may use:
//! the limits of the topmost visible group hold for everything that can be seen from here.

use super::{netns::default_route, noted, proc_files, real};
use crate::cgroupfs::{Controller, Error, Hierarchy, Reader, Version, parse_cpu_list};
use apportion_core::{Capacity, Problem, Resource, Setting};

pub(crate) fn read(hierarchy: &Hierarchy, reader: &mut Reader, problems: &mut Vec<Problem>) -> Capacity {
    let mut capacity = Capacity::default();
    let mut look = Look { hierarchy, reader };
    for (resource, amount) in [
        (Resource::Cpu, noted(look.cores(), problems)),
        (Resource::Memory, noted(look.memory_bytes(), problems)),
        (Resource::Network, noted(look.network_bytes_per_s(), problems)),
    ] {
        capacity.amounts.extend(amount.map(|amount| (resource, amount)));
    }
    capacity
}

struct Look<'a> {
    hierarchy: &'a Hierarchy,
    reader: &'a mut Reader,
}

impl Look<'_> {
    /// CPUs that are on, less those that the group may not use, or its quota.
    fn cores(&mut self) -> Result<Option<f64>, Error> {
        let root = self.hierarchy.root();
        let online = match self.reader.parsed(&root.join("sys/devices/system/cpu"), "online", parse_cpu_list)? {
            Some(online) => Some(online),
            None => {
                let cpu = self.reader.parsed(&root.join("proc"), "stat", proc_files::parse_machine_cpu)?;
                cpu.map(|cpu| cpu.online_count)
            }
        };
        let allowed = self.allowed_cpus()?;
        let quota = match self.hierarchy.tree(Controller::Cpu) {
            Some(tree) => self.reader.cpu_max(tree.version, &tree.dir)?.and_then(|max| max.setting().value()),
            None => None,
        };
        let limits = allowed.map(real).into_iter().chain(quota);
        Ok(online.filter(|online| *online > 0).map(|online| limits.fold(real(online), f64::min)))
    }

    fn allowed_cpus(&mut self) -> Result<Option<u64>, Error> {
        let Some(tree) = self.hierarchy.tree(Controller::Cpuset) else { return Ok(None) };
        let file = match tree.version {
            Version::V1 => "cpuset.effective_cpus",
            Version::V2 => "cpuset.cpus.effective",
        };
        // An empty list is one that was never set.
        Ok(self.reader.parsed(&tree.dir, file, parse_cpu_list)?.filter(|allowed| *allowed > 0))
    }

    fn memory_bytes(&mut self) -> Result<Option<f64>, Error> {
        let memory = self.reader.parsed(&self.hierarchy.root().join("proc"), "meminfo", proc_files::parse_meminfo)?;
        let mut limits = Vec::new();
        if let Some(tree) = self.hierarchy.tree(Controller::Memory) {
            let files: &[&str] =
                if tree.version == Version::V2 { &["memory.max", "memory.high"] } else { &["memory.limit_in_bytes"] };
            for file in files {
                limits.extend(self.reader.limit(&tree.dir, file)?.and_then(Setting::value));
            }
        }
        Ok(memory.map(|memory| limits.into_iter().fold(real(memory.total_bytes), f64::min)))
    }

    /// Speed of the link that the default route leaves by; virtual links have none.
    fn network_bytes_per_s(&mut self) -> Result<Option<f64>, Error> {
        let root = self.hierarchy.root();
        let Some(name) = default_route(root, self.reader)? else { return Ok(None) };
        let speed = self.reader.bytes(&root.join("sys/class/net").join(name), "speed");
        // A link that is down or virtual answers EINVAL, or -1.
        let mbit_per_s = speed.ok().flatten().and_then(crate::cgroupfs::number).filter(|speed| *speed > 0);
        Ok(mbit_per_s.map(|mbit_per_s| real(mbit_per_s) * 1e6 / 8.0))
    }
}
