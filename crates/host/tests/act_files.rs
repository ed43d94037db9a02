//! Knobs as files, on trees of ordinary files: what is observed, written, refused, put back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod act_support;

use act_support::{MIB, admitted, group, is_root, left_out, put, text, v1_tree, v2_tree, workload};
use apportion_core::{
    Executor, Knob, Outcome,
    Setting::{self, Unlimited, Value},
    WorkloadKind,
};
use apportion_host::{
    act::{CgroupFiles, Route},
    cgroupfs::Hierarchy,
};
use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
};

const WEB: &str = "/web.slice/app";

fn route(hierarchy: Hierarchy) -> Route {
    Route::new(vec![Box::new(CgroupFiles::new(hierarchy))])
}

fn error(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { error } => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_made_anew_or_another_boot_is_another_life() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert_eq!(v2_tree(root, WEB).life(WEB), None, "without a boot id nothing can be told");
    let boot = |id: &str| put(&root.join("proc/sys/kernel/random"), "boot_id", id);
    let life = |hierarchy: &Hierarchy| hierarchy.life(WEB).unwrap();
    boot("1\n");
    let first = v2_tree(root, WEB);
    let (before, still) = (life(&first), life(&first));
    assert_eq!(before, still);
    let group = root.join("sys/fs/cgroup/web.slice/app");
    fs::rename(&group, root.join("old")).unwrap();
    assert_eq!(first.life(WEB), None);
    let anew = v2_tree(root, WEB);
    assert_ne!(life(&anew), before);
    fs::remove_dir_all(&group).unwrap();
    fs::rename(root.join("old"), &group).unwrap();
    assert_eq!(life(&first), before);
    boot("2\n");
    assert_ne!(life(&v2_tree(root, WEB)), before);
}

#[test]
fn every_knob_is_written_in_the_words_of_its_tree() {
    type Make = fn(&Path, &str) -> Hierarchy;
    let check = |make: Make, knob, to: Setting, file: &str, expect: &str| {
        let root = tempfile::tempdir().unwrap();
        let mut route = route(make(root.path(), WEB));
        assert_eq!(route.observe(&group(WEB), knob), Some(Unlimited), "{file}");
        let outcome = route.apply(&admitted(&group(WEB), knob, Unlimited, to));
        assert_eq!(outcome, Outcome::Applied { read_back: to }, "{file}");
        assert_eq!(text(root.path(), file), expect, "{file}");
        assert_eq!(route.observe(&group(WEB), knob), Some(to), "{file}");
    };
    check(v2_tree, Knob::CpuQuota, Value(0.5), "web.slice/app/cpu.max", "50000 100000");
    check(v2_tree, Knob::MemoryHigh, Value(64.0 * MIB), "web.slice/app/memory.high", "67108864");
    check(v2_tree, Knob::MemoryMax, Value(64.0 * MIB), "web.slice/app/memory.max", "67108864");
    check(v2_tree, Knob::IoReadMax, Value(MIB), "web.slice/app/io.max", "8:0 rbps=1048576");
    check(v2_tree, Knob::IoWriteMax, Value(MIB), "web.slice/app/io.max", "8:0 wbps=1048576");
    check(v1_tree, Knob::CpuQuota, Value(0.5), "cpu/web.slice/app/cpu.cfs_quota_us", "25000");
    check(v1_tree, Knob::MemoryMax, Value(64.0 * MIB), "memory/web.slice/app/memory.limit_in_bytes", "67108864");
    let blkio = "blkio/web.slice/app/blkio.throttle.";
    check(v1_tree, Knob::IoReadMax, Value(MIB), &format!("{blkio}read_bps_device"), "8:0 1048576");
    check(v1_tree, Knob::IoWriteMax, Value(MIB), &format!("{blkio}write_bps_device"), "8:0 1048576");
}

