//! The cgroup trees as files, on fake machines.

use crate::support::Machine;
use apportion_core::Setting;
use apportion_host::cgroupfs::{Controller, Error, Hierarchy, Reader, Version, walk};
use std::{collections::BTreeSet, os::unix::fs::PermissionsExt, path::Path};

fn check_dir(machine: &Machine, controller: Controller, expect: Option<(Version, &str)>) {
    let found = Hierarchy::discover(machine.root()).unwrap().group_dir(controller, "/a/b");
    let expect = expect.map(|(version, dir)| (version, machine.root().join(dir)));
    assert_eq!(found, expect, "{controller:?}");
}

#[test]
fn v2_has_every_controller_in_one_tree() {
    let machine = Machine::v2();
    for controller in Controller::ALL {
        check_dir(&machine, controller, Some((Version::V2, "sys/fs/cgroup/a/b")));
    }
}

#[test]
fn v1_has_a_tree_a_controller() {
    let machine = Machine::v1();
    check_dir(&machine, Controller::Cpu, Some((Version::V1, "sys/fs/cgroup/cpu,cpuacct/a/b")));
    check_dir(&machine, Controller::CpuAcct, Some((Version::V1, "sys/fs/cgroup/cpu,cpuacct/a/b")));
    check_dir(&machine, Controller::Io, Some((Version::V1, "sys/fs/cgroup/blkio/a/b")));
    check_dir(&machine, Controller::Cpuset, None);
    assert_eq!(Hierarchy::discover(machine.root()).unwrap().unified(), None);
}

#[test]
fn hybrid_prefers_v1_and_finds_pressure_in_v2() {
    let machine = Machine::hybrid();
    check_dir(&machine, Controller::Memory, Some((Version::V1, "sys/fs/cgroup/memory/a/b")));
    check_dir(&machine, Controller::CpuAcct, Some((Version::V1, "sys/fs/cgroup/cpu,cpuacct/a/b")));
    let hierarchy = Hierarchy::discover(machine.root()).unwrap();
    assert_eq!(hierarchy.unified().unwrap().dir, machine.root().join("sys/fs/cgroup/unified"));
    assert_eq!(hierarchy.cpu_trees().count(), 2);
}

#[test]
fn hybrid_prefers_v1_in_whatever_order_it_is_mounted() {
    let machine = Machine::new(&[
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
        "33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct",
    ]);
    machine.write("sys/fs/cgroup/unified/cgroup.controllers", "");
    check_dir(&machine, Controller::CpuAcct, Some((Version::V1, "sys/fs/cgroup/cpuacct/a/b")));
}

#[test]
fn a_controller_off_in_v2_is_not_mounted() {
    let machine = Machine::v2();
    machine.write("sys/fs/cgroup/cgroup.controllers", "memory pids\n");
    check_dir(&machine, Controller::Cpu, None);
    check_dir(&machine, Controller::CpuAcct, Some((Version::V2, "sys/fs/cgroup/a/b")));
}

#[test]
fn no_cgroups_is_an_empty_hierarchy() {
    let machine = Machine::new(&["22 27 0:21 / /proc rw - proc proc rw"]);
    let hierarchy = Hierarchy::discover(machine.root()).unwrap();
    assert!(hierarchy.trees().is_empty());
    assert_eq!(Hierarchy::discover(Path::new("/nonexistent")).unwrap().trees(), []);
}

