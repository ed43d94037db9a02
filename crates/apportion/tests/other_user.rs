//! Commands of another user than the one whose loop writes the store. Only root may become somebody else.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test; what is left out is said")]

use apportion_core::{Binding, Change, Decision, DecisionId, Knob, Reason, Refusal, Setting, Time, Verdict};
use apportion_host::store::{Access, Options, Store};
use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

const NOBODY: u32 = 65_534;
const START: Time = Time::from_s(1_790_000_000);

/// A store that this process has open for writing, and the program where others may run it.
struct Beside {
    folder: tempfile::TempDir,
    store: Store,
}

impl Beside {
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("LEFT OUT: commands of another user: only root may become somebody else");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (built, program) = (env!("CARGO_BIN_EXE_apportion"), folder.path().join("apportion"));
        fs::hard_link(built, &program).or_else(|_| fs::copy(built, &program).map(drop)).unwrap();
        fs::create_dir(folder.path().join("store")).unwrap();
        mode(folder.path(), 0o755);
        mode(&folder.path().join("store"), 0o755);
        let store = Store::open(&folder.path().join("store/apportion.db"), Access::ReadWrite, Options::default());
        Some(Self { folder, store: store.unwrap() })
    }

    fn decide(&self, workload: &str) {
        let (knob, from, to) = (Knob::CpuQuota, Setting::Unlimited, Setting::Value(1.0));
        let change = Change { workload: workload.into(), knob, from, to, reason: Reason::only(Binding::Forecast) };
        let verdict = Verdict::Refused { why: Refusal::RecommendOnly };
        self.store.record(&[Decision { id: DecisionId(1), time: START, change, verdict }]).unwrap();
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.path().join(format!("store/apportion.db{ending}"))
    }

    /// Opens these files to readers, and closes the others.
    fn open_to_others(&self, endings: &[&str]) {
        for ending in ["", "-wal", "-shm"] {
            mode(&self.file(ending), if endings.contains(&ending) { 0o644 } else { 0o600 });
        }
    }

    /// What nobody is told, and the status.
    fn as_nobody(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(self.folder.path().join("apportion"));
        command.args(args).uid(NOBODY).gid(NOBODY).env("HOME", "/nonexistent").env("APPORTION_STORE", self.file(""));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said)
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_store_that_is_not_open_to_others_says_so_to_them() {
    let Some(beside) = Beside::new() else { return };
    let commands: [&[&str]; 3] = [&["history"], &["explain", "web"], &["instructions"]];
    for closed in [&[][..], &["", "-wal"], &["", "-shm"], &["-wal", "-shm"]] {
        beside.open_to_others(closed);
        for args in commands {
            let (status, said) = beside.as_nobody(args);
            assert_eq!(status, Some(1), "{args:?} {closed:?}: {said}");
            assert!(said.contains("may not be read") && said.contains("sudo"), "{args:?} {closed:?}: {said}");
        }
    }
    mode(&beside.folder.path().join("store"), 0o700);
    for (args, why) in [("history", "may not be read"), ("status", "answers its owner alone")] {
        let (status, said) = beside.as_nobody(&[args]);
        assert!(status == Some(1) && said.contains(why), "{args}: {said}");
    }
}

#[test]
fn a_store_that_was_opened_to_others_is_read_by_them_beside_its_writer() {
    let Some(beside) = Beside::new() else { return };
    beside.open_to_others(&["", "-wal", "-shm"]);
    assert_eq!(beside.as_nobody(&["history"]).0, Some(3), "read, and nothing was decided");
    // The folder may not be written either, and what is written next is seen as well.
    beside.decide("batch");
    for args in [&["history"][..], &["explain", "batch"]] {
        let (status, said) = beside.as_nobody(args);
        assert!(status == Some(0) && said.contains("batch"), "{args:?}: {said}");
    }
    let (status, said) = beside.as_nobody(&["hold", "web", "--for", "1h"]);
    assert!(status == Some(1) && said.contains("correct owner, mode or mount"), "{said}");
    assert!(beside.store.flush().is_ok());
}
