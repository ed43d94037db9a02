//! What looking at knobs and turning one costs: `cargo bench -p apportion-host --bench act`.
//!
//! Prints a line for groups of a version 2 tree of ordinary files, and one for groups of this machine's kernel where it may
//! make some. Times are CPU times of this process, mean of nine looks; the share is of one core at a look every 10 s.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a benchmark prints")]

#[path = "../tests/act_support/mod.rs"]
mod act_support;

use act_support::{admitted, group, v2_tree};
use apportion_core::{
    Executor, Knob,
    Setting::{Unlimited, Value},
    knob,
};
use apportion_host::{
    act::{CgroupFiles, OwnGroup, Route},
    cgroupfs::Hierarchy,
};
use std::path::Path;

const GROUPS: usize = 200;
const LOOKS: u32 = 9;

fn cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 * 1e-6
}

fn row(what: &str, hierarchy: Hierarchy, paths: &[String]) {
    let mut route = Route::new(vec![Box::new(CgroupFiles::new(hierarchy))]);
    let before = cpu_ms();
    let mut reached = 0;
    for _ in 0..LOOKS {
        let knobs = paths.iter().flat_map(|path| knob::ALL.map(|knob| (group(path), knob)));
        reached += knobs.filter(|(workload, knob)| route.observe(workload, *knob).is_some()).count();
    }
    let look_ms = (cpu_ms() - before) / f64::from(LOOKS);
    let before = cpu_ms();
    for path in paths {
        assert!(route.apply(&admitted(&group(path), Knob::CpuQuota, Unlimited, Value(0.5))).is_applied());
    }
    let turn_us = (cpu_ms() - before) * 1e3 / paths.len() as f64;
    let reached = reached / LOOKS as usize;
    println!("{what}: {} groups, {reached} knobs reached", paths.len());
    println!("  a look at all: {look_ms:.1} ms, {:.3} % of a core; turning one: {turn_us:.0} us", look_ms / 100.0);
}

fn main() {
    let root = tempfile::tempdir().unwrap();
    let paths: Vec<String> = (0..GROUPS).map(|number| format!("/g{number}.slice/app")).collect();
    paths.iter().for_each(|path| drop(v2_tree(root.path(), path)));
    row("version 2, ordinary files", Hierarchy::discover(root.path()).unwrap(), &paths);

    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let path = format!("/apportion-bench-{}", std::process::id());
    let made = OwnGroup::create(&hierarchy, &path).and_then(|parent| {
        let children = (0..GROUPS).map(|number| parent.child(&hierarchy, &number.to_string()));
        Ok((children.collect::<std::io::Result<Vec<OwnGroup>>>()?, parent))
    });
    match made {
        Ok((children, _parent)) => {
            let paths: Vec<String> = children.iter().map(|child| child.path().to_owned()).collect();
            row("this machine's kernel", hierarchy, &paths);
        }
        Err(error) => println!("LEFT OUT: this machine's kernel: {error}"),
    }
}
