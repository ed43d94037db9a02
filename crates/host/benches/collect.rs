//! What one look costs: `cargo bench -p apportion-host --bench collect`.
//!
//! Prints a table of simulated groups (kernel files in a temporary folder), of real groups of this machine where it may
//! make some, and of simulated processes. Times are CPU times of this process, mean of nine ticks, listing included; the
//! share is of one core at a tick every 10 s.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a benchmark prints")]
#![allow(unreachable_pub, dead_code, reason = "shared with the tests")]

#[path = "../tests/collect/support.rs"]
mod support;

use apportion_core::{Batch, Collector, Time};
use apportion_host::{
    cgroupfs::{self, Controller, Hierarchy, Version},
    collect::{CgroupCollector, MachineCollector, ProcCollector},
    store::{Access, Options, Store},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
};
use support::{Machine, Process};

const TICKS: u32 = 9;
const TICK_S: i64 = 10;

fn cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 * 1e-6
}

/// CPU time of `act`, milliseconds.
fn timed<T>(act: impl FnOnce() -> T) -> (T, f64) {
    let before = cpu_ms();
    let done = act();
    (done, cpu_ms() - before)
}

/// Collects and stores for some ticks, and prints a line.
fn row(what: &str, collector: &mut dyn Collector) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("bench.db"), Access::ReadWrite, Options::default()).unwrap();
    let (mut collect_ms, mut store_ms, mut batch) = (0.0, 0.0, Batch::default());
    for tick in 0..=TICKS {
        let now = Time::from_s(1_700_000_000 + i64::from(tick) * TICK_S);
        let (found, ms) = timed(|| collector.collect(now));
        let (_, append_ms) = timed(|| store.append(&found, now));
        // The first tick finds everything out, once.
        if tick > 0 {
            collect_ms += ms / f64::from(TICKS);
            store_ms += append_ms / f64::from(TICKS);
        }
        batch = found;
    }
    // Ticks do not wait for each other here, and the machine's collector notices.
    batch.problems.retain(|problem| problem.place != "clock");
    assert!(batch.problems.is_empty(), "{:?}", batch.problems);
    let count = batch.workloads.len();
    let each_us = collect_ms * 1e3 / count.max(1) as f64;
    let share_pct = (collect_ms + store_ms) / (TICK_S as f64 * 10.0);
    let samples = batch.samples.len();
    println!("| {what} | {count} | {samples} | {collect_ms:.2} | {each_us:.1} | {store_ms:.2} | {share_pct:.3} % |");
}

fn simulated_groups(count: usize) {
    let machine = Machine::v2();
    for index in 0..count {
        machine.v2_group(&format!("/system.slice/unit-{index}.service"), index as u64);
    }
    row("simulated v2 groups", &mut CgroupCollector::new(Hierarchy::discover(machine.root()).unwrap()));
}

fn simulated_processes(count: u32) {
    let machine = Machine::v2();
    for pid in 100..100 + count {
        machine.process(&Process { pid, session: pid, ..Process::default() });
    }
    let hierarchy = Hierarchy::discover(machine.root()).unwrap();
    row("simulated processes", &mut ProcCollector::new(hierarchy));
}

/// Groups of this machine with a sleeping process each; gone when dropped.
struct RealGroups {
    dirs: Vec<PathBuf>,
    sleepers: Vec<Child>,
}

impl RealGroups {
    fn make(hierarchy: &Hierarchy, count: usize) -> std::io::Result<Self> {
        let mut made = Self { dirs: Vec::new(), sleepers: Vec::new() };
        // A new cpuset takes no process before it is given CPUs.
        let cpuset = hierarchy.tree(Controller::Cpuset).filter(|tree| tree.version == Version::V1);
        let trees: Vec<_> = hierarchy.trees().iter().filter(|tree| Some(*tree) != cpuset).collect();
        for tree in &trees {
            made.dir(tree.dir.join("apportion-bench"))?;
        }
        for index in 0..count {
            let sleeper = Command::new("sleep").arg("600").spawn()?;
            let pid = sleeper.id().to_string();
            made.sleepers.push(sleeper);
            for tree in &trees {
                let dir = tree.dir.join(format!("apportion-bench/group-{index}"));
                made.dir(dir.clone())?;
                fs::write(dir.join("cgroup.procs"), &pid)?;
            }
        }
        Ok(made)
    }

    fn dir(&mut self, dir: PathBuf) -> std::io::Result<()> {
        fs::create_dir(&dir)?;
        self.dirs.push(dir);
        Ok(())
    }
}

impl Drop for RealGroups {
    fn drop(&mut self) {
        for sleeper in &mut self.sleepers {
            let _ = sleeper.kill();
            let _ = sleeper.wait();
        }
        for dir in self.dirs.iter().rev() {
            let _ = fs::remove_dir(dir);
        }
    }
}

fn real_groups(count: usize) {
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    match RealGroups::make(&hierarchy, count) {
        Ok(_made) => row("groups of this machine", &mut CgroupCollector::new(hierarchy)),
        Err(error) => println!("LEFT OUT: groups of this machine ({error})"),
    }
}

fn main() {
    cgroupfs::allow_many_open_files().unwrap();
    println!("| what | how many | readings | collect, ms | µs each | store, ms | of a core at {TICK_S} s |");
    println!("|---|---|---|---|---|---|---|");
    for count in [10, 100, 200, 1_000, 10_000] {
        simulated_groups(count);
    }
    real_groups(200);
    for count in [100, 1_000] {
        simulated_processes(count);
    }
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    row("processes of this machine", &mut ProcCollector::new(hierarchy.clone()));
    row("this machine as a whole", &mut MachineCollector::new(hierarchy));
}
