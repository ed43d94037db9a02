//! Workloads from processes that nothing groups.

use crate::support::{Machine, Process, names, value};
use apportion_core::{Batch, Collector, Time, metric::name};
use apportion_host::{cgroupfs::Hierarchy, collect::ProcCollector};

fn collector(machine: &Machine) -> ProcCollector {
    ProcCollector::new(Hierarchy::discover(machine.root()).unwrap())
}

/// Looks so often that every process was checked for its group at least once.
fn settle(collector: &mut ProcCollector) -> Batch {
    (0..4).map(|tick| collector.collect(Time::from_s(tick * 10))).last().unwrap()
}

fn page_bytes() -> f64 {
    rustix::param::page_size() as f64
}

#[test]
fn processes_of_one_executable_and_session_are_one_workload() {
    let machine = Machine::v2();
    machine.process(&Process::default());
    machine.process(&Process { pid: 101, cpu_ticks: 50, resident_pages: 20, shared_pages: 15, ..Process::default() });
    machine.process(&Process { pid: 102, session: 60, ..Process::default() });
    machine.process(&Process { pid: 103, executable: "/usr/bin/other", command: "other", ..Process::default() });
    let batch = collector(&machine).collect(Time::from_s(10));
    assert_eq!(batch.problems, []);
    assert_eq!(names(&batch), ["other", "server", "server#2"]);
    assert_eq!(value(&batch, "server", name::CPU), Some(3.0));
    assert_eq!(value(&batch, "server", name::MEMORY), Some(50.0 * page_bytes()));
    // 20 and 5 private pages, and 15 shared ones once.
    assert_eq!(value(&batch, "server", name::MEMORY_WORKING_SET), Some(40.0 * page_bytes()));
    assert_eq!(value(&batch, "server", name::TASKS), Some(4.0));
    assert_eq!(value(&batch, "server", name::IO_WRITE), Some(6_000.0));
    assert_eq!(batch.workloads[1].labels["executable"], "/usr/sbin/server");
}

#[test]
fn grouped_processes_are_left_to_their_group() {
    let machine = Machine::hybrid();
    machine.process(&Process { group: "4:memory:/job/1\n2:cpu,cpuacct:/\n0::/\n", ..Process::default() });
    machine.process(&Process { pid: 101, group: "2:cpu,cpuacct:/batch\n0::/\n", ..Process::default() });
    machine.process(&Process {
        pid: 102,
        group: "2:cpu,cpuacct:/\n0::/system.slice/a.service\n",
        ..Process::default()
    });
    let shell = Process {
        pid: 103,
        command: "shell",
        executable: "/bin/shell",
        group: "2:cpu,cpuacct:/\n0::/user.slice/user-0.slice/session-4.scope\n",
        ..Process::default()
    };
    machine.process(&shell);
    let batch = collector(&machine).collect(Time::from_s(0));
    assert_eq!(names(&batch), ["server", "shell"]);
    assert_eq!(value(&batch, "server", name::TASKS), Some(2.0), "one process of two threads");
}

#[test]
fn a_process_that_ends_does_not_turn_the_counter_back() {
    let machine = Machine::v2();
    machine.process(&Process { cpu_ticks: 500, ..Process::default() });
    machine.process(&Process { pid: 101, cpu_ticks: 100, ..Process::default() });
    let mut collector = collector(&machine);
    assert_eq!(value(&settle(&mut collector), "server", name::CPU), Some(6.0));
    machine.remove("proc/100");
    machine.process(&Process { pid: 101, cpu_ticks: 150, ..Process::default() });
    let batch = settle(&mut collector);
    assert_eq!(value(&batch, "server", name::CPU), Some(6.5));
    assert_eq!(value(&batch, "server", name::IO_READ), Some(6_500.0));
    assert_eq!(value(&batch, "server", name::TASKS), Some(2.0));
}

