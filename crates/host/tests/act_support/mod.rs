//! What the tests of acting share: admitted changes, and cgroup trees of ordinary files.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use apportion_core::{
    Admitted, Binding, Capacity, Change, DecisionId, Guard, Knob, Latest, Metric, Mode, Reason, Setting, Snapshot,
    Standing, Time, Workload, WorkloadId, WorkloadKind, WorkloadState,
};
use apportion_host::cgroupfs::Hierarchy;
use std::{collections::BTreeMap, fs, path::Path};

pub(crate) const MIB: f64 = 1_048_576.0;

pub(crate) fn group(path: &str) -> Workload {
    workload(path, WorkloadKind::Cgroup)
}

pub(crate) fn workload(path: &str, kind: WorkloadKind) -> Workload {
    Workload { id: WorkloadId::new(path), kind, path: path.to_owned(), labels: BTreeMap::new() }
}

/// A change that the real guard let through: an undo, which passes all but ownership and memory in use.
pub(crate) fn admitted(workload: &Workload, knob: Knob, from: Setting, to: Setting) -> Admitted {
    numbered(7, workload, knob, from, to)
}

/// The same, with the number of the decision.
pub(crate) fn numbered(id: u64, workload: &Workload, knob: Knob, from: Setting, to: Setting) -> Admitted {
    proposed(id, workload, knob, (from, to), Binding::RolledBack { of: DecisionId(0) })
}

/// A raise by the plan that the real guard let through.
pub(crate) fn raised(workload: &Workload, knob: Knob, from: Setting, to: Setting) -> Admitted {
    proposed(7, workload, knob, (from, to), Binding::Share { wanted: 1.0, capacity: 2.0 })
}

fn proposed(id: u64, workload: &Workload, knob: Knob, (from, to): (Setting, Setting), binding: Binding) -> Admitted {
    let now = Time::from_s(1_000);
    let state = WorkloadState {
        workload: workload.clone(),
        standing: Standing { mode: Mode::Apply, ..Standing::default() },
        latest: BTreeMap::from([(Metric::new(knob.demand_metric()), Latest { time: now, value: 0.1 })]),
        settings: BTreeMap::from([(knob, from)]),
        life: None,
        lost: Default::default(),
        own: false,
    };
    let workloads = BTreeMap::from([(workload.id.clone(), state)]);
    let snapshot = Snapshot { now, capacity: Capacity::default(), workloads };
    let reason = Reason::only(binding);
    let change = Change { workload: workload.id.clone(), knob, from, to, reason };
    Guard::default().admit(DecisionId(id), &change, &snapshot).unwrap()
}

/// A version 2 tree with one group whose parent has `controllers` on.
pub(crate) fn v2_tree(root: &Path, group: &str) -> Hierarchy {
    mountinfo(root, "30 1 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    let top = root.join("sys/fs/cgroup");
    put(&top, "cgroup.controllers", "cpu io memory pids\n");
    let dir = top.join(group.trim_start_matches('/'));
    for (file, text) in [
        ("cpu.max", "max 100000\n"),
        ("memory.high", "max\n"),
        ("memory.max", "max\n"),
        ("memory.current", "4194304\n"),
        ("memory.stat", "anon 4096\ninactive_file 1048576\n"),
        ("io.max", ""),
        ("io.stat", "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"),
    ] {
        put(&dir, file, text);
    }
    put(&root.join("sys/dev/block/8:0"), "uevent", "MAJOR=8\nMINOR=0\nDEVNAME=sda\n");
    Hierarchy::discover(root).unwrap()
}

/// Version 1 trees with one group.
pub(crate) fn v1_tree(root: &Path, group: &str) -> Hierarchy {
    let mounts = ["cpu", "cpuacct", "memory", "blkio"]
        .map(|controller| format!("30 1 0:27 / /sys/fs/cgroup/{controller} rw - cgroup cgroup rw,{controller}\n"));
    mountinfo(root, &mounts.concat());
    for (file, text) in [
        ("cpu/cpu.cfs_quota_us", "-1\n"),
        ("cpu/cpu.cfs_period_us", "50000\n"),
        ("cpuacct/cpuacct.usage", "0\n"),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ("memory/memory.soft_limit_in_bytes", "9223372036854771712\n"),
        ("memory/memory.usage_in_bytes", "4194304\n"),
        ("memory/memory.stat", "total_inactive_file 0\n"),
        ("blkio/blkio.throttle.read_bps_device", ""),
        ("blkio/blkio.throttle.write_bps_device", ""),
        ("blkio/blkio.throttle.io_service_bytes_recursive", "8:0 Read 4096\n8:0 Write 0\nTotal 4096\n"),
    ] {
        let (controller, file) = file.split_once('/').unwrap();
        put(&root.join("sys/fs/cgroup").join(controller).join(group.trim_start_matches('/')), file, text);
    }
    Hierarchy::discover(root).unwrap()
}

fn mountinfo(root: &Path, text: &str) {
    put(&root.join("proc/self"), "mountinfo", text);
}

pub(crate) fn put(dir: &Path, file: &str, text: &str) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join(file), text).unwrap();
}

pub(crate) fn text(root: &Path, file: &str) -> String {
    fs::read_to_string(root.join("sys/fs/cgroup").join(file)).unwrap().trim().to_owned()
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says what is not tested here, in the words that the test run counts.
pub(crate) fn left_out(what: &str, why: &str) {
    println!("LEFT OUT: {what}: {why}");
}
