//! Workloads from the cgroup trees.

use crate::support::{Machine, names, value, values};
use apportion_core::{BEGUN_ANEW, Batch, Collector, History as _, Metric, Time, Window, WorkloadKind, metric::name};
use apportion_host::{
    cgroupfs::Hierarchy,
    collect::CgroupCollector,
    store::{Options, Store},
};

fn collector(machine: &Machine) -> CgroupCollector {
    CgroupCollector::new(Hierarchy::discover(machine.root()).unwrap())
}

fn collect(collector: &mut CgroupCollector, second: i64) -> Batch {
    collector.collect(Time::from_s(second))
}

/// Every metric of the one group, whichever version says it.
fn check_values(machine: &Machine, workload: &str, has_pressure: bool) {
    let batch = collect(&mut collector(machine), 10);
    assert_eq!(batch.problems, []);
    for (metric, expect) in [
        (name::CPU, 3.0),
        (name::CPU_THROTTLED, 1.5),
        (name::CPU_THROTTLED_PERIODS, 7.0),
        (name::CPU_PERIODS, 40.0),
        (name::MEMORY, 104_857_600.0),
        (name::MEMORY_WORKING_SET, 62_914_560.0),
        (name::OOM_KILLS, 1.0),
        (name::IO_READ, 1_000.0),
        (name::IO_WRITE, 2_000.0),
        (name::TASKS, 5.0),
    ] {
        assert_eq!(value(&batch, workload, metric), Some(expect), "{metric}");
    }
    for metric in [name::CPU_PRESSURE, name::MEMORY_PRESSURE, name::IO_PRESSURE] {
        assert_eq!(value(&batch, workload, metric), has_pressure.then_some(2.5), "{metric}");
    }
    assert!(batch.samples.iter().all(|sample| sample.time == Time::from_s(10)));
}

#[test]
fn v2_gives_every_metric() {
    let machine = Machine::v2();
    machine.v2_group("/demo", 3_000_000);
    check_values(&machine, "/demo", true);
}

#[test]
fn v1_gives_every_metric_but_pressure() {
    let machine = Machine::v1();
    machine.v1_group("/demo", 3_000_000_000);
    check_values(&machine, "/demo", false);
}

#[test]
fn hybrid_joins_both_trees_into_one_workload() {
    let machine = Machine::hybrid();
    machine.v1_group("/demo", 3_000_000_000);
    for file in ["cpu.pressure", "memory.pressure", "io.pressure"] {
        machine.write(&format!("sys/fs/cgroup/unified/demo/{file}"), crate::support::PRESSURE);
    }
    machine.write("sys/fs/cgroup/unified/demo/cgroup.procs", "100\n");
    machine.write("sys/fs/cgroup/unified/demo/cpu.stat", "usage_usec 9000000\n");
    check_values(&machine, "/demo", true);
}

#[test]
fn hybrid_falls_back_to_the_other_trees_cpu_time() {
    let machine = Machine::hybrid();
    machine.write("sys/fs/cgroup/unified/only/cgroup.procs", "100\n");
    machine.write("sys/fs/cgroup/unified/only/cpu.stat", "usage_usec 9000000\n");
    let batch = collect(&mut collector(&machine), 0);
    assert_eq!(value(&batch, "/only", name::CPU), Some(9.0));
    assert_eq!(value(&batch, "/only", name::CPU_PERIODS), None);
    assert_eq!(value(&batch, "/only", name::MEMORY), None);
}

#[test]
fn groups_of_memory_alone_are_none_where_others_account_cpu() {
    let machine = Machine::v1();
    machine.write("sys/fs/cgroup/memory/job/cgroup.procs", "100\n");
    machine.write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "100\n");
    assert_eq!(names(&collect(&mut collector(&machine), 0)), [""; 0]);
}

#[test]
fn containers_and_units_have_readable_names() {
    let machine = Machine::v2();
    machine.folder("run/systemd/system");
    let (named, unnamed, pod, pause) = ("1".repeat(64), "2".repeat(64), "3".repeat(64), "4".repeat(64));
    machine.v2_group(&format!("/system.slice/docker-{named}.scope"), 1);
    machine.v2_group(&format!("/system.slice/docker-{unnamed}.scope"), 1);
    machine.write(
        &format!("var/lib/docker/containers/{named}/config.v2.json"),
        r#"{"Name":"/web","Config":{"Image":"nginx:1"}}"#,
    );
    let slice = "/kubepods.slice/kubepods-pod12.slice";
    machine.v2_group(&format!("{slice}/cri-containerd-{pod}.scope"), 1);
    machine.v2_group(&format!("{slice}/cri-containerd-{pause}.scope"), 1);
    let task = "run/containerd/io.containerd.runtime.v2.task/k8s.io";
    machine.write(
        &format!("{task}/{pod}/config.json"),
        r#"{"annotations":{"io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.sandbox-name":"cart-0",
            "io.kubernetes.cri.container-name":"app","io.kubernetes.cri.container-type":"container"}}"#,
    );
    machine.write(
        &format!("{task}/{pause}/config.json"),
        r#"{"annotations":{"io.kubernetes.cri.container-type":"sandbox"}}"#,
    );
    machine.v2_group("/system.slice/nginx.service", 1);
    machine.v2_group("/user.slice/user-7.slice/user@7.service/app.slice/nginx.service", 1);
    let batch = collect(&mut collector(&machine), 0);
    assert_eq!(batch.problems, []);
    let mut names = names(&batch);
    names.sort();
    assert_eq!(
        names,
        ["docker/222222222222", "docker/web", "nginx.service", "shop/cart-0/app", "user@7/nginx.service"]
    );
    let find = |id: &str| batch.workloads.iter().find(|workload| workload.id.as_str() == id).unwrap();
    assert_eq!(find("nginx.service").kind, WorkloadKind::SystemdUnit);
    assert_eq!(find("nginx.service").path, "/system.slice/nginx.service");
    assert_eq!(find("docker/web").kind, WorkloadKind::Cgroup);
    assert_eq!(find("docker/web").labels["image"], "nginx:1");
    assert_eq!(find("shop/cart-0/app").labels["pod_uid"], "12");
}