#[test]
fn a_pid_that_comes_again_is_another_process() {
    let machine = Machine::v2();
    machine.process(&Process { cpu_ticks: 500, ..Process::default() });
    let mut collector = collector(&machine);
    settle(&mut collector);
    machine.process(&Process { cpu_ticks: 20, start_ticks: 2_000, ..Process::default() });
    assert_eq!(value(&settle(&mut collector), "server", name::CPU), Some(5.2));
}

#[test]
fn a_restart_in_a_new_session_goes_on_with_the_same_name() {
    let machine = Machine::v2();
    machine.process(&Process { cpu_ticks: 500, ..Process::default() });
    let mut collector = collector(&machine);
    settle(&mut collector);
    machine.remove("proc/100");
    assert_eq!(names(&settle(&mut collector)), [""; 0]);
    machine.process(&Process { pid: 200, session: 200, cpu_ticks: 30, start_ticks: 9_000, ..Process::default() });
    assert_eq!(value(&settle(&mut collector), "server", name::CPU), Some(5.3));
}

#[test]
fn an_exec_moves_only_what_follows() {
    let machine = Machine::v2();
    machine.process(&Process { cpu_ticks: 500, ..Process::default() });
    machine.process(&Process { pid: 101, cpu_ticks: 100, ..Process::default() });
    let mut collector = collector(&machine);
    settle(&mut collector);
    let exec = Process { cpu_ticks: 530, command: "tool", executable: "/bin/tool", ..Process::default() };
    machine.process(&exec);
    let batch = settle(&mut collector);
    assert_eq!(value(&batch, "server", name::CPU), Some(6.0));
    assert_eq!(value(&batch, "tool", name::CPU), Some(0.3));
}

#[test]
fn a_process_that_moves_into_a_group_leaves_what_it_used() {
    let machine = Machine::v2();
    machine.process(&Process { cpu_ticks: 500, ..Process::default() });
    machine.process(&Process { pid: 101, cpu_ticks: 100, ..Process::default() });
    let mut collector = collector(&machine);
    settle(&mut collector);
    machine.process(&Process { cpu_ticks: 500, group: "0::/batch\n", ..Process::default() });
    let batch = settle(&mut collector);
    assert_eq!(value(&batch, "server", name::CPU), Some(6.0));
    assert_eq!(value(&batch, "server", name::TASKS), Some(2.0));
    machine.process(&Process { cpu_ticks: 900, ..Process::default() });
    settle(&mut collector);
    machine.process(&Process { cpu_ticks: 910, ..Process::default() });
    assert_eq!(
        value(&settle(&mut collector), "server", name::CPU),
        Some(6.1),
        "what it used in the group is the group's"
    );
}

#[test]
fn what_lives_for_one_look_is_not_a_workload() {
    let machine = Machine::v2();
    machine.process(&Process::default());
    let mut collector = collector(&machine);
    assert_eq!(names(&settle(&mut collector)), ["server"]);
    machine.process(&Process { pid: 200, executable: "/bin/ls", command: "ls", ..Process::default() });
    assert_eq!(names(&collector.collect(Time::from_s(50))), ["server"]);
    assert_eq!(names(&collector.collect(Time::from_s(60))), ["ls", "server"]);
}

#[test]
fn kernel_threads_and_what_is_no_process_are_left_out() {
    let machine = Machine::v2();
    machine.write("proc/2/stat", "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 10 0 0\n");
    machine.write("proc/sys/kernel/x", "1");
    machine.folder("proc/77");
    let batch = settle(&mut collector(&machine));
    assert_eq!((names(&batch), batch.problems.len()), (vec![], 0));
}

#[test]
fn a_broken_process_is_a_problem_and_the_rest_goes_on() {
    let machine = Machine::v2();
    machine.process(&Process::default());
    machine.process(&Process { pid: 101, command: "odd", executable: "/odd", ..Process::default() });
    machine.write("proc/101/stat", "101 (odd S nonsense");
    let batch = collector(&machine).collect(Time::from_s(0));
    let [problem] = &batch.problems[..] else { panic!("{:?}", batch.problems) };
    assert!(problem.place.ends_with("proc/101/stat"), "{problem:?}");
    assert_eq!(names(&batch), ["server"]);
}
