//! What services send is counted: by an `nft` that keeps its table in memory, on a made-up machine. By the real one: `act_network`.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod act_support;

use act_support::{group, put, v2_tree};
use apportion_core::{Collector, History, Metric, Time, Window, Workload, metric::name};
use apportion_host::{
    act::{ActError, NetworkCounts, Nft},
    cgroupfs::Hierarchy,
    store::{Options, Store},
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

const START: Time = Time::from_s(1_790_000_000);

/// A table of `nft`: bytes by counter, what was asked of it, and how it fails.
#[derive(Default)]
struct Table {
    counters: Option<BTreeMap<String, u64>>,
    lists: usize,
    scripts: Vec<String>,
    hangs: bool,
}

impl Table {
    fn run(&mut self, arguments: &[&str], script: &str) -> Result<String, ActError> {
        if self.hangs {
            return Err(ActError::Silent { place: "nft".to_owned(), rest_s: 30, remedy: "look for it" });
        }
        if arguments[0] == "-j" {
            self.lists += 1;
            return self.list();
        }
        self.scripts.push(script.to_owned());
        for line in script.lines() {
            let counters = self.counters.get_or_insert_default();
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["delete", "table", ..] => self.counters = None,
                ["add", "counter", .., counter] => drop(counters.entry(counter.to_owned()).or_default()),
                ["delete", "counter", .., counter] => drop(counters.remove(counter).unwrap()),
                _ => {}
            }
        }
        Ok(String::new())
    }

    fn list(&self) -> Result<String, ActError> {
        let missing =
            || ActError::Call { place: "nft".to_owned(), said: "No such file or directory".to_owned(), remedy: "look" };
        let mut json = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}}"#.to_owned();
        for (counter, bytes) in self.counters.as_ref().ok_or_else(missing)? {
            let _ = write!(json, r#", {{"counter": {{"name": "{counter}", "packets": 0, "bytes": {bytes}}}}}"#);
        }
        Ok(json + "]}")
    }
}

/// Groups of ordinary files, whose first process is in this network or in another.
struct World {
    folder: tempfile::TempDir,
    table: Arc<Mutex<Table>>,
    counts: NetworkCounts,
    store: Store,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hierarchy = v2_tree(folder.path(), "/web");
        for (process, network) in [("self", 1), ("10", 1), ("20", 2)] {
            let dir = folder.path().join(format!("proc/{process}/ns"));
            fs::create_dir_all(&dir).unwrap();
            symlink(format!("net:[{network}]"), dir.join("net")).unwrap();
        }
        leave_by(folder.path(), "eth0");
        let table = Arc::default();
        let world = Self {
            counts: NetworkCounts::by(nft(&table), hierarchy).unwrap(),
            store: Store::in_memory(Options::default()).unwrap(),
            folder,
            table,
        };
        world.process("web", 10);
        world
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap()
    }

    fn dir(&self, group: &str) -> PathBuf {
        self.folder.path().join("sys/fs/cgroup").join(group)
    }

    fn process(&self, group: &str, pid: u32) {
        put(&self.dir(group), "cgroup.procs", &format!("{pid}\n"));
    }

    fn send(&self, group: &str, bytes: u64) {
        let counter = format!("g{}", fs::metadata(self.dir(group)).unwrap().ino());
        *self.table().counters.as_mut().unwrap().get_mut(&counter).unwrap() += bytes;
    }

    /// A turn: what was counted goes into the store, and these groups are counted from now on. Gives the problems.
    fn turn(&mut self, at_s: i64, groups: &[&str]) -> Vec<String> {
        let now = START.plus_s(at_s);
        let batch = self.counts.collect(now);
        assert!(batch.workloads.is_empty());
        self.store.append(&batch, now);
        let groups: Vec<Workload> = groups.iter().map(|path| group(path)).collect();
        let failed = self.counts.count(&groups).err().map(|error| error.to_string());
        batch.problems.into_iter().map(|problem| problem.what).chain(failed).collect()
    }

    fn sent(&self, group: &str, to_s: i64) -> Vec<String> {
        let window = Window { from_s: START.s() + 10, to_s: START.s() + to_s + 10, step_s: 10 };
        let series = self.store.series(&group.into(), &Metric::new(name::NETWORK_SEND), window);
        series.map(|series| series.values.iter().map(f32::to_string).collect()).unwrap_or_default()
    }
}

