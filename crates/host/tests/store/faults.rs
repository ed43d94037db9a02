//! What the disk and other processes may do: full, read-only, locked, broken, not ours, too new.

use crate::fixtures::{START_S, admitted, batch, cpu, memory, open};
use apportion_core::{Decision, DecisionId, Guard, History, Outcome, Setting, Time, Verdict, Window};
use apportion_host::store::{Access, Filter, OpenError, Options, Store, WriteError};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

fn refusal(path: &Path, access: Access) -> OpenError {
    match Store::open(path, access, Options::default()) {
        Ok(_) => panic!("{} opened for {access:?}", path.display()),
        Err(error) => error,
    }
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, content: &[u8], label: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        for access in [Access::ReadWrite, Access::ReadOnly] {
            let error = refusal(&path, access);
            assert_eq!(error.label(), label, "{name} for {access:?}: {error}");
        }
        assert_eq!(fs::read(&path).unwrap(), content, "{name} was changed");
    };
    check(
        "notes.txt",
        b"this is no database, but it is long enough to be looked at: nothing of it may be lost",
        "foreign",
    );
    let other = folder.path().join("other.db");
    rusqlite::Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)")
        .unwrap();
    let content = fs::read(&other).unwrap();
    check("other2.db", &content, "foreign");
    let missing = folder.path().join("missing/a.db");
    assert_eq!(refusal(&missing, Access::ReadWrite).label(), "no_folder");
    assert_eq!(refusal(&folder.path().join("none.db"), Access::ReadOnly).label(), "io");
}

#[test]
fn files_are_their_owners_alone_also_those_that_were_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let files = || ["a.db", "a.db-wal", "a.db-shm", "a.db.lock"].map(|name| folder.path().join(name));
    let store = open(&path);
    store.append(&batch("web", &cpu(), &[(START_S as f64, 1.0)]), Time::from_s(START_S));
    store.flush().unwrap();
    let modes = || files().map(|file| fs::metadata(file).unwrap().permissions().mode() & 0o777);
    assert_eq!(modes(), [0o600; 4]);
    // As an earlier version left them, after a crash.
    files().iter().for_each(|file| fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap());
    let copy = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let (log, file) = (copy("a.db-wal"), copy("a.db"));
    drop(store);
    for (name, bytes) in [("a.db-wal", log), ("a.db", file)] {
        fs::write(folder.path().join(name), bytes).unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let _store = open(&path);
    assert_eq!(modes(), [0o600; 4]);
}

#[test]
fn a_newer_schema_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(open(&path));
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for access in [Access::ReadWrite, Access::ReadOnly] {
        let error = refusal(&path, access);
        assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("install a newer Apportion"), "{error}");
    }
}

#[test]
fn a_broken_file_is_told_from_a_foreign_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(open(&path));
    let mut content = fs::read(&path).unwrap();
    for byte in &mut content[4_096..] {
        *byte = 0x5a;
    }
    fs::write(&path, content).unwrap();
    let error = refusal(&path, Access::ReadWrite);
    assert_eq!(error.label(), "corrupt", "{error}");
}

#[test]
fn a_broken_chunk_is_a_gap_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path);
    for now_s in (START_S..START_S + 20_000).step_by(10) {
        store.append(&batch("web", &memory(), &[(now_s as f64, 5.0)]), Time::from_s(now_s));
        store.maintain(Time::from_s(now_s)).unwrap();
    }
    let db = rusqlite::Connection::open(&path).unwrap();
    let sql = "UPDATE chunk SET data = x'01ffffff' WHERE id IN
        (SELECT id FROM chunk WHERE tier_s = 10 ORDER BY start_s LIMIT 1 OFFSET 2)";
    assert_eq!(db.execute(sql, ()).unwrap(), 1);
    let window = Window { from_s: START_S + 10, to_s: START_S + 20_000, step_s: 10 };
    let series = store.series(&"web".into(), &memory(), window).unwrap();
    let gaps = series.values.iter().filter(|value| value.is_nan()).count();
    assert!((300..=365).contains(&gaps), "{gaps}");
}

#[test]
fn one_process_writes_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path);
    let error = refusal(&path, Access::ReadWrite);
    assert_eq!(error.label(), "locked");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    Store::open(&path, Access::ReadOnly, Options::default()).unwrap();
    drop(store);
    open(&path);
}