#[test]
fn malformed_mountinfo_names_file_line_and_content() {
    let machine = Machine::new(&["30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "what is this"]);
    let error = Hierarchy::discover(machine.root()).unwrap_err().to_string();
    assert!(error.contains("proc/self/mountinfo:2: "), "{error}");
    assert!(error.contains("\"what is this\""), "{error}");
}

#[test]
fn a_path_cannot_leave_its_tree() {
    let machine = Machine::v2();
    let hierarchy = Hierarchy::discover(machine.root()).unwrap();
    let (_, dir) = hierarchy.group_dir(Controller::Cpu, "/../../etc").unwrap();
    assert_eq!(dir, machine.root().join("sys/fs/cgroup/etc"));
}

#[test]
fn own_groups_are_below_the_mounts() {
    let machine = Machine::new(&[
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
        "35 31 0:32 /docker/ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
    ]);
    machine.write("proc/self/cgroup", "4:memory:/docker/ab/me\n2:cpu,cpuacct:/x\n1:name=systemd:/y\n0::/z\n");
    machine.write("proc/1/cgroup", "4:memory:/elsewhere\n0::/init.scope\n");
    let own = Hierarchy::discover(machine.root()).unwrap().own_groups().unwrap();
    assert_eq!(own, ["/init.scope", "/me", "/x", "/z"].map(str::to_owned).into());
    std::fs::remove_file(machine.root().join("proc/self/cgroup")).unwrap();
    let error = Hierarchy::discover(machine.root()).unwrap().own_groups().unwrap_err();
    assert!(error.path().ends_with("proc/self/cgroup"), "{error}");
}

#[test]
fn walking_finds_every_group_with_its_processes() {
    let machine = Machine::v2();
    machine.v2_group("/a", 1);
    machine.v2_group("/a/inner", 1);
    machine.write("sys/fs/cgroup/a/cgroup.procs", "");
    machine.write_bytes(b"sys/fs/cgroup/bad\xff/cgroup.procs", "1\n");
    machine.write("sys/fs/cgroup/bad\u{FFFD}ff/cgroup.procs", "1\n");
    machine.folder("sys/fs/cgroup/half-removed");
    let hierarchy = Hierarchy::discover(machine.root()).unwrap();
    let (found, errors) = walk(&hierarchy.trees()[0]);
    assert!(errors.is_empty(), "{errors:?}");
    let groups: BTreeSet<_> = found.iter().map(|found| (found.group.as_str(), found.has_processes)).collect();
    assert_eq!(groups.len(), 5, "{groups:?}");
    assert!(groups.contains(&("/a", false)) && groups.contains(&("/a/inner", true)));
    for found in found.iter().filter(|found| found.has_processes) {
        let dir = hierarchy.trees()[0].group_dir(&found.group);
        assert!(dir.join("cgroup.procs").exists(), "{dir:?}");
    }
}

#[test]
fn what_may_not_be_read_is_an_error_with_its_path() {
    let machine = Machine::v2();
    machine.v2_group("/a", 1);
    let dir = machine.root().join("sys/fs/cgroup/a");
    // Root may read everything, so that a folder in the file's place stands for a file that cannot be read.
    machine.remove("sys/fs/cgroup/a/memory.current");
    machine.folder("sys/fs/cgroup/a/memory.current");
    std::fs::set_permissions(dir.join("memory.current"), PermissionsExt::from_mode(0o000)).unwrap();
    let error = Reader::default().memory_bytes(Version::V2, &dir).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert_eq!(error.path(), dir.join("memory.current"));
}

#[test]
fn typed_readers_of_both_versions_agree() {
    let (v1, v2) = (Machine::v1(), Machine::v2());
    v1.v1_group("/a", 3_000_000_000);
    v2.v2_group("/a", 3_000_000);
    v1.write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "150000\n");
    v1.write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    v2.write("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    v1.write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
    v2.write("sys/fs/cgroup/a/memory.max", "max\n");
    let mut reader = Reader::default();
    let mut check = |machine: &Machine, limit_file: &str| {
        let hierarchy = Hierarchy::discover(machine.root()).unwrap();
        let (version, cpu) = hierarchy.group_dir(Controller::Cpu, "/a").unwrap();
        let (_, memory) = hierarchy.group_dir(Controller::Memory, "/a").unwrap();
        let (_, io) = hierarchy.group_dir(Controller::Io, "/a").unwrap();
        let usage_s = reader.cpu_stat(&cpu).unwrap().unwrap().usage_s;
        assert_eq!(usage_s.or(reader.cpuacct_usage_s(&cpu).unwrap()), Some(3.0));
        assert_eq!(reader.cpu_stat(&cpu).unwrap().unwrap().throttled_s, Some(1.5));
        assert_eq!(reader.cpu_max(version, &cpu).unwrap().unwrap().setting(), Setting::Value(1.5));
        assert_eq!(reader.memory_bytes(version, &memory).unwrap(), Some(104_857_600));
        assert_eq!(reader.memory_stat(&memory).unwrap().unwrap().inactive_file_bytes, Some(41_943_040));
        assert_eq!(reader.memory_events(version, &memory).unwrap().unwrap().oom_kill_count, Some(1));
        assert_eq!(reader.limit(&memory, limit_file).unwrap(), Some(Setting::Unlimited));
        let devices = reader.io_stat(version, &io).unwrap().unwrap();
        assert_eq!((devices[0].read_bytes, devices[0].write_bytes), (1_000, 2_000));
        assert_eq!(reader.number(&memory, "absent").unwrap(), None);
    };
    check(&v1, "memory.limit_in_bytes");
    check(&v2, "memory.max");
}

#[test]
fn malformed_files_name_line_and_content() {
    let machine = Machine::v2();
    machine.v2_group("/a", 1);
    let dir = machine.root().join("sys/fs/cgroup/a");
    let mut reader = Reader::default();
    let mut check = |file: &str, content: &str, place: &str, read: &mut dyn FnMut(&mut Reader) -> Error| {
        machine.write(&format!("sys/fs/cgroup/a/{file}"), content);
        let error = read(&mut reader).to_string();
        assert!(error.contains(place), "{error}");
    };
    let bad = "usage_usec 1\nnr_periods -4\n";
    check("cpu.stat", bad, "a/cpu.stat:2: ", &mut |reader| reader.cpu_stat(&dir).unwrap_err());
    check("cpu.max", "100000\n", "a/cpu.max:1: ", &mut |reader| reader.cpu_max(Version::V2, &dir).unwrap_err());
    check("cpu.max", "max 0\n", "a/cpu.max:1: ", &mut |reader| reader.cpu_max(Version::V2, &dir).unwrap_err());
    check("memory.current", "", "expected a number", &mut |reader| reader.memory_bytes(Version::V2, &dir).unwrap_err());
    check("memory.max", "12k", "\"12k\"", &mut |reader| reader.limit(&dir, "memory.max").unwrap_err());
    check("io.stat", "8:0 rbytes=x wbytes=1\n", "io.stat:1", &mut |reader| {
        reader.io_stat(Version::V2, &dir).unwrap_err()
    });
    check("io.pressure", "some avg10=1 total=2\nhalf avg10=1 total=2\n", "io.pressure:2", &mut |reader| {
        reader.pressure(&dir, "io.pressure").unwrap_err()
    });
    check("pids.current", "99999999999999999999999", "pids.current:1", &mut |reader| {
        reader.number(&dir, "pids.current").unwrap_err()
    });
}
