//! The loop on a made-up machine with groups of ordinary files: what a person asks of it.

mod disk;
mod network;

use super::*;
use crate::web::{Action, ActionError};
use apportion_core::{
    Binding, Change, Decision, Knob, Outcome, Reason,
    Setting::{self, Value},
    Verdict, roll_back,
};
use apportion_host::store::{Access, Options};
use std::{
    fs,
    path::{Path, PathBuf},
};

const START: Time = Time::from_s(1_790_000_000);
const MIB: f64 = 1_048_576.0;

/// A folder that looks like a machine with cgroup v2, and a loop on it.
struct World {
    folder: tempfile::TempDir,
    daemon: Daemon,
}

impl World {
    fn new(groups: &[&str]) -> Self {
        Self::within(tempfile::tempdir().unwrap(), groups, &Config::default(), "recent")
    }

    fn within(folder: tempfile::TempDir, groups: &[&str], config: &Config, model: &'static str) -> Self {
        let root = folder.path().join("root");
        put(&root, "proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n");
        put(&root, "proc/self/cgroup", "0::/init.scope\n");
        put(&root, "proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n");
        put(&root, "proc/stat", "cpu  100 0 100 1000 0 0 0 0 0 0\ncpu0 100 0 100 1000 0 0 0 0 0 0\n");
        put(&root, "sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n");
        groups.iter().for_each(|name| group(&root, name));
        let mut daemon = assemble(config, Settings { model, ..settings(folder.path()) }).unwrap().daemon;
        daemon.turn(START);
        Self { folder, daemon }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join("root/sys/fs/cgroup").join(path)
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.file(path)).unwrap().trim().to_owned()
    }

    /// Turns a knob as the loop does: through guard, ledger and executor.
    fn set(&mut self, workload: &str, knob: Knob, to: Setting) -> Decision {
        let (daemon, workload) = (&mut self.daemon, WorkloadId::new(workload));
        let snapshot = daemon.look_again(&workload, START).unwrap();
        let from = snapshot.workloads[&workload].settings[&knob];
        let reason = Reason::only(Binding::RolledBack { of: apportion_core::DecisionId(0) });
        let change = Change { workload, knob, from, to, reason };
        let decision = roll_back(&mut daemon.state, &snapshot, daemon.executor.as_mut(), change);
        assert!(decision.is_applied(), "{decision:?}");
        daemon.store.record(std::slice::from_ref(&decision)).unwrap();
        decision
    }

    /// Its processes are gone, or back, and the loop has seen it: groups are listed anew every minute or so.
    fn set_running(&mut self, name: &str, is_running: bool, from_s: i64) {
        let (procs, populated) = if is_running { ("4242\n", 1) } else { ("", 0) };
        fs::write(self.file(&format!("{name}/cgroup.procs")), procs).unwrap();
        fs::write(self.file(&format!("{name}/cgroup.events")), format!("populated {populated}\nfrozen 0\n")).unwrap();
        (0..=12).for_each(|tick| drop(self.daemon.turn(START.plus_s(from_s + 10 * tick))));
    }

    fn roll_back(&mut self, workload: &str) -> Result<String, ActionError> {
        self.daemon.act(Action::RollBackWorkload(workload.into()))
    }

    fn changed(&self) -> Vec<(String, Knob, Setting)> {
        let originals = self.daemon.store.originals().unwrap().into_iter();
        originals.map(|original| (original.workload.id.to_string(), original.knob, original.setting)).collect()
    }
}

fn settings(folder: &Path) -> Settings {
    let here = Settings::here(folder.join("store/apportion.db"));
    Settings { apply: true, model: "recent", root: folder.join("root"), ..here }
}

