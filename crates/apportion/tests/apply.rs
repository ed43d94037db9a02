//! The real command on real control groups: it applies, is killed, goes on, and everything is put back, also beside a loop and
//! with a workload that is gone. Needs root and a CPU controller; where they are missing it says so.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use apportion_core::{
    Decision, Executor as _, Knob,
    Setting::{self, Unlimited, Value},
    Workload, WorkloadKind,
};
use apportion_host::{
    act::{CgroupFiles, OwnGroup, Route},
    cgroupfs::Hierarchy,
};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(240);

/// Ends with this value, and not gently.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A group with a process that does nothing.
struct Subject {
    name: String,
    _process: Killed,
    _group: OwnGroup,
}

struct World {
    folder: tempfile::TempDir,
    hierarchy: Hierarchy,
}

impl World {
    fn subject(&self, name: &str) -> Result<Subject, String> {
        let name = format!("/apportion-apply-{}-{name}", std::process::id());
        let group = OwnGroup::create(&self.hierarchy, &name).map_err(|error| error.to_string())?;
        let process = Killed(Command::new("sleep").arg("3600").spawn().unwrap());
        group.add(process.0.id()).map_err(|error| error.to_string())?;
        let subject = Subject { name, _process: process, _group: group };
        match self.quota(&subject) {
            Some(_) => Ok(subject),
            None => Err(format!("the CPU quota of {} cannot be set", subject.name)),
        }
    }

    fn quota(&self, subject: &Subject) -> Option<Setting> {
        let (id, path) = (subject.name.as_str().into(), subject.name.clone());
        let workload = Workload { id, kind: WorkloadKind::Cgroup, path, labels: BTreeMap::new() };
        Route::new(vec![Box::new(CgroupFiles::new(self.hierarchy.clone()))]).observe(&workload, Knob::CpuQuota)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apportion"));
        command.args(args).env("APPORTION_STORE", self.folder.path().join("store/apportion.db"));
        command.env("APPORTION_CONFIG", self.folder.path().join("apportion.toml"));
        command
    }

    fn done(&self, args: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
    }

    /// A loop that may set exactly so many cores.
    fn applying(&self, cores: f64) -> Killed {
        let rule = format!(
            "guard = \"brisk\"\n[[workloads]]\nmatch = \"*apportion-apply-{}-*\"\napply = true\n\
             bounds = {{ cpu_quota_cores = [{cores}, {cores}] }}\n",
            std::process::id()
        );
        fs::write(self.folder.path().join("apportion.toml"), rule).unwrap();
        let mut command = self.command(&["run", "--apply", "--listen", "off"]);
        Killed(command.stdout(Stdio::null()).spawn().unwrap())
    }

    fn wait_for(&self, what: &str, is_so: impl Fn() -> bool) {
        let begin = Instant::now();
        while !is_so() {
            assert!(begin.elapsed() < PATIENCE, "{what}: {}", self.done(&["history"]).1);
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// The newest decision that turned the CPU quota of a subject.
    fn last_applied(&self, subject: &Subject) -> Option<Decision> {
        let (_, said) = self.done(&["history", &subject.name, "--applied", "--json"]);
        let decisions = said.lines().filter_map(|line| serde_json::from_str::<Decision>(line).ok());
        decisions.into_iter().find(|decision| decision.change.knob == Knob::CpuQuota)
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn what_a_killed_loop_set_is_put_back_step_by_step_and_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let world = World { folder, hierarchy: Hierarchy::discover(Path::new("/")).unwrap() };
    if !is_root() {
        println!("LEFT OUT: applying for real: needs root");
        return;
    }
    let (web, gone) = match world.subject("web").and_then(|web| Ok((web, world.subject("gone")?))) {
        Ok(subjects) => subjects,
        Err(why) => return println!("LEFT OUT: applying for real: {why}"),
    };
    let at = |subject: &Subject, cores| world.quota(subject).is_some_and(|now| now.same(Value(cores), Knob::CpuQuota));
    assert_eq!(world.quota(&web), Some(Unlimited));

    // Twice cut, and killed each time.
    let running = world.applying(1.0);
    world.wait_for("1 core", || at(&web, 1.0) && at(&gone, 1.0));
    drop(running);
    let running = world.applying(0.5);
    world.wait_for("0.5 cores", || at(&web, 0.5) && at(&gone, 0.5));
    drop(running);
    // The last decision may have been cut off by the kill; the next run records it.
    let running = world.applying(0.5);
    world.wait_for("a recorded cut", || {
        world.last_applied(&web).is_some_and(|decision| decision.change.from.same(Value(1.0), Knob::CpuQuota))
    });
    drop(running);

    // One step back: the original value is not forgotten.
    let cut = world.last_applied(&web).unwrap();
    let (status, said) = world.done(&["rollback", &cut.id.to_string()]);
    assert!(status == Some(0) && at(&web, 1.0), "{status:?} {said}");

    // The rest of the way beside a loop, which keeps off by itself meanwhile; what is gone stops nothing.
    let gone_name = gone.name.clone();
    drop(gone);
    let running = world.applying(0.5);
    world.wait_for("a loop that answers", || world.done(&["status"]).0 == Some(0));
    world.wait_for("a loop that sees the workload", || world.done(&["status"]).1.contains(&web.name));
    let (status, said) = world.done(&["rollback", "--all"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains(&format!("of {gone_name} is gone, and its limit with it: settled")), "{said}");
    assert_eq!(world.quota(&web), Some(Unlimited), "{said}");
    assert_eq!(world.done(&["rollback", "--all"]).0, Some(3), "nothing is left");
    drop(running);
    let (status, said) = world.done(&["rollback", "--all"]);
    assert_eq!((status, world.quota(&web)), (Some(3), Some(Unlimited)), "{said}");
}