#[test]
fn what_cannot_be_reached_is_not_observed() {
    let root = tempfile::tempdir().unwrap();
    let v1 = route(v1_tree(&root.path().join("one"), WEB));
    let v2 = route(v2_tree(&root.path().join("two"), WEB));
    assert_eq!(v1.observe(&group(WEB), Knob::MemoryHigh), None, "the soft limit of version 1 is no memory.high");
    for (knob, workload) in [
        (Knob::NetworkSendMax, group(WEB)),
        (Knob::CpuQuota, group("/")),
        (Knob::CpuQuota, group("")),
        (Knob::CpuQuota, group("/web.slice/../app")),
        (Knob::CpuQuota, group("/nobody")),
        (Knob::CpuQuota, workload(WEB, WorkloadKind::ProcessGroup)),
        (Knob::CpuQuota, workload(WEB, WorkloadKind::Machine)),
    ] {
        assert_eq!(v2.observe(&workload, knob), None, "{workload:?}");
        assert_eq!(v1.observe(&workload, knob), None, "{workload:?}");
    }
}

#[test]
fn drift_is_left_alone_and_sameness_is_not_written() {
    let root = tempfile::tempdir().unwrap();
    let mut route = route(v2_tree(root.path(), WEB));
    let max = root.path().join("sys/fs/cgroup/web.slice/app/memory.max");
    fs::write(&max, "268435456\n").unwrap();
    let found = Value(256.0 * MIB);
    let outcome = route.apply(&admitted(&group(WEB), Knob::MemoryMax, Value(128.0 * MIB), Value(64.0 * MIB)));
    assert_eq!(outcome, Outcome::Drifted { found });
    assert_eq!(fs::read_to_string(&max).unwrap(), "268435456\n");
    // The kernel rounds to pages: a plan that saw 100 bytes less saw the same.
    let outcome = route.apply(&admitted(&group(WEB), Knob::MemoryMax, Value(256.0 * MIB - 100.0), found));
    assert_eq!(outcome, Outcome::Unchanged);
    assert_eq!(fs::read_to_string(&max).unwrap(), "268435456\n", "not even the same value is written");
}

#[test]
fn a_missing_controller_is_named_with_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let mut route = route(v2_tree(root.path(), WEB));
    fs::remove_file(root.path().join("sys/fs/cgroup/web.slice/app/io.max")).unwrap();
    assert_eq!(route.observe(&group(WEB), Knob::IoReadMax), None);
    let said = error(route.apply(&admitted(&group(WEB), Knob::IoReadMax, Unlimited, Value(MIB))));
    for part in ["web.slice/app/io.max", "echo +io >", "web.slice/cgroup.subtree_control"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!root.path().join("sys/fs/cgroup/web.slice/cgroup.subtree_control").exists(), "never switched on by us");
}

