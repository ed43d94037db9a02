//! The controls of this machine's own kernel, in groups made for the purpose: each limit is seen to bite, and to be put back.
//! What the machine does not have is left out, and said.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod act_support;

use act_support::{MIB, admitted, group, left_out};
use apportion_core::{
    Collector, Executor, Knob, Metric, Outcome,
    Setting::{Unlimited, Value},
    Time,
    metric::name,
};
use apportion_host::{
    act::{CgroupFiles, OwnGroup, PutBack, Route, restore},
    cgroupfs::Hierarchy,
    collect::CgroupCollector,
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
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
    command
        .args(["-c", &format!("read go; {script}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
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
        let (begin, before) = (Instant::now(), collected(&hierarchy, &made));
        thread::sleep(Duration::from_secs(3));
        let (elapsed_s, after) = (begin.elapsed().as_secs_f64(), collected(&hierarchy, &made));
        let share = |metric| Some((after.get(&Metric::new(metric))? - before.get(&Metric::new(metric))?) / elapsed_s);
        (share(name::CPU).unwrap(), share(name::CPU_THROTTLED_PERIODS), share(name::CPU_PRESSURE))
    };
    let outcome = route.apply(&admitted(&group(made.path()), Knob::CpuQuota, Unlimited, Value(0.2)));
    assert_eq!(outcome, Outcome::Applied { read_back: Value(0.2) });
    // Neighbours may leave it less than its quota for a while: then there is nothing to throttle.
    let (held, throttled, pressure) =
        (0..10).map(|_| used_cores()).find(|(held, ..)| *held > 0.15).unwrap_or_else(used_cores);
    println!(
        "a busy loop under a quota of 0.2 cores used {held:.3}; throttled {throttled:?} a second, pressure {pressure:?}"
    );
    // Neighbours can only take from it, so the lower side says nothing.
    assert!(held < 0.25, "{held} cores under a quota of 0.2");
    assert!(throttled.is_some_and(|periods| periods > 1.0), "{throttled:?} throttled periods a second");
    match pressure {
        None => left_out("cpu pressure", "this kernel has no pressure files"),
        Some(share) => assert!(share > 0.1, "{share} of the time under pressure"),
    }
    put_back(&mut route, &made, Knob::CpuQuota);
    let (free, ..) = used_cores();
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
    let Some((_, made, mut route)) = own_group("storage", Knob::IoReadMax) else { return };
    let (_folder, path) = file_on_disk(12 << 20);
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
}

/// A file that is on a disk, as far as the build is, or `APPORTION_TEST_DISK`.
fn file_on_disk(size_bytes: usize) -> (tempfile::TempDir, PathBuf) {
    let disk = std::env::var_os("APPORTION_TEST_DISK").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    let folder = tempfile::tempdir_in(disk).unwrap();
    let path = folder.path().join("data");
    let mut file = File::create(&path).unwrap();
    file.write_all(&vec![7; size_bytes]).unwrap();
    file.sync_all().unwrap();
    (folder, path)
}

/// What the collector reads of the group, as raw samples.
fn collected(hierarchy: &Hierarchy, made: &OwnGroup) -> BTreeMap<Metric, f64> {
    let batch = CgroupCollector::new(hierarchy.clone()).collect(Time::from_s(0));
    let ours = batch.workloads.iter().find(|workload| workload.path == made.path()).unwrap();
    batch
        .samples
        .iter()
        .filter(|sample| sample.workload == ours.id)
        .map(|sample| (sample.metric.clone(), sample.value))
        .collect()
}

#[test]
fn memory_above_the_soft_limit_is_reclaimed() {
    let Some((hierarchy, made, mut route)) = own_group("reclaim", Knob::MemoryHigh) else { return };
    let (folder, _) = file_on_disk(0);
    let charged_mib = |file: &str| {
        let path = folder.path().join(file);
        let write =
            format!("dd if=/dev/zero of={} bs=1M count=48 conv=fsync; echo done; exec sleep 1000", path.display());
        let mut writer = started_in(&made, &write);
        BufReader::new(writer.0.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        collected(&hierarchy, &made)[&Metric::new(name::MEMORY)] / MIB
    };
    let outcome = route.apply(&admitted(&group(made.path()), Knob::MemoryHigh, Unlimited, Value(16.0 * MIB)));
    assert_eq!(outcome, Outcome::Applied { read_back: Value(16.0 * MIB) });
    let held = charged_mib("held");
    put_back(&mut route, &made, Knob::MemoryHigh);
    let free = charged_mib("free");
    println!("48 MiB written: {held:.1} MiB charged under a soft limit of 16 MiB, {free:.1} MiB without");
    assert!(held < 20.0 && free > 40.0, "{held} MiB, {free} MiB");
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

#[test]
fn groups_inside_our_own_have_its_controllers() {
    let Some((hierarchy, made, mut route)) = own_group("parent", Knob::CpuQuota) else { return };
    let child = made.child(&hierarchy, "child").unwrap();
    let inside = group(child.path());
    assert_eq!(child.path(), format!("{}/child", made.path()));
    for knob in [Knob::CpuQuota, Knob::MemoryMax] {
        assert_eq!(route.observe(&inside, knob), Some(Unlimited), "{knob}");
    }
    assert!(route.apply(&admitted(&inside, Knob::CpuQuota, Unlimited, Value(0.5))).is_applied());
}
