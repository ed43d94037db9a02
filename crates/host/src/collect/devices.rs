//! Block devices: which are disks, and which only lead to one. Traffic through LVM, RAID, encryption or a loop device
//! shows again on the disk below, and must not be counted twice.

use crate::cgroupfs::{DeviceIo, DeviceNumber, Reader};
use std::{collections::BTreeSet, fs, path::Path};

/// The block devices of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Devices {
    stacked: BTreeSet<DeviceNumber>,
    disks: BTreeSet<DeviceNumber>,
}

impl Devices {
    /// What `root/sys/block` shows; empty where it is not there.
    pub(crate) fn read(root: &Path) -> Self {
        let mut devices = Self::default();
        let mut reader = Reader::default();
        let entries = fs::read_dir(root.join("sys/block")).into_iter().flatten().flatten();
        for entry in entries {
            let dir = entry.path();
            let number = reader.bytes(&dir, "dev").ok().flatten().and_then(DeviceNumber::parse);
            let Some(number) = number else { continue };
            let name = entry.file_name();
            let set =
                if leads_to_another(&dir, &name.to_string_lossy()) { &mut devices.stacked } else { &mut devices.disks };
            set.insert(number);
        }
        devices
    }

    /// A whole disk, not a partition.
    pub(crate) fn is_disk(&self, device: DeviceNumber) -> bool {
        self.disks.contains(&device)
    }

    /// Bytes read and written, each counted once.
    pub(crate) fn sum(&self, io: &[DeviceIo]) -> (u64, u64) {
        let own = io.iter().filter(|io| !self.stacked.contains(&io.device));
        own.fold((0, 0), |(read, write), io| (read.saturating_add(io.read_bytes), write.saturating_add(io.write_bytes)))
    }
}

fn leads_to_another(dir: &Path, name: &str) -> bool {
    let in_memory_or_file = ["loop", "ram", "zram"].iter().any(|prefix| name.starts_with(prefix));
    in_memory_or_file || fs::read_dir(dir.join("slaves")).is_ok_and(|mut slaves| slaves.next().is_some())
}