#[test]
fn malformed_and_uneven_files_are_left_as_they_are() {
    let check = |knob, file: &str, content: &str, expect: &[&str]| {
        let root = tempfile::tempdir().unwrap();
        let mut route = route(v2_tree(root.path(), WEB));
        let file = root.path().join("sys/fs/cgroup/web.slice/app").join(file);
        fs::write(&file, content).unwrap();
        assert_eq!(route.observe(&group(WEB), knob), None, "{content}");
        let said = error(route.apply(&admitted(&group(WEB), knob, Unlimited, Value(64.0 * MIB))));
        assert!(expect.iter().all(|part| said.contains(part)), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
    };
    check(Knob::CpuQuota, "cpu.max", "lots 100000\n", &["cpu.max:1", "lots"]);
    check(Knob::MemoryMax, "memory.max", "", &["memory.max:1"]);
    check(Knob::IoReadMax, "io.max", "8:0 rbps=5000000\n8:16 rbps=9000000\n", &["io.max", "different limits"]);
}

#[test]
fn limits_stay_on_the_disks_that_have_them() {
    let root = tempfile::tempdir().unwrap();
    let mut route = route(v1_tree(root.path(), WEB));
    let file = "blkio/web.slice/app/blkio.throttle.read_bps_device";
    fs::write(root.path().join("sys/fs/cgroup").join(file), "8:16 2097152\n").unwrap();
    let outcome = route.apply(&admitted(&group(WEB), Knob::IoReadMax, Value(2.0 * MIB), Value(MIB)));
    assert!(outcome.is_applied(), "{outcome:?}");
    assert_eq!(text(root.path(), file), "8:16 1048576", "8:0 was used but not limited: putting back must be exact");
    let outcome = route.apply(&admitted(&group(WEB), Knob::IoReadMax, Value(MIB), Unlimited));
    assert_eq!(outcome, Outcome::Applied { read_back: Unlimited });
    assert_eq!(text(root.path(), file), "8:16 0");
}

#[test]
fn a_hard_limit_below_what_is_in_use_is_refused() {
    let check = |to: f64, expect: bool| {
        let root = tempfile::tempdir().unwrap();
        let mut route = route(v2_tree(root.path(), WEB));
        put(&root.path().join("sys/fs/cgroup/web.slice/app"), "memory.current", "104857600\n");
        let outcome = route.apply(&admitted(&group(WEB), Knob::MemoryMax, Unlimited, Value(to)));
        assert_eq!(outcome.is_applied(), expect, "{outcome:?}");
        if !expect {
            let said = error(outcome);
            assert!(said.contains("103809024 bytes are in use") && said.contains("would kill"), "{said}");
            assert_eq!(text(root.path(), "web.slice/app/memory.max"), "max");
        }
    };
    check(99.5 * MIB, true); // 100 MiB charged, of which 1 MiB can be dropped
    check(98.0 * MIB, false);
}

#[test]
fn what_the_kernel_does_not_take_is_said_and_the_former_value_stands() {
    let root = tempfile::tempdir().unwrap();
    let mut route = route(v2_tree(root.path(), WEB));
    let dir = root.path().join("sys/fs/cgroup/web.slice/app");
    put(&dir, "cpu.max", "max 10000\n");
    let said = error(route.apply(&admitted(&group(WEB), Knob::CpuQuota, Unlimited, Value(0.05))));
    assert!(said.contains("cpu.max") && said.contains("1 ms"), "{said}");
    // Reads as zeros and takes no write.
    fs::remove_file(dir.join("memory.max")).unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.join("memory.max")).unwrap();
    let said = error(route.apply(&admitted(&group(WEB), Knob::MemoryMax, Unlimited, Value(64.0 * MIB))));
    assert!(said.contains("memory.max"), "{said}");
}

#[test]
fn vanished_groups_are_an_outcome() {
    let root = tempfile::tempdir().unwrap();
    let mut route = route(v2_tree(root.path(), WEB));
    let change = admitted(&group(WEB), Knob::CpuQuota, Unlimited, Value(0.5));
    fs::remove_dir_all(root.path().join("sys/fs/cgroup/web.slice/app")).unwrap();
    let said = error(route.apply(&change));
    assert!(said.contains("web.slice/app: gone"), "{said}");
}

#[test]
fn files_that_may_not_be_written_are_not_observed() {
    if is_root() {
        return as_nobody("files_that_may_not_be_written_are_not_observed");
    }
    let root = tempfile::tempdir().unwrap();
    let mut route = route(v2_tree(root.path(), WEB));
    let file = root.path().join("sys/fs/cgroup/web.slice/app/cpu.max");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    assert_eq!(route.observe(&group(WEB), Knob::CpuQuota), None);
    let said = error(route.apply(&admitted(&group(WEB), Knob::CpuQuota, Unlimited, Value(0.5))));
    assert!(said.contains("cpu.max") && said.contains("run as root"), "{said}");
}

/// Root may write everything, so the test runs again as a user who may not.
fn as_nobody(test: &str) {
    let program = std::env::current_exe().unwrap();
    match std::process::Command::new(program).args(["--exact", test]).uid(65_534).gid(65_534).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => left_out("knobs without permission", &error.to_string()),
    }
}