/// The default route.
fn leave_by(root: &Path, interface: &str) {
    let route = format!("Iface Destination Gateway\n{interface} 00000000 0100000A 3 0 0 100 00000000 0\n");
    put(&root.join("proc/net"), "route", &route);
}

fn nft(table: &Arc<Mutex<Table>>) -> Nft {
    let table = Arc::clone(table);
    Box::new(move |arguments, script| table.lock().unwrap().run(arguments, script))
}

#[test]
fn two_readings_make_a_rate_and_a_table_made_anew_is_a_gap() {
    let mut world = World::new();
    assert!(world.turn(0, &["/web"]).is_empty());
    for (at_s, bytes) in [(10, 2_000), (20, 4_000), (30, 6_000)] {
        world.send("web", bytes);
        assert!(world.turn(at_s, &["/web"]).is_empty());
    }
    // Somebody empties the machine's rules; all is made anew in the same turn, and counts from nothing.
    world.table().counters = None;
    let problems = world.turn(40, &["/web"]);
    assert!(problems.len() == 1 && problems[0].contains("No such file"), "{problems:?}");
    world.send("web", 1_000);
    assert!(world.turn(50, &["/web"]).is_empty());
    world.send("web", 500);
    assert!(world.turn(60, &["/web"]).is_empty());
    assert_eq!(world.sent("/web", 60), ["NaN", "400", "600", "NaN", "NaN", "50"]);
    assert_eq!(world.table().lists, 6, "one look a turn");
}

#[test]
fn a_counter_made_anew_that_passed_the_old_one_is_a_gap() {
    let mut world = World::new();
    world.turn(0, &["/web"]);
    for (at_s, bytes) in [(10, 100), (20, 100)] {
        world.send("web", bytes);
        world.turn(at_s, &["/web"]);
    }
    world.table().counters = None;
    world.turn(30, &["/web"]);
    world.send("web", 5_000);
    world.turn(40, &["/web"]);
    // Another group of the same name.
    fs::rename(world.dir("web"), world.dir("was-web")).unwrap();
    world.process("web", 10);
    world.turn(50, &["/web"]);
    world.send("web", 9_000);
    world.turn(60, &["/web"]);
    world.send("web", 100);
    world.turn(70, &["/web"]);
    assert_eq!(world.sent("/web", 70), ["NaN", "10", "NaN", "NaN", "NaN", "NaN", "10"]);
}

#[test]
fn another_default_route_is_followed_and_a_gap() {
    let mut world = World::new();
    for at_s in [0, 10, 20, 30, 40] {
        if at_s == 20 {
            leave_by(world.folder.path(), "wlan0");
        }
        assert!(world.turn(at_s, &["/web"]).is_empty());
        world.send("web", if at_s < 20 { 5_000 } else { 1_000 });
    }
    assert_eq!(world.sent("/web", 40), ["NaN", "NaN", "NaN", "100"], "not what the old one has, as little");
    let scripts = world.table().scripts.clone();
    assert!(scripts[1].contains("oifname \"eth0\"") && scripts[2].contains("oifname \"wlan0\""), "{scripts:?}");
    // Without any it is as it was.
    leave_by(world.folder.path(), "nowhere 1");
    assert!(world.turn(50, &["/web"]).is_empty());
    assert_eq!((world.sent("/web", 50).len(), world.table().scripts.len()), (5, 3));
}

