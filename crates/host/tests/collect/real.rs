//! The collectors on the machine that runs the tests.

use apportion_core::{Collector, Resource, Time, WorkloadId, metric::name};
use apportion_host::{
    cgroupfs::Hierarchy,
    collect::{CgroupCollector, MachineCollector, ProcCollector},
};
use std::{collections::BTreeSet, path::Path};

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
