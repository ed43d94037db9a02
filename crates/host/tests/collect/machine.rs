//! The machine and its capacity.

use crate::support::{Machine, PRESSURE, value};
use apportion_core::{Batch, Collector, Resource, Time, WorkloadId, metric::name};
use apportion_host::{cgroupfs::Hierarchy, collect::MachineCollector};

fn fill(machine: &Machine) {
    machine.write("proc/stat", "cpu  100 20 80 9999 5 7 3 50 0 0\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nintr 1\n");
    machine.write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 300 kB\nMemAvailable: 600 kB\n");
    machine.write("proc/loadavg", "1.50 1.00 0.50 2/300 1234\n");
    machine.write("proc/uptime", "1000.00 1.0\n");
    machine.write(
        "proc/diskstats",
        " 8 0 sda 1 0 10 0 1 0 20 0 0 0 0\n 8 1 sda1 1 0 10 0 1 0 20 0 0 0 0\n253 0 dm-0 1 0 10 0 1 0 20 0 0 0 0\n",
    );
    machine.write("sys/block/sda/dev", "8:0\n");
    machine.write("sys/block/dm-0/dev", "253:0\n");
    machine.write("sys/block/dm-0/slaves/sda/dev", "8:0\n");
    machine.write(
        "proc/net/dev",
        "Inter-|\n face |\n lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n eth0: 70 0 0 0 0 0 0 0 80 0 0 0 0 0 0 0\n\
         veth1: 5 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n",
    );
    machine.folder("sys/class/net/eth0/device");
    machine.write("sys/class/net/eth0/speed", "1000\n");
    machine.write(
        "proc/net/route",
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
         eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\n",
    );
    machine.write("sys/devices/system/cpu/online", "0-3\n");
    for resource in ["cpu", "memory", "io"] {
        machine.write(&format!("proc/pressure/{resource}"), PRESSURE);
    }
}

fn collector(machine: &Machine) -> MachineCollector {
    MachineCollector::new(Hierarchy::discover(machine.root()).unwrap())
}

fn of_machine(batch: &Batch, metric: &str) -> Option<f64> {
    value(batch, WorkloadId::MACHINE, metric)
}

#[test]
fn the_machine_gives_every_metric() {
    let machine = Machine::v2();
    fill(&machine);
    let batch = collector(&machine).collect(Time::from_s(10));
    assert_eq!(batch.problems, []);
    let hertz = rustix::param::clock_ticks_per_second() as f64;
    for (metric, expect) in [
        (name::CPU, 210.0 / hertz),
        (name::MEMORY, 700.0 * 1024.0),
        (name::MEMORY_WORKING_SET, 400.0 * 1024.0),
        (name::LOAD, 1.5),
        (name::IO_READ, 5_120.0),
        (name::IO_WRITE, 10_240.0),
        ("io_write_bytes_per_s:sda", 10_240.0),
        (name::NETWORK_RECEIVE, 70.0),
        ("network_send_bytes_per_s:eth0", 80.0),
        (name::CPU_PRESSURE, 2.5),
        (name::IO_PRESSURE, 2.5),
    ] {
        assert_eq!(of_machine(&batch, metric), Some(expect), "{metric}");
    }
    assert_eq!(of_machine(&batch, "network_send_bytes_per_s:veth1"), None);
}

fn check_capacity(machine: &Machine, resource: Resource, expect: Option<f64>) {
    let mut collector = collector(machine);
    assert_eq!(collector.collect(Time::from_s(0)).problems, []);
    assert_eq!(collector.capacity().of(resource), expect, "{resource:?}");
}