#[test]
fn units_are_plain_groups_where_systemd_does_not_run() {
    let machine = Machine::v2();
    machine.v2_group("/system.slice/nginx.service", 1);
    let batch = collect(&mut collector(&machine), 0);
    assert_eq!(batch.workloads[0].kind, WorkloadKind::Cgroup);
}

#[test]
fn equal_names_become_paths() {
    let machine = Machine::v2();
    machine.v2_group("/a.slice/x.service", 1);
    machine.v2_group("/b.slice/x.service", 1);
    machine.v2_group("/b.slice/y.service", 1);
    let batch = collect(&mut collector(&machine), 0);
    assert_eq!(names(&batch), ["/a.slice/x.service", "/b.slice/x.service", "y.service"]);
}

#[test]
fn a_group_that_goes_is_gone_and_one_that_comes_is_found() {
    let machine = Machine::v2();
    machine.v2_group("/a", 1);
    machine.v2_group("/b", 1);
    let mut collector = collector(&machine);
    assert_eq!(names(&collect(&mut collector, 0)), ["/a", "/b"]);
    machine.remove("sys/fs/cgroup/a");
    let batch = collect(&mut collector, 10);
    assert_eq!(names(&batch), ["/b"]);
    assert_eq!(batch.problems, []);
    machine.v2_group("/c", 1);
    let seen: Vec<_> = (2..6).map(|tick| names(&collect(&mut collector, tick * 10))).collect();
    assert_eq!(seen.last().unwrap(), &["/b", "/c"]);
}

#[test]
fn a_group_that_is_made_anew_is_read_anew() {
    let machine = Machine::v2();
    machine.v2_group("/a", 5_000_000);
    let mut collector = collector(&machine);
    assert_eq!(value(&collect(&mut collector, 0), "/a", name::CPU), Some(5.0));
    machine.replace("sys/fs/cgroup/a");
    machine.v2_group("/a", 4_000_000);
    assert_eq!(values(&collect(&mut collector, 10), "/a", name::CPU), [BEGUN_ANEW, 4.0]);
}

#[test]
fn a_counter_that_began_anew_and_passed_the_old_one_is_a_gap() {
    let machine = Machine::v2();
    let (mut collector, store) = (collector(&machine), Store::in_memory(Options::default()).unwrap());
    let mut turn = |at_s, used_us: Option<u64>| {
        used_us.iter().for_each(|used_us| machine.v2_group("/a", *used_us));
        store.append(&collect(&mut collector, at_s), Time::from_s(at_s));
    };
    turn(1_000, Some(5_000_000));
    turn(1_010, Some(6_000_000));
    machine.replace("sys/fs/cgroup/a");
    turn(1_020, Some(9_000_000));
    machine.replace("sys/fs/cgroup/a");
    turn(1_030, None);
    // Groups are listed every third turn.
    (4..7).for_each(|turns| turn(1_000 + 10 * turns, Some(13_000_000)));
    turn(1_070, Some(14_000_000));
    let window = Window { from_s: 1_010, to_s: 1_080, step_s: 10 };
    let rates = store.series(&"/a".into(), &Metric::new(name::CPU), window).unwrap().values;
    let said: Vec<String> = rates.iter().map(f32::to_string).collect();
    assert_eq!(said, ["0.1", "NaN", "NaN", "NaN", "NaN", "NaN", "0.1"]);
    let memory = store.series(&"/a".into(), &Metric::new(name::MEMORY), window).unwrap().values;
    assert!(memory[1] >= 0.0, "a gauge is what it is: {memory:?}");
}

#[test]
fn files_of_groups_that_are_no_workload_any_more_are_closed() {
    let machine = Machine::v2();
    let mut collector = collector(&machine);
    let in_use = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    collect(&mut collector, 0);
    let before = in_use();
    for round in 0..20 {
        machine.v2_group(&format!("/g{round}"), 1);
        (0..4).for_each(|tick| drop(collect(&mut collector, round * 100 + tick * 10)));
        machine.write(&format!("sys/fs/cgroup/g{round}/cgroup.procs"), "");
    }
    (0..9).for_each(|tick| drop(collect(&mut collector, 10_000 + tick * 10)));
    // Other tests of this process may have some files open.
    assert!(in_use() < before + 100, "{} files, {before} before", in_use());
}