fn put(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn group(root: &Path, name: &str) {
    for (file, text) in [
        ("cgroup.controllers", "cpu io memory pids\n"),
        ("cgroup.events", "populated 1\nfrozen 0\n"),
        ("cgroup.procs", "4242\n"),
        ("cpu.max", "100000 100000\n"),
        ("cpu.stat", "usage_usec 1000\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"),
        ("memory.high", "max\n"),
        ("memory.max", "max\n"),
        ("memory.current", "1048576\n"),
        ("memory.stat", "anon 1048576\ninactive_file 0\n"),
        ("io.max", ""),
    ] {
        put(root, &format!("sys/fs/cgroup/{name}/{file}"), text);
    }
}

#[test]
fn one_step_back_keeps_the_way_to_the_original() {
    let mut world = World::new(&["web"]);
    world.set("/web", Knob::CpuQuota, Value(0.5));
    let second = world.set("/web", Knob::CpuQuota, Value(0.25));
    let original = world.daemon.store.originals().unwrap().remove(0);
    assert_eq!((original.setting, original.by), (Value(1.0), second.id));
    let root = world.folder.path().join("root");
    let undo_one = |world: &mut World, one: Undo| {
        let Daemon { store, state, .. } = &mut world.daemon;
        undo(store, &root, &[one], &mut state.next_id, START).unwrap().remove(0).unwrap()
    };
    let said = undo_one(&mut world, Undo { original: original.clone(), to: second.change.from, of: second.id });
    assert_eq!(
        (said.as_str(), world.text("web/cpu.max").as_str()),
        ("cpu_quota_cores of /web is 0.5 again", "50000 100000")
    );
    assert_eq!(world.changed(), [("/web".to_owned(), Knob::CpuQuota, Value(1.0))], "half the way is not the whole");
    undo_one(&mut world, Undo::whole(original));
    assert_eq!((world.text("web/cpu.max").as_str(), world.changed()), ("100000 100000", vec![]));
    let newest = world.daemon.store.decision(apportion_core::DecisionId(world.daemon.state.next_id.0 - 1)).unwrap();
    assert!(newest.unwrap().is_applied(), "what was put back is in the ledger");
}

#[test]
fn one_knob_that_cannot_be_put_back_stops_no_other() {
    let mut world = World::new(&["web"]);
    world.set("/web", Knob::CpuQuota, Value(0.5));
    world.set("/web", Knob::MemoryMax, Value(64.0 * MIB));
    fs::write(world.file("web/cpu.max"), "70000 100000\n").unwrap();
    let error = world.roll_back("/web").unwrap_err();
    assert!(
        error.what.contains("somebody else set it to 0.7, and so it stays: `apportion release /web` hands it over"),
        "{error:?}"
    );
    assert!(error.what.contains("memory_max_bytes of /web is unlimited again"), "{error:?}");
    assert_eq!(world.text("web/memory.max"), "max");
    let held = world.daemon.store.instructions(super::now()).unwrap();
    assert_eq!(held.len(), 1, "held although not all of it was put back");
    world.daemon.act(Action::TakeOver("/web".into())).unwrap();
    assert_eq!(
        (world.text("web/cpu.max").as_str(), world.changed()),
        ("70000 100000", vec![]),
        "theirs is the value to keep"
    );
}

#[test]
fn a_rollback_that_stops_above_memory_in_use_says_so() {
    let mut world = World::new(&["web"]);
    fs::write(world.file("web/memory.max"), "4194304\n").unwrap();
    world.set("/web", Knob::MemoryMax, Value(64.0 * MIB));
    fs::write(world.file("web/memory.current"), "33554432\n").unwrap();
    fs::write(world.file("web/memory.stat"), "anon 33554432\ninactive_file 0\n").unwrap();
    world.daemon.turn(START.plus_s(10));
    let error = world.roll_back("/web").unwrap_err();
    assert!(
        error.what.contains("memory_max_bytes of /web is 36909875") && error.what.contains("not 4194304"),
        "{error:?}"
    );
    assert_eq!(world.changed(), [("/web".to_owned(), Knob::MemoryMax, Value(4.0 * MIB))], "still to be put back");
    fs::write(world.file("web/memory.current"), "1048576\n").unwrap();
    fs::write(world.file("web/memory.stat"), "anon 1048576\ninactive_file 0\n").unwrap();
    world.daemon.turn(START.plus_s(20));
    assert!(world.roll_back("/web").unwrap().contains("memory_max_bytes of /web is 4194304 again"));
    assert_eq!((world.text("web/memory.max").as_str(), world.changed()), ("4194304", vec![]));
}

#[test]
fn what_is_gone_is_settled_with_a_note_and_what_only_stopped_is_put_back() {
    let mut world = World::new(&["gone", "stopped"]);
    world.set("/gone", Knob::CpuQuota, Value(0.5));
    world.set("/stopped", Knob::CpuQuota, Value(0.5));
    fs::remove_dir_all(world.file("gone")).unwrap();
    fs::write(world.file("stopped/cgroup.procs"), "").unwrap();
    fs::write(world.file("stopped/cgroup.events"), "populated 0\nfrozen 0\n").unwrap();
    // Groups are listed anew every minute or so.
    (1..12).for_each(|tick| drop(world.daemon.turn(START.plus_s(10 * tick))));
    let turn = world.daemon.turn(START.plus_s(120));
    assert!(
        !turn.snapshot.workloads.keys().any(|id| ["/gone", "/stopped"].contains(&id.as_str())),
        "{:?}",
        turn.snapshot
    );
    let said = world.roll_back("/gone").unwrap();
    assert!(said.contains("is gone, and its limit with it: settled"), "{said}");
    let note = world.daemon.store.decisions(&apportion_host::store::Filter::default()).unwrap().remove(0);
    let Verdict::Admitted { outcome: Outcome::Failed { error }, .. } = note.verdict else { panic!("{note:?}") };
    assert!(error.contains("gone"), "{error}");
    let said = world.roll_back("/stopped").unwrap();
    assert!(said.contains("cpu_quota_cores of /stopped is 1 again"), "{said}");
    assert_eq!((world.text("stopped/cpu.max").as_str(), world.changed()), ("100000 100000", vec![]));
    assert!(world.roll_back("/gone").is_err(), "settled once");
    assert_eq!(world.daemon.state.guard.ceded().count(), 0);
}

#[test]
fn what_is_confirmed_is_what_was_shown_or_nothing() {
    let mut world = World::new(&["web"]);
    let read = |world: &World, text: &str| {
        let now = super::now();
        (text.to_owned(), now, world.daemon.backend.read_here(text, &crate::tell::zoned(now, Some("UTC")), &[]).0)
    };
    let confirm = |world: &mut World, (text, at, told): (String, Time, crate::tell::Told)| {
        let (zone, also) = (Some("UTC".to_owned()), Vec::new());
        world.daemon.act(Action::Instruct { text, at, zone, also, shown: told.shown, guessed: false })
    };
    let first = read(&world, "limit web to 0.5 cores");
    confirm(&mut world, first).unwrap();
    let undo = read(&world, "undo that");
    assert_eq!(undo.2.undoes, Some(1));
    // Somebody else says something before the undo is confirmed.
    let other = read(&world, "freeze web until further notice");
    confirm(&mut world, other).unwrap();
    let error = confirm(&mut world, undo).unwrap_err();
    assert_eq!((error.kind, error.place.as_str()), (crate::web::ActionErrorKind::Conflict, "shown"));
    assert!(
        error.what.contains("something else now than what was shown") && error.what.contains("instruction 2"),
        "{error:?}"
    );
    let stands = world.daemon.store.instructions(super::now()).unwrap();
    assert!(stands.len() == 2 && stands.iter().all(|said| said.revoked.is_none()), "{stands:?}");
}

#[test]
fn what_was_put_back_past_the_guard_is_no_foreign_hand() {
    let mut world = World::new(&["web"]);
    world.set("/web", Knob::CpuQuota, Value(0.5));
    world.set_running("web", false, 10);
    assert!(world.roll_back("/web").unwrap().contains("is 1 again"));
    world.set_running("web", true, 140);
    world.set("/web", Knob::CpuQuota, Value(0.75));
    assert_eq!(world.text("web/cpu.max"), "75000 100000");
}

#[test]
fn what_is_gone_for_the_moment_can_be_held_and_released() {
    let mut world = World::new(&["job"]);
    world.set_running("job", false, 10);
    let hold = |name: &str| Action::Hold { workload: name.into(), why: "until it is read".to_owned(), until: None };
    assert_eq!(world.daemon.act(hold("/job")).unwrap(), "/job is held");
    world.daemon.act(Action::Release("/job".into())).unwrap();
    assert_eq!(world.daemon.act(hold("job")).unwrap(), "job is held", "by its short name, as without a loop");
    world.daemon.act(Action::Release("job".into())).unwrap();
    assert!(world.daemon.store.instructions(super::now()).unwrap().iter().all(|said| said.revoked.is_some()));
    for action in [hold("/nobody"), Action::Release("/nobody".into()), Action::TakeOver("job".into())] {
        assert_eq!(world.daemon.act(action).unwrap_err().kind, crate::web::ActionErrorKind::NotFound);
    }
}

#[test]
fn a_knob_that_this_run_cannot_reach_stays_open_for_one_that_can() {
    let mut world = World::new(&["gone", "web"]);
    for (id, name) in [(800, "/gone"), (801, "/web")] {
        let workload = WorkloadId::new(name);
        let mut snapshot = world.daemon.look_again(&workload, START).unwrap();
        let (knob, from) = (Knob::NetworkSendMax, Setting::Unlimited);
        snapshot.workloads.get_mut(&workload).unwrap().settings.insert(knob, from);
        let reason = Reason::only(Binding::RolledBack { of: apportion_core::DecisionId(0) });
        let change = Change { workload, knob, from, to: Value(2e6), reason };
        let admitted = world.daemon.state.guard.admit(apportion_core::DecisionId(id), &change, &snapshot).unwrap();
        world.daemon.store.intend(&admitted, from, START).unwrap();
    }
    fs::remove_dir_all(world.file("gone")).unwrap();
    let World { folder, daemon } = world;
    drop(daemon);
    // It only recommends, so it does not look at rates of the network.
    let recommending = Settings { apply: false, ..settings(folder.path()) };
    let daemon = assemble(&Config::default(), recommending).unwrap().daemon;
    let open: Vec<String> =
        daemon.store.unsettled().unwrap().iter().map(|intent| intent.workload.id.to_string()).collect();
    assert_eq!(open, ["/web"], "what is gone is settled");
}

#[test]
fn the_page_is_told_how_every_forecaster_did() {
    let World { folder, daemon } = World::new(&["web"]);
    drop(daemon);
    let auto = Settings { model: "auto", ..settings(folder.path()) };
    let mut daemon = assemble(&Config::default(), auto).unwrap().daemon;
    let (id, memory) = (WorkloadId::new("/web"), Metric::new(apportion_core::metric::name::MEMORY_WORKING_SET));
    let mut past = Batch::default();
    for minute in 0..300 {
        let value = MIB * f64::from(10 + minute % 7);
        past.push(&id, &memory, START.plus_s(i64::from(minute) * 60 - 18_000), value);
    }
    daemon.store.backfill(&past, START).unwrap();
    (2..6).for_each(|tick| drop(daemon.turn(START.plus_s(10 * tick))));
    let scores = crate::web::Backend::scores(daemon.backend.as_ref(), &id);
    let of_memory: Vec<_> = scores.iter().filter(|score| score.metric == memory).collect();
    assert_eq!(of_memory.iter().filter(|score| score.chosen).count(), 1, "{scores:?}");
    assert!(of_memory.len() > 4 && of_memory.iter().any(|score| score.by == "seasonal-naive"), "{scores:?}");
}

#[test]
fn a_loop_that_cannot_tell_its_own_group_sets_nothing() {
    let World { folder, daemon } = World::new(&["web"]);
    drop(daemon);
    put(&folder.path().join("root"), "proc/1/cgroup", "not as the kernel writes it\n");
    let error = assemble(&Config::default(), settings(folder.path())).map(|_| ()).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("run without --apply") && error.contains("proc/1/cgroup"), "{error}");
    let recommending = Settings { apply: false, ..settings(folder.path()) };
    assert!(assemble(&Config::default(), recommending).is_ok());
}

