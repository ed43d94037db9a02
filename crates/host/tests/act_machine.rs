//! The controls of this machine's own kernel, in groups made for the purpose: each limit is seen to bite, and to be put back.
//! What the machine does not have is left out, and said.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod act_support;

use act_support::{MIB, admitted, group, left_out};
use apportion_core::{
    Executor, Knob, Outcome,
    Setting::{Unlimited, Value},
};
use apportion_host::{
    act::{CgroupFiles, OwnGroup, PutBack, Route, restore},
    cgroupfs::{Hierarchy, Reader},
};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A group of our own whose knob can be reached, or a line that says why not.
fn own_group(name: &str, knob: Knob) -> Option<(Hierarchy, OwnGroup, Route)> {
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let path = format!("/apportion-test-{}-{name}", std::process::id());
    let made = OwnGroup::create(&hierarchy, &path).map_err(|error| left_out(name, &error.to_string())).ok()?;
    let route = Route::new(vec![Box::new(CgroupFiles::new(hierarchy.clone()))]);
    if route.observe(&group(&path), knob).is_none() {
        left_out(name, &format!("{knob} cannot be set in {path}"));
        return None;
    }
    Some((hierarchy, made, route))
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A shell that waits for a line, so that it is in the group before it does anything.
fn started_in(group: &OwnGroup, script: &str) -> Killed {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("read go; {script}")]).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut child = Killed(command.spawn().unwrap());
    group.add(child.0.id()).unwrap();
    child.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
    child
}

fn put_back(route: &mut Route, made: &OwnGroup, knob: Knob) {
    let results = restore(vec![(group(made.path()), knob, Unlimited)], route);
    assert_eq!(results[0].result, PutBack::Done, "{results:?}");
    assert_eq!(route.observe(&group(made.path()), knob), Some(Unlimited));
}

#[test]
fn a_cpu_quota_bites() {
    let Some((hierarchy, made, mut route)) = own_group("cpu", Knob::CpuQuota) else { return };
    let _busy = started_in(&made, "while :; do :; done");
    let used_cores = || {
        let used_s = || {
            let mut reader = Reader::default();
            let dirs: Vec<_> = hierarchy.cpu_trees().map(|tree| tree.group_dir(made.path())).collect();
            dirs.iter()
                .find_map(|dir| {
                    let v1 = reader.cpuacct_usage_s(dir).unwrap();
                    v1.or_else(|| reader.cpu_stat(dir).unwrap()?.usage_s)
                })
                .unwrap()
        };
        let (begin, before) = (Instant::now(), used_s());
        thread::sleep(Duration::from_secs(2));
        (used_s() - before) / begin.elapsed().as_secs_f64()
    };
    let outcome = route.apply(&admitted(&group(made.path()), Knob::CpuQuota, Unlimited, Value(0.2)));
    assert_eq!(outcome, Outcome::Applied { read_back: Value(0.2) });
    let held = used_cores();
    println!("a busy loop under a quota of 0.2 cores used {held:.3}");
    // Neighbours can only take from it, so the lower side says nothing.
    assert!(held < 0.25, "{held} cores under a quota of 0.2");
    put_back(&mut route, &made, Knob::CpuQuota);
    let free = used_cores();
    println!("without it {free:.3}");
    assert!(free > held, "{free} cores without a quota, {held} with one");
}

#[test]
fn a_memory_limit_bites() {
    let Some((_, made, mut route)) = own_group("memory", Knob::MemoryMax) else { return };
    let outcome = route.apply(&admitted(&group(made.path()), Knob::MemoryMax, Unlimited, Value(32.0 * MIB)));
    assert_eq!(outcome, Outcome::Applied { read_back: Value(32.0 * MIB) });
    // `tail` keeps what it reads when no line ends.
    let grow = "head -c 100000000 /dev/zero | tail >/dev/null";
    let status = started_in(&made, grow).0.wait().unwrap();
    assert!(!status.success(), "100 MB in a group of 32 MiB: {status}");
    put_back(&mut route, &made, Knob::MemoryMax);
    let status = started_in(&made, grow).0.wait().unwrap();
    assert!(status.success(), "100 MB in a group without a limit: {status}");
}

#[test]
fn a_read_limit_bites() {
    const SIZE_BYTES: u64 = 12 << 20;
    let Some((_, made, mut route)) = own_group("storage", Knob::IoReadMax) else { return };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("data");
    let mut file = File::create(&path).unwrap();
    file.write_all(&vec![7; usize::try_from(SIZE_BYTES).unwrap()]).unwrap();
    file.sync_all().unwrap();
    let read_s = || {
        let begin = Instant::now();
        let script = format!("dd if={} of=/dev/null bs=1M iflag=direct", path.display());
        let status = started_in(&made, &script).0.wait().unwrap();
        status.success().then(|| begin.elapsed().as_secs_f64())
    };
    let Some(free_s) = read_s() else { return left_out("storage", "no direct reads on the file system of the build") };
    let outcome = route.apply(&admitted(&group(made.path()), Knob::IoReadMax, Unlimited, Value(4.0 * MIB)));
    if let Outcome::Failed { error } = &outcome {
        return left_out("storage", error);
    }
    let held_s = read_s().unwrap();
    println!("12 MiB read in {free_s:.2} s, under 4 MiB/s in {held_s:.2} s");
    // 12 MiB at 4 MiB/s are 3 s; the first slice is free.
    assert!(held_s > 2.0, "{held_s} s");
    put_back(&mut route, &made, Knob::IoReadMax);
    fs::remove_file(&path).unwrap();
}

#[test]
fn own_groups_leave_nothing_behind() {
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let path = format!("/apportion-test-{}-gone", std::process::id());
    let made = match OwnGroup::create(&hierarchy, &path) {
        Ok(made) => made,
        Err(error) => return left_out("own groups", &error.to_string()),
    };
    let there = || hierarchy.trees().iter().filter(|tree| tree.group_dir(&path).exists()).count();
    assert!(there() > 0);
    let again = OwnGroup::create(&hierarchy, &path).err().map(|error| error.to_string());
    assert!(again.is_some_and(|said| said.contains(&path)), "a group that is there is not taken over");
    assert!(there() > 0, "and not removed either");
    drop(made);
    assert_eq!(there(), 0);
}