#[test]
fn capacity_is_what_is_online() {
    let machine = Machine::v2();
    fill(&machine);
    check_capacity(&machine, Resource::Cpu, Some(4.0));
    check_capacity(&machine, Resource::Memory, Some(1_024_000.0));
    check_capacity(&machine, Resource::Network, Some(125e6));
    check_capacity(&machine, Resource::Storage, None);
    machine.write("sys/class/net/eth0/speed", "-1\n");
    check_capacity(&machine, Resource::Network, None);
    machine.remove("sys/devices/system/cpu/online");
    check_capacity(&machine, Resource::Cpu, Some(2.0));
}

#[test]
fn capacity_respects_an_enclosing_v2_limit() {
    let machine = Machine::v2();
    fill(&machine);
    machine.write("sys/fs/cgroup/cpuset.cpus.effective", "0-1,3\n");
    check_capacity(&machine, Resource::Cpu, Some(3.0));
    machine.write("sys/fs/cgroup/cpu.max", "150000 100000\n");
    check_capacity(&machine, Resource::Cpu, Some(1.5));
    machine.write("sys/fs/cgroup/memory.max", "512000\n");
    check_capacity(&machine, Resource::Memory, Some(512_000.0));
}

#[test]
fn capacity_respects_an_enclosing_v1_limit() {
    let machine = Machine::v1();
    fill(&machine);
    machine.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    machine.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    check_capacity(&machine, Resource::Cpu, Some(4.0));
    machine.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
    check_capacity(&machine, Resource::Cpu, Some(0.5));
    machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    check_capacity(&machine, Resource::Memory, Some(1_024_000.0));
}

#[test]
fn cpus_that_come_and_go_are_followed() {
    let machine = Machine::v2();
    fill(&machine);
    let mut collector = collector(&machine);
    collector.collect(Time::from_s(0));
    machine.write("sys/devices/system/cpu/online", "0-1\n");
    machine.write("proc/uptime", "1040.0 1.0\n");
    let cores: Vec<_> = (1..5)
        .map(|tick| {
            machine.write("proc/uptime", format!("{}.0 1.0\n", 1_000 + tick * 10));
            collector.collect(Time::from_s(tick * 10));
            collector.capacity().of(Resource::Cpu)
        })
        .collect();
    assert_eq!(cores.last(), Some(&Some(2.0)));
}

#[test]
fn a_clock_that_is_set_is_said_and_a_suspended_machine_is_not() {
    let machine = Machine::v2();
    fill(&machine);
    let mut collector = collector(&machine);
    let mut check = |time: i64, uptime: &str, expect: Option<&str>| {
        machine.write("proc/uptime", format!("{uptime} 1.0\n"));
        let problems = collector.collect(Time::from_s(time)).problems;
        let said = problems.iter().find(|problem| problem.place == "clock").map(|problem| problem.what.clone());
        assert_eq!(said.is_some(), expect.is_some(), "{time}: {said:?}");
        assert!(said.unwrap_or_default().contains(expect.unwrap_or_default()));
    };
    check(10_000, "100.0", None);
    check(10_010, "110.0", None);
    check(50_000, "40100.0", None);
    check(49_000, "40110.0", Some("back by 1010 s"));
    check(59_010, "40120.0", Some("forward by 10000 s"));
    check(59_020, "40130.0", None);
}

#[test]
fn nothing_there_is_nothing_and_a_broken_file_a_problem() {
    let machine = Machine::v2();
    let batch = collector(&machine).collect(Time::from_s(0));
    assert_eq!((batch.samples.len(), batch.problems.len(), batch.workloads.len()), (0, 0, 1));
    fill(&machine);
    machine.write("proc/meminfo", "MemTotal: lots\nMemFree: 1 kB\n");
    let mut collector = collector(&machine);
    let batch = collector.collect(Time::from_s(0));
    assert!(batch.problems.iter().all(|problem| problem.place.ends_with("proc/meminfo")), "{:?}", batch.problems);
    assert!(!batch.problems.is_empty());
    assert_eq!(collector.capacity().of(Resource::Memory), None);
    assert_eq!(of_machine(&batch, name::LOAD), Some(1.5));
}
