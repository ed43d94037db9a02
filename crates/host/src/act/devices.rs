//! Which block devices an I/O limit is set on, where the group has none limited yet.

use crate::cgroupfs::{DeviceIo, DeviceNumber};
use std::{fs, path::Path};

/// The disks that a group has used; the disk under the root file system where it has used none. `root` is `/` in life.
pub(super) fn to_limit(root: &Path, traffic: &[DeviceIo]) -> Vec<DeviceNumber> {
    let used = traffic.iter().filter(|device| device.read_bytes + device.write_bytes > 0);
    let disks: Vec<DeviceNumber> =
        used.map(|device| device.device).filter(|device| !is_memory(root, *device)).collect();
    if disks.is_empty() { root_disk(root).into_iter().collect() } else { disks }
}

fn folder(root: &Path, device: DeviceNumber) -> std::path::PathBuf {
    root.join(format!("sys/dev/block/{}:{}", device.major, device.minor))
}

/// Where a device is, such as `/dev/sda`; by the kernel's word, since not every machine has `/dev/block`.
pub(super) fn node(root: &Path, device: DeviceNumber) -> Option<String> {
    let about = fs::read_to_string(folder(root, device).join("uevent")).ok()?;
    about.lines().find_map(|line| line.strip_prefix("DEVNAME=")).map(|name| format!("/dev/{name}"))
}

/// Compressed memory and RAM disks are no storage: slowing them slows memory.
fn is_memory(root: &Path, device: DeviceNumber) -> bool {
    let Ok(target) = fs::read_link(folder(root, device)) else { return false };
    target.file_name().is_some_and(|name| {
        let name = name.to_string_lossy();
        name.starts_with("zram") || name.starts_with("ram")
    })
}

/// The whole disk under the root file system; `None` where that is not on a disk (overlay, tmpfs).
fn root_disk(root: &Path) -> Option<DeviceNumber> {
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
    whole_disk(root, root_device(&mounts)?)
}

/// The device number of the mount that is on top at `/`.
fn root_device(mountinfo: &str) -> Option<DeviceNumber> {
    let mut roots = mountinfo.lines().rev().filter_map(|line| {
        let mut fields = line.split(' ').skip(2);
        let (device, _, point) = (fields.next()?, fields.next()?, fields.next()?);
        (point == "/").then_some(device)
    });
    DeviceNumber::parse(roots.next()?.as_bytes()).filter(|device| device.major != 0)
}

/// Limits are set on whole disks: a partition's parent.
fn whole_disk(root: &Path, device: DeviceNumber) -> Option<DeviceNumber> {
    let folder = folder(root, device);
    if !folder.join("partition").exists() {
        return Some(device);
    }
    let disk = fs::canonicalize(folder).ok()?;
    DeviceNumber::parse(fs::read(disk.parent()?.join("dev")).ok()?.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const fn device(major: u32, minor: u32) -> DeviceNumber {
        DeviceNumber { major, minor }
    }

    /// A disk with a partition, compressed memory, and the root on that partition.
    fn fake_machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for folder in ["sys/dev/block", "sys/devices/sda/sda1", "sys/devices/zram0", "proc/self"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("sys/devices/sda/dev"), "8:0\n").unwrap();
        fs::write(at("sys/devices/sda/sda1/partition"), "1\n").unwrap();
        fs::write(at("sys/devices/sda/uevent"), "MAJOR=8\nDEVNAME=sda\n").unwrap();
        symlink("../../devices/sda", at("sys/dev/block/8:0")).unwrap();
        symlink("../../devices/sda/sda1", at("sys/dev/block/8:1")).unwrap();
        symlink("../../devices/zram0", at("sys/dev/block/253:0")).unwrap();
        fs::write(at("proc/self/mountinfo"), "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / /proc rw - proc p rw\n")
            .unwrap();
        root
    }

    #[test]
    fn used_disks_or_else_the_roots() {
        let machine = fake_machine();
        let check = |traffic: &[(DeviceNumber, u64)], expect: &[DeviceNumber]| {
            let traffic: Vec<DeviceIo> = traffic
                .iter()
                .map(|(device, bytes)| DeviceIo { device: *device, read_bytes: *bytes, write_bytes: 0 })
                .collect();
            assert_eq!(to_limit(machine.path(), &traffic), expect, "{traffic:?}");
        };
        check(&[(device(8, 16), 512)], &[device(8, 16)]);
        check(&[(device(8, 16), 0)], &[device(8, 0)]);
        check(&[(device(253, 0), 512)], &[device(8, 0)]);
        check(&[], &[device(8, 0)]);
        assert_eq!(node(machine.path(), device(8, 0)).as_deref(), Some("/dev/sda"));
        assert_eq!(node(machine.path(), device(8, 16)), None);
    }

    #[test]
    fn a_root_that_is_on_no_disk_gives_none() {
        let ext4 = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n";
        assert_eq!(root_device(ext4), Some(device(8, 1)));
        assert_eq!(root_device(&format!("{ext4}3 1 0:9 / / rw - overlay overlay rw\n")), None);
        assert_eq!(root_device(""), None);
    }
}
