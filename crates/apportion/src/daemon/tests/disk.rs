//! The loop while the disk under its open store cannot be written. Only root may mount one.
#![allow(clippy::print_stdout, reason = "what is left out is said")]

use super::*;
use std::process::Command;

/// A disk at a folder, which goes with it.
struct Disk(PathBuf);

impl Disk {
    /// Of 32 MiB, in memory.
    fn small(folder: PathBuf) -> Option<Self> {
        Self::mounted(folder, &["-t", "tmpfs", "-o", "size=32m", "tmpfs"])
    }

    /// A file system in a file beside the folder: unlike one in memory it heeds a mark on a file at every write, and can be told to fail.
    fn of_file(folder: PathBuf) -> Option<Self> {
        let image = folder.with_extension("image");
        fs::File::create(&image).and_then(|file| file.set_len(64 << 20)).unwrap();
        let is_made = did("mkfs.ext4", &["-q", "-F", image.to_str()?]);
        if is_made { Self::mounted(folder, &["-o", "loop", image.to_str()?]) } else { None }
    }

    fn mounted(folder: PathBuf, what: &[&str]) -> Option<Self> {
        fs::create_dir_all(&folder).unwrap();
        let done = did("mount", &[what, &[folder.to_str()?]].concat());
        done.then_some(Self(folder))
    }

    fn fill(&self) {
        let _ = fs::write(self.0.join("ballast"), vec![0; 40 << 20]);
    }

    /// Nothing may be written to the store's files any more, also by whoever has them open; or again.
    fn seal(&self, is_sealed: bool) {
        let files = ["", "-wal", ".lock"].map(|ending| format!("{}/apportion.db{ending}", self.0.display()));
        let mark = if is_sealed { "+i" } else { "-i" };
        assert!(did("chattr", &[mark, &files[0], &files[1], &files[2]]));
    }

    /// Whether files can be marked so here: mounting is not all that it takes.
    fn can_seal(&self) -> bool {
        let probe = self.0.join("probe").display().to_string();
        fs::write(&probe, "").unwrap();
        did("chattr", &["+i", &probe]) && did("chattr", &["-i", &probe])
    }

    /// It turns read-only as after a fault of the device, whatever is open.
    fn fail(&self) {
        assert!(did("mount", &["-o", "remount,abort", self.0.to_str().unwrap()]));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        did("umount", &["-l", self.0.to_str().unwrap_or_default()]);
    }
}

fn did(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

/// A machine whose 40 groups are all to be cut, a few a turn, with the store on a disk.
struct Cutting {
    world: World,
    names: Vec<String>,
}

impl Cutting {
    fn new(folder: tempfile::TempDir) -> Self {
        let names: Vec<String> = (0..40).map(|index| format!("w{index}")).collect();
        let groups: Vec<&str> = names.iter().map(String::as_str).collect();
        Self { world: World::within(folder, &groups, &rules(), "recent"), names }
    }

    fn cut(&self) -> BTreeSet<String> {
        let is_cut = |name: &&String| self.world.text(&format!("{name}/cpu.max")) != "100000 100000";
        self.names.iter().filter(is_cut).map(|name| format!("/{name}")).collect()
    }

    fn recorded(&self) -> BTreeSet<String> {
        let of_cpu = self.world.changed().into_iter().filter(|(_, knob, _)| *knob == Knob::CpuQuota);
        of_cpu.map(|(workload, ..)| workload).collect()
    }

    /// Turns during which nothing can be written: it goes on and says so, and no limit is set without its record. Gives what is said.
    fn frozen(&mut self) -> Vec<String> {
        let (mut failed, mut said) = (0, Vec::new());
        for tick in 1..30 {
            let turn = self.world.daemon.turn(START.plus_s(10 * tick));
            let failure = |made: &Decision| match &made.verdict {
                Verdict::Admitted { outcome: Outcome::Failed { error }, .. } => Some(error.clone()),
                _ => None,
            };
            let failures: Vec<String> = turn.report.decisions.iter().filter_map(failure).collect();
            assert!(failures.iter().all(|error| error.contains("could not be recorded first")), "{failures:?}");
            failed += failures.len();
            assert_eq!(turn.snapshot.workloads.len(), 41, "it goes on");
            let of_store = turn.problems.iter().filter(|problem| problem.place == "store");
            let before = said.len();
            said.extend(of_store.map(|problem| problem.what.clone()));
            assert!(failed == 0 || said.len() > before, "{:?}", turn.problems);
        }
        assert!(failed > 0);
        assert!(self.cut().is_subset(&self.recorded()) && self.cut().len() < 40, "{:?} are cut", self.cut());
        said
    }

    /// Turns after it can be written again: nothing is said of the store in the end, and every group is cut, and recorded so.
    fn thawed(&mut self) {
        (30..60).for_each(|tick| drop(self.world.daemon.turn(START.plus_s(10 * tick))));
        let last = self.world.daemon.turn(START.plus_s(600));
        assert!(!last.problems.iter().any(|problem| problem.place == "store"), "{:?}", last.problems);
        assert_eq!((self.cut().len(), self.cut()), (40, self.recorded()));
    }
}

fn rules() -> Config {
    let rules =
        "guard = \"brisk\"\n[[workloads]]\nmatch = \"/w*\"\napply = true\nbounds = { cpu_quota_cores = [0.1, 0.5] }";
    Config::parse(rules, Path::new("rules")).unwrap()
}

#[test]
fn a_full_disk_ends_no_loop_and_no_limit_is_set_without_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::small(folder.path().join("store")) else {
        return println!("LEFT OUT: the loop on a full disk: tmpfs cannot be mounted");
    };
    let mut cutting = Cutting::new(folder);
    disk.fill();
    cutting.frozen();
    fs::remove_file(disk.0.join("ballast")).unwrap();
    cutting.thawed();
}