#[test]
fn counters_are_raw_even_when_they_go_back() {
    let machine = Machine::v2();
    machine.v2_group("/a", 5_000_000);
    let mut collector = collector(&machine);
    assert_eq!(value(&collect(&mut collector, 0), "/a", name::CPU), Some(5.0));
    machine.v2_group("/a", 1_000_000);
    assert_eq!(value(&collect(&mut collector, 10), "/a", name::CPU), Some(1.0));
}

#[test]
fn a_broken_file_is_a_problem_and_the_rest_goes_on() {
    let machine = Machine::v2();
    machine.v2_group("/a", 1_000_000);
    machine.write("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file lots\n");
    machine.remove("sys/fs/cgroup/a/io.stat");
    let batch = collect(&mut collector(&machine), 0);
    let [problem] = &batch.problems[..] else { panic!("{:?}", batch.problems) };
    assert!(problem.place.ends_with("a/memory.stat"), "{problem:?}");
    assert!(problem.what.contains("line 2") && problem.what.contains("inactive_file lots"), "{problem:?}");
    assert_eq!(value(&batch, "/a", name::MEMORY), Some(104_857_600.0));
    assert_eq!(value(&batch, "/a", name::MEMORY_WORKING_SET), None, "unknown is not the whole");
    assert_eq!(value(&batch, "/a", name::IO_READ), None, "absent is not zero");
    assert_eq!(value(&batch, "/a", name::TASKS), Some(5.0));
}

#[test]
fn names_that_are_not_text_stay_apart() {
    let machine = Machine::v2();
    for name in [&b"x\xfe"[..], b"x\xff"] {
        let dir = [b"sys/fs/cgroup/", name].concat();
        machine.write_bytes(&[&dir[..], b"/cgroup.procs"].concat(), "1\n");
        machine.write_bytes(&[&dir[..], b"/pids.current"].concat(), "1\n");
    }
    let batch = collect(&mut collector(&machine), 0);
    assert_eq!(names(&batch), ["/x\u{FFFD}fe", "/x\u{FFFD}ff"]);
    assert_eq!(batch.samples.len(), 2);
}

#[test]
fn stacked_devices_count_once() {
    let machine = Machine::v2();
    machine.v2_group("/a", 1);
    machine.write("sys/block/sda/dev", "8:0\n");
    machine.write("sys/block/dm-0/dev", "253:0\n");
    machine.write("sys/block/dm-0/slaves/sda/dev", "8:0\n");
    machine.write("sys/block/loop0/dev", "7:0\n");
    machine.write(
        "sys/fs/cgroup/a/io.stat",
        "8:0 rbytes=5 wbytes=7\n253:0 rbytes=5 wbytes=7\n7:0 rbytes=1 wbytes=1\n252:3 \n8:16 rbytes=10 wbytes=20\n",
    );
    let batch = collect(&mut collector(&machine), 0);
    assert_eq!((value(&batch, "/a", name::IO_READ), value(&batch, "/a", name::IO_WRITE)), (Some(15.0), Some(27.0)));
}

#[test]
fn a_network_of_its_own_counts_for_one_workload() {
    let machine = Machine::v2();
    machine.v2_group("/a", 1);
    machine.v2_group("/b", 1);
    machine.v2_group("/c", 1);
    machine.write("sys/fs/cgroup/c/cgroup.procs", "300\n");
    let namespace = |pid: u32, name: &str| {
        machine.folder(&format!("proc/{pid}/ns"));
        std::os::unix::fs::symlink(name, machine.root().join(format!("proc/{pid}/ns/net"))).unwrap();
    };
    namespace(1, "net:[1]");
    namespace(100, "net:[2]");
    namespace(300, "net:[1]");
    machine.write(
        "proc/100/net/dev",
        "Inter-|\n face |\n lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n eth0: 70 0 0 0 0 0 0 0 80 0 0 0 0 0 0 0\n",
    );
    let batch = collect(&mut collector(&machine), 0);
    assert_eq!(value(&batch, "/a", name::NETWORK_RECEIVE), Some(70.0));
    assert_eq!(value(&batch, "/a", name::NETWORK_SEND), Some(80.0));
    assert_eq!(value(&batch, "/b", name::NETWORK_SEND), None, "the same network");
    assert_eq!(value(&batch, "/c", name::NETWORK_SEND), None, "the machine's network");
}

#[test]
fn groups_may_disappear_at_any_moment() {
    let machine = Machine::v2();
    for index in 0..20 {
        machine.v2_group(&format!("/g{index}"), 1);
    }
    let mut collector = collector(&machine);
    std::thread::scope(|scope| {
        scope.spawn(|| (0..20).for_each(|index| machine.remove(&format!("sys/fs/cgroup/g{index}"))));
        for tick in 0..40 {
            assert_eq!(collect(&mut collector, tick).problems, []);
        }
    });
    assert_eq!(names(&collect(&mut collector, 100)), [""; 0]);
}