#[test]
fn the_page_and_the_loop_share_forecasts() {
    let mut world = World::new(&["web"]);
    (1..4).for_each(|tick| drop(world.daemon.turn(START.plus_s(10 * tick))));
    let forecasts: Vec<_> = world.daemon.state.forecasts.values().flat_map(BTreeMap::values).collect();
    assert!(!forecasts.is_empty() && forecasts.iter().all(|forecast| Arc::strong_count(forecast) == 2));
}

#[test]
fn a_page_of_decisions_reads_no_others() {
    let mut world = World::new(&["web"]);
    let file = rusqlite::Connection::open(world.daemon.store.path()).unwrap();
    let old = "INSERT INTO decision (id, time_ms, workload, knob, verdict, outcome, version, json)
        VALUES (-1, 0, '/web', 'cpu_quota_cores', 'refused', 'held', 1, 'damaged')";
    let ids: Vec<_> = [0.5, 0.4, 0.3].map(|to| world.set("/web", Knob::CpuQuota, Value(to)).id).into();
    file.execute(old, ()).unwrap();
    let page = |before: Option<apportion_core::DecisionId>, limit: usize| -> Vec<_> {
        let query = crate::web::DecisionQuery { workload: None, since: None, before, limit };
        let found = crate::web::Backend::decisions(world.daemon.backend.as_ref(), &query);
        found.into_iter().map(|decision| decision.id).collect()
    };
    assert_eq!(page(None, 2), [ids[2], ids[1]]);
    assert_eq!(page(Some(ids[1]), 1), [ids[0]]);
    assert_eq!(page(None, 9), [], "what cannot be read is said in the log");
}