#[test]
fn a_store_that_may_not_be_written_for_a_while_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::of_file(folder.path().join("store")) else {
        return println!("LEFT OUT: the loop on a store that turns read-only: ext4 cannot be mounted from a file");
    };
    if !disk.can_seal() {
        return println!("LEFT OUT: the loop on a store that turns read-only: no file can be marked immutable");
    }
    let mut cutting = Cutting::new(folder);
    disk.seal(true);
    let said = cutting.frozen();
    assert!(said.iter().all(|what| what.contains("read-only")), "{said:?}");
    disk.seal(false);
    cutting.thawed();
    has_all_readings(cutting.world);
    drop(disk);
}

/// Closes the loop; readings of the time in between are in its store.
fn has_all_readings(World { folder, daemon }: World) {
    daemon.close().unwrap();
    let store = Store::open(&folder.path().join("store/apportion.db"), Access::ReadOnly, Options::default()).unwrap();
    let window = apportion_core::Window { from_s: START.s() + 10, to_s: START.s() + 600, step_s: 10 };
    let memory = Metric::new(apportion_core::metric::name::MEMORY);
    let past = store.series_mean(&"/w7".into(), &memory, window).unwrap().unwrap();
    assert!(past.present().count() >= 59, "{past:?}");
}

#[test]
fn a_store_that_is_brought_back_to_its_place_is_taken_up_by_the_running_loop() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("store");
    let Some(disk) = Disk::of_file(place.clone()) else {
        return println!("LEFT OUT: the loop on a disk that is exchanged: ext4 cannot be mounted from a file");
    };
    let mut cutting = Cutting::new(folder);
    disk.fail();
    cutting.frozen();
    // The failed one is not free while the loop has files on it open.
    drop(disk);
    let of_it = |ending: &str| cutting.world.folder.path().join(format!("store.{ending}")).display().to_string();
    let copy = of_it("copy");
    fs::copy(of_it("image"), &copy).unwrap();
    // Another store there is not written to.
    fs::write(place.join("apportion.db"), "something else").unwrap();
    let turn = cutting.world.daemon.turn(START.plus_s(295));
    assert!(turn.problems.iter().any(|problem| problem.place == "store"), "{:?}", turn.problems);
    assert_eq!(fs::read_to_string(place.join("apportion.db")).unwrap(), "something else");
    let disk = Disk::mounted(place, &["-o", "loop", &copy]).unwrap();
    cutting.thawed();
    has_all_readings(cutting.world);
    drop(disk);
}

#[test]
fn a_disk_that_fails_under_the_loop_freezes_it_until_a_start_on_a_mended_one() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("store");
    let Some(disk) = Disk::of_file(place.clone()) else {
        return println!("LEFT OUT: the loop on a disk that fails: ext4 cannot be mounted from a file");
    };
    let mut cutting = Cutting::new(folder);
    let cut = cutting.cut();
    disk.fail();
    let said = cutting.frozen();
    assert!(said.iter().all(|what| what.contains("read-only")), "{said:?}");
    assert_eq!(cutting.cut(), cut, "nothing more was set");
    let World { folder, daemon } = cutting.world;
    let error = format!("{:#}", daemon.close().unwrap_err());
    assert!(error.contains("the last telemetry could not be written to the store"), "{error}");
    drop(disk);
    let disk = Disk::mounted(place, &["-o", "loop", folder.path().join("store.image").to_str().unwrap()]).unwrap();
    let daemon = assemble(&rules(), settings(folder.path())).unwrap().daemon;
    cutting.world = World { folder, daemon };
    cutting.thawed();
    drop(cutting);
    drop(disk);
}
