//! The collectors on the machine that runs the tests.

use crate::support::{names, value};
use apportion_core::{Collector, Resource, Time, WorkloadId, metric::name};
use apportion_host::{
    cgroupfs::{Controller, Hierarchy},
    collect::{CgroupCollector, MachineCollector, ProcCollector},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

#[test]
fn this_machine_reads_without_a_problem() {
    if !Path::new("/proc/self/mountinfo").exists() {
        println!("LEFT OUT: no /proc on this machine");
        return;
    }
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    println!("{} trees, own groups {:?}", hierarchy.trees().len(), hierarchy.own_groups().unwrap());
    let mut machine = MachineCollector::new(hierarchy.clone());
    let mut batch = machine.collect(Time::from_s(1_000));
    batch.append(CgroupCollector::new(hierarchy.clone()).collect(Time::from_s(1_000)));
    batch.append(ProcCollector::new(hierarchy).collect(Time::from_s(1_000)));
    let wrong: Vec<_> = batch.problems.iter().filter(|problem| problem.what.contains("expected")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let ids: BTreeSet<_> = batch.workloads.iter().map(|workload| &workload.id).collect();
    assert_eq!(ids.len(), batch.workloads.len(), "names are unique");
    for sample in &batch.samples {
        assert!(sample.value.is_finite() && sample.value >= 0.0, "{sample:?}");
        assert!(ids.contains(&sample.workload), "{sample:?}");
    }
    assert!(machine.capacity().of(Resource::Cpu).unwrap() > 0.0);
    let machine_cpu = |sample: &&apportion_core::Sample| {
        sample.workload.as_str() == WorkloadId::MACHINE && sample.metric.as_str() == name::CPU
    };
    assert_eq!(batch.samples.iter().filter(machine_cpu).count(), 1);
    println!("capacity {:?}", machine.capacity());
    for workload in &batch.workloads {
        println!("{} {:?} {} {:?}", workload.id, workload.kind, workload.path, workload.labels);
    }
}

/// A group in every tree of this machine with one busy process in it; gone when dropped.
struct Busy {
    dirs: Vec<PathBuf>,
    process: Child,
}

impl Busy {
    fn start(hierarchy: &Hierarchy, group: &str) -> std::io::Result<Self> {
        let process = Command::new("sh").args(["-c", "while :; do :; done"]).spawn()?;
        let mut busy = Self { dirs: Vec::new(), process };
        for tree in hierarchy.trees() {
            // A new cpuset takes no process before it is given CPUs.
            if hierarchy.tree(Controller::Cpuset) == Some(tree) && hierarchy.trees().len() > 1 {
                continue;
            }
            let dir = tree.group_dir(group);
            fs::create_dir(&dir)?;
            busy.dirs.push(dir.clone());
            fs::write(dir.join("cgroup.procs"), busy.process.id().to_string())?;
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        for dir in &self.dirs {
            let _ = fs::remove_dir(dir);
        }
    }
}

#[test]
fn a_real_group_is_found_read_and_lost() {
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let group = format!("/apportion-test-collect-{}", std::process::id());
    let busy = match Busy::start(&hierarchy, &group) {
        Ok(busy) => busy,
        Err(error) => return println!("LEFT OUT: no control group can be made on this machine: {error}"),
    };
    let mut collector = CgroupCollector::new(hierarchy.clone());
    let first = collector.collect(Time::from_s(0));
    std::thread::sleep(Duration::from_millis(500));
    let second = collector.collect(Time::from_s(10));
    let used = |batch| value(batch, &group, name::CPU).unwrap();
    assert!(used(&second) > used(&first), "{} then {}", used(&first), used(&second));
    if hierarchy.tree(Controller::Memory).is_some() {
        let (charged, working_set) =
            (value(&second, &group, name::MEMORY).unwrap(), value(&second, &group, name::MEMORY_WORKING_SET).unwrap());
        assert!(working_set <= charged, "{working_set} of {charged}");
    }
    if hierarchy.tree(Controller::Pids).is_some() {
        assert_eq!(value(&second, &group, name::TASKS), Some(1.0));
    }
    drop(busy);
    let third = collector.collect(Time::from_s(20));
    assert!(!names(&third).contains(&group), "{:?}", names(&third));
}