#[test]
fn a_loop_whose_numbers_cannot_be_read_does_not_start() {
    let world = World::new(&["web"]);
    let path = world.daemon.store.path().to_owned();
    let World { folder, daemon } = world;
    drop(daemon);
    assert!(Store::open(&path, Access::ReadWrite, Options::default()).is_ok(), "the store is closed");
    rusqlite::Connection::open(&path).unwrap().execute("ALTER TABLE decision RENAME TO lost", ()).unwrap();
    let error = assemble(&Config::default(), settings(folder.path())).map(|_| ()).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("the ledger's last number cannot be read, so nothing starts"), "{error}");
    assert!(error.contains("lost") || error.contains("no such table"), "{error}");
}

#[test]
fn a_running_loop_takes_up_the_version_that_is_put_in_force_and_says_why_it_does_not() {
    let mut world = World::within(tempfile::tempdir().unwrap(), &["web"], &Config::default(), "transformer");
    let versions = crate::tuning::Versions::of(&world.folder.path().join("store/apportion.db"));
    crate::tuning::tests::put_in_force(&versions, "cpu_cores", |_| ());
    world.daemon.turn(START.plus_s(10));
    assert_eq!(world.daemon.weights.used, 1);
    let past =
        apportion_core::Series { start_s: 0, step_s: 300, values: (0..200).map(|t| f32::from(t % 7_u8)).collect() };
    let input = apportion_core::traits::ForecastInput {
        workload: "/web".into(),
        metric: Metric::new("cpu_cores"),
        past,
        announced: Vec::new(),
    };
    let shipped = crate::tuning::shipped().unwrap();
    let (made, before) =
        (world.daemon.forecaster.forecast(std::slice::from_ref(&input), 8), shipped.forecast(&[input], 8));
    assert_ne!(made, before, "the shipped weights are still used");

    crate::tuning::tests::put_in_force(&versions, "cpu_cores", |version| version.sha256_of_shipped.clear());
    let said = world.daemon.turn(START.plus_s(20)).problems;
    let said = said.iter().find(|problem| problem.place == "tuned weights").map(|problem| problem.what.clone());
    let said = said.unwrap_or_default();
    assert!(world.daemon.weights.used == 0 && said.contains("version 2 was judged beside other weights"), "{said}");
}

#[test]
fn counters_of_a_machine_that_was_just_started_go_on_from_no_reading_before() {
    for (uptime_s, expect) in [(30, None), (3_000, Some(0.1))] {
        let world = World::new(&["web"]);
        let used = |us: u32| format!("usage_usec {us}\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n");
        fs::write(world.file("web/cpu.stat"), used(2_001_000)).unwrap();
        put(&world.folder.path().join("root"), "proc/uptime", &format!("{uptime_s}.00 1.00\n"));
        world.daemon.close().unwrap();
        let folder = world.folder;
        let mut daemon = assemble(&Config::default(), settings(folder.path())).unwrap().daemon;
        daemon.turn(START.plus_s(20));
        let latest = daemon.store.latest(&"/web".into()).get(&Metric::new(name::CPU)).map(|latest| latest.value);
        assert_eq!(latest, expect, "{uptime_s} s after the start");
    }
}