#[test]
fn a_person_who_holds_the_write_lock_delays_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path);
    let person = rusqlite::Connection::open(&path).unwrap();
    person.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.record(&[decision(1)]).unwrap_err();
    assert!(matches!(error, WriteError::Locked { .. }), "{error}");
    assert_eq!(store.decisions(&Filter::default()).unwrap(), [decision(1)], "it waits, and is shown");
    person.execute_batch("ROLLBACK").unwrap();
    store.maintain(Time::from_s(START_S)).unwrap();
    drop(store);
    assert_eq!(open(&path).decisions(&Filter::default()).unwrap(), [decision(1)]);
}

fn decision(id: u64) -> Decision {
    let change = crate::fixtures::change("web", Setting::Unlimited, Setting::Value(2.0));
    let verdict = Verdict::Admitted { to: change.to, outcome: Outcome::DryRun };
    Decision { id: DecisionId(id), time: Time::from_s(START_S), change, verdict }
}

/// A file system of its own, so that it can be filled or made read-only. Only root may mount one.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn mounted(what: &str) -> Option<Self> {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        let done = disk.mount(&["-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
        if !done {
            eprintln!("LEFT OUT: {what}: only root may mount a small disk");
        }
        done.then_some(disk)
    }
    fn mount(&self, options: &[&str]) -> bool {
        let mount =
            Command::new("mount").args(options).arg(self.folder.path()).stderr(std::process::Stdio::null()).status();
        mount.is_ok_and(|status| status.success())
    }
    fn path(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).stderr(std::process::Stdio::null()).status();
    }
}

fn feed(store: &Store, now_s: i64) {
    let now = Time::from_s(now_s);
    for k in 0..100 {
        store.append(&batch(&format!("w{k}"), &cpu(), &[(now_s as f64, (now_s * (k + 3) % 1_009) as f64)]), now);
    }
}

#[test]
fn sizing_goes_on_while_the_disk_is_full_and_all_is_written_once_there_is_space() {
    let Some(disk) = Disk::mounted("a full disk") else { return };
    let store = open(&disk.path());
    let ballast = disk.folder.path().join("ballast");
    let mut now_s = START_S;
    let mut run = |ticks: i64| -> Vec<&'static str> {
        let end_s = now_s + ticks * 10;
        let mut labels = Vec::new();
        while now_s < end_s {
            feed(&store, now_s);
            labels.extend(store.maintain(Time::from_s(now_s)).err().map(|error| error.label()));
            now_s += 10;
        }
        labels
    };
    assert_eq!(run(30), [""; 0]);
    let _ = fs::write(&ballast, vec![0; 4 << 20]);
    let labels = run(200);
    assert!(labels.iter().filter(|label| **label == "full").count() > 5, "{labels:?}");
    // Nothing may be turned, decisions wait, the past is read and the present known.
    let now = Time::from_s(START_S + 2_300);
    let admitted = admitted(&mut Guard::default(), 1, "w0", Setting::Unlimited, Setting::Value(2.0), now);
    let error = store.intend(&admitted, Setting::Unlimited, now).unwrap_err();
    assert!(matches!(error, WriteError::Full { .. }), "{error}");
    assert_eq!(store.record(&[decision(7)]).unwrap_err().label(), "full");
    let window = Window { from_s: START_S + 10, to_s: START_S + 2_300, step_s: 10 };
    let gauge = |store: &Store| store.series(&"w1".into(), &cpu(), window).unwrap().values.len();
    assert_eq!(gauge(&store), 229);
    assert_eq!(store.latest(&"w1".into()).len(), 1);
    let before = format!("{:?}", store.series(&"w1".into(), &cpu(), window));
    fs::remove_file(&ballast).unwrap();
    assert_eq!(run(10), [""; 0]);
    store.flush().unwrap();
    drop(store);
    let store = open(&disk.path());
    assert_eq!(store.decisions(&Filter::default()).unwrap(), [decision(7)]);
    assert_eq!(format!("{:?}", store.series(&"w1".into(), &cpu(), window)), before, "no reading is lost");
}

#[test]
fn a_disk_that_turns_read_only_is_told_and_can_still_be_read() {
    let Some(disk) = Disk::mounted("a read-only disk") else { return };
    let store = open(&disk.path());
    feed(&store, START_S);
    feed(&store, START_S + 10);
    store.record(&[decision(1)]).unwrap();
    store.flush().unwrap();
    drop(store);
    assert!(disk.mount(&["-o", "remount,ro"]));
    assert_eq!(refusal(&disk.path(), Access::ReadWrite).label(), "read_only");
    let reader = Store::open(&disk.path(), Access::ReadOnly, Options::default()).unwrap();
    assert_eq!(reader.decisions(&Filter::default()).unwrap(), [decision(1)]);
    assert_eq!(reader.workloads().unwrap().len(), 100);
}