#[test]
fn without_a_default_route_of_ipv4_that_of_ipv6_is_counted() {
    let mut world = World::new();
    put(&world.folder.path().join("proc/net"), "route", "Iface Destination Gateway\n");
    let any = "0".repeat(32);
    let route = format!("{any} 00 {any} 00 {any} 00000400 00000001 00000000 00000003 wlan6\n");
    put(&world.folder.path().join("proc/net"), "ipv6_route", &route);
    (0..2).for_each(|turn| assert!(world.turn(10 * turn, &["/web"]).is_empty()));
    assert!(world.table().scripts.last().unwrap().contains("oifname \"wlan6\""), "{:?}", world.table().scripts);
}

#[test]
fn groups_come_and_go_without_a_gap_for_the_others() {
    let mut world = World::new();
    world.process("batch", 10);
    world.turn(0, &["/web"]);
    world.send("web", 1_000);
    world.turn(10, &["/web", "/batch"]);
    world.send("web", 1_000);
    world.send("batch", 70);
    world.turn(20, &["/web", "/batch"]);
    // Restarted: another group of the same name.
    fs::rename(world.dir("batch"), world.dir("was-batch")).unwrap();
    world.process("batch", 10);
    world.send("web", 1_000);
    world.turn(30, &["/web", "/batch"]);
    world.send("web", 1_000);
    world.send("batch", 30);
    world.turn(40, &["/web", "/batch"]);
    world.send("web", 1_000);
    world.send("batch", 500);
    world.turn(50, &["/web"]);
    world.send("web", 1_000);
    world.turn(60, &["/web"]);
    assert_eq!(world.sent("/web", 60), ["NaN", "100", "100", "100", "100", "100"]);
    assert_eq!(world.sent("/batch", 50), ["NaN", "NaN", "NaN", "NaN", "50"]);
    assert_eq!(world.table().counters.as_ref().unwrap().len(), 1);
    world.turn(70, &[]);
    assert_eq!(world.table().counters, None, "the last group takes the table with it");
    let asked = |world: &World| {
        let table = world.table();
        (table.scripts.len(), table.lists)
    };
    let before = asked(&world);
    world.turn(80, &[]);
    assert_eq!(asked(&world), before, "nothing is asked for nobody");
}

#[test]
fn what_cannot_be_counted_here_is_absent_and_not_zero() {
    let mut world = World::new();
    world.process("own-network", 20);
    world.process("nobody", 999);
    fs::create_dir_all(world.dir("empty")).unwrap();
    world.process("odd\"name", 10);
    let groups = ["/own-network", "/nobody", "/empty", "/odd\"name", "/gone", "/", "/web"];
    (0..4).for_each(|turn| assert!(world.turn(10 * turn, &groups).is_empty()));
    assert_eq!(world.sent("/web", 30), ["NaN", "0", "0"]);
    for group in &groups[..6] {
        assert_eq!(world.sent(group, 30), [""; 0], "{group}");
    }
}

#[test]
fn an_nft_that_hangs_costs_readings_and_no_counter() {
    let mut world = World::new();
    world.turn(0, &["/web"]);
    world.turn(10, &["/web"]);
    world.table().hangs = true;
    let problems = world.turn(20, &["/web"]);
    assert!(problems.len() == 1 && problems[0].contains("no answer in time"), "{problems:?}");
    world.table().hangs = false;
    world.send("web", 4_000);
    assert!(world.turn(30, &["/web"]).is_empty());
    assert_eq!(world.sent("/web", 30), ["NaN", "200", "200"], "as a late turn");
    assert_eq!(world.table().scripts.len(), 2, "what an earlier run left is removed, and the table made once");
}

#[test]
fn the_table_ends_with_the_run() {
    let mut world = World::new();
    world.turn(0, &["/web"]);
    assert!(world.table().counters.is_some());
    let World { counts, table, .. } = world;
    drop(counts);
    assert_eq!(table.lock().unwrap().counters, None);
}

#[test]
fn a_machine_without_a_version_2_tree_is_told_so() {
    let nowhere = NetworkCounts::new(Hierarchy::discover(Path::new("/nonexistent")).unwrap_or_default());
    let error = nowhere.err().unwrap().to_string();
    assert!(error.contains("version 2 cgroup tree"), "{error}");
}
