//! What is written down before a knob is turned, and what happens where it cannot be.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod act_support;

use act_support::{admitted, group, put, raised, text, v2_tree};
use apportion_core::{
    Admitted, DecisionId, Executor, Knob, Outcome,
    Setting::{self, Unlimited, Value},
    Workload,
};
use apportion_host::act::{CgroupFiles, DryRun, Journal, Recorded, Route};
use std::path::PathBuf;

/// Says what the knob's file held at each call, and takes only what it is told to take.
struct Witness<'a> {
    root: PathBuf,
    full: [bool; 2],
    saw: &'a mut Vec<String>,
}

impl Witness<'_> {
    fn note(&mut self, what: &str, full: bool) -> Result<(), String> {
        self.saw.push(format!("{what} while {}", text(&self.root, "app/cpu.max")));
        if full { Err("database or disk is full".to_owned()) } else { Ok(()) }
    }
}

impl Journal for Witness<'_> {
    fn intend(&mut self, change: &Admitted, former: Setting) -> Result<(), String> {
        self.note(&format!("{} {former} -> {}", change.id(), change.to()), self.full[0])
    }
    fn settle(&mut self, id: DecisionId, outcome: &Outcome) -> Result<(), String> {
        self.note(&format!("{id} {}", outcome.is_applied()), self.full[1])
    }
}

#[test]
fn the_former_value_is_recorded_before_the_write() {
    type Make = fn(&Workload, Knob, Setting, Setting) -> Admitted;
    let check = |make: Make, full, applied, saw: &[&str], holds| {
        let root = tempfile::tempdir().unwrap();
        let route = Route::new(vec![Box::new(CgroupFiles::new(v2_tree(root.path(), "/app")))]);
        put(&root.path().join("sys/fs/cgroup/app"), "cpu.max", "25000 100000\n");
        let mut seen = Vec::new();
        let witness = Witness { root: root.path().to_owned(), full, saw: &mut seen };
        let change = make(&group("/app"), Knob::CpuQuota, Value(0.25), Value(0.5));
        let outcome = Recorded::new(route, witness).apply(&change);
        assert_eq!(outcome.is_applied(), applied, "{outcome:?}");
        if let Outcome::Failed { error } = outcome {
            assert!(error.contains("not turned") && error.contains("disk is full"), "{error}");
        }
        assert_eq!(seen, saw);
        assert_eq!(text(root.path(), "app/cpu.max"), holds);
    };
    let (intent, settled) = ("7 0.25 -> 0.5 while 25000 100000", "7 true while 50000 100000");
    check(raised, [false, false], true, &[intent, settled], "50000 100000");
    check(raised, [true, false], false, &[intent], "25000 100000");
    check(raised, [false, true], true, &[intent, settled], "50000 100000");
    // What takes an earlier change back goes on: the value before that change is on disk already.
    check(admitted, [true, true], true, &[intent, settled], "50000 100000");
}

#[test]
fn a_dry_run_looks_and_turns_nothing() {
    let root = tempfile::tempdir().unwrap();
    let route = Route::new(vec![Box::new(CgroupFiles::new(v2_tree(root.path(), "/app")))]);
    let mut dry = DryRun(route);
    assert_eq!(dry.observe(&group("/app"), Knob::CpuQuota), Some(Unlimited));
    assert_eq!(dry.apply(&admitted(&group("/app"), Knob::CpuQuota, Unlimited, Value(0.5))), Outcome::DryRun);
    assert_eq!(text(root.path(), "app/cpu.max"), "max 100000");
}
